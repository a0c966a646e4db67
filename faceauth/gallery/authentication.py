"""Logging in: an attempt is counted, a person is judged, and the answer is given once it is on disk."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import ValidationError

from faceauth.errors import UsageError
from faceauth.gallery.attempts import Judged, Session, begin, open_and_begin, settle
from faceauth.gallery.database_search import DatabaseIndex
from faceauth.gallery.opened import Gallery
from faceauth.gallery.search import Index
from faceauth.imaging.decoding import ImageSource
from faceauth.pipeline import Pipeline
from faceauth.policy import identification_threshold, match_threshold
from faceauth.presentation import MESSAGES
from faceauth.results import VERDICT_OF, MatchResult, Reason, Template, Verdict, Verification, decide
from faceauth.steps import Color
from faceauth.thresholds import Frozen, MatchThreshold, Thresholds

JudgedT = TypeVar("JudgedT", bound=Judged)


class Identification(Frozen):
    """Who it is.

    Attributes:
        subject: None when nobody was accepted.
        verification: with the match against the most similar template, and the threshold for a gallery of this size.
    """

    subject: str | None
    verification: Verification


def login(
    gallery: Gallery, pipeline: Pipeline, subject: str, image: ImageSource, *, client: str, color: Color = "bgr"
) -> Verification:
    """Whether ``image`` shows ``subject``, live. Let them in only if ``accepted`` is true.

    Args:
        gallery: where the person is enrolled.
        pipeline: requires liveness.
        subject: the name that is claimed.
        image: as for :meth:`Pipeline.verify`; one that cannot be read is a result with reason ``image_unusable``.
        client: where the attempt comes from; its attempts are counted together.
        color: channel order of an array.

    Raises:
        LockedOut: too many attempts.
        NotEnrolled: nobody of that name is enrolled, or they have no templates of the embedder in use.
        GalleryError: the gallery cannot be used; nobody is let in.
    """
    _check(pipeline)
    session, templates = open_and_begin(gallery, subject, client, pipeline.model_id)
    return _settled(gallery, session, next(pipeline.verify_many([image], templates, color=color)))


def answer(
    gallery: Gallery, session: Session, model_id: str, judge: Callable[[Sequence[Template]], JudgedT]
) -> JudgedT:
    """The answer to an open session: charged, judged, settled, and only then returned.

    Args:
        gallery: of the session.
        session: opened for a person.
        model_id: of the embedder that ``judge`` uses.
        judge: given the person's templates, verifies what was shown: an image, or a video by
            :class:`faceauth.video.session.PresentationSession`. An exception leaves the attempt charged.

    Raises:
        UsageError: the session is for a search, or ``judge`` accepted without liveness or match, or answered what its
            own evidence contradicts.
        GalleryError: as :func:`login`.
    """
    if session.subject is None:
        raise UsageError("This session is for a search: use identify().")
    return _settled(gallery, session, judge(begin(gallery, session, model_id)))


def _settled(gallery: Gallery, session: Session, result: JudgedT) -> JudgedT:
    _check_evidence(result)
    if result.accepted and result.reason is not Reason.LIVE_AND_MATCHED:
        raise UsageError(f"Nobody is let in for {result.reason}: a login needs a live face that matches.")
    settle(gallery, session, result)
    return result


def identify(
    gallery: Gallery,
    pipeline: Pipeline,
    index: Index | DatabaseIndex,
    image: ImageSource,
    *,
    client: str,
    color: Color = "bgr",
) -> Identification:
    """Who in the gallery ``image`` shows, live.

    The threshold follows the number of templates, and is never below that of :func:`login`. Failures are counted
    against the client alone, since nobody was named; but whom failures have locked out is not let in here either.

    Naming the person (:func:`login`) is safer: a stranger is then compared with one person instead of all.

    Args:
        gallery: of enrolled people.
        pipeline: requires liveness.
        index: of this gallery and the pipeline's embedder.
        image: as for :func:`login`, and so are ``client`` and ``color``.
        client: see :func:`login`.
        color: see :func:`login`.

    Raises:
        UsageError: the measured pairs of the embedder do not support a gallery of this size.
        LockedOut: too many attempts of the client, or to be the person that was recognised.
        NotEnrolled: nobody is enrolled with the embedder in use, or who was recognised has just been deleted.
        GalleryError: the gallery cannot be used; nobody is let in.
    """
    _check(pipeline)
    _search_threshold(pipeline, index.refresh())  # refuses before anything is charged
    session, _ = open_and_begin(gallery, None, client, pipeline.model_id)
    result, template = pipeline.verify_and_embed(image, color=color)
    subject = None
    if template is not None and result.thresholds is not None:
        threshold = _search_threshold(pipeline, index.refresh())  # judging took its time
        candidate = index.nearest(template)
        thresholds = Thresholds(liveness=result.thresholds.liveness, match=threshold)
        result = _matched(result, thresholds, MatchResult(similarity=candidate.similarity, model_id=template.model_id))
        subject = candidate.subject if result.accepted else None
    settle(gallery, session, result, found=subject)
    return Identification(subject=subject, verification=result)


def _search_threshold(pipeline: Pipeline, templates: int) -> MatchThreshold:
    """The threshold for a search among so many templates, or that of a login where it is stricter."""
    for_size = identification_threshold(templates, pipeline.match_points)
    for_one = match_threshold(pipeline.config.match_threshold, pipeline.match_points)
    return max(for_size, for_one, key=lambda one: one.similarity)


def _matched(result: Verification, thresholds: Thresholds, match: MatchResult) -> Verification:
    reason = decide(thresholds, result.liveness, match)
    decided = {
        "match": match,
        "thresholds": thresholds,
        "reason": reason,
        "verdict": VERDICT_OF[reason],
        "accepted": VERDICT_OF[reason] is Verdict.ACCEPT,
        "message": MESSAGES[reason],
        "skipped": {},
    }
    return Verification.model_validate({**dict(result), **decided})


def _check_evidence(result: object) -> None:
    """Refuse a result whose parts were changed after it was built, as ``model_copy`` does without asking."""
    try:
        if isinstance(result, Frozen):
            type(result).model_validate(result)
            return
    except ValidationError:
        pass
    raise UsageError(f"Nobody is let in for this {type(result).__name__}: its evidence contradicts it.")


def _check(pipeline: Pipeline) -> None:
    if not pipeline.config.require_liveness:
        raise UsageError("Nobody logs in without a liveness check, or a photo would do: set require_liveness to true.")

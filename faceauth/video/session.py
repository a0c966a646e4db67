"""A presentation, frame by frame: what to do next after each frame, and a single result at the end.

It ends at the first reason to stop and never reopens. Whatever fails on the way denies.
"""

import math
from collections import Counter
from typing import NamedTuple, cast

from pydantic import Field

from faceauth.errors import ImageError, UsageError
from faceauth.imaging.decoding import ImageSource
from faceauth.pipeline import NOT_GIVEN, MaybeReference, Pipeline
from faceauth.presentation import MESSAGES, Presentation
from faceauth.results import DECIDED, VERDICT_OF, Face, Provenance, Reason, StageName, Template, Verdict, decide
from faceauth.stages import Image
from faceauth.steps import Color
from faceauth.templates import similarity
from faceauth.thresholds import Frozen, Thresholds
from faceauth.video import track
from faceauth.video.decision import (
    MIN_KEPT,
    MIN_SPAN_S,
    FrameCounts,
    KeptFrame,
    PresentationResult,
    SameFace,
    enough,
    logit_spread,
    lowest_match,
    median_liveness,
    refused_early,
)

KEEP_EVERY_S = 0.18
"""Seconds between two kept frames, which are the ones that the liveness backends score: five a second, with room for
the jitter of a camera. Chosen, not measured."""

TIME_LIMIT_S = 15.0
"""Seconds of video after which a session without a decision ends: chosen, not measured."""

LOOK = "Look into the camera with your whole face in the image."
MOVE = "Turn your head a little, or come a little closer."
SWAPPED = "another face took its place"


class State(Frozen):
    """Where a presentation stands after a frame.

    Attributes:
        message: what to do next, one sentence; at the end the message of the result.
        obstacle: why the face that was looked for last cannot be judged, None when it can: for machines.
        progress: from 0 to 1.
        kept: frames kept so far.
        face: the face found last; None when the last search found none that could be chosen.
        time_s: when the frame was captured; None before the first.
        result: None until the end.
    """

    message: str = LOOK
    obstacle: Reason | None = None
    progress: float = Field(default=0.0, ge=0.0, le=1.0)
    kept: int = 0
    face: Face | None = None
    time_s: float | None = None
    result: PresentationResult | None = None


class PresentationSession:
    """Takes the frames of one presentation, and decides once.

    A session is used by one thread at a time; several sessions may share a pipeline.

    Args:
        pipeline: its backends, policy and thresholds hold for every kept frame.
        reference: whom every kept frame must match; see :meth:`faceauth.Pipeline.verify`.
        source: what to call the source in the result.
        held: gather frames until :meth:`finish` is called, for a caller that needs more, such as a challenge; meanwhile
            a face that looks as in a kept frame is compared with it.
        time_limit_s: seconds of video without a decision after which the session ends.

    Raises:
        FaceAuthError: as for :meth:`faceauth.Pipeline.verify`; the embedder is needed without a reference too, since
            it tells whether all frames show one person.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        reference: MaybeReference = NOT_GIVEN,
        *,
        source: str | None = None,
        held: bool = False,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self._steps, self._gate = pipeline.steps, pipeline.config.gate
        self._thresholds, self._enrolled = pipeline.prepare(reference, "bgr")
        same_face = self._steps.thresholds(matching=True).match
        assert same_face is not None  # it was asked for
        self._same_face_threshold = same_face
        self._source, self._held, self._time_limit_s = source, held, time_limit_s
        self._state = State()
        self._image: Image | None = None
        self._seen = self._dropped = 0
        self._started_s: float | None = None
        self._last_s = self._gap_s = self._searched_s = self._face_seen_s = self._recognized_s = -math.inf
        self._thumbnail = track.NOTHING
        self._digest = b""
        self._digests: set[bytes] = set()
        self._searched: list[Presentation] = []
        self._last_face: Face | None = None
        self._kept: list[_Kept] = []
        self._same_face: SameFace | None = None

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._state

    @property
    def result(self) -> PresentationResult:
        """The one result.

        Raises:
            UsageError: the session has not ended: feed it, or call :meth:`finish`.
        """
        if self._state.result is None:
            raise UsageError("The session has no result yet: feed it more frames, or call finish().")
        return self._state.result

    @property
    def image(self) -> Image | None:
        """The frame fed last, upright and read-only; None before the first."""
        return self._image

    @property
    def enough(self) -> bool:
        """Whether the frames kept so far are enough for a decision."""
        return enough(self._frames())

    def feed(self, image: ImageSource, time_s: float, *, color: Color = "bgr", dropped: int = 0) -> State:
        """Take the next frame. After the end, frames are ignored and the last state is returned.

        Args:
            image: as for :meth:`faceauth.Pipeline.verify`; one that cannot be read ends the session.
            time_s: when it was captured, in seconds on a clock that never goes back.
            color: channel order of an array.
            dropped: frames that the source lost so far.
        """
        if self._state.result is not None:
            return self._state
        self._seen += 1
        self._dropped = dropped
        before = self._image
        try:
            self._image = self._steps.decode(image, color)
        except ImageError as error:
            return self.close(Reason.IMAGE_UNUSABLE, str(error))
        return self._check_time(time_s) or self._check_stream(before, self._image) or self._look(self._image)

    def finish(self) -> State:
        """Tell the session that no more frames come: it decides from the kept frames, if there are enough."""
        if self._state.result is not None:
            return self._state
        return self._decide() if self.enough else self._give_up(Reason.STREAM_ENDED)

    def close(self, reason: Reason, message: str = "", *, failed: StageName | None = None) -> State:
        """End it for a reason that does not follow from scores; a session that has ended keeps its result.

        Args:
            reason: any but those of a decision, see :data:`faceauth.results.DECIDED`.
            message: for people; by default the one that belongs to the reason.
            failed: the stage, for ``stage_failed`` alone.

        Raises:
            UsageError: the reason is that of a decision, which only the session itself may make.
        """
        if reason in DECIDED:
            raise UsageError(f"A session is not closed with {reason}: it decides by itself, after enough frames.")
        return self._end(reason, message, failed)

    # A frame on its way.

    def _check_time(self, time_s: float) -> State | None:
        if not time_s > self._last_s or math.isinf(time_s):  # true for NaN
            after = "" if self._started_s is None else f" after one of {self._last_s:.3f} s"
            message = f"A frame of {time_s:.3f} s came{after}: capture times have to increase. Start again."
            return self.close(Reason.FRAMES_OUT_OF_ORDER, message)
        if self._started_s is None:
            self._started_s = time_s
        self._gap_s, self._last_s = time_s - self._last_s, time_s
        if self._kept and time_s - self._face_seen_s > track.LOST_AFTER_S:
            return self._broken(f"no face was seen for {time_s - self._face_seen_s:.1f} s")
        if time_s - self._started_s > self._time_limit_s:
            return self._give_up(Reason.TIMED_OUT)
        return None

    def _check_stream(self, before: Image | None, image: Image) -> State | None:
        """Repeated frames, and cuts. Before the first kept frame there is nothing to break."""
        digest, thumbnail = track.digest(image), track.thumbnail(image)
        frozen, looped = digest == self._digest, digest in self._digests
        likeness = track.likeness(self._thumbnail, thumbnail)
        self._digest, self._thumbnail = digest, thumbnail
        self._digests.add(digest)
        if not self._kept:
            return None
        if frozen:
            return self.close(Reason.FROZEN_STREAM)
        if looped:
            return self.close(Reason.LOOPED_STREAM)
        if before is not None and before.shape != image.shape:
            return self._broken("the frames changed size")
        if likeness < track.MIN_LIKENESS:
            return self._broken("the scene changed abruptly")
        return None

    def _look(self, image: Image) -> State:
        """Search the face where it is time to, and keep the frame where it adds something."""
        if self._last_s - self._searched_s + self._gap_s <= track.SEARCH_EVERY_S:
            return self._show(self._state.message, self._state.obstacle, self._state.face)
        self._searched_s = self._last_s
        one = Presentation(image)
        self._searched.append(one)
        self._steps.find_face(one, self._gate)
        state = self._follow(one, image)
        one.image = None
        return state

    def _follow(self, one: Presentation, image: Image) -> State:
        """Continue the track, or break it."""
        if one.failed is not None:
            return self.close(Reason.STAGE_FAILED, one.message, failed=one.failed)
        if one.reason is Reason.SEVERAL_FACES and self._kept:
            return self._broken("a second face entered the image")
        if one.face is None:
            return self._show(one.message, one.reason, None)
        before, self._last_face, self._face_seen_s = self._last_face, one.face, self._last_s
        if self._kept and before is not None and track.overlap(before.box_xyxy, one.face.box_xyxy) < track.MIN_OVERLAP:
            return self._broken("the face jumped")
        if one.reason is not None:
            return self._show(one.message, one.reason, one.face)
        return self._keep(one, track.view_of(image, one.face))

    def _keep(self, one: Presentation, view: track.View) -> State:
        """Score and keep the frame when it differs from all that were kept; decide when they are enough."""
        alike = [kept for kept in self._kept if not view.differs(kept.view)]
        if alike and self._held and self._last_s - self._recognized_s >= track.LOST_AFTER_S:
            return self._recognize(one, alike)
        if alike or (self._kept and self._last_s - self._kept[-1].time_s < KEEP_EVERY_S):
            return self._show(MOVE, None, one.face)
        self._steps.score(one, stop_early=False)
        if one.reason is None:
            self._steps.embed(one)
        if one.failed is not None:
            return self.close(Reason.STAGE_FAILED, one.message, failed=one.failed)
        self._compare(one)
        self._kept.append(_Kept(self._last_s, one, view))
        if self._same_face is not None and not self._same_face.holds:
            return self._broken(SWAPPED)
        frames = self._frames()
        if refused_early(frames, self._thresholds):
            return self._end(Reason.ATTACK_SUSPECTED)
        if enough(frames) and not self._held:
            return self._decide()
        return self._show(MOVE, None, one.face)

    def _recognize(self, one: Presentation, alike: "list[_Kept]") -> State:
        """Compare a face that adds no evidence with the kept ones that it looks like.

        Otherwise somebody else could answer a challenge, in a pose and a light in which a frame was kept before.
        """
        self._recognized_s = self._last_s
        self._steps.embed(one)
        if one.failed is not None:
            return self.close(Reason.STAGE_FAILED, one.message, failed=one.failed)
        lowest = min(similarity(_template(one), _template(kept.one)) for kept in alike)
        one.templates = ()  # a session may look at hundreds of frames
        if not SameFace(lowest_similarity=lowest, threshold=self._same_face_threshold).holds:
            return self._broken(SWAPPED)
        return self._show(MOVE, None, one.face)

    def _compare(self, one: Presentation) -> None:
        """The lowest similarity of any two kept frames."""
        similarities = [similarity(_template(one), _template(kept.one)) for kept in self._kept]
        if self._same_face is not None:
            similarities.append(self._same_face.lowest_similarity)
        if similarities:
            self._same_face = SameFace(lowest_similarity=min(similarities), threshold=self._same_face_threshold)

    def _show(self, message: str, obstacle: Reason | None, face: Face | None) -> State:
        self._state = State(
            message=message,
            obstacle=obstacle,
            progress=min(len(self._kept) / MIN_KEPT, 1.0),
            kept=len(self._kept),
            face=face,
            time_s=self._last_s,
        )
        return self._state

    # The end.

    def _decide(self) -> State:
        """The threshold on the median; a match must hold over all kept frames, and is asked of live faces only."""
        liveness, asked = median_liveness(self._frames()), Thresholds(liveness=self._thresholds.liveness)
        live = not asked.liveness or decide(asked, liveness, None) is Reason.LIVE
        if live and not all(self._steps.alone_or_sure(kept.one, liveness) for kept in self._kept):
            return self._end(Reason.SEVERAL_FACES)
        if self._enrolled is not None and live:
            for kept in self._kept:
                self._steps.match(kept.one, self._enrolled)
                if kept.one.reason is not None:
                    return self._end(kept.one.reason, kept.one.message, kept.one.failed)
        return self._end(decide(self._thresholds, liveness, lowest_match(self._frames())))

    def _give_up(self, reason: Reason) -> State:
        """For ``reason``, or for what stood in the way until now where no frame was ever kept."""
        obstacle = self._state.obstacle
        if not self._kept and obstacle is not None:
            return self.close(obstacle, self._state.message)
        span_s = self._kept[-1].time_s - self._kept[0].time_s if self._kept else 0.0
        return self.close(
            reason,
            f"Start again, and move your head a little: {len(self._kept)} of at least {MIN_KEPT} different frames came "
            f"in {span_s:.1f} of at least {MIN_SPAN_S:g} s.",
        )

    def _broken(self, what: str) -> State:
        return self.close(Reason.TRACK_BROKEN, f"{MESSAGES[Reason.TRACK_BROKEN][:-1]}: {what}.")

    def _end(self, reason: Reason, message: str = "", failed: StageName | None = None) -> State:
        if self._state.result is not None:
            return self._state
        elapsed_ms: Counter[StageName] = Counter()
        stages: list[Provenance] = []
        for one in self._searched:
            elapsed_ms.update(one.elapsed_ms)
            stages += [stage for stage in one.provenance if stage not in stages]
        frames = self._frames()
        liveness, match, verdict = median_liveness(frames), lowest_match(frames), VERDICT_OF[reason]
        result = PresentationResult(
            accepted=verdict is Verdict.ACCEPT,
            verdict=verdict,
            reason=reason,
            message=message or MESSAGES[reason],
            source=self._source,
            kept=frames,
            frames=FrameCounts(seen=self._seen, dropped=self._dropped, searched=len(self._searched)),
            liveness=liveness,
            logit_spread=logit_spread(frames),
            match=match,
            same_face=self._same_face,
            skipped=_skipped(self._thresholds, reason, has_liveness=liveness is not None, has_match=match is not None),
            failed=failed,
            thresholds=self._thresholds if liveness or match else None,
            stages=tuple(stages),
            elapsed_ms=dict(elapsed_ms),
        )
        self._state = State(
            message=result.message,
            obstacle=None if result.accepted else reason,
            progress=1.0,
            kept=len(frames),
            face=self._last_face,
            time_s=None if self._started_s is None else self._last_s,
            result=result,
        )
        return self._state

    def _frames(self) -> tuple[KeptFrame, ...]:
        return tuple(
            KeptFrame(time_s=time_s, face=cast(Face, one.face), liveness=one.liveness, match=one.match)
            for time_s, one, _ in self._kept
        )


class _Kept(NamedTuple):
    time_s: float
    one: Presentation
    view: track.View


def _template(one: Presentation) -> Template:
    return one.templates[0]  # made before a frame is kept


def _skipped(thresholds: Thresholds, reason: Reason, *, has_liveness: bool, has_match: bool) -> dict[StageName, str]:
    """Why a stage did not run, or not on every kept frame."""
    skipped: dict[StageName, str] = {}
    ended = f"the presentation ended before: {reason}"
    if not has_liveness:
        skipped["liveness"] = ended if thresholds.liveness else "the configuration does not require liveness"
    if not has_match:
        not_live = reason in (Reason.ATTACK_SUSPECTED, Reason.LIVENESS_UNCERTAIN)
        late = "a face that is not accepted as live is never matched" if not_live else ended
        skipped["match"] = "no reference was given" if thresholds.match is None else late
    return skipped

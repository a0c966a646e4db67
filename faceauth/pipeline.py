"""A picture in, a ``Verification`` out: decode -> detect -> gate -> align -> liveness -> match -> decide.

Knows no model and no threshold of its own: backends score, the policy decides, and whatever fails denies.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TypeAlias, cast

import numpy as np

from faceauth import gate
from faceauth.backends.guard import Guard, check_crop, check_embeddings, check_faces
from faceauth.backends.loading import Backends, Given, Stage
from faceauth.config import PipelineConfig, checked_config, load_config
from faceauth.errors import UsageError, ImageError, ScoreError, StageTimeout
from faceauth.gate import GatePolicy
from faceauth.imaging.decoding import ImageSource, load_image
from faceauth.policy import choose_face, decide, decide_liveness, match_threshold, thresholds
from faceauth.presentation import Presentation, still_open, timed
from faceauth.results import Face, LivenessResult, MatchResult, Reason, Template, Thresholds, Verification
from faceauth.stages import Aligner, Crop, CropSpec, Detector, Embedder, Image, LivenessBackend
from faceauth.templates import checked_template, mismatch, similarity
from faceauth.views import cut_views, score_views

Reference: TypeAlias = "ImageSource | Template | None"
"""What a face is matched with: a picture of the person, a template of :meth:`Pipeline.embed`, or nothing."""


class Pipeline:
    """Answers whether a picture shows a live person, and whether it is the one of a reference.

    The constructor loads every backend that the policy requires, so a broken installation fails at start; the
    embedder is loaded with the first reference unless ``policy.require_match`` is set. A pipeline may be used from
    several threads at once, and then calls its backends from several threads at once.

    An exception, an answer against the contract or a time-out in any stage is a result with reason ``stage_failed``,
    never an acceptance; the cause is logged by the logger ``faceauth``.
    """

    def __init__(
        self,
        config: PipelineConfig | None = None,
        *,
        detector: Detector | None = None,
        liveness: LivenessBackend | None = None,
        embedder: Embedder | None = None,
        aligner: Aligner | None = None,
    ) -> None:
        """Load the backends.

        Args:
            config: None takes the defaults and the environment (:func:`faceauth.load_config`);
                ``PipelineConfig()`` takes the default settings. Two variables hold for every configuration:
                ``FACEAUTH_WEIGHTS``, from which backends take their weight files, and
                ``FACEAUTH_DISABLE_PLUGIN_AUTOLOAD``.
            detector: an instance to use in place of the one that ``config`` names.
            liveness: likewise.
            embedder: likewise.
            aligner: an instance to use in place of the built-in one.

        Raises:
            FaceAuthError: a setting, a backend or a weight file is not usable.
        """
        self.config = load_config() if config is None else checked_config(config)
        self._backends = Backends(self.config, Given(detector, liveness, embedder, aligner))
        self._gate_guard = Guard("gate", "faceauth", timeout_s=self.config.policy.stage_timeout_s)
        scorer = self._backends.liveness
        self._limits = thresholds(self.config.policy, None if scorer is None else scorer.facts.operating_points)
        if self.config.policy.require_match:
            self._match_limits()

    def verify(self, image: ImageSource, reference: Reference = None) -> Verification:
        """Whether ``image`` shows a live person and, with a reference, the same one.

        Args:
            image: a path, bytes, a binary file, a PIL picture, or a uint8 array H x W x 3 in BGR order.
            reference: must match when given: a template, or a picture with one face (or the largest, as the policy
                says), which is not checked for liveness. Without a usable face the result is
                ``reference_unusable``, which is uncertain and so denies.

        Raises:
            ImageError: one of the two pictures cannot be read (:meth:`verify_many` makes a result of the first).
            TemplateMismatch: the template comes from another embedder than the pipeline's, or is no valid one.
            BackendError, WeightsError, ProviderUnavailable: the embedder, which the first reference loads, is not
                usable.
            UsageError: the policy requires a match and there is no reference, or it requires nothing at all.
        """
        limits, enrolled = self._prepare(reference)
        presentation = Presentation(None, source=_label(image))
        with timed("decode", [presentation]):
            presentation.image = self._decode(image)
        return self._judge([presentation], enrolled, limits)[0]

    def verify_many(
        self, images: Iterable[ImageSource], reference: Reference = None, *, batch_size: int = 8
    ) -> Iterator[Verification]:
        """The answers of :meth:`verify`, in order, as the images come; scored in batches.

        At most ``batch_size`` pictures are held at once. A picture that cannot be read is a result with reason
        ``image_unusable``. A batch that fails is repeated one by one, so that no presentation suffers from another's;
        only one that times out denies all its presentations.

        Raises:
            FaceAuthError: as for :meth:`verify`, for the reference and the settings.
            UsageError: ``images`` is one picture.
        """
        if _is_one_picture(images):
            raise UsageError(f"{type(images).__name__} is one picture: use verify(), or give a list of pictures.")
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}, expected at least 1.")
        limits, enrolled = self._prepare(reference)
        return self._stream(iter(images), batch_size, enrolled, limits)

    def embed(self, image: ImageSource) -> Template:
        """The template of the one face in ``image``, to be kept and passed as ``reference`` later.

        Enrol from pictures that :meth:`verify` accepted: nothing here asks whether the person is live.

        Raises:
            ImageError: the picture cannot be read, or has no face that can be used.
            ScoreError: a stage failed.
        """
        self._backends.embedding()
        presentation = Presentation(self._decode(image))
        self._find_template(presentation)
        if presentation.template is None:
            failed = presentation.failed
            raise ScoreError(presentation.message, stage=failed) if failed else ImageError(presentation.message)
        return presentation.template

    # The way of a presentation, stage by stage.

    def _stream(
        self, images: Iterator[ImageSource], batch_size: int, enrolled: Presentation | None, limits: Thresholds
    ) -> Iterator[Verification]:
        # No name is bound to the batch: its pictures are gone before the next ones are decoded.
        while results := self._judge([self._opened(image) for image in islice(images, batch_size)], enrolled, limits):
            yield from results

    def _opened(self, image: ImageSource) -> Presentation:
        presentation = Presentation(None, source=_label(image))
        with timed("decode", [presentation]):
            try:
                presentation.image = self._decode(image)
            except ImageError as error:
                presentation.close(Reason.IMAGE_UNUSABLE, str(error), at="decode")
        return presentation

    def _judge(
        self, presentations: Sequence[Presentation], enrolled: Presentation | None, limits: Thresholds
    ) -> list[Verification]:
        for one in still_open(presentations):
            self._find_face(one, self.config.policy.gate)
        if self._backends.liveness is not None:
            self._check_liveness(still_open(presentations), self._backends.liveness)
        if enrolled is not None:
            self._match(still_open(presentations), enrolled)
        for one in still_open(presentations):
            p_live = None if one.liveness is None else one.liveness.p_live
            likeness = None if one.match is None else one.match.similarity
            one.close(decide(limits, p_live=p_live, similarity=likeness), at="match")
        return [one.verification(limits) for one in presentations]

    def _decode(self, source: ImageSource) -> Image:
        image = load_image(source, self.config.limits)
        if isinstance(source, np.ndarray):  # a camera loop fills one array again and again, perhaps while it is judged
            image = image.copy()
        image.flags.writeable = False  # every stage judges the same pixels
        return image

    def _find_face(self, one: Presentation, gate_policy: GatePolicy) -> None:
        """Detection, the choice of the face, and the gate."""
        image, stage = cast(Image, one.image), self._backends.detection
        one.provenance["detection"] = stage.provenance
        try:
            with timed("detection", [one]):
                faces = stage.guard.call(lambda: check_faces(stage.backend.detect(image), image))
            one.faces_found = len(faces)
            chosen = choose_face(faces, self.config.policy)
            if isinstance(chosen, Reason):
                return one.close(chosen, at="detection")
            one.face = chosen
            with timed("gate", [one]):
                rejection = self._gate_guard.call(lambda: gate.check(image, chosen, gate_policy))
            if rejection is not None:
                one.close(rejection.reason, rejection.message, at="gate")
        except ScoreError as error:
            one.fail(error)

    def _check_liveness(self, presentations: Sequence[Presentation], stage: Stage[LivenessBackend]) -> None:
        """P(live) of every face; a presentation that is not live ends here."""

        def score(batch: Sequence[Presentation]) -> None:
            with timed("liveness", batch):
                p_live = stage.guard.call(lambda: score_views([one.views for one in batch], stage.backend.score))
            for one, value in zip(batch, p_live.tolist(), strict=True):
                crop = one.views[0]
                one.liveness = LivenessResult(p_live=value, crop_outside=crop.outside, crop_scale=crop.scale)

        self._align(presentations, stage.facts.crop)
        _in_batch(still_open(presentations), score, stage)
        for one in still_open(presentations):
            reason = decide_liveness(cast(LivenessResult, one.liveness).p_live, self._limits)
            if reason is not Reason.LIVE:
                one.close(reason, at="liveness")

    def _match(self, presentations: Sequence[Presentation], enrolled: Presentation) -> None:
        """Similarity to the reference, whose template is made when the first face needs it."""
        if not presentations:
            return
        with timed("reference", presentations):
            if enrolled.template is None and enrolled.reason is None:
                self._find_template(enrolled)
        if enrolled.template is None:
            for one in presentations:
                _refuse_reference(one, enrolled)
            return
        self._embed(presentations)
        for one in still_open(presentations):
            with timed("match", [one]):
                found = cast(Template, one.template)
                one.match = MatchResult(similarity=similarity(found, enrolled.template), model_id=found.model_id)

    def _find_template(self, one: Presentation) -> None:
        """Detection, a gate for size alone, and the embedding of a picture that is no presentation."""
        self._find_face(one, self.config.policy.gate.for_reference())
        self._embed(still_open([one]))
        one.image = None

    def _embed(self, presentations: Sequence[Presentation]) -> None:
        stage = self._backends.embedding()

        def embed(batch: Sequence[Presentation]) -> None:
            crops = np.stack([one.views[0].pixels for one in batch])
            with timed("embedding", batch):
                rows = stage.guard.call(lambda: check_embeddings(stage.backend.embed(crops), len(crops)))
            for one, row in zip(batch, rows.tolist(), strict=True):
                one.template = Template(model_id=stage.facts.model_id, vector=tuple(row))

        self._align(presentations, stage.facts.crop)
        _in_batch(still_open(presentations), embed, stage)

    def _align(self, presentations: Sequence[Presentation], spec: CropSpec) -> None:
        aligner, guard = self._backends.aligner, self._backends.align_guard
        for one in presentations:
            align = partial(_align, aligner, cast(Image, one.image), cast(Face, one.face))
            try:
                with timed("alignment", [one]):
                    one.views = guard.call(partial(cut_views, spec, align))
            except ScoreError as error:
                one.fail(error)

    # The set-up of a call.

    def _prepare(self, reference: Reference) -> tuple[Thresholds, Presentation | None]:
        policy = self.config.policy
        if reference is None and policy.require_match:
            raise UsageError("The policy requires a match: pass a reference, or set policy.require_match to false.")
        if reference is None and not policy.require_liveness:
            raise UsageError("Nothing to verify: the policy requires no liveness, and there is no reference to match.")
        if reference is None:
            return self._limits, None
        limits = self._match_limits()
        if not isinstance(reference, Template):
            return limits, Presentation(self._decode(reference))
        reference = checked_template(reference)
        model_id = self._backends.embedding().facts.model_id
        if reference.model_id != model_id:
            raise mismatch(found=reference.model_id, expected=model_id)
        return limits, Presentation(None, template=reference)

    def _match_limits(self) -> Thresholds:
        own = self._backends.embedding().facts.match_threshold
        return Thresholds.model_validate({**dict(self._limits), "match": match_threshold(self.config.policy, own)})


def _is_one_picture(images: object) -> bool:
    """Whether it is a picture or a file, some of which could be iterated too: over rows, lines or characters."""
    if isinstance(images, np.ndarray):
        return images.ndim in (2, 3)  # of more or fewer dimensions it is a row of pictures or of paths
    named = isinstance(images, str | bytes | bytearray | memoryview | os.PathLike)
    return named or hasattr(images, "read") or not isinstance(images, Iterable)


def _align(aligner: Aligner, image: Image, face: Face, spec: CropSpec) -> Crop:
    return check_crop(aligner.align(image, face, spec), spec)


def _in_batch(
    presentations: Sequence[Presentation],
    run: Callable[[Sequence[Presentation]], None],
    stage: Stage[LivenessBackend] | Stage[Embedder],
) -> None:
    """``run`` on all at once; on each alone where that fails, so that no presentation suffers from another's."""
    for one in presentations:
        one.provenance[stage.provenance.stage] = stage.provenance
    try:
        if presentations:
            run(presentations)
    except ScoreError as error:
        if len(presentations) == 1 or isinstance(error, StageTimeout):
            for one in presentations:
                one.fail(error)
        else:
            for one in presentations:
                _in_batch([one], run, stage)


def _refuse_reference(one: Presentation, enrolled: Presentation) -> None:
    one.provenance.update(enrolled.provenance)
    message = f"The reference cannot be used: {enrolled.message}"
    reason = Reason.REFERENCE_UNUSABLE if enrolled.failed is None else Reason.STAGE_FAILED
    one.close(reason, message, at="reference")


def _label(source: ImageSource) -> str | None:
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else None

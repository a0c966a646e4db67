"""The pipeline: decode -> detect -> gate -> crop -> liveness -> match -> decide.

Backends score and the configuration decides. Whatever fails on the way denies.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Literal, Self, TypeAlias, TypedDict, TypeVar, Unpack, cast

import numpy as np

from faceauth import gate
from faceauth.backends.answers import best_score, check_embeddings, check_faces, check_p_live
from faceauth.backends.loading import Backends, Instances, Liveness, Stage
from faceauth.backends.time_limit import Guard
from faceauth.config import PipelineConfig, load_config, with_settings
from faceauth.cropping.crops import crop_face
from faceauth.errors import ImageError, ScoreError, UsageError
from faceauth.gate import GatePolicy
from faceauth.imaging.decoding import ImageSource, load_image
from faceauth.imaging.limits import ImageLimits
from faceauth.imaging.sources import source_name
from faceauth.policy import Threshold, choose_face, liveness_thresholds, match_threshold, sure_beside_others
from faceauth.presentation import Presentation
from faceauth.results import Face, LivenessResult, LivenessScore, MatchResult, Reason, Template, Verification, decide
from faceauth.stages import Crop, CropSpec, Detector, Embedder, Image, LivenessBackend
from faceauth.templates import checked_template, mismatch, similarity
from faceauth.thresholds import LivenessThreshold, Thresholds

BackendT = TypeVar("BackendT", Detector, LivenessBackend, Embedder)
Color = Literal["bgr", "rgb"]


class _NotGiven(Enum):
    NOT_GIVEN = "not given"


NOT_GIVEN: Final = _NotGiven.NOT_GIVEN
"""Stands for a reference that was left out; None is an error, since it may be a person who is not enrolled."""

Reference: TypeAlias = "ImageSource | Template"
"""What a face is matched with: an image of the person, or a template of :meth:`Pipeline.embed`."""


class Keywords(TypedDict, total=False):
    """The settings of :class:`PipelineConfig` that :class:`Pipeline` takes as keywords."""

    options: Mapping[str, Mapping[str, Any]]
    combine: Literal["mean", "all", "deny_only"] | None
    combine_weights: Sequence[float] | None
    points: str | os.PathLike[str] | None
    camera_profile: str | os.PathLike[str] | None
    threshold: Threshold
    match_threshold: Threshold
    require_liveness: bool
    require_match: bool
    faces: Literal["exactly_one", "largest"]
    gate: GatePolicy
    limits: ImageLimits
    stage_timeout_s: float
    allowed_plugins: Sequence[str] | None
    weights: str | os.PathLike[str] | None


class Pipeline:
    """Answers whether an image shows a live person, and whether it is the person in a reference.

    The constructor loads every backend that the configuration requires, so a broken installation fails at start; the
    embedder is loaded with the first reference unless ``require_match`` is set. A pipeline may be used from several
    threads at once, and then calls its backends from several threads at once.

    An exception, an answer against the contract or a time-out in any stage is a result with reason ``stage_failed``,
    never an acceptance; the cause is logged by the logger ``faceauth``.
    """

    def __init__(
        self,
        config: PipelineConfig | None = None,
        *,
        detector: str | Detector | None = None,
        liveness: str | LivenessBackend | Sequence[str | LivenessBackend] | None = None,
        embedder: str | Embedder | None = None,
        **settings: Unpack[Keywords],
    ) -> None:
        """Load the backends. The environment has no say here; see :meth:`from_env`.

        Args:
            config: a finished configuration; the keywords replace single settings of it. None takes the defaults.
            detector: name of a backend, or an instance.
            liveness: name of a backend, an instance, or several of them, which then need ``combine``.
            embedder: name of a backend, or an instance.
            **settings: any other field of :class:`PipelineConfig`, for example ``threshold="strict"``.

        Raises:
            FaceAuthError: a setting, a backend or a weight file is not usable.
        """
        members = None if liveness is None else _listed(liveness)
        given = Instances(
            detection=_instances([detector]), liveness=_instances(members or []), embedding=_instances([embedder])
        )
        chosen: dict[str, Any] = {**settings}
        if detector is not None:
            chosen["detector"] = _name(detector)
        if members is not None:
            chosen["liveness"] = tuple(_name(member) for member in members)
        if embedder is not None:
            chosen["embedder"] = _name(embedder)
        self._config = with_settings(config or PipelineConfig(), chosen)
        self._backends = Backends(self._config, given)
        self._liveness_thresholds = self._chosen_thresholds()
        self._gate_guard = Guard("gate", "faceauth", timeout_s=self._config.stage_timeout_s)
        if self._config.require_match:
            self._thresholds(matching=True)

    @classmethod
    def from_env(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        detector: str | Detector | None = None,
        liveness: str | LivenessBackend | Sequence[str | LivenessBackend] | None = None,
        embedder: str | Embedder | None = None,
        **settings: Unpack[Keywords],
    ) -> Self:
        """A pipeline configured by a file and the environment: defaults < file < environment < keywords.

        Args:
            path: TOML file; see :func:`faceauth.load_config`.
            detector: as for the constructor, like all that follow.
            liveness: likewise.
            embedder: likewise.
            **settings: likewise.

        Raises:
            FaceAuthError: as the constructor, and as :func:`faceauth.load_config`.
        """
        return cls(load_config(path), detector=detector, liveness=liveness, embedder=embedder, **settings)

    @property
    def config(self) -> PipelineConfig:
        """The configuration that is in force; it cannot be replaced."""
        return self._config

    def verify(
        self,
        image: ImageSource,
        reference: Reference | Literal[_NotGiven.NOT_GIVEN] = NOT_GIVEN,
        *,
        color: Color = "bgr",
    ) -> Verification:
        """Whether ``image`` shows a live person and, with a reference, the same person.

        Args:
            image: a path, bytes, a binary file, a PIL image, or a uint8 array H x W x 3.
            reference: must match when given: a template, or an image with one usable face, which is not checked for
                liveness. Without a usable face the result is ``reference_unusable``, which is uncertain and so denies.
            color: channel order of ``image`` and ``reference`` where they are arrays.

        Raises:
            ImageError: an image cannot be read (:meth:`verify_many` makes a result of it).
            TemplateMismatch: the template comes from another embedder than the pipeline's, or is no valid one.
            UsageError: a match is required and no reference was given, the reference is None, or nothing is required.
            BackendError, WeightsError, ProviderUnavailable: the embedder, which the first reference loads, is not
                usable.
        """
        thresholds, enrolled = self._prepare(reference, color)
        presentation = Presentation(None, source=source_name(image))
        with presentation.timed("decode"):
            presentation.image = self._decode(image, color)
        return self._judge(presentation, enrolled, thresholds)

    def verify_many(
        self,
        images: Iterable[ImageSource],
        reference: Reference | Literal[_NotGiven.NOT_GIVEN] = NOT_GIVEN,
        *,
        color: Color = "bgr",
        on_judged: Callable[[Image, Verification], None] | None = None,
    ) -> Iterator[Verification]:
        """The answers of :meth:`verify`, in order, as the images come. One image is held at a time.

        An image that cannot be read is a result with reason ``image_unusable``. What ``images`` itself raises comes
        through after the results of all images before.

        Args:
            images: as the image of :meth:`verify`.
            reference: as there.
            color: as there.
            on_judged: called with the very pixels that were judged (upright, BGR, read-only) and the result, before
                the result is handed out; not called for an image that cannot be read.

        Raises:
            FaceAuthError: as for :meth:`verify`, for the reference and the settings.
            UsageError: ``images`` is one image.
        """
        if _is_one_image(images):
            raise UsageError(f"{type(images).__name__} is one image. Use verify(), or give a list of images.")
        thresholds, enrolled = self._prepare(reference, color)

        def judge(image: ImageSource) -> Verification:
            presentation = self._opened(image, color)
            result = self._judge(presentation, enrolled, thresholds)
            if on_judged is not None and presentation.image is not None:
                on_judged(presentation.image, result)
            return result

        return map(judge, images)  # map survives an iterator that raised once; a generator would not

    def embed(self, image: ImageSource, *, color: Color = "bgr") -> Template:
        """The template of the one face in ``image``, to be kept and passed as ``reference`` later.

        Enrol from images that :meth:`verify` accepted: liveness is not checked here.

        Raises:
            ImageError: the image cannot be read, or has no usable face.
            ScoreError: a stage failed.
        """
        self._backends.embedding()
        presentation = Presentation(self._decode(image, color))
        self._find_template(presentation)
        if presentation.template is None:
            failed = presentation.failed
            raise ScoreError(presentation.message, stage=failed) if failed else ImageError(presentation.message)
        return presentation.template

    # One presentation, stage by stage.

    def _opened(self, image: ImageSource, color: Color) -> Presentation:
        presentation = Presentation(None)
        with presentation.timed("decode"):
            try:
                presentation.source = source_name(image)
                presentation.image = self._decode(image, color)
            except ImageError as error:
                presentation.close(Reason.IMAGE_UNUSABLE, str(error), at="decode")
            except Exception as error:  # a path object or a file of the caller's: it denies, and loses no other image
                presentation.close(Reason.IMAGE_UNUSABLE, f"The image cannot be read: {error}.", at="decode")
        return presentation

    def _judge(self, one: Presentation, enrolled: Presentation | None, thresholds: Thresholds) -> Verification:
        if one.reason is None:
            self._find_face(one, self._config.gate)
        if one.reason is None and self._backends.liveness is not None:
            self._check_liveness(one, self._backends.liveness)
        if one.reason is None and enrolled is not None:
            self._match(one, enrolled)
        if one.reason is None:
            one.close(decide(thresholds, one.liveness, one.match), at="match")
        return one.verification(thresholds)

    def _decode(self, source: ImageSource, color: Color) -> Image:
        image = load_image(source, self._config.limits, color=color)
        if isinstance(source, np.ndarray):  # a camera loop fills one array again and again, perhaps while it is judged
            image = image.copy()
        image.flags.writeable = False  # every stage judges the same pixels
        return image

    def _find_face(self, one: Presentation, gate_policy: GatePolicy) -> None:
        """Detection, the choice of the face, and the gate."""
        image, stage = cast(Image, one.image), self._backends.detection
        one.took_part(stage.provenance)
        try:
            with one.timed("detection"):
                one.faces = tuple(stage.guard.call(lambda: check_faces(stage.backend.detect(image), image)))
            found, rule = one.faces, self._config.faces
            chosen = self._gate_guard.call(lambda: choose_face(image, found, rule))
            if isinstance(chosen, Reason):
                return one.close(chosen, at="detection")
            one.face = chosen
            with one.timed("gate"):
                rejection = self._gate_guard.call(lambda: gate.check(image, chosen, gate_policy))
            if rejection is None:
                with one.timed("detection"):
                    rejection = gate.check_upright(image, chosen, self._best_score)
            if rejection is not None:
                one.close(rejection.reason, rejection.message, at="gate")
        except ScoreError as error:
            one.fail(error)

    def _best_score(self, image: Image) -> float:
        stage = self._backends.detection
        return stage.guard.call(lambda: best_score(stage.backend.detect(image)))

    def _check_liveness(self, one: Presentation, liveness: Liveness) -> None:
        """P(live) by each member; a presentation that is not live ends here."""
        attack = {threshold.backend: threshold.attack for threshold in self._liveness_thresholds}
        scores: list[LivenessScore] = []
        first: Crop | None = None
        try:
            for stage in liveness.members:
                crops = _cropped(one, stage.facts.crops)
                first = first or crops[0]
                scores.append(self._score(one, stage, crops))
                if liveness.combination.stops_early and scores[-1].p_live < attack[scores[-1].backend]:
                    break
        except ScoreError as error:
            return one.fail(error)
        assert first is not None  # a backend asks for at least one crop
        one.liveness = LivenessResult(
            backend=liveness.combination.label,
            p_live=liveness.combination.p_live(scores),
            members=tuple(scores),
            crop_outside=first.outside,
            crop_scale=first.scale,
        )
        reason = decide(Thresholds(liveness=self._liveness_thresholds), one.liveness, None)
        if reason is not Reason.LIVE:
            return one.close(reason, at="liveness")
        beside_others = self._config.faces == "exactly_one" and len(one.faces or ()) > 1
        if beside_others and not sure_beside_others(one.liveness, self._liveness_thresholds):
            one.close(Reason.SEVERAL_FACES, at="liveness")

    def _score(self, one: Presentation, stage: Stage[LivenessBackend], crops: Sequence[Crop]) -> LivenessScore:
        one.took_part(stage.provenance)
        start = time.perf_counter()
        batch = [crop.pixels[None] for crop in crops]
        with one.timed("liveness"):
            (p_live,) = stage.guard.call(lambda: check_p_live(stage.backend.score(batch), 1)).tolist()
        elapsed_ms = (time.perf_counter() - start) * 1000
        return LivenessScore(backend=stage.provenance.name, p_live=p_live, elapsed_ms=elapsed_ms)

    def _match(self, one: Presentation, enrolled: Presentation) -> None:
        """Similarity to the reference, whose template is made when the first face needs it."""
        with one.timed("reference"):
            if enrolled.template is None and enrolled.reason is None:
                self._find_template(enrolled)
        if enrolled.template is None:
            for provenance in enrolled.provenance:
                one.took_part(provenance)
            failed = enrolled.failed is not None
            reason = Reason.STAGE_FAILED if failed else Reason.REFERENCE_UNUSABLE
            return one.close(reason, f"The reference cannot be used: {enrolled.message}", at="reference")
        self._embed(one)
        if one.template is not None:
            with one.timed("match"):
                found = similarity(one.template, enrolled.template)
            one.match = MatchResult(similarity=found, model_id=one.template.model_id)

    def _find_template(self, one: Presentation) -> None:
        """Detection, the gate for references, and the embedding of an image that is no presentation."""
        self._find_face(one, self._config.gate.for_reference())
        if one.reason is None:
            self._embed(one)
        one.image = None

    def _embed(self, one: Presentation) -> None:
        stage = self._backends.embedding()
        one.took_part(stage.provenance)
        try:
            (crop,) = _cropped(one, (stage.facts.crop,))
            with one.timed("embedding"):
                rows = stage.guard.call(lambda: check_embeddings(stage.backend.embed(crop.pixels[None]), 1))
            one.template = Template(model_id=stage.facts.model_id, vector=tuple(rows[0].tolist()))
        except ScoreError as error:
            one.fail(error)

    # The set-up of a call.

    def _prepare(
        self, reference: Reference | Literal[_NotGiven.NOT_GIVEN], color: Color
    ) -> tuple[Thresholds, Presentation | None]:
        if reference is None:
            raise UsageError(
                "The reference is None: is the person enrolled? Pass a template or an image, or leave the reference "
                "out to check liveness alone."
            )
        if reference is NOT_GIVEN:
            if self._config.require_match:
                raise UsageError("A match is required: pass a reference, or set require_match to false.")
            if not self._config.require_liveness:
                raise UsageError("Nothing to verify: liveness is not required, and there is no reference to match.")
            return self._thresholds(matching=False), None
        thresholds = self._thresholds(matching=True)
        if not isinstance(reference, Template):
            return thresholds, Presentation(self._decode(reference, color))
        reference = checked_template(reference)
        model_id = self._backends.embedding().facts.model_id
        if reference.model_id != model_id:
            raise mismatch(found=reference.model_id, expected=model_id)
        return thresholds, Presentation(None, template=reference)

    def _chosen_thresholds(self) -> tuple[LivenessThreshold, ...]:
        liveness = self._backends.liveness
        if liveness is None:
            return ()
        own_points = {stage.provenance.name: stage.facts.operating_points for stage in liveness.members}
        return liveness_thresholds(
            liveness.combination, self._config.threshold, own_points, liveness.points, liveness.profile
        )

    def _thresholds(self, *, matching: bool) -> Thresholds:
        offered = self._backends.embedding().facts.match_points if matching else None
        return Thresholds(
            liveness=self._liveness_thresholds,
            match=match_threshold(self._config.match_threshold, offered) if matching else None,
        )


def _cropped(one: Presentation, specs: Sequence[CropSpec]) -> list[Crop]:
    """The crops of the judged face.

    Raises:
        ScoreError: the landmarks or the box give no crop.
    """
    try:
        with one.timed("cropping"):
            return [crop_face(cast(Image, one.image), cast(Face, one.face), spec) for spec in specs]
    except ValueError as error:
        raise ScoreError(f"The cropping stage failed: {error}", stage="cropping") from error


def _is_one_image(images: object) -> bool:
    """Whether it is an image or a file, some of which could be iterated too: over rows, lines or characters."""
    if isinstance(images, np.ndarray):
        return images.ndim in (2, 3)  # of more or fewer dimensions it is a row of images or of paths
    named = isinstance(images, str | bytes | bytearray | memoryview | os.PathLike)
    return named or hasattr(images, "read") or not isinstance(images, Iterable)


def _listed(liveness: object) -> list[Any]:
    if isinstance(liveness, Sequence) and not isinstance(liveness, str):
        return list(liveness)
    return [liveness]


def _name(backend: object) -> str:
    """The name that stands for a backend in the configuration: an instance goes by its class."""
    return backend if isinstance(backend, str) else type(backend).__name__


def _instances(backends: Sequence[str | BackendT | None]) -> dict[str, BackendT]:
    return {_name(one): one for one in backends if one is not None and not isinstance(one, str)}

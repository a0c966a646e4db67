"""The pipeline: decode -> detect -> gate -> crop -> liveness -> match -> decide.

Backends score and the configuration decides. Whatever fails on the way denies.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Literal, Self, TypeAlias, TypedDict, TypeVar, Unpack, cast

import numpy as np

from faceauth.backends.loading import Instances
from faceauth.config import PipelineConfig, load_config, with_settings
from faceauth.errors import ImageError, ScoreError, UsageError
from faceauth.gate import GatePolicy
from faceauth.imaging.decoding import ImageSource
from faceauth.imaging.limits import ImageLimits
from faceauth.imaging.sources import source_name
from faceauth.policy import Threshold
from faceauth.presentation import Presentation
from faceauth.results import Reason, Template, Verification, decide
from faceauth.stages import Detector, Embedder, Image, LivenessBackend
from faceauth.steps import Color, Steps
from faceauth.templates import checked_template, mismatch
from faceauth.thresholds import MatchPoints, Thresholds

BackendT = TypeVar("BackendT", Detector, LivenessBackend, Embedder)


class _NotGiven(Enum):
    NOT_GIVEN = "not given"


NOT_GIVEN: Final = _NotGiven.NOT_GIVEN
"""Stands for a reference that was left out; None is an error, since it may be a person who is not enrolled."""

Reference: TypeAlias = "ImageSource | Template | Sequence[Template]"
"""What a face is matched with: an image of the person, or one or several templates of :meth:`Pipeline.embed`."""

MaybeReference: TypeAlias = "Reference | Literal[_NotGiven.NOT_GIVEN]"


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
    threads at once, and then calls its backends from several threads at once. Each call holds its image while it runs,
    3 bytes a pixel, so limit the number of callers; the memory for decoding, and the number of concurrent calls of a
    stage, are limited here.

    An exception, an answer that breaks the contract or a time-out in any stage gives a result with reason
    ``stage_failed``, never an acceptance; the logger ``faceauth`` logs the cause.
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
        """Load the backends. The environment is not read here; see :meth:`from_env`.

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
        self._steps = Steps(self._config, given)

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

    @property
    def steps(self) -> Steps:
        """The stages, to be run one at a time by code that judges more than one image, as ``faceauth.video`` does."""
        return self._steps

    def verify(
        self,
        image: ImageSource,
        reference: MaybeReference = NOT_GIVEN,
        *,
        color: Color = "bgr",
    ) -> Verification:
        """Whether ``image`` shows a live person and, with a reference, the same person.

        Args:
            image: a path, bytes, a binary file, a PIL image, or a uint8 array H x W x 3.
            reference: who must match, if given: one or several templates of a person, or an image with one usable
                face, which is not checked for liveness. Without a usable face the reason is ``reference_unusable``,
                which is uncertain and so denies.
            color: channel order of ``image`` and ``reference`` where they are arrays.

        Raises:
            ImageError: an image cannot be read (:meth:`verify_many` makes a result of it).
            TemplateMismatch: the template comes from another embedder than the pipeline's, or is not a valid one.
            UsageError: a match is required and no reference was given, the reference is None, or nothing is required.
            BackendError, WeightsError, ProviderUnavailable: the embedder, which the first reference loads, is not
                usable.
        """
        thresholds, enrolled = self.prepare(reference, color)
        presentation = Presentation(None, source=source_name(image))
        with presentation.timed("decode"):
            presentation.image = self._steps.decode(image, color)
        return self._judge(presentation, enrolled, thresholds)

    def verify_many(
        self,
        images: Iterable[ImageSource],
        reference: MaybeReference = NOT_GIVEN,
        *,
        color: Color = "bgr",
        on_judged: Callable[[Image, Verification], None] | None = None,
    ) -> Iterator[Verification]:
        """The results of :meth:`verify` for many images, in order and one at a time.

        An image that cannot be read gives a result with reason ``image_unusable``. An exception raised by ``images``
        itself is passed on after the results of the images before it.

        Args:
            images: each as for :meth:`verify`.
            reference: as for :meth:`verify`.
            color: as for :meth:`verify`.
            on_judged: called with the exact pixels that were judged (upright, BGR, read-only) and the result, before
                the result is yielded; not called for an image that cannot be read.

        Raises:
            FaceAuthError: as for :meth:`verify`, for the reference and the settings.
            UsageError: ``images`` is one image.
        """
        if _is_one_image(images):
            raise UsageError(f"{type(images).__name__} is one image. Use verify(), or give a list of images.")
        thresholds, enrolled = self.prepare(reference, color)

        def judge(image: ImageSource) -> Verification:
            presentation = self._opened(image, color)
            result = self._judge(presentation, enrolled, thresholds)
            if on_judged is not None and presentation.image is not None:
                on_judged(presentation.image, result)
            return result

        return map(judge, images)  # map survives an iterator that raised once; a generator would not

    def embed(self, image: ImageSource, *, color: Color = "bgr") -> Template:
        """The template of the face in ``image``, to be stored and passed as ``reference`` later.

        Liveness is not checked here: to enrol somebody, call :meth:`verify_and_embed`.

        Raises:
            ImageError: the image cannot be read, or has no usable face.
            ScoreError: a stage failed.
        """
        self._steps.model_id()
        presentation = Presentation(self._steps.decode(image, color))
        self._steps.find_template(presentation)
        if not presentation.templates:
            failed = presentation.failed
            raise ScoreError(presentation.message, stage=failed) if failed else ImageError(presentation.message)
        return presentation.templates[0]

    def verify_and_embed(self, image: ImageSource, *, color: Color = "bgr") -> tuple[Verification, Template | None]:
        """The result of :meth:`verify` without a reference and, if it accepts, the template of the judged face.

        Both come from the same pixels and the same detection, so nobody can swap the file in between. An image that
        cannot be read gives a result with reason ``image_unusable``.

        Raises:
            UsageError: the configuration does not require liveness, so a photo of a photo would do.
            BackendError, WeightsError, ProviderUnavailable: the embedder is not usable.
        """
        if not self._config.require_liveness:
            raise UsageError("Enrolment and search need a liveness check: set require_liveness to true.")
        self._steps.model_id()
        presentation, thresholds = self._opened(image, color), self._steps.thresholds(matching=False)
        self._find_live_face(presentation)
        if presentation.reason is None:
            self._steps.embed(presentation)
        if presentation.reason is None:
            presentation.close(decide(thresholds, presentation.liveness, None), at="liveness")
        result = presentation.verification(thresholds)
        return result, presentation.templates[0] if result.accepted else None

    @property
    def model_id(self) -> str:
        """The embedding space of this pipeline's templates; loads the embedder."""
        return self._steps.model_id()

    @property
    def match_points(self) -> MatchPoints | None:
        """The measured thresholds of this pipeline's embedder; loads it."""
        return self._steps.match_points()

    def prepare(self, reference: MaybeReference, color: Color) -> tuple[Thresholds, Presentation | None]:
        """The thresholds in force with this reference, and the reference ready for :meth:`Steps.match`.

        Raises:
            FaceAuthError: as for :meth:`verify`, for the reference and the settings.
        """
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
            return self._steps.thresholds(matching=False), None
        thresholds = self._steps.thresholds(matching=True)
        templates = [reference] if isinstance(reference, Template) else reference
        if not isinstance(templates, list | tuple):
            return thresholds, Presentation(self._steps.decode(cast(ImageSource, reference), color))
        if not templates or not all(isinstance(one, Template) for one in templates):
            raise UsageError(
                "The reference is a list, but not of one or more templates: is the person enrolled? Verify against "
                "several images by embedding them first."
            )
        checked = tuple(map(checked_template, templates))
        for one in checked:
            if one.model_id != self.model_id:
                raise mismatch(found=one.model_id, expected=self.model_id)
        return thresholds, Presentation(None, templates=checked)

    def _opened(self, image: ImageSource, color: Color) -> Presentation:
        presentation = Presentation(None)
        with presentation.timed("decode"):
            try:
                presentation.source = source_name(image)
                presentation.image = self._steps.decode(image, color)
            except ImageError as error:
                presentation.close(Reason.IMAGE_UNUSABLE, str(error), at="decode")
            except Exception as error:  # a path object or a file of the caller's: it denies, and loses no other image
                presentation.close(Reason.IMAGE_UNUSABLE, f"The image cannot be read: {error}.", at="decode")
        return presentation

    def _judge(self, one: Presentation, enrolled: Presentation | None, thresholds: Thresholds) -> Verification:
        self._find_live_face(one)
        if one.reason is None and enrolled is not None:
            self._steps.match(one, enrolled)
        if one.reason is None:
            one.close(decide(thresholds, one.liveness, one.match), at="match")
        return one.verification(thresholds)

    def _find_live_face(self, one: Presentation) -> None:
        if one.reason is None:
            self._steps.find_face(one, self._config.gate)
        if one.reason is None:
            self._steps.check_liveness(one)


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

"""For tests of pipelines and of backends: stages that answer as told, and the rules of every stage as tests to inherit.

The classes need no test framework: they hold plain ``test_*`` methods that raise ``AssertionError``. An author inherits
one and supplies a fixture named ``backend``::

    class TestMyBackend(LivenessConformance):
        @pytest.fixture
        def backend(self):
            return MyBackend()

``check_liveness_backend``, ``check_detector`` and ``check_embedder`` report the same rules as a list instead.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import cast

import numpy as np

from faceauth.backends import conformance as rules
from faceauth.backends.conformance import (
    Broken,
    Finding,
    check_detector,
    check_embedder,
    check_liveness_backend,
)
from faceauth.results import Box, Face
from faceauth.stages import API_VERSION, Crops, CropSpec, Detector, Embedder, Image, LivenessBackend, Scores
from faceauth.thresholds import MatchPoints, OperatingPoints

__all__ = [
    "Broken",
    "DetectorConformance",
    "EmbedderConformance",
    "FakeDetector",
    "FakeEmbedder",
    "FakeLiveness",
    "Finding",
    "LivenessConformance",
    "check_detector",
    "check_embedder",
    "check_liveness_backend",
    "face_in",
]

NO_WEIGHTS: Mapping[str, str] = MappingProxyType({})
FAKE_CROP = CropSpec(size_wh=(32, 32), scale=2.0, kind="square", color="bgr")


def face_in(image: Image, *, share: float = 0.5, score: float = 0.9) -> Face:
    """A frontal face in the middle of ``image``, ``share`` of its shorter side wide and high."""
    height, width = image.shape[:2]
    side = share * min(height, width)
    left, top = (width - side) / 2, (height - side) / 2

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * side, top + y * side

    return Face(
        box_xyxy=Box(left, top, left + side, top + side),
        score=score,
        landmarks_px=(at(0.3, 0.4), at(0.7, 0.4), at(0.5, 0.6), at(0.35, 0.8), at(0.65, 0.8)),
    )


class FakeDetector:
    """Finds what it is told to.

    Args:
        answer: the faces of every image, or a function of the image that may return anything at all. By default
            one face in the middle of the image.
        error: raised instead of an answer.
        delay_s: seconds before it answers.

    Attributes:
        seen: the images it was given.
    """

    api_version = API_VERSION

    def __init__(
        self,
        answer: Sequence[Face] | Callable[[Image], object] = lambda image: [face_in(image)],
        *,
        error: BaseException | None = None,
        delay_s: float = 0.0,
    ) -> None:
        self.weights_sha256 = NO_WEIGHTS
        self.seen: list[Image] = []
        self._answer = answer
        self._error = error
        self._delay_s = delay_s

    def detect(self, image: Image) -> list[Face]:
        """The faces it was told to find."""
        self.seen.append(image)
        _act(self._error, self._delay_s)
        return cast("list[Face]", self._answer(image)) if callable(self._answer) else list(self._answer)


class FakeLiveness:
    """Scores as it is told to.

    Args:
        answer: P(live) of every face, or a function of the crops that may return anything at all.
        error: raised instead of an answer.
        delay_s: seconds before it answers.
        crops: the crops that it asks for.
        operating_points: its measured thresholds; None, like a backend that has none.

    Attributes:
        seen: the batches it was given.
    """

    api_version = API_VERSION

    def __init__(
        self,
        answer: float | Callable[[Sequence[Crops]], object] = 0.9,
        *,
        error: BaseException | None = None,
        delay_s: float = 0.0,
        crops: tuple[CropSpec, ...] = (FAKE_CROP,),
        operating_points: OperatingPoints | None = None,
    ) -> None:
        self.crops = crops
        self.weights_sha256 = NO_WEIGHTS
        self.operating_points = operating_points
        self.seen: list[Sequence[Crops]] = []
        self._answer = answer
        self._error = error
        self._delay_s = delay_s

    def score(self, crops: Sequence[Crops]) -> Scores:
        """P(live) as it was told."""
        self.seen.append(crops)
        _act(self._error, self._delay_s)
        if callable(self._answer):
            return cast(Scores, self._answer(crops))
        return np.full(len(crops[0]), self._answer, np.float32)


class FakeEmbedder:
    """Embeds by brightness pattern, so that equal crops match and different ones do not, or as it is told to.

    Args:
        answer: a function of the crops that may return anything at all; None for the brightness pattern, 16-D.
        error: raised instead of an answer.
        delay_s: seconds before it answers.
        model_id: the embedding space it claims.
        match_points: its measured thresholds; None, like a backend that has none.

    Attributes:
        seen: the batches it was given.
    """

    api_version = API_VERSION
    crop = CropSpec(size_wh=(112, 112), scale=1.0, kind="arcface", color="bgr")

    def __init__(
        self,
        answer: Callable[[Crops], object] | None = None,
        *,
        error: BaseException | None = None,
        delay_s: float = 0.0,
        model_id: str = "fake",
        match_points: MatchPoints | None = None,
    ) -> None:
        self.weights_sha256 = NO_WEIGHTS
        self.model_id = model_id
        self.match_points = match_points
        self.seen: list[Crops] = []
        self._answer = answer
        self._error = error
        self._delay_s = delay_s

    def embed(self, crops: Crops) -> Scores:
        """Embeddings: float32, N x 16 unless it was told otherwise."""
        self.seen.append(crops)
        _act(self._error, self._delay_s)
        return brightness_pattern(crops) if self._answer is None else cast(Scores, self._answer(crops))


def brightness_pattern(crops: Crops) -> Scores:
    """Mean brightness of each of 4 x 4 tiles, less their mean: float32, N x 16, unit length; a flat crop gives e1."""
    n, height, width = crops.shape[:3]
    tiles = crops[:, : height // 4 * 4, : width // 4 * 4].reshape(n, 4, height // 4, 4, width // 4, 3)
    means = tiles.mean(axis=(2, 4, 5), dtype=np.float64).reshape(n, 16)
    pattern = means - means.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(pattern, axis=1)
    pattern[lengths < 1e-9] = np.eye(1, 16)
    lengths[lengths < 1e-9] = 1
    embeddings: Scores = (pattern / lengths[:, None]).astype(np.float32)
    return embeddings


class _CropConformance(ABC):
    """The rules that liveness backends and embedders share."""

    @staticmethod
    @abstractmethod
    def stage(backend: LivenessBackend | Embedder) -> rules.CropStage:
        """``backend`` as the rules see it."""

    def test_answers_an_empty_batch(self, backend: LivenessBackend | Embedder) -> None:
        rules.answers_an_empty_batch(self.stage(backend))

    def test_answers_every_face_with_float32_in_range(self, backend: LivenessBackend | Embedder) -> None:
        rules.answers_every_face(self.stage(backend))

    def test_stays_finite_and_in_range_on_flat_crops(self, backend: LivenessBackend | Embedder) -> None:
        rules.survives_flat_crops(self.stage(backend))

    def test_tells_different_crops_apart(self, backend: LivenessBackend | Embedder) -> None:
        rules.tells_crops_apart(self.stage(backend))

    def test_gives_a_face_the_same_row_whatever_its_neighbours(self, backend: LivenessBackend | Embedder) -> None:
        rules.ignores_neighbours(self.stage(backend))

    def test_keeps_the_order_of_the_faces(self, backend: LivenessBackend | Embedder) -> None:
        rules.keeps_the_order(self.stage(backend))

    def test_gives_the_same_rows_again(self, backend: LivenessBackend | Embedder) -> None:
        rules.repeats_itself(self.stage(backend))

    def test_does_not_write_into_its_input(self, backend: LivenessBackend | Embedder) -> None:
        rules.leaves_crops_alone(self.stage(backend))

    def test_reads_a_read_only_non_contiguous_view(self, backend: LivenessBackend | Embedder) -> None:
        rules.takes_any_layout(self.stage(backend))


class LivenessConformance(_CropConformance):
    """Inherit, and supply a fixture ``backend`` that returns your liveness backend."""

    @staticmethod
    def stage(backend: LivenessBackend | Embedder) -> rules.CropStage:
        """``backend`` as the rules see it."""
        return rules.liveness_stage(cast(LivenessBackend, backend))

    def test_keeps_the_contract_of_its_stage(self, backend: LivenessBackend) -> None:
        """Attributes, checked as at load."""
        rules.keeps_its_contract("liveness", backend)


class EmbedderConformance(_CropConformance):
    """Inherit, and supply a fixture ``backend`` that returns your embedder."""

    @staticmethod
    def stage(backend: LivenessBackend | Embedder) -> rules.CropStage:
        """``backend`` as the rules see it."""
        return rules.embedding_stage(cast(Embedder, backend))

    def test_keeps_the_contract_of_its_stage(self, backend: Embedder) -> None:
        """Attributes, checked as at load."""
        rules.keeps_its_contract("embedding", backend)


class DetectorConformance:
    """Inherit, and supply fixtures ``backend`` (your detector) and ``portrait`` (BGR, one upright frontal face)."""

    def test_keeps_the_contract_of_its_stage(self, backend: Detector) -> None:
        """Attributes, checked as at load."""
        rules.keeps_its_contract("detection", backend)

    def test_answers_any_image_with_faces_best_first(self, backend: Detector) -> None:
        """Noise, flat images, a single pixel, a strip."""
        rules.survives_any_image(backend)

    def test_finds_the_same_faces_again(self, backend: Detector) -> None:
        """Determinism."""
        rules.detects_the_same_again(backend)

    def test_does_not_write_into_its_input(self, backend: Detector) -> None:
        """Nor does it need a writeable or contiguous image."""
        rules.leaves_image_alone(backend)

    def test_finds_the_face_of_a_portrait(self, backend: Detector, portrait: Image) -> None:
        """With landmarks in the documented order."""
        rules.finds_the_face(backend, portrait)


def _act(error: BaseException | None, delay_s: float) -> None:
    if delay_s:
        time.sleep(delay_s)
    if error is not None:
        raise error

"""The shipped fakes keep the rules of their stage, and the rules see every way to break them."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from faceauth.backends.conformance import Finding, run_rules
from faceauth.results import Face
from faceauth.stages import Crops, CropSpec, Image, Scores
from faceauth.testing import (
    DetectorConformance,
    EmbedderConformance,
    FakeDetector,
    FakeEmbedder,
    FakeLiveness,
    LivenessConformance,
    brightness_pattern,
    check_detector,
    check_embedder,
    check_liveness_backend,
    face_in,
)


class TestFakeLivenessConforms(LivenessConformance):
    @pytest.fixture
    def backend(self) -> FakeLiveness:
        return FakeLiveness(mean_brightness)


class TestFakeEmbedderConforms(EmbedderConformance):
    @pytest.fixture
    def backend(self) -> FakeEmbedder:
        return FakeEmbedder()


class TestFakeDetectorConforms(DetectorConformance):
    @pytest.fixture
    def backend(self) -> FakeDetector:
        return FakeDetector()

    @pytest.fixture
    def portrait(self) -> Image:
        return np.zeros((100, 100, 3), np.uint8)


def broken(findings: list[Finding]) -> dict[str, str]:
    return {finding.rule: finding.detail for finding in findings if not finding.passed}


class Subclass(np.ndarray):
    """Can redefine every comparison, so the pipeline refuses it."""


def mean_brightness(crops: Sequence[Crops]) -> Scores:
    return np.asarray(crops[0].mean(axis=(1, 2, 3)) / 255, np.float32)


def relative_to_the_batch(crops: Sequence[Crops]) -> Scores:
    found = mean_brightness(crops)
    return found / found.max() if len(found) else found


def overwriting(crops: Sequence[Crops]) -> Scores:
    found = mean_brightness(crops)
    if len(found):
        crops[0][0] = 0
    return found


def by_memory_order(crops: Sequence[Crops]) -> Scores:
    first = [np.ravel(crop, order="K")[:100].mean() / 255 for crop in crops[0]]
    return np.asarray(first, np.float32)


def ever_changing() -> Callable[[Sequence[Crops]], Scores]:
    calls = itertools.count()
    return lambda crops: np.full(len(crops[0]), (next(calls) % 7) / 10, np.float32)


@pytest.mark.parametrize(
    ("answer", "rule", "detail"),
    [
        (lambda crops: None, "answers every face with float32 in range", "NoneType"),
        (lambda crops: np.full(len(crops[0]), 0.5), "answers every face with float32 in range", "float64"),
        (lambda crops: mean_brightness(crops)[:, None], "answers every face with float32 in range", "(1, 1)"),
        (lambda crops: np.full(1, 0.5, np.float32), "answers an empty batch", "(1,)"),
        (lambda crops: 1.5 + mean_brightness(crops), "answers every face with float32 in range", "[0, 1]"),
        (
            lambda crops: (crops[0].mean(axis=(1, 2, 3)) / crops[0].std(axis=(1, 2, 3)) / 9).astype(np.float32),
            "stays finite and in range on flat crops",
            "[nan, inf",
        ),
        (
            lambda crops: mean_brightness(crops).view(Subclass),
            "answers every face with float32 in range",
            "expected a numpy array",
        ),
        (lambda crops: np.full(len(crops[0]), 0.9, np.float32), "tells different crops apart", "same answer"),
        (relative_to_the_batch, "gives a face the same row whatever its neighbours", "differ"),
        (lambda crops: np.sort(mean_brightness(crops)), "keeps the order of the faces", "differ"),
        (ever_changing(), "gives the same rows again", "second call"),
        (overwriting, "does not write into its input", "wrote into"),
        (by_memory_order, "reads a read-only, non-contiguous view", "memory layout"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rule_catches_the_backend_that_breaks_it(
    answer: Callable[[Sequence[Crops]], object], rule: str, detail: str
) -> None:
    assert detail in broken(check_liveness_backend(FakeLiveness(answer)))[rule]


def test_backend_that_raises_breaks_every_rule_and_is_reported() -> None:
    findings = check_liveness_backend(FakeLiveness(error=RuntimeError("no device")))
    assert [finding.passed for finding in findings] == [True] + [False] * (len(findings) - 1)
    assert all("RuntimeError: no device" in detail for detail in broken(findings).values())


def test_backend_that_ends_the_program_breaks_its_rules_and_does_not_end_the_check() -> None:
    assert "SystemExit" in broken(check_liveness_backend(FakeLiveness(error=SystemExit(0))))["answers an empty batch"]


def test_backend_that_breaks_its_contract_is_not_called() -> None:
    backend = FakeLiveness(crops=(CropSpec(size_wh=(0, 0), scale=1.0, kind="square", color="bgr"),))
    (finding,) = check_liveness_backend(backend)
    assert not finding.passed
    assert "size_wh" in finding.detail
    assert backend.seen == []


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (lambda crops: 2 * brightness_pattern(crops), "of length ["),
        (lambda crops: np.float32(1.0008) * brightness_pattern(crops), "length [1.0008"),  # the pipeline refuses it
        (lambda crops: brightness_pattern(crops)[:, 0], "expected float32 of shape 1 x D"),
        (lambda crops: np.zeros((len(crops), 0), np.float32), "length [0.0]"),
    ],
)
def test_embedder_without_unit_rows_is_broken(answer: Callable[[Crops], object], detail: str) -> None:
    findings = broken(check_embedder(FakeEmbedder(answer)))
    assert detail in findings["answers every face with float32 in range"]


def worst_first(image: Image) -> list[Face]:
    return [face_in(image, score=0.2), face_in(image, score=0.8)]


def overwriting_image(image: Image) -> list[Face]:
    image[:] = 0
    return []


def mirrored(image: Image) -> list[Face]:
    face = face_in(image)
    right, left, nose, right_mouth, left_mouth = face.landmarks_px
    return [face.model_copy(update={"landmarks_px": (left, right, nose, left_mouth, right_mouth)})]


@pytest.mark.parametrize(
    ("answer", "rule", "detail"),
    [
        (lambda image: None, "answers any image with faces, best first", "NoneType"),
        (lambda image: [(0, 0, 1, 1)], "answers any image with faces, best first", "expected a list of"),
        (worst_first, "answers any image with faces, best first", "sorted"),
        (
            lambda image: [face_in(image).model_copy(update={"box_xyxy": (9.0, 9.0, 9.0, 9.0)})],
            "answers any image with faces, best first",
            "lies outside",
        ),
        (
            lambda image: [face_in(image).model_copy(update={"landmarks_px": ((-500.0, 0.0),) * 5})],
            "answers any image with faces, best first",
            "landmarks around",
        ),
        (overwriting_image, "does not write into its input", "wrote into"),
        ((), "finds the face of a portrait", "no face"),
        (mirrored, "finds the face of a portrait", "image left first"),
    ],
)
def test_rule_catches_the_detector_that_breaks_it(answer: Callable[[Image], object], rule: str, detail: str) -> None:
    portrait = np.full((90, 120, 3), 127, np.uint8)
    findings = broken(check_detector(FakeDetector(answer), portrait=portrait))  # type: ignore[arg-type]
    assert detail in findings[rule]


def test_detector_needs_to_find_nothing_without_a_portrait() -> None:
    assert broken(check_detector(FakeDetector(()))) == {}


def test_fakes_remember_what_they_were_given() -> None:
    crops = np.zeros((2, 112, 112, 3), np.uint8)
    liveness, embedder, detector = FakeLiveness(0.3), FakeEmbedder(), FakeDetector()
    assert liveness.score([crops]).tolist() == pytest.approx([0.3, 0.3])
    embedder.embed(crops)
    detector.detect(crops[0])
    assert liveness.seen[0][0] is crops
    assert embedder.seen[0] is crops
    assert np.array_equal(detector.seen[0], crops[0])


def test_equal_crops_match_and_different_ones_do_not() -> None:
    crops = np.random.default_rng(1).integers(0, 256, (2, 112, 112, 3), np.uint8)
    same, other = brightness_pattern(crops[[0, 0]]), brightness_pattern(crops)
    assert same[0] @ same[1] == pytest.approx(1, abs=1e-6)
    assert other[0] @ other[1] < 0.9


def test_embedder_that_gives_everybody_the_same_template_is_broken() -> None:
    same = FakeEmbedder(lambda crops: np.full((len(crops), 16), 0.25, np.float32))
    assert set(broken(check_embedder(same))) == {"tells different crops apart"}


def test_backend_whose_attribute_raises_later_is_reported() -> None:
    class Changing(FakeLiveness):
        reads = 0

        @property  # type: ignore[override]
        def crops(self) -> tuple[CropSpec, ...]:
            self.reads += 1
            if self.reads > 1:
                raise RuntimeError("gone")
            return (CropSpec(size_wh=(32, 32), scale=2.0, kind="square", color="bgr"),)

        @crops.setter
        def crops(self, specs: tuple[CropSpec, ...]) -> None: ...

    findings = check_liveness_backend(Changing(mean_brightness))
    assert [finding.passed for finding in findings] == [True] + [False] * (len(findings) - 1)


def test_rules_run_one_by_one() -> None:
    def fails(subject: int) -> None:
        raise ValueError(subject)

    assert run_rules({"a": fails, "b": lambda subject: None}, 3) == [
        Finding("a", False, "raised ValueError: 3"),
        Finding("b", True, ""),
    ]

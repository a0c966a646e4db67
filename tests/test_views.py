"""Two views of a face are cut as their spec says, scored in one call and averaged; what breaks a view denies."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth import PipelineConfig, Policy
from faceauth.backends.attributes import contract_violations, crop_violations
from faceauth.backends.guard import ContractBroken
from faceauth.cropping.square import context_crop
from faceauth.evaluation.records import Record
from faceauth.evaluation.scoring import score_records
from faceauth.pipeline import Pipeline
from faceauth.results import Reason
from faceauth.stages import Crop, Crops, CropSpec, Image
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, face_in
from faceauth.views import cut_views, score_views

ONE = CropSpec(size_wh=(32, 32), scale=2.0, kind="context", color="bgr")
TWO = replace(ONE, mirrored_scale=1.25)
BOX = face_in(np.zeros((240, 320, 3), np.uint8)).box_xyxy


def picture() -> Image:
    """Coarse noise, 240 x 320: it passes the gate, and is not its own mirror image."""
    tiles = np.random.default_rng(0).integers(40, 216, (12, 16, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(tiles, np.ones((20, 20, 1), np.uint8)))


def cut(spec: CropSpec) -> Crop:
    """The crop of ``picture()``."""
    return context_crop(picture(), BOX, spec)


def right_half(crops: Crops) -> np.ndarray:
    """P(live) that tells a crop from its mirror image."""
    return (crops[:, :, crops.shape[2] // 2 :].mean(axis=(1, 2, 3)) / 255).astype(np.float32)


def test_a_spec_of_one_view_is_cut_once() -> None:
    (only,) = cut_views(ONE, cut)
    assert np.array_equal(only.pixels, cut(ONE).pixels)


def test_the_second_view_has_its_own_scale_and_is_mirrored() -> None:
    first, second = cut_views(TWO, cut)
    closer = cut(replace(ONE, scale=1.25))
    assert np.array_equal(first.pixels, cut(ONE).pixels)
    assert np.array_equal(second.pixels, closer.pixels[:, ::-1]) and second.scale == closer.scale
    assert not np.array_equal(second.pixels, closer.pixels)


def test_nobody_who_cuts_is_asked_for_two_views_at_once() -> None:
    asked: list[CropSpec] = []
    cut_views(TWO, lambda spec: asked.append(spec) or cut(spec))  # type: ignore[func-returns-value]
    assert asked == [ONE, replace(ONE, scale=1.25)]


def test_all_views_are_scored_in_one_call_and_averaged_by_face() -> None:
    calls: list[int] = []

    def score(crops: Crops) -> np.ndarray:
        calls.append(len(crops))
        return np.array([0.0, 1.0, 0.5, 0.25], np.float32)

    views = cut_views(TWO, cut)
    assert score_views([views, views], score).tolist() == [0.5, 0.375] and calls == [4]


@pytest.mark.parametrize("answer", [[0.9, np.nan], [0.9, 1.1], [0.9], [0.9, 0.9, 0.9]])
def test_a_wrong_answer_about_any_view_is_refused(answer: list[float]) -> None:
    with pytest.raises(ContractBroken):
        score_views([cut_views(TWO, cut)], lambda crops: np.array(answer, np.float32))


def pipeline(liveness: FakeLiveness) -> Pipeline:
    config = PipelineConfig(policy=Policy(live_threshold=0.5))
    return Pipeline(config, detector=FakeDetector(), liveness=liveness, embedder=FakeEmbedder())


def test_the_pipeline_and_the_evaluation_average_alike(tmp_path: Path) -> None:
    backend, path = FakeLiveness(right_half, crop=TWO), tmp_path / "photo.png"
    cv2.imwrite(str(path), picture())
    answer = pipeline(backend).verify(path).liveness
    (row,) = score_records([Record(path, 0, "none", "cam", "test", box_xyxy=BOX, size_wh=(320, 240))], backend)
    by_view = right_half(np.stack([view.pixels for view in cut_views(TWO, cut)]))
    assert by_view[0] != by_view[1]
    assert answer is not None and answer.p_live == row.p_live == pytest.approx(by_view.mean())
    assert answer.crop_scale == cut(ONE).scale


def test_a_view_that_cannot_be_scored_denies() -> None:
    half_blind = FakeLiveness(lambda crops: np.array([0.99, np.nan], np.float32), crop=TWO)
    result = pipeline(half_blind).verify(picture())
    assert not result.accepted and result.reason is Reason.STAGE_FAILED and result.failed == "liveness"


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), "2", True])
def test_a_second_scale_that_is_none_is_a_violation(scale: object) -> None:
    (said,) = crop_violations(replace(ONE, mirrored_scale=scale))  # type: ignore[arg-type]
    assert "mirrored_scale" in said


def test_an_arcface_crop_and_an_embedder_have_one_view() -> None:
    arcface = CropSpec(size_wh=(112, 112), scale=1.0, kind="arcface", color="rgb", mirrored_scale=1.4)
    assert len(crop_violations(arcface)) == 1

    class Embedder(FakeEmbedder):
        crop = TWO

    assert any("an embedder gets one view" in said for said in contract_violations("embedding", Embedder()))
    assert contract_violations("liveness", FakeLiveness(crop=TWO)) == []

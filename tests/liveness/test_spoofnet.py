"""SpoofNet scores what its card describes, with the very file that the card pins."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from faceauth.errors import UsageError, WeightsMismatch, WeightsMissing
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.stages import CropSpec
from faceauth.testing import LivenessConformance
from faceauth.weights.cards import Calibration, SpoofNetCard

WEIGHTS = np.array([(0.02, -0.01), (-0.03, 0.01), (0.005, 0.002)], np.float32)
SIDE = 224


def network(weights: np.ndarray[Any, Any] = WEIGHTS, side: int = SIDE) -> bytes:
    """Logits that are linear in the mean colour of uint8 crops."""
    nodes = [
        helper.make_node("Cast", ["crops"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "fake",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ("n", side, side, 3))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("n", 2))],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def point(threshold: float) -> dict[str, Any]:
    rate = {"errors": 1, "n": 100, "value": 0.01, "low": 0.0, "high": 0.05, "interval": "wilson 95 %"}
    return {"threshold": threshold, "apcer": {"print": rate}, "bpcer": rate, "measured_on": "a test"}


def points(middle: float) -> dict[str, Any]:
    return {"convenience": point(middle - 0.1), "balanced": point(middle), "strict": point(middle + 0.1)}


def crop(scale: float) -> dict[str, Any]:
    return {"size_wh": [SIDE, SIDE], "scale": scale, "kind": "square", "color": "rgb"}


def card(files: dict[str, bytes]) -> dict[str, Any]:
    pins = {
        variant: {"name": f"{variant}.onnx", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for variant, content in files.items()
    }
    return {
        "licence": "MIT",
        "origin": "a test",
        "use": "testing",
        "files": pins,
        "format": 2,
        "version": "test",
        "date": "2026-11-24",
        "default_variant": "fp32",
        "crops": [crop(2.7), {**crop(1.2), "mirrored": True}],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "calibration": {variant: {"a": 0.5, "b": 0.25} for variant in files},
        "operating_points": {variant: points(0.5) for variant in files},
        "training": [{"name": "noise", "images": 4, "terms": "none"}],
        "metrics": {"val": {"auc": 0.5}},
    }


def install(folder: Path, content: dict[str, Any], files: dict[str, bytes]) -> Path:
    (folder / "spoofnet").mkdir(exist_ok=True)
    for variant, network_bytes in files.items():
        (folder / "spoofnet" / f"{variant}.onnx").write_bytes(network_bytes)
    (folder / "spoofnet" / "card.json").write_text(json.dumps(content))
    written = (folder / "spoofnet" / "card.json").read_bytes()
    pin = {"size": len(written), "sha256": hashlib.sha256(written).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps({"cards": {"spoofnet": pin}}))
    return folder


@pytest.fixture
def files() -> dict[str, bytes]:
    return {"fp32": network(), "int8": network(2 * WEIGHTS)}


@pytest.fixture
def folder(tmp_path: Path, files: dict[str, bytes]) -> Path:
    return install(tmp_path, card(files), files)


class TestContract(LivenessConformance):
    @pytest.fixture
    def backend(self, folder: Path) -> SpoofNet:
        return SpoofNet(weights_folder=folder)


def noise(n: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    crops = np.random.default_rng(0).integers(0, 256, (n, SIDE, SIDE, 3), dtype=np.uint8)
    return crops // np.arange(1, n + 1, dtype=np.uint8)[:, None, None, None]


def expected_p(crops: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, Any]:
    live, spoof = (crops.astype(np.float64).mean(axis=(1, 2)) @ WEIGHTS.astype(np.float64)).T
    return np.asarray(1 / (1 + np.exp(-(0.5 * (live - spoof) + 0.25))))


def test_score_is_the_mean_over_a_faces_crops_of_the_calibrated_sigmoid(folder: Path) -> None:
    wide, narrow = noise(3), noise(6)[3:]
    p_live = SpoofNet(weights_folder=folder).score([wide, narrow])
    assert p_live.dtype == np.float32
    np.testing.assert_allclose(p_live, (expected_p(wide) + expected_p(narrow)) / 2, atol=1e-5)


def test_one_crop_is_scored_by_itself(tmp_path: Path, files: dict[str, bytes]) -> None:
    spoofnet = SpoofNet(weights_folder=install(tmp_path, {**card(files), "crops": [crop(2.7)]}, files))
    np.testing.assert_allclose(spoofnet.score([noise(3)]), expected_p(noise(3)), atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_another_number_of_crops_than_asked_for_is_an_error(folder: Path, n: int) -> None:
    with pytest.raises(ValueError, match=f"asks for 2 crops of each face, not {n}"):
        SpoofNet(weights_folder=folder).score([noise(2)] * n)


def test_identity_calibration_is_the_softmax() -> None:
    logits = np.array([(2.0, -1.0), (0.0, 0.0), (-3.0, 4.0)], np.float32)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Calibration().p_live(logits), softmax[:, 0], atol=1e-6)


def test_calibration_stays_in_range_and_hides_no_nan() -> None:
    logits = np.array([(1e30, -1e30), (-1e30, 1e30), (np.nan, 0.0)], np.float32)
    p_live = Calibration(a=3.0, b=-1.0).p_live(logits)
    assert p_live[:2].tolist() == [1.0, 0.0]
    assert np.isnan(p_live[2])


@pytest.mark.parametrize("logits", [(np.inf, 0.0), (0.0, -np.inf), (np.inf, np.inf), (-np.inf, 0.0)])
def test_an_overflow_is_no_certainty(logits: tuple[float, float]) -> None:
    assert np.isnan(Calibration().p_live(np.array([logits], np.float32)))[0]


def test_calibration_cannot_turn_the_order_around() -> None:
    with pytest.raises(ValidationError):
        Calibration(a=-1.0)


def test_a_batch_gives_what_single_faces_give(folder: Path) -> None:
    spoofnet, wide, narrow = SpoofNet(weights_folder=folder), noise(4), noise(8)[4:]
    single = [spoofnet.score([wide[i : i + 1], narrow[i : i + 1]]) for i in range(4)]
    np.testing.assert_allclose(spoofnet.score([wide, narrow]), np.concatenate(single), atol=1e-6)


def test_crops_come_from_the_card(folder: Path) -> None:
    first = CropSpec(size_wh=(SIDE, SIDE), scale=2.7, kind="square", color="rgb")
    assert SpoofNet(weights_folder=folder).crops == (first, replace(first, scale=1.2, mirrored=True))


def test_shipped_network_sees_a_face_wide_and_narrow_and_mirrored() -> None:
    wide = CropSpec(size_wh=(224, 224), scale=2.2, kind="square", color="rgb")
    assert SpoofNet().crops == (wide, replace(wide, scale=1.2, mirrored=True))


def test_variant_is_the_cards_default_unless_named(folder: Path, files: dict[str, bytes]) -> None:
    digests = {f"spoofnet/{variant}.onnx": hashlib.sha256(content).hexdigest() for variant, content in files.items()}
    digests["spoofnet/card.json"] = hashlib.sha256((folder / "spoofnet" / "card.json").read_bytes()).hexdigest()
    for backend, variant in (
        (SpoofNet(weights_folder=folder), "fp32"),
        (SpoofNet(variant="int8", weights_folder=folder), "int8"),
    ):
        names = f"spoofnet/{variant}.onnx", "spoofnet/card.json"
        assert backend.weights_sha256 == {name: digests[name] for name in names}


def test_each_variant_has_its_own_thresholds(tmp_path: Path, files: dict[str, bytes]) -> None:
    content = card(files)
    content["operating_points"]["int8"] = points(0.7)
    install(tmp_path, content, files)
    thresholds = [
        SpoofNet(variant=variant, weights_folder=tmp_path).operating_points.balanced.threshold
        for variant in ("fp32", "int8")
    ]
    assert thresholds == [0.5, 0.7]


def test_variant_that_the_card_lacks_is_refused_not_replaced(tmp_path: Path, files: dict[str, bytes]) -> None:
    only = {"fp32": files["fp32"]}
    install(tmp_path, card(only), only)
    with pytest.raises(UsageError, match=r"variants \['fp32'\], not 'int8'"):
        SpoofNet(variant="int8", weights_folder=tmp_path)


def test_network_that_was_swapped_under_its_card_is_refused(folder: Path, files: dict[str, bytes]) -> None:
    (folder / "spoofnet" / "fp32.onnx").write_bytes(files["int8"])
    with pytest.raises(WeightsMismatch, match="not the pinned file"):
        SpoofNet(weights_folder=folder)


def test_network_for_another_crop_is_refused(tmp_path: Path) -> None:
    files = {"fp32": network(side=128)}
    install(tmp_path, card(files), files)
    with pytest.raises(WeightsMismatch, match="its inputs are"):
        SpoofNet(weights_folder=tmp_path)


def test_missing_network_and_missing_card_are_errors(folder: Path) -> None:
    (folder / "spoofnet" / "fp32.onnx").unlink()
    with pytest.raises(WeightsMissing):
        SpoofNet(weights_folder=folder)
    (folder / "spoofnet" / "card.json").unlink()
    with pytest.raises(WeightsMissing):
        SpoofNet(weights_folder=folder)


def test_card_survives_json(files: dict[str, bytes]) -> None:
    parsed = SpoofNetCard.model_validate(card(files))
    assert SpoofNetCard.model_validate_json(parsed.model_dump_json()) == parsed


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"default_variant": "fp16"}, "default_variant"),
        ({"calibration": {"fp32": {}}}, "calibration"),
        ({"operating_points": {"fp32": points(0.5)}}, "operating_points"),
        ({"crops": []}, "crops"),
        ({"crops": [crop(0)]}, "crops need a scale above 0"),
        ({"crops": [crop(float("inf"))]}, "crops"),
        ({"crops": [{**crop(1), "kind": "arcface"}]}, "crops need a scale above 0, and a kind that has one"),
        ({"crops": [{**crop(1), "kind": "context"}]}, "crops"),
        ({"crops": [crop(1), {**crop(1), "size_wh": [80, 80]}]}, "expected one size"),
        ({"crops": [{**crop(1), "size_wh": [0, 80]}]}, "at least one pixel"),
        ({"crops": [{**crop(1), "mood": "good"}]}, "mood"),
        ({"mood": "good"}, "mood"),
        ({"mean": [0.5, float("nan"), 0.5]}, "mean"),
        ({"format": 1}, "format"),
    ],
)
def test_card_that_contradicts_itself_is_refused(files: dict[str, bytes], change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        SpoofNetCard.model_validate({**card(files), **change})


def test_default_variant_has_to_be_among_the_files(files: dict[str, bytes]) -> None:
    content = {**card({"fp32": files["fp32"]}), "default_variant": "int8"}
    with pytest.raises(ValidationError, match="default_variant is 'int8'"):
        SpoofNetCard.model_validate(content)

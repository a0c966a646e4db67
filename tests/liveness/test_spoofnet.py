"""SpoofNet scores what its card describes, with the very file that the card pins."""

import hashlib
import json
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
    """Uint8 crops in, logits linear in the mean colour out."""
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
        "format": 1,
        "version": "test",
        "date": "2026-11-24",
        "default_variant": "fp32",
        "crop": {"size_wh": [SIDE, SIDE], "scale": 2.7, "color": "rgb"},
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
    (folder / "manifest.json").write_text(json.dumps({"cards": card_pin(folder)}))
    return folder


def card_pin(folder: Path) -> dict[str, Any]:
    written = (folder / "spoofnet" / "card.json").read_bytes()
    return {"spoofnet/card.json": {"size": len(written), "sha256": hashlib.sha256(written).hexdigest()}}


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


def test_score_is_the_calibrated_sigmoid_of_the_margin_for_live(folder: Path) -> None:
    crops = noise(3)
    live, spoof = (crops.astype(np.float64).mean(axis=(1, 2)) @ WEIGHTS.astype(np.float64)).T
    expected = 1 / (1 + np.exp(-(0.5 * (live - spoof) + 0.25)))
    p_live = SpoofNet(weights_folder=folder).score(crops)
    assert p_live.dtype == np.float32
    np.testing.assert_allclose(p_live, expected, atol=1e-5)


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


def test_a_batch_gives_what_single_crops_give(folder: Path) -> None:
    spoofnet, crops = SpoofNet(weights_folder=folder), noise(4)
    np.testing.assert_allclose(
        spoofnet.score(crops), np.concatenate([spoofnet.score(c[None]) for c in crops]), atol=1e-6
    )


def test_crop_comes_from_the_card(folder: Path) -> None:
    expected = CropSpec(size_wh=(SIDE, SIDE), scale=2.7, kind="square", color="rgb")
    assert SpoofNet(weights_folder=folder).crop == expected


def test_variant_is_the_cards_default_unless_named(folder: Path, files: dict[str, bytes]) -> None:
    digests = {f"spoofnet/{variant}.onnx": hashlib.sha256(content).hexdigest() for variant, content in files.items()}
    digests["spoofnet/card.json"] = card_pin(folder)["spoofnet/card.json"]["sha256"]
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


def test_network_pinned_in_the_manifest_does_not_slip_under_another_card(folder: Path, files: dict[str, bytes]) -> None:
    pin = {"size": len(files["int8"]), "sha256": hashlib.sha256(files["int8"]).hexdigest()}
    entry = {**pin, "licence": "MIT", "origin": "a test", "use": "testing"}
    manifest = {"files": {"spoofnet/fp32.onnx": entry}, "cards": card_pin(folder)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "spoofnet" / "fp32.onnx").write_bytes(files["int8"])
    with pytest.raises(WeightsMismatch):
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
        ({"crop": {"scale": 0}}, "crop"),
        ({"mood": "good"}, "mood"),
        ({"mean": [0.5, float("nan"), 0.5]}, "mean"),
        ({"format": 2}, "format"),
    ],
)
def test_card_that_contradicts_itself_is_refused(files: dict[str, bytes], change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        SpoofNetCard.model_validate({**card(files), **change})


def test_default_variant_has_to_be_among_the_files(files: dict[str, bytes]) -> None:
    content = {**card({"fp32": files["fp32"]}), "default_variant": "int8"}
    with pytest.raises(ValidationError, match="default_variant is 'int8'"):
        SpoofNetCard.model_validate(content)

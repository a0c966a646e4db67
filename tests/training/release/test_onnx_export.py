"""The exported files compute what the network in training computes."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import nn

from faceauth.errors import UsageError
from faceauth.weights.cards import SpoofNetCard
from faceauth.weights.onnx_session import exact_options
from faceauth.weights.store import PinnedModel
from training.release.onnx_export import Exported, export_fp32, export_int8
from training.train.checkpoint import load_network
from training.train.folding import fold
from training.train.network import SpoofNet


@pytest.fixture(scope="module")
def crops() -> npt.NDArray[np.uint8]:
    """Random crops of different brightness: uint8, 4 x 224 x 224 x 3."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (4, 28, 28, 3)).repeat(8, axis=1).repeat(8, axis=2)
    return (blocks * rng.uniform(0.2, 1, (4, 1, 1, 1))).astype(np.uint8)


@pytest.fixture(scope="module")
def fp32(network: SpoofNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "spoofnet.onnx"
    export_fp32(network, path)
    return path


def torch_logits(network: SpoofNet, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    with torch.inference_mode():
        return np.asarray(Exported(network)(torch.from_numpy(crops)).numpy())


def onnx_logits(path: Path, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.asarray(ort.InferenceSession(path, exact_options()).run(None, {"crops": crops})[0])


def p_live(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(logits[:, 1].astype(np.float64) - logits[:, 0])))


def test_onnx_gives_the_score_of_torch(network: SpoofNet, fp32: Path, crops: npt.NDArray[np.uint8]) -> None:
    expected = torch_logits(network, crops)
    assert np.ptp(expected[:, 0]) > 1e-3  # the crops are told apart, so that equality says something
    np.testing.assert_allclose(p_live(onnx_logits(fp32, crops)), p_live(expected), atol=1e-4)


def test_folding_changes_no_logit(network: SpoofNet, crops: npt.NDArray[np.uint8]) -> None:
    folded = fold(network)
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in folded.modules())
    np.testing.assert_allclose(torch_logits(folded, crops), torch_logits(network, crops), atol=1e-4)


def test_weights_come_back_from_safetensors_and_from_onnx(
    network: SpoofNet, fp32: Path, crops: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    for path in (tmp_path / "weights.safetensors", fp32):
        np.testing.assert_allclose(torch_logits(load_network(path), crops), torch_logits(network, crops), atol=1e-4)


def test_other_weight_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="weights are"):
        load_network(tmp_path / "weights.pth")


def test_int8_shifts_no_logit_on_the_mean(fp32: Path, crops: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    """Of what it was calibrated on; single logits do move."""
    export_int8(fp32, tmp_path / "spoofnet.int8.onnx", crops)
    off = onnx_logits(tmp_path / "spoofnet.int8.onnx", crops) - onnx_logits(fp32, crops)
    assert np.abs(off).max() > 1e-4
    np.testing.assert_allclose(off.mean(axis=0), 0, atol=1e-5)


def test_int8_is_small_and_close(fp32: Path, crops: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    int8 = tmp_path / "spoofnet.int8.onnx"
    export_int8(fp32, int8, crops)
    assert int8.stat().st_size < fp32.stat().st_size / 3
    np.testing.assert_allclose(p_live(onnx_logits(int8, crops)), p_live(onnx_logits(fp32, crops)), atol=0.05)
    assert [path.name for path in tmp_path.iterdir()] == ["spoofnet.int8.onnx"]  # nothing half-made is left


def test_int8_weights_have_seven_bits_and_meet_activations_after_their_relu(
    fp32: Path, crops: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    """What makes it exact and fast on every processor: no sum overflows, and nothing between convolutions is float."""
    export_int8(fp32, tmp_path / "spoofnet.int8.onnx", crops)
    for path in (tmp_path / "spoofnet.int8.onnx", PinnedModel("spoofnet", SpoofNetCard).weights("int8").path):
        graph = onnx.load(path).graph
        weights = [numpy_helper.to_array(t) for t in graph.initializer if t.data_type == onnx.TensorProto.INT8]
        weights = [weight.astype(int) for weight in weights if weight.ndim == 4]
        assert len(weights) == 9 and all(np.abs(weight).max() <= 64 for weight in weights)
        first, *others = [node for node in graph.node if node.op_type in ("Conv", "Relu")]
        assert first.op_type == "Conv"
        assert [node.op_type for node in others] == ["Relu", *["Conv"] * 9, *["Relu"] * 2]


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.onnx"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no weights at all")
    with pytest.raises(UsageError, match=f"{name} does not hold SpoofNet"):
        load_network(tmp_path / name)

"""A session opens only for the pinned network, on the provider that was asked for."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from faceauth.errors import ProviderUnavailable, UsageError, WeightsMismatch
from faceauth.weights.onnx_session import CPU, Signature, open_session, session_options
from faceauth.weights.store import Weights

SIGNATURE = Signature(inputs={"x": ("float", (None, 3))}, outputs={"y": ("float", (None, 3))})
Network = Callable[..., Weights]


def weights_of(path: Path, content: bytes) -> Weights:
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Weights(path.name, path, len(content), digest, licence="MIT", origin="a test", use="testing")


@pytest.fixture
def network(tmp_path: Path) -> Network:
    """Makes a network that adds its inputs."""

    def make(
        inputs: tuple[str, ...] = ("x",), shape: tuple[Any, ...] = ("n", 3), kind: int = TensorProto.FLOAT
    ) -> Weights:
        values = [helper.make_tensor_value_info(name, kind, shape) for name in inputs]
        node = helper.make_node("Sum", list(inputs), ["y"])
        graph = helper.make_graph([node], "sum", values, [helper.make_tensor_value_info("y", kind, shape)])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        return weights_of(tmp_path / "net.onnx", model.SerializeToString())

    return make


def test_session_runs_the_network(network: Network) -> None:
    x = np.ones((2, 3), np.float32)
    (y,) = open_session(network(), signature=SIGNATURE).run(["y"], {"x": x})
    np.testing.assert_array_equal(y, x)


def test_swapped_file_is_refused_before_it_is_parsed(network: Network) -> None:
    weights = network()
    weights.path.write_bytes(network(inputs=("x", "z")).path.read_bytes())
    with pytest.raises(WeightsMismatch, match="is not the pinned file"):
        open_session(weights, signature=SIGNATURE)


def test_pinned_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    weights = weights_of(tmp_path / "net.onnx", b"no network at all")
    with pytest.raises(WeightsMismatch, match="does not read as an ONNX network"):
        open_session(weights, signature=SIGNATURE)


@pytest.mark.parametrize(
    "other",
    [
        {"shape": ("n", 4)},
        {"shape": (1, 3)},
        {"shape": ("n", "m")},
        {"shape": ("n", 3, 1)},
        {"kind": TensorProto.DOUBLE},
        {"inputs": ("z",)},
        {"inputs": ("x", "z")},
    ],
)
def test_network_of_another_signature_is_refused(network: Network, other: dict[str, Any]) -> None:
    with pytest.raises(WeightsMismatch, match="is not the expected network: its inputs are"):
        open_session(network(**other), signature=SIGNATURE)


def test_network_without_the_output_is_refused(network: Network) -> None:
    signature = Signature(inputs=SIGNATURE.inputs, outputs={"z": ("float", (None, 3))})
    with pytest.raises(WeightsMismatch, match="its outputs are"):
        open_session(network(), signature=signature)


def test_absent_provider_is_an_error_even_with_another_beside_it(network: Network) -> None:
    with pytest.raises(ProviderUnavailable, match="CPUExecutionProvider") as caught:
        open_session(network(), signature=SIGNATURE, providers=("NoneExecutionProvider", "CPUExecutionProvider"))
    assert caught.value.provider == "NoneExecutionProvider"
    assert "CPUExecutionProvider" in caught.value.available


def test_provider_that_is_listed_but_does_not_start_is_an_error(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    if set(listed) <= set(onnxruntime.get_available_providers()):
        pytest.skip("this onnxruntime has CUDA")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
    with pytest.warns(UserWarning), pytest.raises(ProviderUnavailable, match="CUDAExecutionProvider"):
        open_session(network(), signature=SIGNATURE, providers=listed)


@pytest.mark.parametrize("threads", [0, -1, 65, 100_000, True, 2.0, "2", None])
def test_a_number_of_threads_out_of_range_is_refused(network: Network, threads: Any) -> None:
    with pytest.raises(UsageError, match="expected a whole number from 1 to 64"):
        open_session(network(), signature=SIGNATURE, threads=threads)


def test_no_provider_is_refused(network: Network) -> None:
    with pytest.raises(UsageError, match="No execution provider is named"):
        open_session(network(), signature=SIGNATURE, providers=())


@pytest.mark.parametrize(("threads", "spinning"), [(1, ""), (2, "0")])
def test_threads_are_one_by_default_and_do_not_spin_when_more(threads: int, spinning: str) -> None:
    options = session_options(threads, CPU)
    assert options.intra_op_num_threads == threads
    assert entry(options, "session.intra_op.allow_spinning") == spinning


@pytest.mark.parametrize(("weight_only", "unpacked"), [(True, "1"), (False, "")])
def test_only_weight_only_files_are_unpacked_to_float(
    network: Network, monkeypatch: pytest.MonkeyPatch, weight_only: bool, unpacked: str
) -> None:
    opened, honest = [], onnxruntime.InferenceSession

    def keep(*arguments: Any, **options: Any) -> Any:
        opened.append(honest(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(onnxruntime, "InferenceSession", keep)
    open_session(network(), signature=SIGNATURE, weight_only=weight_only)
    assert entry(opened[0].get_session_options(), "session.disable_quant_qdq") == unpacked


def test_the_bytes_that_were_checked_are_the_bytes_that_are_loaded(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is swapped as soon as its digest was taken: a second look at the path would load the other network."""
    weights, honest = network(), hashlib.sha256

    def swap(content: bytes) -> Any:
        taken = honest(content)
        weights.path.write_bytes(b"no network at all")
        return taken

    monkeypatch.setattr("faceauth.weights.store.hashlib.sha256", swap)
    (y,) = open_session(weights, signature=SIGNATURE).run(["y"], {"x": np.ones((1, 3), np.float32)})
    np.testing.assert_array_equal(y, np.ones((1, 3), np.float32))


def test_a_network_with_tensors_in_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub is pinned and unchanged; onnxruntime would take the tensors from the folder that the process runs in."""
    monkeypatch.chdir(tmp_path)
    value = numpy_helper.from_array(np.ones((3, 3), np.float32), "w")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n", 3)) for name in "xy")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [value])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save_model(model, "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0)
    weights = weights_of(tmp_path / "pinned.onnx", Path("net.onnx").read_bytes())
    with pytest.raises(WeightsMismatch, match="keeps tensors in other files"):
        open_session(weights, signature=SIGNATURE)


def test_int8_sums_do_not_overflow_on_any_processor(tmp_path: Path) -> None:
    """Nine times 32 products of the largest bytes: without VNNI, 16-bit sums of two of them would be too small."""
    weights = weights_of(tmp_path / "int8.onnx", largest_bytes().SerializeToString())
    shape = (None, 32, 3, 3)
    signature = Signature(inputs={"x": ("float", shape)}, outputs={"y": ("float", (None, 8, 1, 1))})
    (y,) = open_session(weights, signature=signature).run(["y"], {"x": np.ones((1, 32, 3, 3), np.float32)})
    np.testing.assert_allclose(y, 9 * 32, atol=2)


def largest_bytes() -> ModelProto:
    """A convolution of 32 channels by 3 x 3 ones, quantised as SpoofNet's are."""
    constants = {
        "in_scale": np.array(1 / 255, np.float32),
        "out_scale": np.array(2, np.float32),
        "zero": np.array(0, np.uint8),
        "w": np.full((8, 32, 3, 3), 127, np.int8),
        "w_scale": np.full(8, 1 / 127, np.float32),
        "w_zero": np.zeros(8, np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "in_scale", "zero"], ["x8"]),
        helper.make_node("DequantizeLinear", ["x8", "in_scale", "zero"], ["xf"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["wf"], axis=0),
        helper.make_node("Conv", ["xf", "wf"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "out_scale", "zero"], ["c8"]),
        helper.make_node("DequantizeLinear", ["c8", "out_scale", "zero"], ["y"]),
    ]
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ("n", 32, 3, 3)), ("y", ("n", 8, 1, 1)))
    )
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "int8", [x], [y], initializer=tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def entry(options: Any, name: str) -> str:
    """The configured value, or nothing where onnxruntime keeps its default."""
    try:
        return str(options.get_session_config_entry(name))
    except RuntimeError:
        return ""


def test_importing_the_backends_does_not_import_onnxruntime() -> None:
    code = (
        "import sys, faceauth.detection.yunet, faceauth.embedding.sface, faceauth.liveness.spoofnet;"
        "sys.exit('onnxruntime' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0

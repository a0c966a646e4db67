"""Upstream's checkpoints become the ONNX files again. They are not here, so they are rebuilt from the known exports."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result

from faceauth.backends.registry import load_backend
from faceauth.errors import WeightsMismatch

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.usefixtures("plugin")

V2, V1SE = "MiniFASNetV2_2.7_80.onnx", "MiniFASNetV1SE_4.0_80.onnx"
CHECKPOINTS = {V2: "2.7_80x80_MiniFASNetV2.pth", V1SE: "4_0_0_80x80_MiniFASNetV1SE.pth"}
EPSILON = 1e-5  # of every batch normalisation

Array = npt.NDArray[np.float32]


def layers(path: Path) -> Iterator[tuple[str, str, list[Array]]]:
    """Operator, key in upstream's checkpoint, and weights of each layer that has some."""
    graph = onnx.load(path).graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        weights = [stored[name] for name in node.input if name in stored]
        if weights:  # /conv_3/model/model.0/project/conv/Conv is conv_3.model.0.project.conv
            yield node.op_type, ".".join(node.name.split("/")[1:-1]).replace("model.model.", "model."), weights


def norm_of(conv: str) -> str:
    """Key of the batch normalisation that was folded into a convolution: conv -> bn, fc1 -> bn1."""
    parent, name = conv.rsplit(".", 1)
    return f"{parent}.{name.replace('conv', 'bn').replace('fc', 'bn')}"


def rebuilt(path: Path, *, identity: bool) -> dict[str, Any]:
    """A state dict that computes what the exported network does.

    Args:
        path: a known export.
        identity: whether the batch normalisations change nothing; else they are drawn, and the convolutions make up
            for them.
    """
    rng = np.random.default_rng(0)
    state: dict[str, Array] = {}
    for operator, key, weights in layers(path):
        if operator == "Conv":
            folded, bias = weights
            n = len(bias)
            gain, mean = (np.ones(n), np.zeros(n)) if identity else (rng.uniform(0.5, 2, n), rng.normal(0, 1, n))
            variance = np.full(n, 1 - EPSILON) if identity else rng.uniform(0.5, 2, n)
            factor = gain / np.sqrt(variance + EPSILON)
            state[f"{key}.weight"] = folded / factor[:, None, None, None]
            norm = {"weight": gain, "bias": bias + mean * factor, "running_mean": mean, "running_var": variance}
            state |= {f"{norm_of(key)}.{name}": value for name, value in norm.items()}
        elif operator == "PRelu":
            state[f"{key}.weight"] = weights[0].ravel()
        elif operator == "MatMul":
            state[f"{key}.weight"] = weights[0].T
        else:
            names = ("weight", "bias", "running_mean", "running_var")
            state |= {f"{key}.{name}": value for name, value in zip(names, weights, strict=True)}
    return {key: torch.tensor(value, dtype=torch.float32) for key, value in state.items()}


def write_checkpoints(models: Path, folder: Path, *, identity: bool, prefix: str = "module.") -> list[str]:
    paths = []
    for name, checkpoint in CHECKPOINTS.items():
        state = rebuilt(models / name, identity=identity)
        torch.save({f"{prefix}{key}": value for key, value in state.items()}, folder / checkpoint)
        paths.append(str(folder / checkpoint))
    return paths


def convert(*arguments: str) -> Result:
    from faceauth_minifasnet.__main__ import main

    return CliRunner().invoke(main, ["convert", *arguments])


def logits(path: Path) -> Array:
    crops = np.random.default_rng(1).integers(0, 256, (16, 3, 80, 80)).astype(np.float32)
    (found,) = runtime.InferenceSession(str(path)).run(None, {"input": crops})
    return np.asarray(found, np.float32)


def test_the_known_exports_come_back_byte_for_byte_and_need_no_trust(models: Path, tmp_path: Path) -> None:
    if not torch.__version__.startswith("2.13.0"):
        pytest.skip(f"the known exports were made with PyTorch 2.13.0, not {torch.__version__}")
    done = convert(*write_checkpoints(models, tmp_path, identity=True), "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "--trust" not in done.output
    for name in CHECKPOINTS:
        assert (tmp_path / "out" / name).read_bytes() == (models / name).read_bytes()
    assert load_backend("liveness", "minifasnet", options={"weights_dir": str(tmp_path / "out")})


@pytest.fixture(scope="module")
def drawn(plugin: None, models: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Checkpoints whose batch normalisations change something, as a training leaves them."""
    return write_checkpoints(models, tmp_path_factory.mktemp("drawn"), identity=False)


def test_logits_of_a_converted_checkpoint_are_those_of_the_network(
    drawn: list[str], models: Path, tmp_path: Path
) -> None:
    done = convert(*drawn, "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    for name in CHECKPOINTS:
        np.testing.assert_allclose(logits(tmp_path / name), logits(models / name), atol=1e-5, rtol=0)


def test_what_is_no_known_export_is_used_after_trust_was_given_once(drawn: list[str], tmp_path: Path) -> None:
    done = convert(*drawn, "--out", str(tmp_path))
    assert "convert again with --trust" in done.stderr
    with pytest.raises(WeightsMismatch, match="--trust"):
        load_backend("liveness", "minifasnet", options={"weights_dir": str(tmp_path)})
    done = convert(*drawn, "--out", str(tmp_path), "--trust")
    assert "--trust" not in done.output
    assert load_backend("liveness", "minifasnet", options={"weights_dir": str(tmp_path)})


def test_convert_pins_what_it_made_and_says_where_it_comes_from(drawn: list[str], tmp_path: Path) -> None:
    done = convert(*drawn, "--out", str(tmp_path))
    pins = json.loads((tmp_path / "pins.json").read_text())
    assert pins["trusted"] is False and set(pins["files"]) == set(CHECKPOINTS)
    for name, found in pins["files"].items():
        assert found["size"] == (tmp_path / name).stat().st_size
        assert f"{found['sha256']}  {found['size']}  {tmp_path / name}\n" in done.stdout
    assert "minivision-ai/Silent-Face-Anti-Spoofing publishes under Apache-2.0" in done.stderr


def test_keys_without_the_prefix_of_dataparallel_are_read_as_well(models: Path, tmp_path: Path) -> None:
    done = convert(*write_checkpoints(models, tmp_path, identity=True, prefix=""), "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output


def refused(done: Result, out: Path) -> bool:
    """Whether it ended as wrong usage, with a sentence and no file."""
    return done.exit_code == 2 and "Traceback" not in done.output and not out.exists()


def test_swapped_checkpoints_are_refused(drawn: list[str], tmp_path: Path) -> None:
    done = convert(*reversed(drawn), "--out", str(tmp_path / "out"))
    assert refused(done, tmp_path / "out") and "does not hold MiniFASNetV2" in done.output


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04broken"])
def test_a_file_that_is_no_checkpoint_is_refused(drawn: list[str], tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.pth"
    broken.write_bytes(content)
    done = convert(str(broken), drawn[1], "--out", str(tmp_path / "out"))
    assert refused(done, tmp_path / "out") and "does not hold MiniFASNetV2" in done.output


class Boom:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("code of the file ran",)


@pytest.mark.parametrize("content", [Boom(), [1, 2], {"conv1.conv.weight": 3}], ids=["code", "list", "numbers"])
def test_a_checkpoint_that_holds_something_else_is_refused_and_not_run(
    drawn: list[str], tmp_path: Path, content: object
) -> None:
    torch.save(content, tmp_path / "odd.pth")
    done = convert(str(tmp_path / "odd.pth"), drawn[1], "--out", str(tmp_path / "out"))
    assert refused(done, tmp_path / "out") and "code of the file ran" not in done.output


def test_weights_that_are_not_finite_are_refused(drawn: list[str], tmp_path: Path) -> None:
    state = torch.load(drawn[0], weights_only=True)
    state["module.prob.weight"][:] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    done = convert(str(tmp_path / "nan.pth"), drawn[1], "--out", str(tmp_path / "out"))
    assert refused(done, tmp_path / "out") and "differ by nan" in done.output


def test_converting_needs_pytorch_and_says_so(
    drawn: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "faceauth_minifasnet.conversion", raising=False)
    monkeypatch.delattr("faceauth_minifasnet.conversion", raising=False)
    done = convert(*drawn, "--out", str(tmp_path / "out"))
    assert refused(done, tmp_path / "out") and "pip install torch" in done.output

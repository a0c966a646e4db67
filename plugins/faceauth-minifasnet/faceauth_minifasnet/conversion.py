"""Makes the ONNX files from upstream's published checkpoints. The one place that needs PyTorch."""

import pickle
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import shorten

import numpy as np
import onnx  # noqa: F401  # torch.onnx.export needs it, and says so only after its work
import onnxruntime
import torch
from torch import Tensor

from faceauth.errors import WeightsMismatch
from faceauth_minifasnet.backend import INPUT, OUTPUT, SIDE
from faceauth_minifasnet.networks import Network, mini_fasnet_v1se, mini_fasnet_v2
from faceauth_minifasnet.weight_files import ORIGIN, PINS, V1SE, V2, Pin, Pins

OPSET = 13
MODULE_PREFIX = "module."
"""Upstream trained under DataParallel, which puts this before every key."""

LARGEST_DIFFERENCE = 1e-4
"""Of a logit between PyTorch and onnxruntime: chosen; float32 sums in another order stay below 1e-5."""

MESSAGE_LENGTH = 200
"""Characters of PyTorch's complaint that an error repeats: chosen; it may list hundreds of layers."""

BUILDERS: Mapping[str, Callable[[], Network]] = {V2: mini_fasnet_v2, V1SE: mini_fasnet_v1se}


def convert(v2: Path, v1se: Path, folder: Path, *, trust: bool) -> Pins:
    """Write both ONNX files and ``pins.json`` into ``folder``, which is made if it is not there.

    Args:
        v2: upstream's ``2.7_80x80_MiniFASNetV2.pth``.
        v1se: upstream's ``4_0_0_80x80_MiniFASNetV1SE.pth``.
        folder: for the files; those of an earlier conversion are overwritten.
        trust: whether the backend may use files that are no known exports.

    Raises:
        WeightsMismatch: a checkpoint does not hold that network, or its export computes something else.
    """
    contents = {name: _exported(checkpoint, name) for name, checkpoint in ((V2, v2), (V1SE, v1se))}
    pins = Pins(trusted=trust, files={name: Pin.of(content) for name, content in contents.items()})
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / PINS).write_text(pins.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return pins


def _exported(checkpoint: Path, name: str) -> bytes:
    network = BUILDERS[name]().eval()
    try:
        network.load_state_dict(_state(checkpoint))
    except (RuntimeError, ValueError, TypeError, EOFError, pickle.UnpicklingError) as error:
        problem = shorten(str(error) or type(error).__name__, MESSAGE_LENGTH, placeholder=" ...")
        network_name = name.partition("_")[0]
        raise WeightsMismatch(
            f"{checkpoint} does not hold {network_name} ({problem}). Give the checkpoints of {ORIGIN}, MiniFASNetV2 "
            "first.",
            path=checkpoint,
            found=problem,
            expected=f"the state dict of {network_name}",
        ) from error
    content = _onnx(network)
    _check_same(network, content, checkpoint)
    return content


def _state(checkpoint: Path) -> dict[str, Tensor]:
    loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if not isinstance(loaded, Mapping):
        raise ValueError(f"it holds a {type(loaded).__name__}, not a state dict")
    return {str(key).removeprefix(MODULE_PREFIX): value for key, value in loaded.items()}


def _onnx(network: Network) -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder, "network.onnx")
        warnings.simplefilter("ignore")  # that this exporter is old: its graphs are those of the known exports
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, SIDE, SIDE),),
            path,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()


def _check_same(network: Network, content: bytes, checkpoint: Path) -> None:
    """Refuse an export whose logits are not the network's; NaN is never the same."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 3, SIDE, SIDE)).astype(np.float32)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (found,) = session.run([OUTPUT], {INPUT: noise})
    with torch.inference_mode():
        expected = network(torch.from_numpy(noise)).numpy()
    difference = float(np.abs(found - expected).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise WeightsMismatch(
            f"The logits of {checkpoint} and of its export differ by {difference:.2g}, expected at most "
            f"{LARGEST_DIFFERENCE:g}. Use another version of PyTorch than {torch.__version__}, or a sound checkpoint.",
            path=checkpoint,
            found=f"a difference of {difference:.2g}",
            expected=f"at most {LARGEST_DIFFERENCE:g}",
        )

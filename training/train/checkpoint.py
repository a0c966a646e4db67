"""Weights on disk: ``.safetensors`` of a training and fp32 ``.onnx`` of a release, written and read.

A file of a training says itself which domains it never saw: a recipe beside it may be that of a later run.
"""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from faceauth.errors import UsageError
from training.data.files import whole
from training.train.folding import fold
from training.train.network import SpoofNet

HOLD_OUT = "hold_out"


def save_weights(network: nn.Module, path: Path, hold_out: Collection[str] = ()) -> None:
    """Write ``.safetensors``, whole or not at all.

    Args:
        network: its state is written.
        path: file to write; its folder is made.
        hold_out: domains of ``train`` that no step of its making saw.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    with whole(path) as part:
        save_file(state, part, metadata={HOLD_OUT: json.dumps(sorted(hold_out))})


def load_network(path: Path) -> SpoofNet:
    """SpoofNet in evaluation mode from ``.safetensors`` (a training's) or ``.onnx`` (a released) weights.

    In a released ONNX file each batch normalisation is folded into the layer before it, and so it is in what is
    returned.

    Raises:
        UsageError: the file does not hold SpoofNet's layers as ``.safetensors`` or fp32 ``.onnx``.
    """
    try:
        return _read_network(path)
    except (ValueError, RuntimeError, SafetensorError, DecodeError) as error:
        raise UsageError(
            f"{path} does not hold SpoofNet: give the .safetensors of a training or a released fp32 .onnx "
            f"({str(error).splitlines()[0]})."
        ) from error


def domains_left_out(weights: Path) -> frozenset[str]:
    """Domains that the making of ``weights`` never saw, as the file says; none of an ONNX file.

    Raises:
        UsageError: the file is damaged.
    """
    if weights.suffix != ".safetensors":
        return frozenset()
    try:
        with safe_open(weights, "numpy") as file:
            return frozenset(json.loads((file.metadata() or {}).get(HOLD_OUT, "[]")))
    except (SafetensorError, ValueError) as error:
        raise UsageError(f"{weights} is damaged: copy it again, or retrain ({error}).") from error


def refuse_seen(weights: Path, hold_out: Collection[str]) -> None:
    """Domains are left out only if the training of ``weights`` left them out.

    A training asks this of what it begins with, so a file speaks for the whole chain before it.

    Raises:
        UsageError: the file does not say so of one of ``hold_out``, or is damaged.
    """
    seen = sorted(set(hold_out) - domains_left_out(weights)) if hold_out else []
    if seen:
        raise UsageError(f"{weights} may have seen {', '.join(seen)}: the file does not say that they were left out.")


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_network(path: Path) -> SpoofNet:
    network = SpoofNet().eval()
    if path.suffix == ".safetensors":
        network.load_state_dict(load_file(path))
        return network
    if path.suffix != ".onnx":
        raise ValueError(f"{path.name}: weights are .safetensors or .onnx files.")
    network = fold(network)
    stored = {t.name.removeprefix("network."): numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    weights = {name: torch.from_numpy(stored[name].copy()) for name in network.state_dict() if name in stored}
    network.load_state_dict(weights)
    return network

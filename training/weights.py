"""A training's file of weights: SpoofNet and the domains that it never saw in, the same out.

The file itself says what was left out: a recipe beside it may be that of a later run.
"""

import json
from collections.abc import Collection
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from faceauth.errors import UsageError
from training.files import whole

LEFT_OUT = "left_out"


def save_weights(network: nn.Module, path: Path, left_out: Collection[str] = ()) -> None:
    """Write ``.safetensors``, whole or not at all.

    Args:
        network: its state is written.
        path: file to write; its folder is made.
        left_out: domains of ``train`` that no step of its making saw.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    with whole(path) as part:
        save_file(state, part, metadata={LEFT_OUT: json.dumps(sorted(left_out))})


def domains_left_out(weights: Path) -> frozenset[str]:
    """Domains that the making of ``weights`` never saw, as the file says; none of a released file.

    Raises:
        UsageError: the file is damaged.
    """
    if weights.suffix != ".safetensors":
        return frozenset()
    try:
        with safe_open(weights, "numpy") as file:
            return frozenset(json.loads((file.metadata() or {}).get(LEFT_OUT, "[]")))
    except (SafetensorError, ValueError) as error:
        raise UsageError(f"{weights} is damaged: copy it again, or train anew ({error}).") from error


def refuse_seen(weights: Path, left_out: Collection[str]) -> None:
    """Domains are left out only if the training of ``weights`` left them out.

    A training asks this of what it begins with, so a file speaks for the whole chain before it.

    Raises:
        UsageError: the file does not say so of one of ``left_out``, or is damaged.
    """
    seen = sorted(set(left_out) - domains_left_out(weights)) if left_out else []
    if seen:
        raise UsageError(f"{weights} may have seen {', '.join(seen)}: the file does not say that they were left out.")

"""Model soup: weights of several trainings in, the weights in their middle out."""

from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file

from faceauth.errors import ConfigError
from training.export import load_network


def average(ingredients: Sequence[Path], out: Path) -> None:
    """Write the plain mean of weights and batch statistics (Wortsman et al. 2022).

    Works for trainings that went on from the same weights: the loss is low all the way between them.

    Args:
        ingredients: ``.safetensors`` files of SpoofNet, two or more.
        out: file to write.

    Raises:
        ConfigError: fewer than two files, or as :func:`training.export.load_network`.
    """
    if len(ingredients) < 2:
        raise ConfigError(f"A mean of weights needs two files or more, found {len(ingredients)}.")
    states = [load_network(path).state_dict() for path in ingredients]
    mean = {
        name: sum(state[name] for state in states) / len(states) if first.is_floating_point() else first
        for name, first in states[0].items()
    }
    save_file({name: tensor.contiguous() for name, tensor in mean.items()}, out)

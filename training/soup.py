"""Model soup: weights of several trainings in, the weights in their middle out."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor
from torch.optim.swa_utils import update_bn

from faceauth.errors import UsageError
from training.config import DataSettings, TrainConfig
from training.export import load_network
from training.network import SpoofNet
from training.packs import Pack
from training.sampling import BalancedBatches
from training.scoring import normalise
from training.views import Views
from training.weights import domains_left_out, save_weights

BATCHES = 16
BATCH = 48  # with BATCHES: chosen, not measured


def average(ingredients: Sequence[Path], out: Path, measure: tuple[TrainConfig, Pack] | None = None) -> None:
    """Write the plain mean of weights (Wortsman et al. 2022).

    Works for trainings that went on from the same weights: the loss is low all the way between them.

    Args:
        ingredients: ``.safetensors`` files of SpoofNet, two or more.
        out: file to write; it has left out what all of its making left out.
        measure: a recipe and pictures to measure the batch statistics of the mean on, as stochastic weight averaging
            does (Izmailov et al. 2018); None takes the mean of the statistics too, which a layer in the middle of two
            unlike ones does not have.

    Raises:
        UsageError: fewer than two files, a released one, or as :func:`training.export.load_network`.
    """
    if len(ingredients) < 2:
        raise UsageError(f"A mean of weights needs two files or more, found {len(ingredients)}.")
    released = [path for path in ingredients if path.suffix == ".onnx"]
    if released:
        raise UsageError(f"{released[0]} has no batch statistics to average: give .safetensors files of trainings.")
    states = [load_network(path).state_dict() for path in ingredients]
    mean = {
        name: sum(state[name] for state in states) / len(states) if first.is_floating_point() else first
        for name, first in states[0].items()
    }
    left_out = [domains_left_out(path) for path in ingredients]
    if measure is not None:
        left_out.append(frozenset(measure[0].data.hold_out))
    network = with_statistics(mean, None if measure is None else views_to_measure_on(*measure))
    save_weights(network, out, frozenset.intersection(*left_out))


def with_statistics(weights: Mapping[str, Tensor], views: Iterator[Tensor] | None) -> SpoofNet:
    """SpoofNet with ``weights`` in evaluation mode, its batch statistics measured anew on ``views``, if any."""
    network = SpoofNet(block_dropout=0, head_dropout=0)
    network.load_state_dict(weights)
    if views is not None:
        update_bn(views, network)
    return network.eval()


def views_to_measure_on(config: TrainConfig, content: Pack) -> Iterator[Tensor]:
    """Batches of training views of a recipe, none of them mixed, normalised: float32, (B, 3, size, size)."""
    nobody = {name: 0.0 for name in DataSettings.model_fields if name.startswith("teacher_weight")}
    data = config.data.model_copy(update={"teachers_see": "pictures", **nobody})
    unmixed = config.view.model_copy(update={"blend": 0.0, "patch": 0.0})
    unasked = config.optimiser.model_copy(update={"guess_weight": 0.0, "hint_weight": 0.0})
    views = Views(content, config.model_copy(update={"data": data, "view": unmixed, "optimiser": unasked}))
    for draws in BalancedBatches(content, data, batch_size=BATCH, seed=config.seed).batches(0, BATCHES):
        yield normalise(views.crops(draws))

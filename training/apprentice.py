"""What learns: SpoofNet with the extra output of its training, and the loss of a batch. Only SpoofNet is kept."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.config import OptimiserSettings
from training.network import CHANNELS, SpoofNet
from training.teachers import HINT_CHANNELS, LOGIT_LIMIT, MAP_SIDE, TEACHERS
from training.triplet import triplet_loss
from training.views import Batch


class Outputs(NamedTuple):
    """What a forward pass gives: logits (B, 2) and pooled features (B, 512), and guesses about the teachers, or None.

    Guessed are their logits (B, 3), embeddings (B, 3, 128) and maps (B, 3, 128, 5, 5).
    """

    logits: Tensor
    features: Tensor
    guesses: Tensor | None
    embeddings: Tensor | None
    maps: Tensor | None


class Apprentice(nn.Module):
    """SpoofNet and, where the recipe wants it, linear layers that guess from its features what each teacher sees.

    A single target says in one number what three teachers think; guessing the logit of each makes the features hold
    what each of them knows. Guessing their embeddings and the maps below (hints, Romero et al. 2015) says far more
    about every view, and where in it: at each of 5 x 5 places.
    """

    def __init__(self, network: SpoofNet, settings: OptimiserSettings) -> None:
        super().__init__()
        self.network = network
        self.guess = nn.Linear(CHANNELS[-1], len(TEACHERS)) if settings.guess_weight else None
        hints = len(TEACHERS) * HINT_CHANNELS
        self.embed = nn.Linear(CHANNELS[-1], hints) if settings.hint_weight else None
        self.map = nn.Conv2d(CHANNELS[-1], hints, 1) if settings.hint_weight else None

    def forward(self, crops: Tensor) -> Outputs:
        """Outputs of RGB crops normalised as for SpoofNet: (B, 3, H, W)."""
        logits, features, last_map = self.network.activations(crops)
        guesses = None if self.guess is None else self.guess(features)
        if self.embed is None or self.map is None:
            return Outputs(logits, features, guesses, None, None)
        shape = (len(logits), len(TEACHERS), HINT_CHANNELS)
        maps = self.map(nn.functional.adaptive_avg_pool2d(last_map, MAP_SIDE))
        embeddings = self.embed(features).view(shape)
        return Outputs(logits, features, guesses, embeddings, maps.view(*shape, MAP_SIDE, MAP_SIDE))


def loss_of(outputs: Outputs, batch: Batch, settings: OptimiserSettings) -> Tensor:
    """Cross-entropy with the target, and what ``settings`` weighs beside it."""
    target = torch.stack([1 - batch.target, batch.target], dim=1)
    loss = nn.functional.cross_entropy(outputs.logits.float(), target)
    if settings.triplet_weight:
        loss = loss + settings.triplet_weight * triplet_loss(outputs.features.float(), batch.groups)
    if outputs.guesses is not None:
        loss = loss + settings.guess_weight * _guessing_loss(outputs.guesses.float(), batch.teachers)
    if outputs.embeddings is not None and outputs.maps is not None:
        hints = _distance(outputs.embeddings, batch.embeddings) + _distance(outputs.maps, batch.maps)
        loss = loss + settings.hint_weight * hints
    return loss


def _distance(guessed: Tensor, seen: Tensor) -> Tensor:
    """Mean squared error of what teachers see, each of their channels brought to mean 0 and spread 1 over the batch."""
    others = [dim for dim in range(seen.dim()) if dim not in (1, 2)]
    spread, mean = torch.std_mean(seen, dim=others, keepdim=True)
    return nn.functional.mse_loss(guessed.float(), (seen - mean) / (spread + 1e-3))


def _guessing_loss(guesses: Tensor, teachers: Tensor) -> Tensor:
    """Huber loss over what teachers said, their logits brought to [-2, 2]; 0 where none was asked."""
    asked = ~torch.isnan(teachers)
    if not asked.any():
        return guesses.sum() * 0
    return nn.functional.smooth_l1_loss(guesses[asked], teachers[asked] * (2 / LOGIT_LIMIT))

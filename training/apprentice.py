"""What learns: SpoofNet with the extra output of its training, and the loss of a batch. Only SpoofNet is kept."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.config import OptimiserSettings
from training.network import CHANNELS, SpoofNet
from training.teachers import LOGIT_LIMIT, TEACHERS
from training.triplet import triplet_loss
from training.views import Batch


class Outputs(NamedTuple):
    """What a forward pass gives: logits (B, 2), pooled features (B, 512), guesses (B, 3) or None."""

    logits: Tensor
    features: Tensor
    guesses: Tensor | None


class Apprentice(nn.Module):
    """SpoofNet and, where the recipe wants it, a linear layer that guesses each teacher's logit from its features.

    A single target says in one number what three teachers think; guessing each of them makes the features hold what
    each of them sees.
    """

    def __init__(self, network: SpoofNet, settings: OptimiserSettings) -> None:
        super().__init__()
        self.network = network
        self.guess = nn.Linear(CHANNELS[-1], len(TEACHERS)) if settings.guess_weight else None

    def forward(self, crops: Tensor) -> Outputs:
        """Outputs of RGB crops normalised as for SpoofNet: (B, 3, H, W)."""
        logits, features = self.network.logits_and_features(crops)
        return Outputs(logits, features, None if self.guess is None else self.guess(features))


def loss_of(outputs: Outputs, batch: Batch, settings: OptimiserSettings) -> Tensor:
    """Cross-entropy with the target, and what ``settings`` weighs beside it."""
    target = torch.stack([1 - batch.target, batch.target], dim=1)
    loss = nn.functional.cross_entropy(outputs.logits.float(), target)
    if settings.triplet_weight:
        loss = loss + settings.triplet_weight * triplet_loss(outputs.features.float(), batch.groups)
    if outputs.guesses is not None:
        loss = loss + settings.guess_weight * _guessing_loss(outputs.guesses.float(), batch.teachers)
    return loss


def _guessing_loss(guesses: Tensor, teachers: Tensor) -> Tensor:
    """Huber loss over what teachers said, their logits brought to [-2, 2]; 0 where none was asked."""
    asked = ~torch.isnan(teachers)
    if not asked.any():
        return guesses.sum() * 0
    return nn.functional.smooth_l1_loss(guesses[asked], teachers[asked] * (2 / LOGIT_LIMIT))

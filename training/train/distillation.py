"""Distillation: mixes labels with the teachers' scores of a view into the target that the student learns.

Within a domain the room gives the label away, but not a teacher's answer to the view (Hinton et al. 2015; the
teachers see what the student sees, so that a few thousand images say as much of them as there are views: Beyer et al.
2022).
"""

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn, stack

from training.data.shards import Shards
from training.train.recipe import Recipe

TEMPERATURE = 2.0  # the teachers' mean logit is divided by it; chosen, not measured

Floats = npt.NDArray[np.float32]


def smoothed_labels(content: Shards, recipe: Recipe) -> Floats:
    """P(spoof) by the smoothed label of each image."""
    smoothing = recipe.label_smoothing
    return np.asarray(content.label * (1 - smoothing) + smoothing / 2, np.float32)


def teacher_shares(content: Shards, recipe: Recipe) -> Floats:
    """The teachers' share in the target of each image; none where the label is certain: portraits and recaptures."""
    return np.where(content.origin == "real", recipe.teacher_share, 0).astype(np.float32)


def soft_targets(labels: Floats, shares: Floats, teacher_logits: Floats) -> Floats:
    """P(spoof) to learn, (B,): the smoothed label mixed with the mean of the teachers.

    Args:
        labels: smoothed, P(spoof), (B,).
        shares: of the teachers, (B,).
        teacher_logits: live logit of each teacher, (B, T).
    """
    soft = 1 / (1 + np.exp(teacher_logits.mean(axis=1) / TEMPERATURE))
    return np.asarray((1 - shares) * labels + shares * soft, np.float32)


def student_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of logits (B, 2) with P(spoof), (B,)."""
    return nn.functional.cross_entropy(logits.float(), stack([1 - target, target], dim=1))

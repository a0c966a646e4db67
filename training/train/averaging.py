"""Averages of weights and batch statistics: along a training, and between its beginning and its end."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """An average of ``network`` in evaluation mode, on its device (Polyak and Juditsky 1992); updated after each step.

    Its memory is short at first: otherwise the random start would dominate it for a long time.
    """

    @torch.no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        get_ema_multi_avg_fn(min(decay, (1 + steps) / (10 + steps)))(averaged, current, count)  # type: ignore[no-untyped-call]

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True).eval().requires_grad_(False)


@torch.no_grad()
def between(begin: nn.Module, end: nn.Module, begin_share: float) -> nn.Module:
    """The network whose weights lie between those of two, in evaluation mode; both stay as they are.

    Training on teaches the new images, the weights it began with are steadier on cameras that neither has seen
    (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    """
    joined = copy.deepcopy(end).eval()
    starting = begin.state_dict()
    for name, values in joined.state_dict().items():
        if values.is_floating_point():  # the others count batches
            values.lerp_(starting[name], begin_share)
    return joined

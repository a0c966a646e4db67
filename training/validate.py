"""Validation while training: a network and a pack in, macro AUC per context scale out."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from faceauth.cropping.square import square_crop
from faceauth.errors import UsageError
from faceauth.metrics.error_rates import auc_by_domain, macro
from faceauth.stages import CropSpec
from training.config import TrainConfig
from training.packs import Pack
from training.scoring import score

BATCH = 64
PORTRAITS = 400  # of those held out, at most, spread evenly over their folders


def validate(network: nn.Module, content: Pack, config: TrainConfig) -> dict[str, float]:
    """Macro AUC over the domains of ``val`` and of ``hold_out``, for the mean logit over ``config.scales`` and each.

    The averaged statistics of batch normalisation are used, so ``network`` must be in evaluation mode.
    """
    chosen = _left_out(content, config)
    logits = {s: score_pack(network, content, chosen, s, config) for s in config.scales}
    label, domain = content.label[chosen], content.domain[chosen]
    by_domain = auc_by_domain(p_live(np.mean(list(logits.values()), axis=0)), label, domain)
    result = {"macro_auc": macro(by_domain)} | {f"auc/{name}": value for name, value in by_domain.items()}
    result |= {f"macro_auc@{s}": macro(auc_by_domain(p_live(v), label, domain)) for s, v in logits.items()}
    portraits = np.flatnonzero((content.origin == "portrait") & (content.split == "val"))
    if len(portraits):
        portraits = portraits[:: math.ceil(len(portraits) / PORTRAITS)]
        logit = score_pack(network, content, portraits, config.scales[0], config)
        result["portraits_live"] = float(np.mean(logit > 0))
    return {name: round(value, 4) for name, value in result.items()}


def refuse_nothing_to_validate(content: Pack, config: TrainConfig) -> None:
    """A run without it would fail after its first epoch.

    Raises:
        UsageError: neither ``val`` nor ``hold_out`` holds a domain with real live pictures and attacks.
    """
    chosen = _left_out(content, config)
    if not auc_by_domain(np.zeros(len(chosen)), content.label[chosen], content.domain[chosen]):
        raise UsageError(
            "val holds no domain with live pictures and attacks: add one, or name domains of train in data.hold_out."
        )


def score_pack(
    network: nn.Module, content: Pack, chosen: npt.NDArray[np.int64], scale: float, config: TrainConfig
) -> npt.NDArray[np.float32]:
    """Live logit minus spoof logit of the pictures ``chosen``, cut at ``scale``: float32, N."""
    spec = CropSpec(size_wh=(config.view.size,) * 2, scale=scale, kind="square", color="rgb")
    device = next(network.parameters()).device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=config.precision == "bf16-mixed"):
        return np.concatenate([score(network, crops) for crops in _batches(content, chosen, spec)])


def _left_out(content: Pack, config: TrainConfig) -> npt.NDArray[np.int64]:
    left_out = (content.split == "val") | np.isin(content.domain, config.data.hold_out)
    return np.flatnonzero((content.origin == "real") & left_out)


def p_live(live_logit: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Uncalibrated P(live) in [0, 1], float64, of logit differences."""
    return np.asarray(1 / (1 + np.exp(-live_logit.astype(np.float64))))


def _batches(content: Pack, chosen: npt.NDArray[np.int64], spec: CropSpec) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        yield np.stack([square_crop(content.image(int(i)), content.box(int(i)), spec).pixels for i in part])

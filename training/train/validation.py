"""Errors of a network on ``val`` and on the domains left out, as a release scores a face."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from faceauth.cropping.crops import crop_box
from faceauth.errors import UsageError
from faceauth.metrics.error_rates import auc_by_domain, hter_by_domain, macro
from faceauth.stages import CropSpec
from training.data.shards import Shards
from training.train.network import logits_of
from training.train.recipe import Recipe

BATCH = 32
PORTRAITS = 400  # of those held out, at most, spread evenly over their folders


def validation_figures(network: nn.Module, content: Shards, recipe: Recipe, size: int) -> dict[str, float]:
    """AUC and HTER at the boundary over the domains of ``val`` and of ``hold_out``, as a release scores a face.

    ``error`` is what weights are chosen by: the mean of the macro HTER and of 1 - macro AUC.

    Args:
        network: in evaluation mode.
        content: the images.
        recipe: gives the views and what to leave out.
        size: side of the views in pixels.
    """
    chosen = _held_out(content, recipe)
    p_live = scored(network, content, chosen, recipe, size)
    facts = p_live, content.label[chosen], content.domain[chosen]
    auc, hter = auc_by_domain(*facts), hter_by_domain(*facts, 0.5)
    figures = {"macro_auc": macro(auc), "macro_hter": macro(hter), "error": (macro(hter) + 1 - macro(auc)) / 2}
    portraits = np.flatnonzero((content.origin == "portrait") & (content.split == "val"))
    if len(portraits):
        portraits = portraits[:: math.ceil(len(portraits) / PORTRAITS)]
        figures["bpcer_portraits"] = float(np.mean(scored(network, content, portraits, recipe, size) < 0.5))
    figures |= {f"auc/{name}": value for name, value in auc.items()}
    figures |= {f"hter/{name}": value for name, value in hter.items()}
    return {name: round(value, 4) for name, value in figures.items()}


def refuse_nothing_to_validate(content: Shards, recipe: Recipe) -> None:
    """Otherwise training would fail half-way.

    Raises:
        UsageError: neither ``val`` nor ``hold_out`` holds a domain with live frames and attacks.
    """
    chosen = _held_out(content, recipe)
    if not auc_by_domain(np.zeros(len(chosen)), content.label[chosen], content.domain[chosen]):
        raise UsageError(
            "val holds no domain with live images and attacks: add one, or name domains of train in hold_out."
        )


def scored(
    network: nn.Module, content: Shards, chosen: npt.NDArray[np.int64], recipe: Recipe, size: int
) -> npt.NDArray[np.float64]:
    """Uncalibrated P(live) of the images ``chosen``, the mean over the views of a release: float64, N."""
    device = next(network.parameters()).device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=recipe.precision == "bf16-mixed"):
        logits = [
            np.concatenate([logits_of(network, crops) for crops in _batches(content, chosen, spec)])
            for spec in recipe.crops(size)
        ]
    return np.asarray(np.mean([1 / (1 + np.exp(-logit.astype(np.float64))) for logit in logits], axis=0))


def _held_out(content: Shards, recipe: Recipe) -> npt.NDArray[np.int64]:
    held_out = (content.split == "val") | np.isin(content.domain, recipe.hold_out)
    return np.flatnonzero((content.origin == "real") & held_out)


def _batches(content: Shards, chosen: npt.NDArray[np.int64], spec: CropSpec) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        yield np.stack([crop_box(content.image(int(i)), content.box(int(i)), spec).pixels for i in part])

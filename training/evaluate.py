"""Evaluation: trained weights and labelled rows in, the library's report of the network alone out.

Chooses nothing: P(live) is that of the logits as they are, and a presentation is accepted from equal logits on.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from rich.table import Table
from torch import nn

from faceauth.errors import UsageError
from faceauth.evaluation.measuring import measure
from faceauth.evaluation.records import Record
from faceauth.evaluation.report import EvaluationReport
from faceauth.evaluation.robustness import measure_robustness
from faceauth.evaluation.scoring import Scored, Threshold, score_records
from faceauth.stages import API_VERSION, Crops, CropSpec, Scores
from faceauth.weights.cards import CARD_NAME, SpoofNetCard
from training.config import TrainConfig
from training.export import load_network
from training.progress import Progress
from training.scoring import score
from training.validate import p_live

EQUAL_LOGITS = Threshold(0.5, "where the two logits are equal: not calibrated, no operating point")
CLOSEST_TO_CERTAIN = 1e-7
"""P(live) is kept so far from 0 and 1 where logits are averaged; about the precision of float32 below 1."""


class TrainedNetwork:
    """A network of a training as a liveness backend of the library, without thresholds.

    Args:
        network: in evaluation mode, on any device; normalised RGB crops -> logits (live, spoof).
        scale: context scale of its crops.
        size: side of its crops in pixels.
        mirrored_scale: of a second view, or None.
    """

    api_version = API_VERSION
    operating_points = None

    def __init__(self, network: nn.Module, *, scale: float, size: int, mirrored_scale: float | None = None) -> None:
        self.crop = CropSpec(
            size_wh=(size, size), scale=scale, kind="square", color="rgb", mirrored_scale=mirrored_scale
        )
        self.weights_sha256: Mapping[str, str] = {}
        self._network = network

    def score(self, crops: Crops) -> Scores:
        """Uncalibrated P(live) of each crop: float32, N, in the same order; empty for N = 0."""
        if len(crops) == 0:
            return np.empty(0, np.float32)
        return p_live(score(self._network, np.ascontiguousarray(crops))).astype(np.float32)


def load(weights: Path) -> nn.Module:
    """SpoofNet in evaluation mode, on the GPU where there is one.

    Raises:
        UsageError: as :func:`training.export.load_network`.
    """
    return load_network(weights).to("cuda" if torch.cuda.is_available() else "cpu")


class Shown(NamedTuple):
    """How a network is shown a face: the arguments of these names of :func:`evaluate_network`."""

    scales: Sequence[float]
    size: int
    mirrored_scale: float | None


def shown_to(weights: Path) -> Shown:
    """By the recipe.json that a training kept beside its ``weights``, or the card.json beside released ones.

    Raises:
        UsageError: there is neither, or it is of another version of this project.
    """
    recipe, card = weights.with_name("recipe.json"), weights.with_name(Path(CARD_NAME).name)
    try:
        if recipe.is_file():
            kept = TrainConfig.model_validate({"epochs": 1, **json.loads(recipe.read_text())})
            return Shown(kept.scales, kept.view.size, kept.mirrored_scale)
        if card.is_file():
            crop = SpoofNetCard.model_validate_json(card.read_text()).crop
            return Shown((crop.scale,), crop.size_wh[0], crop.mirrored_scale)
    except ValueError as error:
        raise UsageError(
            f"What lies beside {weights} is of another version: {error}. Give --scale and --size."
        ) from error
    raise UsageError(f"No recipe.json and no card.json lies beside {weights}: give --scale and --size.")


def score_network(
    network: nn.Module,
    rows: Sequence[Record],
    *,
    scales: Sequence[float],
    size: int,
    mirrored_scale: float | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> list[Scored]:
    """Uncalibrated P(live) of rows with a face box; the arguments are those of :func:`evaluate_network`.

    Raises:
        UsageError, ImageError: as :func:`faceauth.evaluation.scoring.score_records`.
        UsageError: ``mirrored_scale`` with several scales.
    """
    if len(scales) > 1 and mirrored_scale is not None:
        raise UsageError(f"A mirrored view goes with one scale, as a release has one; found {len(scales)}.")
    backends = [TrainedNetwork(network, scale=scale, size=size, mirrored_scale=mirrored_scale) for scale in scales]
    return _mean_of_logits(
        [score_records(rows, one, progress=partial(progress, f"scale {one.crop.scale:g}")) for one in backends]
    )


def evaluate_network(
    network: nn.Module,
    rows: Sequence[Record],
    *,
    scales: Sequence[float],
    size: int,
    mirrored_scale: float | None = None,
    name: str,
    data: str,
    with_robustness: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> tuple[EvaluationReport, list[Scored]]:
    """The report of the network alone on the rows' face boxes, and the scores that it was made of.

    Args:
        network: as for :class:`TrainedNetwork`.
        rows: each with a face box.
        scales: context scales of the crop; the logits of several are averaged.
        size: side of the crop in pixels.
        mirrored_scale: of a second view beside each scale's, over which P(live) is averaged, as in a release.
        name: of the weights, for the report.
        data: name of the rows, for the report.
        with_robustness: also measure it under worse pictures, at one scale.
        progress: told what is done.

    Raises:
        UsageError, ImageError: as :func:`faceauth.evaluation.scoring.score_records`.
        UsageError: ``with_robustness`` with several scales, or as :func:`score_network`.
    """
    if len(scales) > 1 and with_robustness:
        raise UsageError(f"Worse pictures go with one scale, as a release has one; found {len(scales)}.")
    averaged = score_network(network, rows, scales=scales, size=size, mirrored_scale=mirrored_scale, progress=progress)
    curves = None
    if with_robustness:
        backend = TrainedNetwork(network, scale=scales[0], size=size, mirrored_scale=mirrored_scale)
        curves = measure_robustness(rows, backend, EQUAL_LOGITS.value, progress=partial(progress, "worse pictures"))
    at = " + ".join(f"{scale:g}" for scale in scales)
    if mirrored_scale is not None:
        at += f" and mirrored {mirrored_scale:g}"
    report = measure(
        averaged,
        EQUAL_LOGITS,
        backend=f"{name} at {size} px, scale {at}",
        data=data,
        mode="network",
        robustness=curves,
    )
    return report, averaged


def epoch_table(epochs: Path) -> Table:
    """The table of a run's ``epochs.jsonl`` without the figures of single domains; a star marks the best epoch."""
    rows = [json.loads(line) for line in epochs.read_text().splitlines()]
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if not set(name) & set("/@")]
    best = max((row["macro_auc"] for row in rows), default=None)
    table = Table(*names, "best", box=None, header_style="bold", padding=(0, 1, 0, 0))
    for row in rows:
        cells = [f"{row[name]:.5g}" if name in row else "-" for name in names]
        table.add_row(*cells, "*" if row["macro_auc"] == best else "")
    return table


def _mean_of_logits(scored: Sequence[Sequence[Scored]]) -> list[Scored]:
    """One score a row, of the mean of its logits at all scales."""
    if len(scored) == 1:
        return list(scored[0])
    p = np.array([[one.p_live for one in at_scale] for at_scale in scored], np.float64)
    p = np.clip(p, CLOSEST_TO_CERTAIN, 1 - CLOSEST_TO_CERTAIN)
    means: npt.NDArray[np.float64] = p_live((np.log(p) - np.log1p(-p)).mean(axis=0))
    return [Scored(one.record, float(mean), None, one.context) for one, mean in zip(scored[0], means, strict=True)]

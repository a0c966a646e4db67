"""A trained network as a liveness backend of the library, and the library's report of it.

Nothing is calibrated: P(live) comes from the raw logits, and a presentation is accepted from equal logits on.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.table import Table
from torch import nn

from faceauth.calibration.logits import sigmoid
from faceauth.errors import UsageError
from faceauth.evaluation.measuring import measure
from faceauth.evaluation.records import Record
from faceauth.evaluation.report import EvaluationReport
from faceauth.evaluation.robustness import measure_robustness
from faceauth.evaluation.scoring import Scored, Threshold, score_records
from faceauth.stages import API_VERSION, Crops, CropSpec, Scores
from faceauth.weights.cards import SpoofNetCard
from faceauth.weights.store import CARD
from training.data.progress import Progress
from training.train.checkpoint import load_network
from training.train.network import logits_of
from training.train.recipe import Recipe

EQUAL_LOGITS = Threshold(0.5, "where the two logits are equal: not calibrated, no operating point")


class TrainedNetwork:
    """A network of a training as a liveness backend of the library, without thresholds.

    Args:
        network: in evaluation mode, on any device; normalised RGB crops -> logits (live, spoof).
        crops: of a face, over which P(live) is averaged.
    """

    api_version = API_VERSION
    operating_points = None

    def __init__(self, network: nn.Module, crops: tuple[CropSpec, ...]) -> None:
        self.crops = crops
        self.weights_sha256: Mapping[str, str] = {}
        self._network = network

    def score(self, crops: Sequence[Crops]) -> Scores:
        """Uncalibrated P(live) of each face: float32, N, in the same order; empty for N = 0."""
        if len(crops[0]) == 0:
            return np.empty(0, np.float32)
        logits = [logits_of(self._network, np.ascontiguousarray(of_spec)) for of_spec in crops]
        return np.asarray(sigmoid(np.stack(logits)).mean(axis=0), np.float32)


def load_on_device(weights: Path) -> nn.Module:
    """SpoofNet in evaluation mode, on the GPU if there is one.

    Raises:
        UsageError: as :func:`training.train.checkpoint.load_network`.
    """
    return load_network(weights).to("cuda" if torch.cuda.is_available() else "cpu")


def crops_beside(weights: Path) -> tuple[CropSpec, ...]:
    """The crops by the recipe.json that a training kept beside its ``weights``, or the card.json of released ones.

    Raises:
        UsageError: there is neither, or it is of another version of this project.
    """
    kept, card = weights.with_name("recipe.json"), weights.with_name(CARD)
    try:
        if kept.is_file():
            recipe = Recipe.model_validate_json(kept.read_text())
            return recipe.crops(recipe.phases[-1].size)
        if card.is_file():
            return SpoofNetCard.model_validate_json(card.read_text()).crops
    except ValueError as error:
        raise UsageError(f"The files beside {weights} are of another version: {error}.") from error
    raise UsageError(f"There is no recipe.json or card.json beside {weights}: copy that of their training there.")


def evaluate_network(
    network: TrainedNetwork,
    records: Sequence[Record],
    *,
    name: str,
    data: str,
    with_robustness: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> tuple[EvaluationReport, list[Scored]]:
    """The report of the network alone on the records' face boxes, and the scores that it was made of.

    Args:
        network: what to measure.
        records: each with a face box.
        name: of the weights, for the report.
        data: name of the records, for the report.
        with_robustness: also measure it on worse images.
        progress: told what is done.

    Raises:
        UsageError, ImageError: as :func:`faceauth.evaluation.scoring.score_records`.
    """
    scored = score_records(records, network, progress=partial(progress, "images"))
    curves = None
    if with_robustness:
        curves = measure_robustness(records, network, EQUAL_LOGITS.value, progress=partial(progress, "worse images"))
    scales = " and ".join(f"{'mirrored ' if spec.mirrored else ''}{spec.scale:g}" for spec in network.crops)
    backend = f"{name} at {network.crops[0].size_wh[0]} px, scale {scales}"
    report = measure(scored, EQUAL_LOGITS, backend=backend, data=data, mode="network", robustness=curves)
    return report, scored


def validation_table(validations: Path) -> Table:
    """The table of a run's ``validations.jsonl`` without the figures of single domains."""
    rows = [json.loads(line) for line in validations.read_text().splitlines()]
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if "/" not in name]
    table = Table(*names, box=None, header_style="bold", padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*(f"{row[name]:.5g}" if name in row else "-" for name in names))
    return table

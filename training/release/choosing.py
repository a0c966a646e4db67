"""How a release is chosen, and on what data: calibration, operating points, and whether int8 is the default."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faceauth.calibration.operating_points import choose_points
from faceauth.calibration.temperature import balanced_weights, expected_calibration_error, fit_temperature
from faceauth.errors import UsageError
from faceauth.evaluation.records import Record
from faceauth.evaluation.report import EvaluationReport
from faceauth.thresholds import OperatingPoints
from faceauth.weights.cards import Calibration
from training.data.manifests import LIVE, SPLITS, SPOOF

INT8_MAX_AUC_LOSS = 0.003  # of the macro AUC where everything is chosen
INT8_MAX_ACER_LOSS = 0.003  # at the balanced point, there


@dataclass(frozen=True)
class Choice:
    """What was chosen for one variant; ``calibration_error`` is the expected one of the mean over the crops."""

    calibration: Calibration
    points: OperatingPoints
    calibration_error: float


def choose(logits: Sequence[npt.NDArray[np.float32]], records: Sequence[Record], measured_on: str) -> Choice:
    """Calibration and operating points from a network's logits of ``records``.

    Args:
        logits: (N, 2) for each crop of a face.
        records: N of them.
        measured_on: name of the records.
    """
    labels = np.array([record.label for record in records], np.int64)
    species = np.array([record.species for record in records])
    domains = np.array([record.domain for record in records])
    views = np.stack([of_crop[:, 0] - of_crop[:, 1] for of_crop in logits], axis=1)
    calibration = Calibration(a=1 / fit_temperature(views, labels, domains))
    p_live = np.mean([calibration.p_live(of_crop) for of_crop in logits], axis=0)
    error = expected_calibration_error(p_live, labels, weights=balanced_weights(labels, domains))
    return Choice(calibration, choose_points(p_live, labels, species, domains, measured_on=measured_on), error)


def choice_records(records: Sequence[Record], hold_out: Collection[str]) -> list[Record]:
    """The records to choose on: ``val``, and the domains of ``train`` that the training left out.

    Raises:
        UsageError: a domain is not in ``train``.
    """
    absent = sorted(set(hold_out) - {record.domain for record in records if record.split == "train"})
    if absent:
        raise UsageError(f"There is no domain {', '.join(absent)} in train: name those of the recipe's hold_out.")
    return [r for r in records if r.split == "val" or (r.split == "train" and r.domain in hold_out)]


def refuse_missing_splits(records: Sequence[Record]) -> None:
    """Each split must hold live people and attacks from the same camera, to train, choose and report on.

    Raises:
        UsageError: a split has no record, or no domain with both classes.
    """
    for split in SPLITS:
        domains = [{r.domain for r in records if r.split == split and r.label == label} for label in (LIVE, SPOOF)]
        if not set.intersection(*domains):
            raise UsageError(
                f"A release needs live images and attacks of one domain in each of {', '.join(SPLITS)}; {split} has "
                "none such."
            )


def holds_int8(fp32: EvaluationReport, int8: EvaluationReport) -> bool:
    """Whether int8, at its own balanced point, loses so little where all is chosen that it may be the default."""
    auc_loss = macro_auc(fp32) - macro_auc(int8)
    acer_loss = _acer(int8) - _acer(fp32)
    return auc_loss <= INT8_MAX_AUC_LOSS and acer_loss <= INT8_MAX_ACER_LOSS


def macro_auc(report: EvaluationReport) -> float:
    """Of a report on domains of which one has both classes, or nothing can be chosen on it."""
    if report.overall.macro_auc is None:
        raise ValueError("The split holds no domain with both classes: nothing can be chosen on it.")
    return report.overall.macro_auc.value


def _acer(report: EvaluationReport) -> float:
    if report.overall.acer is None:
        raise ValueError("The split lacks live or spoof images: nothing can be chosen on it.")
    return report.overall.acer

"""Choice of thresholds on P(live): scores with labels and domains in, thresholds and operating points out.

Knows no model and reads no file. A threshold chosen on data says nothing of its error rates on other data, so
:func:`measure_at` may be given other presentations than the choice.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faceauth.errors import UsageError
from faceauth.metrics.error_rates import LIVE, SPOOF, checked_labels, checked_scores
from faceauth.metrics.intervals import Floats, Ints, Strings, measured_rate
from faceauth.thresholds import OperatingPoint, OperatingPoints

BALANCED = 0.5
"""The balanced threshold on a calibrated P(live): live and spoof are equally likely.

Not where the HTER is lowest on the data at hand: on a few domains that is anywhere between well-parted classes. On
domains that were left out of nine trainings it gave an HTER of 27.8 %; this gives 21.1 %, and the best threshold for
them, which nobody knows beforehand, 19.5 % (training/ABLATIONS.md).
"""


@dataclass(frozen=True)
class BalancedCurve:
    """Domain-balanced APCER and BPCER at every threshold that changes a decision; each float64, T.

    A rate is the plain mean over the domains that hold its class. Attack species are pooled within a domain.
    Thresholds ascend; each lies half-way between two scores, the ends are 0 and 1.
    """

    thresholds: Floats
    apcer: Floats
    bpcer: Floats


def balanced_curve(p_live: npt.ArrayLike, labels: npt.ArrayLike, domains: Strings) -> BalancedCurve:
    """The curve that the choices below read.

    Raises:
        ScoreError: a score is not in [0, 1].
        ValueError: live or spoof is missing.
    """
    scores = checked_scores(p_live)
    classes, names = checked_labels(labels, len(scores)), np.asarray(domains)
    thresholds = _between(np.unique(scores))
    refused_attacks = _mean_refused(scores, names, classes == SPOOF, thresholds)
    refused_live = _mean_refused(scores, names, classes == LIVE, thresholds)
    return BalancedCurve(thresholds, 1 - refused_attacks, refused_live)


def threshold_at_bpcer(curve: BalancedCurve, target: float) -> float:
    """Highest threshold at which the domain-balanced BPCER is at most ``target``; 0 accepts everybody."""
    return float(curve.thresholds[np.flatnonzero(curve.bpcer <= target + 1e-12)[-1]])


def threshold_at_apcer(curve: BalancedCurve, target: float) -> float:
    """Lowest threshold at which the domain-balanced APCER is at most ``target``.

    Raises:
        ValueError: attacks reach P(live) = 1, so that no threshold does it.
    """
    reached = np.flatnonzero(curve.apcer <= target + 1e-12)
    if len(reached) == 0:
        raise ValueError(
            f"No threshold brings APCER to {target:.2%}: {curve.apcer[-1]:.2%} of attacks score P(live) = 1. "
            "Calibrate the scores, or allow a higher APCER."
        )
    return float(curve.thresholds[reached[0]])


def choose_thresholds(
    curve: BalancedCurve, *, max_bpcer: float = 0.02, max_apcer: float = 0.01
) -> tuple[float, float, float]:
    """Thresholds named convenience, balanced and strict, never descending.

    Balanced is ``BALANCED``, whatever the data. Convenience is the highest threshold with domain-balanced
    BPCER <= ``max_bpcer``, strict the lowest with domain-balanced APCER <= ``max_apcer``; where the classes are so
    well apart that one of them would pass balanced, it is balanced, which keeps its promise all the same.
    The default limits are chosen, not measured.

    Raises:
        UsageError: nothing but accepting everybody keeps BPCER to ``max_bpcer``.
        ValueError: as :func:`threshold_at_apcer`.
    """
    convenience = min(threshold_at_bpcer(curve, max_bpcer), BALANCED)
    if convenience == 0:
        raise UsageError(
            f"Only a threshold that accepts everybody keeps BPCER to {max_bpcer:.0%}: too few live pictures, or too "
            "many of them are ranked below every attack."
        )
    strict = max(threshold_at_apcer(curve, max_apcer), BALANCED)
    return convenience, BALANCED, strict


def measure_at(
    threshold: float,
    p_live: npt.ArrayLike,
    labels: npt.ArrayLike,
    species: Strings,
    domains: Strings,
    *,
    measured_on: str,
    draws: int = 2000,
    seed: int = 0,
) -> OperatingPoint:
    """What a threshold costs on these presentations: APCER per species and BPCER, with domain-bootstrap intervals.

    Args:
        threshold: on P(live).
        p_live: float, N, in [0, 1].
        labels: 0 = live, 1 = spoof.
        species: str, N; the entries of live presentations are ignored.
        domains: str, N: what the bootstrap resamples.
        measured_on: data set and split, for the record.
        draws: of the bootstrap, at least 1,000.
        seed: of the bootstrap.

    Raises:
        ScoreError: a score is not in [0, 1].
        ValueError: live or spoof is missing.
    """
    scores = checked_scores(p_live)
    classes, kinds, names = checked_labels(labels, len(scores)), np.asarray(species), np.asarray(domains)
    took, attack = scores >= threshold, classes == SPOOF
    if attack.all() or not attack.any():
        raise ValueError("An operating point needs live and spoof presentations.")
    apcer = {
        str(kind): measured_rate(took[row], names[row], draws=draws, seed=seed)
        for kind in np.unique(kinds[attack])
        for row in [attack & (kinds == kind)]
    }
    bpcer = measured_rate(~took[~attack], names[~attack], draws=draws, seed=seed)
    return OperatingPoint(threshold=threshold, apcer=apcer, bpcer=bpcer, measured_on=measured_on)


def operating_points(
    p_live: npt.ArrayLike,
    labels: npt.ArrayLike,
    species: Strings,
    domains: Strings,
    *,
    measured_on: str,
    max_bpcer: float = 0.02,
    max_apcer: float = 0.01,
    seed: int = 0,
) -> OperatingPoints:
    """The three points of :func:`choose_thresholds`, chosen and measured on the same presentations.

    Their rates are therefore a little too good; give ``measured_on`` a name that says so, or measure the chosen
    thresholds on left-out domains with :func:`measure_at`.
    """
    curve = balanced_curve(p_live, labels, domains)
    convenience, balanced, strict = (
        measure_at(threshold, p_live, labels, species, domains, measured_on=measured_on, seed=seed)
        for threshold in choose_thresholds(curve, max_bpcer=max_bpcer, max_apcer=max_apcer)
    )
    return OperatingPoints(convenience=convenience, balanced=balanced, strict=strict)


def _between(scores: Floats) -> Floats:
    """0, the middles of neighbouring scores, and 1; each accepts the upper neighbour and refuses the lower one."""
    middles = (scores[:-1] + scores[1:]) / 2
    middles = np.where(middles > scores[:-1], middles, scores[1:])
    return np.unique(np.concatenate([[0.0], middles, [1.0]]))


def _mean_refused(scores: Floats, domains: Strings, rows: npt.NDArray[np.bool_], thresholds: Floats) -> Floats:
    """Share refused at each threshold, as the plain mean over the domains among ``rows``."""
    names = np.unique(domains[rows])
    if len(names) == 0:
        raise ValueError("A threshold is chosen on live and spoof presentations; one of them is missing.")
    shares = []
    for name in names:
        ranked = np.sort(scores[rows & (domains == name)])
        below: Ints = np.searchsorted(ranked, thresholds, side="left").astype(np.int64)
        shares.append(below / len(ranked))
    return np.asarray(np.mean(shares, axis=0))

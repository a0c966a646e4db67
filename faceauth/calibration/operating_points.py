"""Chooses thresholds on P(live) from labelled scores, and measures their error rates.

A threshold that was chosen on data says nothing about its error rates on other data, so :func:`measure_at` may be given
other presentations than the choice.
"""

import numpy as np
import numpy.typing as npt

from faceauth.metrics.error_rates import LIVE, SPOOF, checked_labels, checked_scores
from faceauth.metrics.intervals import Floats, Strings, measured_rate
from faceauth.thresholds import OperatingPoint, OperatingPoints

BOUNDARY = 0.5
"""The balanced threshold of a calibrated P(live): live and spoof are equally likely.

Not where the HTER is lowest on the data: on a few domains that may be anywhere between well-separated classes. On
domains left out of nine trainings it gave an HTER of 27.8 %; the boundary gives 21.1 %, and the best threshold for
them, which cannot be known beforehand, 19.5 %.
"""

CONVENIENCE_BPCER = 0.01
STRICT_APCER = 0.05
LARGEST_BPCER = 0.25
"""A strict point that refuses more live people than one in four is not offered."""


def choose_points(
    p_live: npt.ArrayLike,
    labels: npt.ArrayLike,
    species: Strings,
    domains: Strings,
    *,
    measured_on: str,
    balanced: float = BOUNDARY,
    seed: int = 0,
) -> OperatingPoints:
    """The three points of a backend, chosen and measured on the same presentations.

    ``convenience`` is the highest threshold at or below ``balanced`` with a BPCER of at most ``CONVENIENCE_BPCER``,
    ``strict`` the lowest at or above it at which every species has an APCER of at most ``STRICT_APCER``. A point is
    None where only accepting everybody or refusing more than ``LARGEST_BPCER`` of the live people would do it.

    Args:
        p_live: float, N, in [0, 1].
        labels: 0 = live, 1 = spoof; both must be there.
        species: str, N; the entries of live presentations are ignored.
        domains: str, N: what the intervals resample.
        measured_on: data set and split. The rates are a little too good: the name should say so.
        balanced: the balanced threshold.
        seed: of the bootstrap.

    Raises:
        ScoreError: a score is not in [0, 1].
        ValueError: live or spoof is missing.
    """
    scores = checked_scores(p_live)
    classes, kinds = checked_labels(labels, len(scores)), np.asarray(species)
    attack = classes == SPOOF
    if attack.all() or not attack.any():
        raise ValueError("A threshold needs both live and spoof presentations; one of them is missing.")
    thresholds = np.unique(np.append(_between(np.unique(scores)), balanced))
    bpcer = _share_below(scores[classes == LIVE], thresholds)
    by_species = [_share_below(scores[attack & (kinds == kind)], thresholds) for kind in np.unique(kinds[attack])]
    apcer = 1 - np.min(by_species, axis=0)

    def measured(threshold: float) -> OperatingPoint:
        return measure_at(threshold, scores, classes, kinds, domains, measured_on=measured_on, seed=seed)

    lenient = thresholds[(thresholds <= balanced) & (thresholds > 0) & (bpcer <= CONVENIENCE_BPCER + 1e-12)]
    severe = thresholds[(thresholds >= balanced) & (apcer <= STRICT_APCER + 1e-12) & (bpcer <= LARGEST_BPCER)]
    return OperatingPoints(
        convenience=measured(float(lenient[-1])) if len(lenient) else None,
        balanced=measured(balanced),
        strict=measured(float(severe[0])) if len(severe) else None,
    )


def lowest_hter_threshold(p_live: npt.ArrayLike, labels: npt.ArrayLike, domains: Strings) -> float:
    """The threshold with the lowest mean HTER over domains; of equally good ones the middle one, the higher of two.

    A domain of one class counts for that class only.

    Raises:
        ScoreError: a score is not in [0, 1].
        ValueError: live or spoof is missing.
    """
    scores = checked_scores(p_live)
    classes, names = checked_labels(labels, len(scores)), np.asarray(domains)
    thresholds = _between(np.unique(scores))[1:]  # 0 would accept everybody
    refused = [_mean_share_below(scores, names, classes == label, thresholds) for label in (LIVE, SPOOF)]
    hter = (refused[0] + 1 - refused[1]) / 2
    best = thresholds[hter <= hter.min() + 1e-12]
    return float(best[len(best) // 2])  # one of them: between two that lie apart, others may be worse


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
    """APCER per species and BPCER of a threshold on these presentations, with domain-bootstrap intervals.

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


def _between(scores: Floats) -> Floats:
    """0, the middles of neighbouring scores, and 1; each accepts the upper neighbour and refuses the lower one."""
    middles = (scores[:-1] + scores[1:]) / 2
    middles = np.where(middles > scores[:-1], middles, scores[1:])
    return np.unique(np.concatenate([[0.0], middles, [1.0]]))


def _share_below(scores: Floats, thresholds: Floats) -> Floats:
    return np.asarray(np.searchsorted(np.sort(scores), thresholds, side="left") / len(scores))


def _mean_share_below(scores: Floats, domains: Strings, rows: npt.NDArray[np.bool_], thresholds: Floats) -> Floats:
    """Share below each threshold, as the plain mean over the domains among ``rows``."""
    names = np.unique(domains[rows])
    if len(names) == 0:
        raise ValueError("A threshold needs both live and spoof presentations; one of them is missing.")
    return np.asarray(np.mean([_share_below(scores[rows & (domains == name)], thresholds) for name in names], axis=0))

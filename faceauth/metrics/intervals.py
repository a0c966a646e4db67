"""Confidence intervals of counts and of values by group; each names its method.

Every draw comes from the seed that the result names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from faceauth.thresholds import MeasuredRate

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Strings = npt.NDArray[np.str_]

MIN_DRAWS = 1000
"""Fewest bootstrap draws; chosen, not measured: the 2.5 % ends of fewer rest on less than 25 draws."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A 95 % interval and how it was computed, draws and seed included.

    Attributes:
        method: for example ``"domain bootstrap 95 %, 2000 draws, seed 0"``.
    """

    low: float
    high: float
    method: str


def wilson(errors: int, n: int) -> Interval:
    """Wilson's 95 % score interval of one proportion (E. B. Wilson, 1927).

    Raises:
        ValueError: ``n`` is 0, or ``errors`` is not in 0 ... ``n``.
    """
    if not 0 <= errors <= n or n == 0:
        raise ValueError(f"A rate needs 0 <= errors <= n and n >= 1, not {errors} of {n}.")
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    share, spread = errors / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    # At the borders the formula gives exactly 0 and 1, except for rounding.
    low = 0.0 if errors == 0 else centre - half
    high = 1.0 if errors == n else centre + half
    return Interval(low, high, "wilson 95 %")


def bootstrap_ratio(errors: Ints, counts: Ints, *, unit: str, draws: int = 2000, seed: int = 0) -> Interval:
    """Interval of ``errors.sum() / counts.sum()`` when whole groups are resampled.

    Args:
        errors: int, G: errors in each group.
        counts: int, G: presentations in each group, at least 1.
        unit: what a group is, for ``method``: "domain", "recording", "subject".
        draws: at least ``MIN_DRAWS``.
        seed: of numpy's default generator.

    Raises:
        ValueError: fewer than two groups, an empty group, or too few draws.
    """
    if len(errors) != len(counts) or (np.asarray(counts) < 1).any():
        raise ValueError("A bootstrap needs one error count and at least one presentation for each group.")
    weights = _group_weights(len(counts), draws, seed)  # (draws, G)
    return _percentiles((weights @ errors) / (weights @ counts), unit, draws, seed)


def bootstrap_mean(values: Floats, *, unit: str, draws: int = 2000, seed: int = 0) -> Interval:
    """Interval of ``values.mean()`` over groups, for macro figures; ``values`` is float, G, finite.

    Raises:
        ValueError: fewer than two groups, a value that is not finite, or too few draws.
    """
    if not np.isfinite(values).all():
        raise ValueError("A macro figure needs a finite value for each group.")
    weights = _group_weights(len(values), draws, seed)
    return _percentiles(weights @ values / len(values), unit, draws, seed)


def bootstrap_groups(
    groups: Strings, statistic: Callable[[Ints], Floats], *, unit: str, draws: int = 1000, seed: int = 0
) -> tuple[Interval, ...]:
    """Intervals of any statistics of the presentations when whole groups are resampled.

    Args:
        groups: str, N: the group of each presentation.
        statistic: indices of the drawn presentations (a group drawn twice comes twice) -> float, K; all NaN where
            the draw holds only one class. Such draws are left out, and the method says how many remain.
        unit: what a group is, for ``method``.
        draws: at least ``MIN_DRAWS``.
        seed: of numpy's default generator.

    Raises:
        ValueError: fewer than two groups, too few draws, or half of the draws hold only one class.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    rows = np.arange(len(groups))
    weights = _group_weights(len(names), draws, seed)
    found = np.array([statistic(np.repeat(rows, weight[group_of])) for weight in weights])  # (draws, K)
    usable = np.isfinite(found).all(axis=1)
    if usable.sum() < draws / 2:
        raise ValueError(f"Only {usable.sum()} of {draws} draws hold live and spoof: too few {unit}s hold both.")
    return tuple(_percentiles(column, unit, int(usable.sum()), seed) for column in found[usable].T)


def measured_rate(
    errors: Bools, groups: Strings | None = None, *, unit: str = "domain", draws: int = 2000, seed: int = 0
) -> MeasuredRate:
    """A rate over presentations with an interval that takes its groups into account.

    With two groups or more the interval is the group bootstrap's, widened to Wilson's where that is wider: a
    bootstrap of groups without one error would claim [0, 0]. Otherwise it is Wilson's.

    Args:
        errors: bool, N: whether each presentation was classified wrongly.
        groups: str, N: what is resampled as a whole; None for independent presentations.
        unit: what a group is.
        draws: at least ``MIN_DRAWS``.
        seed: of numpy's default generator.

    Raises:
        ValueError: no presentation at all: a rate of nothing is not 0.
    """
    wrong, n = int(np.sum(errors)), len(errors)
    interval = wilson(wrong, n)
    if groups is not None and len(names := np.unique(groups)) > 1:
        counts = np.array([(groups == name).sum() for name in names])
        hits = np.array([errors[groups == name].sum() for name in names])
        drawn = bootstrap_ratio(hits, counts, unit=unit, draws=draws, seed=seed)
        method = f"{drawn.method}, not narrower than wilson"
        interval = Interval(min(interval.low, drawn.low), max(interval.high, drawn.high), method)
    return MeasuredRate(
        errors=wrong, n=n, value=wrong / n, low=interval.low, high=interval.high, interval=interval.method
    )


def _group_weights(groups: int, draws: int, seed: int) -> Ints:
    """How often each group comes in each draw: int, draws x groups."""
    if groups < 2:
        raise ValueError(f"A bootstrap over groups needs at least two groups, not {groups}.")
    if draws < MIN_DRAWS:
        raise ValueError(f"A bootstrap needs at least {MIN_DRAWS} draws, not {draws}.")
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=draws)


def _percentiles(drawn: Floats, unit: str, draws: int, seed: int) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return Interval(float(low), float(high), f"{unit} bootstrap 95 %, {draws} draws, seed {seed}")

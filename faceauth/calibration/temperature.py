"""Calibration of P(live): logits and labels in, a temperature and a calibration error out.

Knows no network and no threshold. Logit means logit of live minus logit of spoof; a liveness card stores the line.
"""

import numpy as np
import numpy.typing as npt

from faceauth.metrics.error_rates import LIVE, SPOOF, checked_labels, checked_scores
from faceauth.metrics.intervals import Floats, Strings


def balanced_weights(labels: npt.ArrayLike, domains: Strings) -> Floats:
    """Weights, float64, N, summing to 1: live and spoof weigh the same, and within a class every domain does."""
    names = np.asarray(domains)
    classes = checked_labels(labels, len(names))
    weights = np.zeros(len(names))
    for label in np.unique(classes):
        held = np.unique(names[classes == label])
        for name in held:
            cell = (classes == label) & (names == name)
            weights[cell] = 1 / (len(held) * cell.sum())
    return np.asarray(weights / weights.sum())


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike, domains: Strings) -> float:
    """``T`` > 0 of ``p_live = sigmoid(logit / T)``: temperature scaling (Guo et al. 2017), class- and domain-balanced.

    There is no offset. A network that learnt from even classes and many domains has its boundary at 0 from all of
    them; a few domains that it has not seen say well how sure it may be, and badly where to cut: moving the boundary by
    them made it worse on others (measured in training/ABLATIONS.md).

    Targets are smoothed as in Platt (1999), so separable data do not push ``T`` to 0; the search is a grid over all
    sensible slopes, then a golden section.

    Args:
        logits: float, N, or N x V where P(live) is the mean over V views of a face; finite.
        labels: 0 = live, 1 = spoof; both must be there.
        domains: str, N.

    Raises:
        ValueError: a logit is not finite, a class is missing, or the logits rank spoof above live.
    """
    x = np.asarray(logits, np.float64)
    if x.ndim not in (1, 2) or not np.isfinite(x).all():
        raise ValueError(f"Calibration needs finite logits, equally many for each presentation, found {x.shape}.")
    classes = checked_labels(labels, len(x))
    n_live, n_spoof = int((classes == LIVE).sum()), int((classes == SPOOF).sum())
    if n_live == 0 or n_spoof == 0:
        raise ValueError(f"Calibration needs live and spoof presentations, found {n_live} and {n_spoof}.")
    target = np.where(classes == LIVE, (n_live + 1) / (n_live + 2), 1 / (n_spoof + 2))
    weights, views = balanced_weights(classes, domains), x.reshape(len(x), -1)
    if weights @ ((target - 0.5) * views.mean(axis=1)) <= 0:  # the loss falls towards negative slopes
        raise ValueError("The logits rank spoof above live: look for swapped classes or labels.")
    return 1 / _best_slope(views, target, weights)


def expected_calibration_error(
    p_live: npt.ArrayLike, labels: npt.ArrayLike, *, weights: Floats | None = None, bins: int = 15
) -> float:
    """Weighted mean gap between P(live) and the share of live presentations over equally wide bins (Guo 2017).

    Args:
        p_live: float, N, in [0, 1].
        labels: 0 = live, 1 = spoof.
        weights: float, N, for example :func:`balanced_weights`; None for equal weights.
        bins: number of bins.

    Raises:
        ValueError: no presentation.
    """
    scores = checked_scores(p_live)
    live = checked_labels(labels, len(scores)) == LIVE
    if len(scores) == 0:
        raise ValueError("A calibration error needs at least one presentation.")
    share = np.full(len(scores), 1 / len(scores)) if weights is None else weights / weights.sum()
    which = np.minimum((scores * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(which, weights=share * (scores - live), minlength=bins)).sum())


def _best_slope(views: Floats, target: Floats, weights: Floats) -> float:
    """Slope through the origin of the lowest weighted cross-entropy of the mean over ``views``, N x V."""
    scale = float(np.abs(views).max())  # the search works on logits in [-1, 1], whatever their size

    def loss(log_slope: float) -> float:
        p = np.clip(_sigmoid(np.exp(log_slope) * views / scale).mean(axis=1), 1e-15, 1 - 1e-15)
        return float(-weights @ (target * np.log(p) + (1 - target) * np.log1p(-p)))

    grid = np.linspace(np.log(1e-4), np.log(1e4), 100)
    step, middle = grid[1] - grid[0], min(grid, key=loss)
    low, high, golden = middle - step, middle + step, (5**0.5 - 1) / 2
    while high - low > 1e-9:
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2)) / scale


def _sigmoid(z: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -z))

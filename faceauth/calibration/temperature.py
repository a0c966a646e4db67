"""Temperature scaling of logits, and how far from the truth a P(live) is.

A logit is the logit of live minus the logit of spoof; a liveness card stores the slope.
"""

import numpy as np
import numpy.typing as npt

from faceauth.errors import UsageError
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
    them; a few domains that it has not seen show well how sure it may be, but not where the boundary belongs: moving it
    by them made it worse on others (measured in training/experiments/04-threshold.md).

    Targets are smoothed as in Platt (1999), so separable data do not push ``T`` to 0.

    Args:
        logits: float, N, or N x V where P(live) is the mean over V views of a face; finite.
        labels: 0 = live, 1 = spoof; both must be there.
        domains: str, N.

    Raises:
        ValueError: a logit is not finite, a class is missing, or the logits rank spoof above live.
        UsageError: scipy is not installed.
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
    """Slope through the origin of the lowest weighted cross-entropy of the mean over ``views``, N x V.

    Raises:
        UsageError: scipy is not installed.
    """
    try:
        from scipy.optimize import minimize_scalar
    except ImportError as error:
        raise UsageError("Calibration needs scipy: `pip install 'faceauth[evaluation]'`.") from error
    scale = float(np.abs(views).max())  # the search works on logits in [-1, 1], whatever their size

    def loss(log_slope: float) -> float:
        z = np.exp(log_slope) * views / scale
        # Logarithms of the mean over the views of P(live) and of 1 - P(live): in the tails their slope stays.
        live, spoof = (np.logaddexp.reduce(-np.logaddexp(0, side), axis=1) - np.log(z.shape[1]) for side in (-z, z))
        return float(-weights @ (target * live + (1 - target) * spoof))

    limits = (float(np.log(1e-4)), float(np.log(1e4)))
    found = minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-9})
    return float(np.exp(found.x)) / scale

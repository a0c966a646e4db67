"""P(live) and its logit."""

import numpy as np
import numpy.typing as npt

LARGEST_LOGIT = 16.0
"""Logits are clipped to this size, as float32 holds no P(live) between 1 - 1e-7 and 1."""


def logit(p_live: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The log odds of P(live) in [0, 1], clipped to ``LARGEST_LOGIT``; 0 for 0.5."""
    p = np.asarray(p_live, np.float64)
    with np.errstate(divide="ignore"):
        logits = np.clip(np.log(p) - np.log1p(-p), -LARGEST_LOGIT, LARGEST_LOGIT)
    return np.asarray(logits, np.float64)


def sigmoid(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The inverse of :func:`logit`, without overflow and exact near 0; NaN stays NaN."""
    with np.errstate(invalid="ignore", under="ignore"):
        return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(logits, np.float64))), np.float64)

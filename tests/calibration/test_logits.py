"""P(live) and its logit are each other's inverse, exact where float64 can be, and finite where the score is certain."""

import warnings

import numpy as np
import pytest

from faceauth.calibration.logits import LARGEST_LOGIT, logit, sigmoid


def test_sigmoid_is_exact_at_both_ends_and_warns_nowhere() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sigmoid([-1000.0, -700.0, -40.0, 0.0, 40.0, 1000.0, -np.inf, np.inf])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [0.0, np.exp(-700), np.exp(-40), 0.5, 1.0, 1.0, 0.0, 1.0], rtol=1e-12)
    assert (np.diff(sigmoid(np.linspace(-700, 30, 1000))) > 0).all(), "the order of scores stays"


def test_what_is_not_a_number_stays_so() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(sigmoid(np.nan)) and np.isnan(logit(np.nan))


def test_logit_undoes_sigmoid_within_its_limits() -> None:
    logits = np.linspace(-LARGEST_LOGIT, LARGEST_LOGIT, 101)
    np.testing.assert_allclose(logit(sigmoid(logits)), logits, atol=1e-8)
    assert logit(sigmoid(np.zeros((2, 3)))).shape == (2, 3)


def test_a_certain_score_has_a_finite_logit_and_both_ends_cancel() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, half, high = logit(np.array([0.0, 0.5, 1.0], np.float32))
    assert (low, half, high) == (-LARGEST_LOGIT, 0.0, LARGEST_LOGIT)


@pytest.mark.parametrize("p", [0.1, 0.9, 1e-6])
def test_logit_is_the_log_of_the_odds(p: float) -> None:
    assert logit(p) == pytest.approx(np.log(p / (1 - p)), rel=1e-9)

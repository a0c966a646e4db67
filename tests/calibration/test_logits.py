"""Logit and sigmoid undo each other and never overflow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceauth.calibration.logits import LARGEST_LOGIT, logit, sigmoid


@given(st.floats(-LARGEST_LOGIT, LARGEST_LOGIT))
def test_logit_undoes_sigmoid(x: float) -> None:
    assert logit(sigmoid(x)) == pytest.approx(x, abs=1e-6)


def test_certain_scores_have_a_finite_logit() -> None:
    assert logit([0.0, 0.5, 1.0]).tolist() == [-LARGEST_LOGIT, 0.0, LARGEST_LOGIT]


def test_sigmoid_neither_overflows_nor_hides_nan() -> None:
    with np.errstate(all="raise"):
        assert sigmoid([-1e6, 0.0, 1e6]).tolist() == [0.0, 0.5, 1.0]
    assert np.isnan(sigmoid(np.nan))

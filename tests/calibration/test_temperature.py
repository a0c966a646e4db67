"""Calibration keeps the ranking, meets the classes where they are, and refuses what it cannot calibrate."""

import numpy as np
import pytest

from faceauth.calibration.temperature import balanced_weights, expected_calibration_error, fit_temperature
from faceauth.metrics.error_rates import auc
from faceauth.weights.cards import Calibration


def overconfident(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits three times too large, labels, domains."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 2, n)
    labels = (rng.random(n) > 1 / (1 + np.exp(-true))).astype(int)
    return 3 * true, labels, np.full(n, "one")


def fitted_p_live(logits: np.ndarray, labels: np.ndarray, domains: np.ndarray) -> np.ndarray:
    """P(live) as a card with the fitted temperature gives it."""
    card = Calibration(a=1 / fit_temperature(logits, labels, domains))
    return card.p_live(np.stack([logits, np.zeros_like(logits)], axis=1))


def test_temperature_undoes_a_known_distortion() -> None:
    logits, labels, domains = overconfident()
    assert fit_temperature(logits, labels, domains) == pytest.approx(3, abs=0.3)
    before = expected_calibration_error(1 / (1 + np.exp(-logits)), labels)
    after = expected_calibration_error(fitted_p_live(logits, labels, domains), labels)
    assert after < 0.03 < 0.1 < before


def test_temperature_agrees_with_scikit_learn_on_one_balanced_domain() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    logits, labels, domains = overconfident()
    model = linear.LogisticRegression(C=1e9, tol=1e-10, class_weight="balanced", fit_intercept=False)
    fitted = model.fit(logits[:, None], labels == 0)
    assert 1 / fit_temperature(logits, labels, domains) == pytest.approx(fitted.coef_.item(), rel=0.01)


def test_temperature_keeps_the_ranking_and_the_boundary() -> None:
    logits, labels, domains = overconfident(500)
    logits = logits / 10  # a float32 P(live) of 1 would tie
    p_live = fitted_p_live(logits + 0.5, labels, domains)
    assert ((p_live >= 0) & (p_live <= 1)).all()
    assert auc(p_live, labels) == auc(1 / (1 + np.exp(-logits / 3)), labels)
    np.testing.assert_array_equal(p_live >= 0.5, logits + 0.5 >= 0)


def test_a_large_domain_does_not_outvote_a_small_one() -> None:
    logits, labels, _ = overconfident(200)
    once = fit_temperature(np.r_[logits, logits + 4], np.r_[labels, labels], np.repeat(["a", "b"], 200))
    often = fit_temperature(
        np.r_[np.tile(logits, 5), logits + 4], np.r_[np.tile(labels, 5), labels], np.repeat(["a", "b"], [1000, 200])
    )
    assert once == pytest.approx(often, rel=0.05)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_separable_classes_give_a_finite_temperature_at_any_scale(scale: float) -> None:
    temperature = fit_temperature(np.array([-2.0, -1.0, 1.0, 2.0]) * scale, [1, 1, 0, 0], np.full(4, "a"))
    assert 0.01 < temperature / scale < 100


def test_swapped_classes_are_refused() -> None:
    logits, labels, domains = overconfident(500)
    with pytest.raises(ValueError, match="spoof above live"):
        fit_temperature(-logits, labels, domains)


def test_of_several_views_their_mean_is_calibrated() -> None:
    """As wide as one another the two agree; where a second view says nothing, the first has to say more."""
    logits, labels, domains = overconfident()
    alone = fit_temperature(logits, labels, domains)
    assert fit_temperature(np.stack([logits, logits], axis=1), labels, domains) == pytest.approx(alone)
    assert fit_temperature(np.stack([logits, np.zeros_like(logits)], axis=1), labels, domains) < 0.7 * alone


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_logit_that_is_not_finite_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="finite logit"):
        fit_temperature([0.0, wrong], [0, 1], np.full(2, "a"))


def test_one_class_cannot_be_calibrated() -> None:
    with pytest.raises(ValueError, match="found 2 and 0"):
        fit_temperature([0.0, 1.0], [0, 0], np.full(2, "a"))


def test_logits_that_hardly_say_anything_are_nowhere_near_sure() -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=400), rng.integers(0, 2, 400)
    assert fit_temperature(logits - 0.2 * labels, labels, np.full(400, "a")) > 1


def test_weights_give_each_class_half_and_each_domain_its_share() -> None:
    labels, domains = np.array([0, 0, 0, 1, 1]), np.array(["a", "a", "b", "a", "a"])
    np.testing.assert_allclose(balanced_weights(labels, domains), [0.125, 0.125, 0.25, 0.25, 0.25])


def test_calibration_error_by_hand() -> None:
    # 0.9 with one of two live, 0.2 with one of two live: gaps 0.4 and 0.3 at half the weight each
    p_live, labels = [0.9, 0.9, 0.2, 0.2], [0, 1, 0, 1]
    assert expected_calibration_error(p_live, labels, bins=10) == pytest.approx(0.35)
    weights = np.array([1.0, 1.0, 0.0, 0.0])
    assert expected_calibration_error(p_live, labels, weights=weights, bins=10) == pytest.approx(0.4)


def test_calibration_error_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        expected_calibration_error([], [])

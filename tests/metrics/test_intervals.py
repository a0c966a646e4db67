"""Intervals: published values, edges, and what a bootstrap over groups must and must not claim."""

import numpy as np
import pytest

from faceauth.metrics.intervals import bootstrap_groups, bootstrap_mean, bootstrap_ratio, measured_rate, wilson


def test_zero_errors_in_150_still_means_up_to_two_and_a_half_percent() -> None:
    interval = wilson(0, 150)
    assert interval.low == 0.0
    assert interval.high == pytest.approx(0.0250, abs=2e-4)


@pytest.mark.parametrize(
    ("errors", "n", "low", "high"),
    [(5, 10, 0.2366, 0.7634), (18, 900, 0.0127, 0.0314), (10, 10, 0.7225, 1.0)],
)
def test_wilson_gives_the_published_ends(errors: int, n: int, low: float, high: float) -> None:
    interval = wilson(errors, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=2e-4)


@pytest.mark.parametrize(("errors", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_proportion(errors: int, n: int) -> None:
    with pytest.raises(ValueError, match="0 <= errors <= n"):
        wilson(errors, n)


def test_equal_groups_leave_no_uncertainty_between_them() -> None:
    interval = bootstrap_ratio(np.array([1, 2, 3]), np.array([10, 20, 30]), unit="domain")
    assert (interval.low, interval.high) == pytest.approx((0.1, 0.1))
    assert interval.method == "domain bootstrap 95 %, 2000 draws, seed 0"


def test_the_seed_decides_the_interval() -> None:
    values = np.array([0.3, 0.9, 0.7, 0.95])
    assert bootstrap_mean(values, unit="domain", seed=4) == bootstrap_mean(values, unit="domain", seed=4)
    assert bootstrap_mean(values, unit="domain", seed=4) != bootstrap_mean(values, unit="domain", seed=5)


def test_the_bootstrap_of_a_mean_is_that_of_many_draws_by_hand() -> None:
    values = np.array([0.0, 1.0])
    interval = bootstrap_mean(values, unit="domain")
    assert (interval.low, interval.high) == (0.0, 1.0), "a quarter of the draws holds one value twice"


@pytest.mark.parametrize("draws", [0, 999])
def test_fewer_than_a_thousand_draws_are_refused(draws: int) -> None:
    with pytest.raises(ValueError, match="at least 1000"):
        bootstrap_mean(np.array([0.1, 0.2]), unit="domain", draws=draws)


def test_one_group_cannot_be_resampled() -> None:
    with pytest.raises(ValueError, match="two groups, not 1"):
        bootstrap_mean(np.array([0.1]), unit="domain")


@pytest.mark.parametrize("counts", [[10, 0], [10, 20, 30]])
def test_a_group_without_presentations_is_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="at least one presentation for each group"):
        bootstrap_ratio(np.array([1, 0]), np.array(counts), unit="domain")


def test_a_macro_figure_refuses_nan() -> None:
    with pytest.raises(ValueError, match="finite"):
        bootstrap_mean(np.array([0.1, np.nan]), unit="domain")


def test_groups_are_drawn_as_a_whole() -> None:
    groups = np.array(["a"] * 3 + ["b"] * 5)
    seen: set[int] = set()

    def size(rows: np.ndarray) -> np.ndarray:
        seen.add(len(rows))
        return np.array([float(len(rows))])

    bootstrap_groups(groups, size, unit="recording")
    assert seen == {6, 8, 10}


def test_draws_of_one_class_are_left_out_and_counted() -> None:
    groups = np.array(["a", "b", "c", "d"])

    def only_with_a(rows: np.ndarray) -> np.ndarray:
        return np.array([1.0 if 0 in rows else np.nan])

    (interval,) = bootstrap_groups(groups, only_with_a, unit="domain")
    used = int(interval.method.split()[4])
    assert 600 < used < 760, "three in four to the fourth leave group a out"


def test_a_bootstrap_that_mostly_fails_is_an_error() -> None:
    with pytest.raises(ValueError, match="too few domains hold both"):
        bootstrap_groups(np.array(["a", "b"]), lambda rows: np.array([np.nan]), unit="domain")


def test_a_rate_over_domains_is_wider_than_over_images() -> None:
    errors = np.array([True] * 50 + [False] * 50)
    alone = measured_rate(errors)
    grouped = measured_rate(errors, np.array(["a"] * 50 + ["b"] * 50))
    assert alone.interval == "wilson 95 %"
    assert (grouped.errors, grouped.n, grouped.value) == (50, 100, 0.5)
    assert (grouped.low, grouped.high) == (0.0, 1.0)


def test_a_rate_without_errors_does_not_claim_certainty() -> None:
    rate = measured_rate(np.zeros(150, bool), np.array(["a", "b", "c"] * 50))
    assert rate.high == pytest.approx(0.025, abs=2e-4)
    assert rate.interval == "domain bootstrap 95 %, 2000 draws, seed 0, not narrower than wilson"


def test_a_single_domain_falls_to_wilson_and_says_so() -> None:
    assert measured_rate(np.array([True, False]), np.array(["a", "a"])).interval == "wilson 95 %"


def test_a_measured_rate_needs_presentations() -> None:
    with pytest.raises(ValueError, match="0 of 0"):
        measured_rate(np.empty(0, bool))

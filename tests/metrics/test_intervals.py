"""Intervals: published values, edges, coverage, and what a bootstrap over groups must and must not claim."""

from itertools import product
from math import comb

import numpy as np
import pytest

from faceauth.metrics.intervals import (
    Interval,
    bootstrap_groups,
    bootstrap_mean,
    bootstrap_ratio,
    measured_rate,
    wilson,
)


def test_zero_errors_in_150_still_means_up_to_two_and_a_half_percent() -> None:
    interval = wilson(0, 150)
    assert interval.low == 0.0
    assert interval.high == pytest.approx(0.0250, abs=2e-4)


@pytest.mark.parametrize(
    ("errors", "n", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # by hand, with z = 1.959964
        (5, 10, 0.2366, 0.7634),
        (18, 900, 0.0127, 0.0314),
        (10, 10, 0.7225, 1.0),
    ],
)
def test_wilson_gives_the_published_ends(errors: int, n: int, low: float, high: float) -> None:
    interval = wilson(errors, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-5)
    assert interval.method == "wilson 95 %"


def test_wilson_ends_at_exactly_0_and_1_and_never_beyond() -> None:
    for n in range(1, 400):
        assert (wilson(0, n).low, wilson(n, n).high) == (0.0, 1.0)
        assert 0.0 < wilson(n, n).low < 1.0 and 0.0 < wilson(0, n).high < 1.0
    for errors, n in ((1, 10**9), (10**9 - 1, 10**9), (1, 2)):
        assert 0.0 < wilson(errors, n).low < errors / n < wilson(errors, n).high < 1.0


@pytest.mark.parametrize("n", [20, 150])
def test_wilson_holds_the_true_rate_in_95_of_100_samples(n: int) -> None:
    """Exactly, by the binomial distribution, and on average over rates, since the coverage of counts oscillates."""
    ends = [wilson(errors, n) for errors in range(n + 1)]
    rates = np.linspace(0.05, 0.95, 181)
    covered = [
        sum(
            comb(n, errors) * rate**errors * (1 - rate) ** (n - errors)
            for errors, end in enumerate(ends)
            if end.low <= rate <= end.high
        )
        for rate in rates
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.006)


def test_the_bootstrap_holds_the_true_mean_in_nearly_95_of_100_samples() -> None:
    """A percentile bootstrap is known to be a little too narrow; of 80 groups, by one percent."""
    rng = np.random.default_rng(7)
    drawn = [bootstrap_mean(rng.random(80), unit="domain", draws=1000, seed=seed) for seed in range(300)]
    assert 0.92 < np.mean([one.low <= 0.5 <= one.high for one in drawn]) < 0.97


def test_the_ends_of_a_bootstrap_are_the_2_5_and_97_5_percent_quantiles_of_all_draws() -> None:
    """Of five groups all 3,125 draws can be listed; 20,000 random ones come close to these quantiles."""
    values = np.array([0.0, 0.137, 0.331, 0.614, 1.0])
    every = np.array([np.mean(draw) for draw in product(values, repeat=5)])
    (of_groups,) = bootstrap_groups(
        np.array(list("abcde")), lambda rows: np.array([values[rows].mean()]), unit="domain", draws=20_000
    )
    counts = np.full(5, 1000)
    found = (
        bootstrap_mean(values, unit="domain", draws=20_000),
        bootstrap_ratio((values * counts).astype(np.int64), counts, unit="domain", draws=20_000),
        of_groups,
    )
    for interval in found:
        for end, share in ((interval.low, 0.025), (interval.high, 0.975)):
            assert (every < end - 1e-9).mean() < share + 0.004 and (every < end + 1e-9).mean() > share - 0.004


def test_a_ratio_weighs_groups_by_their_presentations() -> None:
    errors, counts = np.array([0, 90]), np.array([10, 90])
    interval = bootstrap_ratio(errors, counts, unit="domain")
    assert (interval.low, interval.high) == (0.0, 1.0)
    assert bootstrap_ratio(np.array([0, 1]), np.array([1, 1]), unit="domain").high == 1.0  # one presentation is enough
    groups = [(0, 10), (90, 90), (9, 900), (3, 30), (5, 7)]
    found = bootstrap_ratio(*np.array(groups).T, unit="domain", draws=100_000)
    every = [sum(e for e, _ in draw) / sum(n for _, n in draw) for draw in product(groups, repeat=5)]
    assert (found.low, found.high) == pytest.approx(np.quantile(every, (0.025, 0.975)), abs=0.01)


@pytest.mark.parametrize(("errors", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_proportion(errors: int, n: int) -> None:
    with pytest.raises(ValueError, match=rf"^A rate needs 0 <= errors <= n and n >= 1, not {errors} of {n}\.$"):
        wilson(errors, n)


def test_equal_groups_leave_no_uncertainty_between_them() -> None:
    interval = bootstrap_ratio(np.array([1, 2, 3]), np.array([10, 20, 30]), unit="domain")
    assert (interval.low, interval.high) == pytest.approx((0.1, 0.1))
    assert interval.method == "domain bootstrap 95 %, 2000 draws, seed 0"


def test_the_seed_and_the_draws_decide_the_interval_and_are_named() -> None:
    values = np.random.default_rng(0).random(12)
    groups = np.array(list("abcdefghijkl"))

    def of_groups(**how: int) -> Interval:
        (found,) = bootstrap_groups(groups, lambda rows: np.array([values[rows].mean()]), unit="recording", **how)
        return found

    ways = (
        lambda **how: bootstrap_mean(values, unit="recording", **how),
        lambda **how: bootstrap_ratio(np.arange(12), np.arange(20, 32), unit="recording", **how),
        of_groups,
    )
    for way in ways:
        found = way(draws=1500, seed=4)
        assert found == way(draws=1500, seed=4)
        assert found.method == "recording bootstrap 95 %, 1500 draws, seed 4"
        assert (found.low, found.high) != (way(draws=1500, seed=5).low, way(draws=1500, seed=5).high)
    errors = np.arange(120) % 3 == 0
    rate = measured_rate(errors, np.repeat(groups, 10), unit="recording", draws=1500, seed=4)
    assert rate.interval == "recording bootstrap 95 %, 1500 draws, seed 4, not narrower than wilson"


def test_the_bootstrap_of_a_mean_is_that_of_many_draws_by_hand() -> None:
    values = np.array([0.0, 1.0])
    interval = bootstrap_mean(values, unit="domain")
    assert (interval.low, interval.high) == (0.0, 1.0), "a quarter of the draws holds one value twice"
    assert interval.method == "domain bootstrap 95 %, 2000 draws, seed 0"


@pytest.mark.parametrize("draws", [0, 999])
def test_fewer_than_a_thousand_draws_are_refused(draws: int) -> None:
    with pytest.raises(ValueError, match=rf"^A bootstrap needs at least 1000 draws, not {draws}\.$"):
        bootstrap_mean(np.array([0.1, 0.2]), unit="domain", draws=draws)


def test_one_group_cannot_be_resampled() -> None:
    with pytest.raises(ValueError, match=r"^A bootstrap over groups needs at least two groups, not 1\.$"):
        bootstrap_mean(np.array([0.1]), unit="domain")


@pytest.mark.parametrize("counts", [[10, 0], [10, 20, 30]])
def test_a_group_without_presentations_is_refused(counts: list[int]) -> None:
    with pytest.raises(
        ValueError, match=r"^A bootstrap needs one error count and at least one presentation for each group\.$"
    ):
        bootstrap_ratio(np.array([1, 0]), np.array(counts), unit="domain")


def test_a_macro_figure_refuses_nan() -> None:
    with pytest.raises(ValueError, match=r"^A macro figure needs a finite value for each group\.$"):
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


@pytest.mark.parametrize("usable", [499, 500])
def test_half_of_the_draws_have_to_hold_both_classes(usable: int) -> None:
    draws = iter(range(1000))

    def sometimes(_: np.ndarray) -> np.ndarray:
        return np.array([1.0 if next(draws) < usable else np.nan])

    groups = np.array(["a", "b"])
    if usable < 500:
        with pytest.raises(
            ValueError, match=r"^Only 499 of 1000 draws hold live and spoof: too few domains hold both\.$"
        ):
            bootstrap_groups(groups, sometimes, unit="domain")
        return
    (interval,) = bootstrap_groups(groups, sometimes, unit="domain")
    assert interval.method == "domain bootstrap 95 %, 500 draws, seed 0"


def test_a_thousand_draws_from_seed_0_are_the_default_for_groups() -> None:
    (interval,) = bootstrap_groups(np.array(["a", "b"]), lambda rows: np.array([rows.mean()]), unit="domain")
    assert interval.method == "domain bootstrap 95 %, 1000 draws, seed 0"


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


def test_a_rate_takes_the_wider_end_on_each_side() -> None:
    errors = np.array([True] * 9 + [False] + [False] * 90)
    groups = np.array(["a"] * 10 + ["b"] * 90)
    drawn = bootstrap_ratio(np.array([9, 0]), np.array([10, 90]), unit="domain")
    alone, rate = wilson(9, 100), measured_rate(errors, groups)
    assert drawn.low < alone.low and drawn.high > alone.high
    assert (rate.low, rate.high) == (drawn.low, drawn.high)
    none = measured_rate(np.zeros(100, bool), groups)
    assert (none.low, none.high) == (0.0, wilson(0, 100).high)


def test_counts_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="one error count"):
        bootstrap_ratio(np.array([1]), np.array([10, 20]), unit="domain")
    with pytest.raises(ValueError, match="two groups, not 0"):
        bootstrap_mean(np.empty(0), unit="domain")

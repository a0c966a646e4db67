"""Thresholds are chosen over domains, keep their promise, and never descend from convenience to strict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceauth.calibration.operating_points import (
    balanced_curve,
    choose_thresholds,
    measure_at,
    operating_points,
    threshold_at_apcer,
    threshold_at_bpcer,
)
from faceauth.errors import UsageError
from faceauth.metrics.error_rates import accepted
from faceauth.thresholds import OperatingPoints

P_LIVE = np.array([0.9, 0.8, 0.1, 0.2] + [0.6] * 20 + [0.4] * 20)
LABELS = np.array([0, 0, 1, 1] + [0] * 20 + [1] * 20)
DOMAINS = np.array(["small"] * 4 + ["large"] * 40)
SPECIES = np.array(["none", "none", "print", "print"] + ["none"] * 20 + ["replay"] * 20)


def test_balanced_is_the_middle_of_a_calibrated_score_wherever_the_gap_lies() -> None:
    """Classes parted anywhere between 0.1 and 0.9: data of so few domains do not move the point."""
    shifted = np.where(LABELS == 0, 0.95, P_LIVE / 4)
    for scores in (P_LIVE, shifted):
        assert choose_thresholds(balanced_curve(scores, LABELS, DOMAINS))[1] == 0.5


def test_domains_weigh_the_same_whatever_their_size() -> None:
    # One live picture of the small domain lies below 39 attacks of the large one.
    p_live = np.array([0.3, 0.1] + [0.9] * 40 + [0.2] + [0.4] * 39)
    labels = np.array([0, 1] + [0] * 40 + [1] * 40)
    domains = np.array(["small"] * 2 + ["large"] * 80)
    curve = balanced_curve(p_live, labels, domains)
    at = np.flatnonzero((curve.thresholds > 0.2) & (curve.thresholds < 0.3))[0]
    assert (curve.apcer[at], curve.bpcer[at]) == (pytest.approx(39 / 40 / 2), 0.0)
    above = np.flatnonzero((curve.thresholds > 0.3) & (curve.thresholds < 0.4))[0]
    assert curve.bpcer[above] == pytest.approx(1 / 2)


def test_a_domain_of_one_class_counts_for_that_class_only() -> None:
    curve = balanced_curve([0.9, 0.1, 0.2], [0, 1, 0], np.array(["a", "a", "only live"]))
    at = np.flatnonzero((curve.thresholds > 0.2) & (curve.thresholds < 0.9))[0]
    assert (curve.apcer[at], curve.bpcer[at]) == (0.0, 0.5)


def test_a_missing_class_is_an_error() -> None:
    with pytest.raises(ValueError, match="missing"):
        balanced_curve([0.9, 0.1], [0, 0], np.array(["a", "a"]))


@settings(deadline=None)  # no test is timed
@given(
    st.lists(
        st.tuples(st.floats(0, 1, allow_subnormal=False), st.integers(0, 1), st.sampled_from("abc")),
        min_size=2,
        max_size=30,
    ).filter(lambda rows: len({label for _, label, _ in rows}) == 2),
    st.sampled_from([0.0, 0.02, 0.1, 0.5]),
)
def test_targets_are_kept_and_points_never_descend(rows: list[tuple[float, int, str]], target: float) -> None:
    p_live = np.array([score for score, _, _ in rows])
    labels = np.array([label for _, label, _ in rows])
    domains = np.array([domain for _, _, domain in rows])
    curve = balanced_curve(p_live, labels, domains)
    assert balanced_bpcer(p_live, labels, domains, threshold_at_bpcer(curve, target)) <= target + 1e-9
    if (p_live[labels == 1] == 1.0).any():
        return
    assert balanced_apcer(p_live, labels, domains, threshold_at_apcer(curve, target)) <= target + 1e-9
    if threshold_at_bpcer(curve, target) == 0:
        with pytest.raises(UsageError, match="accepts everybody"):
            choose_thresholds(curve, max_bpcer=target, max_apcer=target)
        return
    convenience, balanced, strict = choose_thresholds(curve, max_bpcer=target, max_apcer=target)
    assert 0 < convenience <= balanced <= strict <= 1
    assert balanced_bpcer(p_live, labels, domains, convenience) <= target + 1e-9
    assert balanced_apcer(p_live, labels, domains, strict) <= target + 1e-9


def balanced_bpcer(p_live: np.ndarray, labels: np.ndarray, domains: np.ndarray, threshold: float) -> float:
    """Mean over domains, by the plain definition."""
    live = labels == 0
    return float(np.mean([(~accepted(p_live[live & (domains == d)], threshold)).mean() for d in set(domains[live])]))


def balanced_apcer(p_live: np.ndarray, labels: np.ndarray, domains: np.ndarray, threshold: float) -> float:
    """Mean over domains, by the plain definition."""
    spoof = labels == 1
    return float(np.mean([accepted(p_live[spoof & (domains == d)], threshold).mean() for d in set(domains[spoof])]))


def test_attacks_at_one_make_a_strict_point_impossible() -> None:
    with pytest.raises(ValueError, match=r"P\(live\) = 1"):
        choose_thresholds(balanced_curve([0.4, 0.5, 1.0], [1, 0, 1], np.array(["a", "a", "a"])))


def test_an_operating_point_counts_each_species_and_names_its_data() -> None:
    point = measure_at(0.4, P_LIVE, LABELS, SPECIES, DOMAINS, measured_on="toy, val")
    assert {name: (rate.errors, rate.n) for name, rate in point.apcer.items()} == {"print": (0, 2), "replay": (20, 20)}
    assert (point.bpcer.errors, point.bpcer.n) == (0, 22)
    assert point.bpcer.interval.startswith("domain bootstrap 95 %, 2000 draws, seed 0")
    assert point.apcer["replay"].interval == "wilson 95 %", "one domain cannot be resampled"
    assert point.measured_on == "toy, val"


def test_an_operating_point_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="live and spoof"):
        measure_at(0.4, [0.5], [0], np.array(["none"]), np.array(["a"]), measured_on="toy")


def test_operating_points_round_trip_through_json() -> None:
    points = operating_points(P_LIVE, LABELS, SPECIES, DOMAINS, measured_on="toy, val")
    assert OperatingPoints.model_validate_json(points.model_dump_json()) == points
    assert points.convenience.threshold <= points.balanced.threshold <= points.strict.threshold

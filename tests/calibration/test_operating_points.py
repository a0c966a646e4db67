"""Points keep their error rates, ascend, and are not offered where they would be useless."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceauth.calibration.operating_points import (
    CONVENIENCE_BPCER,
    LARGEST_BPCER,
    STRICT_APCER,
    choose_points,
    lowest_hter_threshold,
    measure_at,
)
from faceauth.thresholds import OperatingPoints

P_LIVE = np.array([0.9, 0.8, 0.1, 0.2] + [0.6] * 20 + [0.4] * 20)
LABELS = np.array([0, 0, 1, 1] + [0] * 20 + [1] * 20)
DOMAINS = np.array(["small"] * 4 + ["large"] * 40)
SPECIES = np.array(["none", "none", "print", "print"] + ["none"] * 20 + ["replay"] * 20)


def points(p_live: np.ndarray, labels: np.ndarray, species: np.ndarray, **options: float) -> OperatingPoints:
    return choose_points(p_live, labels, species, np.full(len(labels), "one"), measured_on="toy", **options)  # type: ignore[arg-type]


class TestChoosePoints:
    def test_balanced_is_the_boundary_wherever_the_gap_lies(self) -> None:
        shifted = np.where(LABELS == 0, 0.95, P_LIVE / 4)
        for scores in (P_LIVE, shifted):
            assert points(scores, LABELS, SPECIES).balanced.threshold == 0.5

    def test_convenience_is_the_highest_threshold_that_refuses_one_live_person_in_a_hundred(self) -> None:
        live = np.linspace(0.201, 0.4, 200)
        p_live = np.concatenate([live, [0.05]])
        labels, species = np.array([0] * 200 + [1]), np.array(["none"] * 200 + ["print"])
        point = points(p_live, labels, species).convenience
        assert point is not None and point.bpcer.errors == 2  # 1 % of 200
        assert live[1] < point.threshold < live[2]

    def test_strict_is_the_lowest_threshold_at_which_no_species_passes_more_than_one_in_twenty(self) -> None:
        prints, replays = np.linspace(0.601, 0.8, 20), np.linspace(0.5, 0.6, 200)
        p_live = np.concatenate([[0.99] * 4, prints, replays])
        labels = np.array([0] * 4 + [1] * 220)
        species = np.array(["none"] * 4 + ["print"] * 20 + ["replay"] * 200)
        point = points(p_live, labels, species).strict
        assert point is not None and point.apcer["print"].errors == 1 and point.apcer["replay"].errors == 0
        assert prints[-2] < point.threshold < prints[-1]

    def test_a_strict_point_that_refuses_more_than_one_in_four_is_not_offered(self) -> None:
        labels, species = np.array([0] * 4 + [1] * 20), np.array(["none"] * 4 + ["print"] * 20)
        one_below, two_below = (np.concatenate([[0.6] * below, [0.9] * (4 - below), [0.7] * 20]) for below in (1, 2))
        assert points(one_below, labels, species).strict is not None
        assert points(two_below, labels, species).strict is None

    def test_attacks_at_one_leave_no_strict_point(self) -> None:
        p_live, labels = np.array([0.4, 0.5, 1.0]), np.array([1, 0, 1])
        assert points(p_live, labels, np.array(["print", "none", "print"])).strict is None

    def test_live_people_at_zero_leave_no_convenience_point(self) -> None:
        p_live, labels = np.array([0.0, 0.9, 0.3]), np.array([0, 0, 1])
        assert points(p_live, labels, np.array(["none", "none", "print"])).convenience is None

    def test_another_balanced_threshold_moves_its_neighbours(self) -> None:
        found = points(P_LIVE, LABELS, SPECIES, balanced=0.7)
        assert found.balanced.threshold == 0.7
        assert found.convenience is not None and 0.4 < found.convenience.threshold < 0.6

    @settings(deadline=None, max_examples=50)  # no test is timed
    @given(
        st.lists(
            st.tuples(st.floats(0, 1, allow_subnormal=False), st.integers(0, 1), st.sampled_from("ab")),
            min_size=2,
            max_size=30,
        ).filter(lambda rows: len({label for _, label, _ in rows}) == 2)
    )
    def test_points_keep_their_rates_and_ascend(self, rows: list[tuple[float, int, str]]) -> None:
        p_live, labels, species = (np.array(column) for column in zip(*rows, strict=True))
        found = points(p_live, labels, species)
        thresholds = [point.threshold for _, point in found.offered()]
        assert thresholds == sorted(thresholds) and thresholds[0] > 0
        if found.convenience is not None:
            assert found.convenience.bpcer.value <= CONVENIENCE_BPCER
        if found.strict is not None:
            assert max(rate.value for rate in found.strict.apcer.values()) <= STRICT_APCER + 1e-12
            assert found.strict.bpcer.value <= LARGEST_BPCER

    @pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
    def test_a_missing_class_is_an_error(self, labels: list[int]) -> None:
        with pytest.raises(ValueError, match="missing"):
            points(np.array([0.9, 0.1]), np.array(labels), np.array(["print", "print"]))


class TestLowestHter:
    def test_lies_in_the_middle_of_the_gap(self) -> None:
        assert lowest_hter_threshold([0.2, 0.8], [1, 0], np.array(["a", "a"])) == pytest.approx(0.5)

    def test_domains_weigh_the_same_whatever_their_size(self) -> None:
        # At 0.35 only the small domain errs (its attack at 0.4); pooled over images, 0.45 would be worse.
        p_live = [0.3, 0.4] + [0.36] * 10 + [0.1] * 10
        labels = [0, 1] + [0] * 10 + [1] * 10
        domains = np.array(["small"] * 2 + ["large"] * 20)
        assert 0.1 < lowest_hter_threshold(p_live, labels, domains) < 0.3

    def test_of_two_gaps_that_are_equally_good_it_takes_one_and_no_threshold_between_them(self) -> None:
        p_live, labels = np.array([0.1, 0.2, 0.4, 0.6, 0.8, 0.9]), np.array([1, 0, 0, 1, 1, 0])
        spoof, live = p_live[labels == 1], p_live[labels == 0]
        found = lowest_hter_threshold(p_live, labels, np.full(6, "a"))
        assert ((spoof >= found).mean() + (live < found).mean()) / 2 == pytest.approx(1 / 3)

    def test_never_accepts_everybody(self) -> None:
        assert lowest_hter_threshold([0.0, 1.0], [0, 1], np.array(["a", "a"])) > 0

    def test_a_missing_class_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="missing"):
            lowest_hter_threshold([0.9, 0.1], [0, 0], np.array(["a", "a"]))


class TestMeasureAt:
    def test_counts_each_species_and_names_its_data(self) -> None:
        point = measure_at(0.4, P_LIVE, LABELS, SPECIES, DOMAINS, measured_on="toy, val")
        assert {name: (r.errors, r.n) for name, r in point.apcer.items()} == {"print": (0, 2), "replay": (20, 20)}
        assert (point.bpcer.errors, point.bpcer.n) == (0, 22)
        assert point.bpcer.interval.startswith("domain bootstrap 95 %, 2000 draws, seed 0")
        assert point.apcer["replay"].interval == "wilson 95 %", "one domain cannot be resampled"
        assert point.measured_on == "toy, val"

    def test_needs_both_classes(self) -> None:
        with pytest.raises(ValueError, match="live and spoof"):
            measure_at(0.4, [0.5], [0], np.array(["none"]), np.array(["a"]), measured_on="toy")


def test_points_round_trip_through_json() -> None:
    found = choose_points(P_LIVE, LABELS, SPECIES, DOMAINS, measured_on="toy, val")
    assert OperatingPoints.model_validate_json(found.model_dump_json()) == found

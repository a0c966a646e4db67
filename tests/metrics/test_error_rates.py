"""The rates of ISO/IEC 30107-3: hand-worked cases, edges, and scikit-learn as the second opinion."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceauth.errors import ScoreError
from faceauth.metrics import error_rates
from faceauth.metrics.error_rates import Rate


def random_scores(n: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping scores with many ties, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    p_live = np.clip(rng.normal(0.6 - 0.2 * labels, 0.2), 0, 1).round(2)
    return p_live, labels


def test_there_is_no_rate_without_presentations() -> None:
    with pytest.raises(ValueError, match="0 of 0"):
        Rate(0, 0)
    with pytest.raises(ValueError, match="0 of 0"):
        error_rates.bpcer(np.empty(0), 0.5)


@pytest.mark.parametrize(("errors", "n"), [(-1, 4), (5, 4)])
def test_a_rate_counts_at_most_every_presentation(errors: int, n: int) -> None:
    with pytest.raises(ValueError, match=rf"^A rate needs 0 <= errors <= n and n >= 1, not {errors} of {n}\.$"):
        Rate(errors, n)


def test_a_rate_knows_its_interval() -> None:
    rate = Rate(18, 900)
    assert rate.value == 0.02
    assert (rate.wilson.low, rate.wilson.high) == pytest.approx((0.0127, 0.0314), abs=2e-4)


def test_a_tie_is_accepted() -> None:
    assert error_rates.accepted([0.5, np.nextafter(0.5, 0)], 0.5).tolist() == [True, False]


def test_float32_scores_are_compared_as_the_numbers_they_are() -> None:
    score = np.float32(0.7)  # 0.699999988
    assert error_rates.accepted(np.array([score]), 0.7).tolist() == [float(score) >= 0.7] == [False]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.01, 1.01])
def test_a_score_outside_zero_to_one_raises(wrong: float) -> None:
    with pytest.raises(ScoreError) as refused:
        error_rates.accepted([0.5, wrong], 0.5)
    said = f"1 of 2 values of P(live) are not in [0, 1]; the first is {wrong} at position 1."
    assert (str(refused.value), refused.value.stage) == (said, "liveness")


def test_scores_of_two_classes_side_by_side_are_refused() -> None:
    with pytest.raises(ScoreError, match=r"^P\(live\) must be one number for each presentation, not \(3, 2\)\.$"):
        error_rates.checked_scores(np.zeros((3, 2)))


def test_a_label_is_zero_or_one() -> None:
    with pytest.raises(
        ValueError, match=r"^Labels must be 2 values of 0 \(live\) or 1 \(spoof\), found \(2,\) \[1 2\]\.$"
    ):
        error_rates.auc([0.1, 0.2], [1, 2])


def test_labels_come_back_as_whole_numbers_and_a_message_shows_five() -> None:
    assert error_rates.checked_labels([0.0, 1.0], 2).dtype == np.int64
    with pytest.raises(ValueError, match=r"found \(7,\) \[0 1 2 3 4\]\.$"):
        error_rates.checked_labels(range(7), 7)


def test_scores_that_are_no_list_of_numbers_are_the_fault_of_liveness() -> None:
    with pytest.raises(ScoreError) as refused:
        error_rates.checked_scores(np.zeros((3, 2)))
    assert refused.value.stage == "liveness"


def test_apcer_is_the_worst_species_not_the_mean() -> None:
    p_live = np.array([0.9, 0.9, 0.1, 0.1, 0.1, 0.1])
    species = np.array(["print"] * 2 + ["replay"] * 4)
    rates = error_rates.apcer_by_species(p_live, species, 0.5)
    assert rates == {"print": Rate(2, 2), "replay": Rate(0, 4)}
    assert error_rates.worst(rates) == ("print", Rate(2, 2))


def test_apcer_without_attacks_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^APCER is the worst species' rate: no attack was presented\.$"):
        error_rates.worst(error_rates.apcer_by_species(np.empty(0), np.empty(0, "U1"), 0.5))


def test_each_attack_needs_a_species() -> None:
    with pytest.raises(ValueError, match=r"^Each of 2 attacks needs a species, found \(1,\)\.$"):
        error_rates.apcer_by_species([0.1, 0.2], np.array(["print"]), 0.5)


def test_bpcer_counts_refused_live() -> None:
    assert error_rates.bpcer([0.2, 0.5, 0.7, 0.4, 0.9], 0.5) == Rate(2, 5)


def test_acer_takes_the_worst_species() -> None:
    species = {"print": Rate(2, 2), "replay": Rate(0, 4)}
    assert error_rates.acer(error_rates.worst(species)[1].value, Rate(1, 4).value) == pytest.approx(0.625)


def test_hter_pools_the_species() -> None:
    p_live, labels = [0.9, 0.6, 0.4, 0.7, 0.1, 0.2, 0.3], [0, 0, 0, 1, 1, 1, 1]
    assert error_rates.hter(p_live, labels, 0.5) == pytest.approx((1 / 4 + 1 / 3) / 2)


def test_riapar_is_the_sum_of_both() -> None:
    assert error_rates.riapar(Rate(1, 4), Rate(1, 10)) == pytest.approx(0.35)


def test_error_curve_by_hand() -> None:
    curve = error_rates.error_curve([0.8, 0.4, 0.6, 0.2], [0, 0, 1, 1])
    assert curve.thresholds.tolist() == [0.2, 0.4, 0.6, 0.8, np.inf]
    assert curve.apcer.tolist() == [1.0, 0.5, 0.5, 0.0, 0.0]
    assert curve.bpcer.tolist() == [0.0, 0.0, 0.5, 0.5, 1.0]


def test_curves_agree_with_scikit_learn() -> None:
    sk = pytest.importorskip("sklearn.metrics")
    p_live, labels = random_scores()
    curve = error_rates.error_curve(p_live, labels)
    fpr, tpr, thresholds = sk.roc_curve(labels == 0, p_live, drop_intermediate=False)
    np.testing.assert_allclose(curve.thresholds, thresholds[::-1])
    np.testing.assert_allclose(curve.apcer, fpr[::-1], atol=1e-12)
    np.testing.assert_allclose(1 - curve.bpcer, tpr[::-1], atol=1e-12)
    det_fpr, det_fnr, det_thresholds = sk.det_curve(labels == 0, p_live)
    for threshold, far, frr in zip(det_thresholds, det_fpr, det_fnr, strict=True):
        at = np.flatnonzero(curve.thresholds == threshold)
        assert curve.apcer[at] == pytest.approx(far)
        assert curve.bpcer[at] == pytest.approx(frr)
    assert error_rates.auc(p_live, labels) == pytest.approx(sk.roc_auc_score(labels == 0, p_live))


@settings(deadline=None)  # no test is timed
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_ranked_rightly(rows: list[tuple[int, int]]) -> None:
    p_live, labels = np.array([score / 8 for score, _ in rows]), np.array([label for _, label in rows])
    if len(set(labels.tolist())) < 2:
        with pytest.raises(ValueError, match="needs live and spoof"):
            error_rates.auc(p_live, labels)
        return
    pairs = [(live > spoof) + 0.5 * (live == spoof) for live in p_live[labels == 0] for spoof in p_live[labels == 1]]
    assert error_rates.auc(p_live, labels) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize(
    ("p_live", "labels", "expected"),
    [
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0.0),
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0),
        ([0.5, 0.5, 0.5, 0.5], [0, 0, 1, 1], 0.5),
        ([0.8, 0.4, 0.6, 0.2], [0, 0, 1, 1], 0.5),
    ],
)
def test_eer_by_hand(p_live: list[float], labels: list[int], expected: float) -> None:
    assert error_rates.eer(p_live, labels) == pytest.approx(expected)


def test_eer_lies_where_the_det_curve_crosses() -> None:
    p_live, labels = random_scores()
    curve, eer = error_rates.error_curve(p_live, labels), error_rates.eer(p_live, labels)
    assert np.maximum(curve.apcer, curve.bpcer).min() >= eer
    assert np.minimum(curve.apcer, curve.bpcer).max() <= eer


def test_bpcer_at_apcer_holds_the_limit_for_every_species() -> None:
    # 10 prints far below, 10 replays of which one scores 0.65: at 10 % the replays allow that one, at 5 % none.
    p_live = np.array([0.9, 0.7, 0.6, 0.5] + [0.1] * 10 + [0.65] + [0.3] * 9)
    labels, species = np.array([0] * 4 + [1] * 20), np.array(["none"] * 4 + ["print"] * 10 + ["replay"] * 10)
    assert error_rates.bpcer_at_apcer(p_live, labels, species, 0.10) == Rate(0, 4)
    assert error_rates.bpcer_at_apcer(p_live, labels, species, 0.05) == Rate(2, 4)
    pooled = np.full(24, "any")
    assert error_rates.bpcer_at_apcer(p_live, labels, pooled, 0.05) == Rate(0, 4), "pooled, one of 20 is 5 %"


def test_bpcer_at_apcer_one_refuses_nobody() -> None:
    p_live, labels = random_scores(50)
    assert error_rates.bpcer_at_apcer(p_live, labels, np.full(50, "any"), 1.0).errors == 0


@pytest.mark.parametrize("target", [0.10, 0.05, 0.01])
def test_bpcer_at_apcer_agrees_with_the_curve(target: float) -> None:
    p_live, labels = random_scores()
    curve = error_rates.error_curve(p_live, labels)
    rate = error_rates.bpcer_at_apcer(p_live, labels, np.full(len(labels), "any"), target)
    assert rate.value == pytest.approx(curve.bpcer[curve.apcer <= target].min())


def test_macro_counts_domains_not_images() -> None:
    p_live = np.array([0.9, 0.1] + [0.1, 0.9] * 10 + [0.5])
    labels = np.array([0, 1] * 11 + [0])
    domains = np.array(["good"] * 2 + ["bad"] * 20 + ["one class"])
    assert error_rates.auc_by_domain(p_live, labels, domains) == {"good": 1.0, "bad": 0.0}
    assert error_rates.macro(error_rates.auc_by_domain(p_live, labels, domains)) == 0.5
    assert error_rates.hter_by_domain(p_live, labels, domains, 0.5) == {"good": 0.0, "bad": 1.0}


def test_macro_of_no_domain_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^A macro figure needs at least one domain that holds live and spoof\.$"):
        error_rates.macro({})


FIGURES_OF_BOTH_CLASSES = (
    error_rates.auc,
    error_rates.eer,
    error_rates.error_curve,
    lambda p_live, labels: error_rates.hter(p_live, labels, 0.5),
    lambda p_live, labels: error_rates.bpcer_at_apcer(p_live, labels, np.full(len(labels), "any"), 0.1),
)


@pytest.mark.parametrize("figure", FIGURES_OF_BOTH_CLASSES)
@pytest.mark.parametrize("labels", [[], [0, 0], [1, 1]])
def test_a_figure_of_two_classes_refuses_one_or_none(figure: Callable[..., object], labels: list[int]) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^This figure needs live and spoof presentations, found {labels.count(0)} and {labels.count(1)}\.$",
    ):
        figure(np.linspace(0, 1, len(labels)), np.array(labels, int))


def test_empty_arrays_are_accepted_nowhere_and_refused_nowhere() -> None:
    assert error_rates.accepted(np.empty(0), 0.5).shape == (0,)
    assert error_rates.apcer_by_species(np.empty(0), np.empty(0, "U1"), 0.5) == {}
    assert error_rates.auc_by_domain(np.empty(0), np.empty(0, int), np.empty(0, "U1")) == {}
    assert error_rates.hter_by_domain(np.empty(0), np.empty(0, int), np.empty(0, "U1"), 0.5) == {}


def test_a_tie_with_the_threshold_is_accepted_in_every_rate() -> None:
    p_live, labels = [0.5, 0.4, 0.5, 0.4], [0, 0, 1, 1]
    assert error_rates.bpcer([0.5, 0.4], 0.5) == Rate(1, 2)
    assert error_rates.apcer_by_species([0.5, 0.4], np.array(["print"] * 2), 0.5) == {"print": Rate(1, 2)}
    assert error_rates.hter(p_live, labels, 0.5) == 0.5
    assert error_rates.hter(p_live, labels, np.nextafter(0.5, 1)) == 0.5
    assert error_rates.hter([0.5, 0.5, 0.4], [0, 0, 1], 0.5) == 0.0, "live at the threshold comes in"
    assert error_rates.hter([0.5, 0.6, 0.5], [1, 1, 0], np.nextafter(0.5, 1)) == 0.75


def test_a_tie_between_live_and_attack_counts_half_in_the_auc() -> None:
    assert error_rates.auc([0.5, 0.5], [0, 1]) == 0.5
    assert error_rates.auc([0.5, 0.5, 0.7, 0.1], [0, 1, 0, 1]) == pytest.approx((0.5 + 1 + 1 + 1) / 4)


def test_a_live_person_who_ties_with_an_attack_that_must_be_refused_is_refused_too() -> None:
    p_live, labels = np.array([0.7, 0.6, 0.6]), np.array([0, 0, 1])
    assert error_rates.bpcer_at_apcer(p_live, labels, np.full(3, "print"), 0.05) == Rate(1, 2)


def test_worst_is_the_first_by_name_among_equals() -> None:
    assert error_rates.worst({"replay": Rate(1, 2), "print": Rate(2, 4)})[0] == "print"

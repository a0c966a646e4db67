"""The decision as a table: which scores and thresholds give which reason."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from faceauth.errors import UsageError
from faceauth.policy import Policy, choose_face, decide, decide_liveness, match_threshold, thresholds
from faceauth.results import VERDICT_OF, Face, Reason, Verdict
from faceauth.thresholds import MeasuredRate, OperatingPoint, OperatingPoints, Thresholds

RATE = MeasuredRate(errors=1, n=10, value=0.1, low=0.0, high=0.4, interval="wilson 95 %")


def points(convenience: float, balanced: float, strict: float) -> OperatingPoints:
    def at(threshold: float) -> OperatingPoint:
        return OperatingPoint(threshold=threshold, apcer={"print": RATE}, bpcer=RATE, measured_on="invented")

    return OperatingPoints(convenience=at(convenience), balanced=at(balanced), strict=at(strict))


def limits(live: float | None = 0.6, attack: float | None = 0.4, match: float | None = None) -> Thresholds:
    return Thresholds(live=live, attack=attack, operating_point=None, measured=None, match=match)


def face(left: float, side: float, score: float = 0.9) -> Face:
    return Face(
        box_xyxy=(left, 0.0, left + side, side), score=score, landmarks_px=tuple((left + i, 1.0) for i in range(5))
    )


class TestThresholds:
    @pytest.mark.parametrize(
        ("point", "live", "attack"), [("convenience", 0.3, 0.3), ("balanced", 0.5, 0.3), ("strict", 0.8, 0.5)]
    )
    def test_the_band_reaches_down_to_the_next_more_lenient_point(self, point, live, attack) -> None:  # type: ignore[no-untyped-def]
        found = thresholds(Policy(operating_point=point), points(0.3, 0.5, 0.8))
        assert (found.live, found.attack, found.operating_point) == (live, attack, point)
        assert found.measured is not None and found.measured.threshold == live

    def test_an_explicit_threshold_has_no_band_and_no_measured_rates(self) -> None:
        found = thresholds(Policy(live_threshold=0.7), points(0.3, 0.5, 0.8))
        assert (found.live, found.attack, found.operating_point, found.measured) == (0.7, 0.7, None, None)

    def test_a_backend_without_points_needs_an_explicit_threshold(self) -> None:
        with pytest.raises(UsageError, match=r"set policy\.live_threshold"):
            thresholds(Policy(), None)
        assert thresholds(Policy(live_threshold=0.7), None).live == 0.7

    def test_points_out_of_order_are_refused(self) -> None:
        with pytest.raises(UsageError, match="ascending"):
            thresholds(Policy(), points(0.8, 0.5, 0.3))

    def test_without_liveness_there_is_no_live_threshold(self) -> None:
        found = thresholds(Policy(require_liveness=False), None)
        assert (found.live, found.attack, found.match) == (None, None, None)

    def test_the_policy_beats_the_embedder(self) -> None:
        assert match_threshold(Policy(), 0.4) == 0.4
        assert match_threshold(Policy(match_threshold=0.6), 0.4) == 0.6

    def test_a_match_threshold_of_zero_is_a_threshold(self) -> None:
        assert match_threshold(Policy(match_threshold=0.0), 0.4) == 0.0
        assert match_threshold(Policy(), 0.0) == 0.0

    def test_an_embedder_without_a_threshold_needs_an_explicit_one(self) -> None:
        with pytest.raises(UsageError, match=r"policy\.match_threshold"):
            match_threshold(Policy(), None)


class TestPolicy:
    def test_an_explicit_threshold_replaces_the_default_point(self) -> None:
        assert Policy(live_threshold=0.7).operating_point is None

    def test_point_and_threshold_together_contradict(self) -> None:
        with pytest.raises(ValidationError, match="exactly one"):
            Policy(operating_point="strict", live_threshold=0.7)

    def test_neither_point_nor_threshold_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="exactly one"):
            Policy(operating_point=None)

    @pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1])
    def test_a_threshold_is_a_probability(self, value: float) -> None:
        with pytest.raises(ValidationError):
            Policy(live_threshold=value)

    def test_is_frozen(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            Policy().require_liveness = False  # type: ignore[misc]


class TestChooseFace:
    def test_no_face_is_no_face_in_every_policy(self) -> None:
        assert choose_face([], Policy()) is choose_face([], Policy(faces="largest")) is Reason.NO_FACE

    def test_several_faces_are_refused_by_default(self) -> None:
        assert choose_face([face(0, 90), face(100, 10)], Policy()) is Reason.SEVERAL_FACES

    def test_largest_is_largest_by_area_not_best_by_score(self) -> None:
        small, large = face(0, 50, score=1.0), face(100, 60, score=0.7)
        assert choose_face([small, large], Policy(faces="largest")) == large


class TestDecide:
    @pytest.mark.parametrize(
        ("p_live", "reason"),
        [
            (0.6, Reason.LIVE),
            (1.0, Reason.LIVE),
            (math.nextafter(0.6, 0), Reason.LIVENESS_UNCERTAIN),
            (0.4, Reason.LIVENESS_UNCERTAIN),
            (math.nextafter(0.4, 0), Reason.ATTACK_SUSPECTED),
            (0.0, Reason.ATTACK_SUSPECTED),
            (math.nan, Reason.STAGE_FAILED),
            (math.inf, Reason.STAGE_FAILED),
            (1.1, Reason.STAGE_FAILED),
            (-0.1, Reason.STAGE_FAILED),
            (None, Reason.STAGE_FAILED),
        ],
    )
    def test_liveness(self, p_live: float | None, reason: Reason) -> None:
        assert decide_liveness(p_live, limits()) is decide(limits(), p_live=p_live, similarity=None) is reason

    @pytest.mark.parametrize(
        ("p_live", "similarity", "reason"),
        [
            (0.9, 0.5, Reason.LIVE_AND_MATCHED),
            (0.9, math.nextafter(0.5, 0), Reason.NOT_MATCHED),
            (0.9, -1.0, Reason.NOT_MATCHED),
            (0.9, None, Reason.STAGE_FAILED),
            (0.9, math.nan, Reason.STAGE_FAILED),
            (0.9, 1.5, Reason.STAGE_FAILED),
            (0.5, 1.0, Reason.LIVENESS_UNCERTAIN),
            (0.1, 1.0, Reason.ATTACK_SUSPECTED),
            (None, 1.0, Reason.STAGE_FAILED),
        ],
    )
    def test_liveness_and_match(self, p_live: float | None, similarity: float | None, reason: Reason) -> None:
        assert decide(limits(match=0.5), p_live=p_live, similarity=similarity) is reason

    def test_match_alone_never_claims_a_live_person(self) -> None:
        only_match = limits(live=None, attack=None, match=0.5)
        assert decide(only_match, p_live=None, similarity=0.5) is Reason.MATCHED
        assert decide(only_match, p_live=0.9, similarity=0.4) is Reason.NOT_MATCHED

    def test_thresholds_that_ask_for_nothing_accept_nobody(self) -> None:
        assert decide(limits(live=None, attack=None), p_live=1.0, similarity=1.0) is Reason.STAGE_FAILED

    @given(
        p_live=st.none() | st.floats(),
        similarity=st.none() | st.floats(),
        band=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted) | st.none(),
        match=st.none() | st.floats(-1, 1),
    )
    def test_whatever_comes_in_acceptance_needs_every_score_at_its_threshold(
        self, p_live, similarity, band, match  # type: ignore[no-untyped-def]
    ) -> None:  # fmt: skip
        attack, live = band or (None, None)
        reason = decide(limits(live, attack, match), p_live=p_live, similarity=similarity)
        accepted = VERDICT_OF[reason] is Verdict.ACCEPT
        live_enough = live is None or (p_live is not None and live <= p_live <= 1)
        alike = match is None or (similarity is not None and match <= similarity <= 1)
        assert accepted == (live_enough and alike and (live, match) != (None, None))

    @given(scores=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted))
    def test_a_higher_score_is_never_worse(self, scores: list[float]) -> None:
        order = [Reason.ATTACK_SUSPECTED, Reason.LIVENESS_UNCERTAIN, Reason.LIVE]
        low, high = (order.index(decide_liveness(score, limits())) for score in scores)
        assert low <= high


def test_every_reason_has_a_verdict() -> None:
    assert set(VERDICT_OF) == set(Reason)


def test_only_what_was_checked_is_accepted() -> None:
    accepted = {reason for reason, verdict in VERDICT_OF.items() if verdict is Verdict.ACCEPT}
    assert accepted == {Reason.LIVE, Reason.LIVE_AND_MATCHED, Reason.MATCHED}


def test_a_band_upside_down_is_refused() -> None:
    for live, attack in itertools.chain([(0.4, 0.6)], [(None, 0.5), (0.5, None)]):
        with pytest.raises(ValidationError):
            limits(live, attack)

"""The decision as a table, and what a result can never say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from faceauth.results import (
    VERDICT_OF,
    Box,
    LivenessResult,
    LivenessScore,
    MatchResult,
    Reason,
    Template,
    Verdict,
    Verification,
    decide,
)
from faceauth.testing import face_in
from faceauth.thresholds import LivenessThreshold, MatchThreshold, Thresholds
from tests.pipelines import noise_image, operating_points

FACE = face_in(noise_image())


def limits(live: float | None = 0.6, attack: float | None = None, match: float | None = None) -> Thresholds:
    liveness = (
        () if live is None else (LivenessThreshold(backend="m", live=live, attack=live if attack is None else attack),)
    )
    return Thresholds(liveness=liveness, match=None if match is None else MatchThreshold(similarity=match))


def liveness(p_live: float | None, *others: tuple[str, float]) -> LivenessResult | None:
    if p_live is None:
        return None
    members = (("m", p_live), *others)
    return LivenessResult(
        backend="m" if not others else "all(m, n)",
        p_live=min(p for _, p in members),
        members=tuple(LivenessScore(backend=name, p_live=p, elapsed_ms=1.0) for name, p in members),
        crop_outside=0.0,
        crop_scale=2.0,
    )


def match(similarity: float | None) -> MatchResult | None:
    return None if similarity is None else MatchResult(similarity=similarity, model_id="fake")


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
            (None, Reason.STAGE_FAILED),
        ],
    )
    def test_liveness(self, p_live: float | None, reason: Reason) -> None:
        assert decide(limits(0.6, 0.4), liveness(p_live), None) is reason

    @pytest.mark.parametrize(
        ("p_live", "similarity", "reason"),
        [
            (0.9, 0.5, Reason.LIVE_AND_MATCHED),
            (0.9, math.nextafter(0.5, 0), Reason.NOT_MATCHED),
            (0.9, -1.0, Reason.NOT_MATCHED),
            (0.9, None, Reason.STAGE_FAILED),
            (0.5, 1.0, Reason.LIVENESS_UNCERTAIN),
            (0.1, 1.0, Reason.ATTACK_SUSPECTED),
            (None, 1.0, Reason.STAGE_FAILED),
        ],
    )
    def test_liveness_and_match(self, p_live: float | None, similarity: float | None, reason: Reason) -> None:
        assert decide(limits(0.6, 0.4, match=0.5), liveness(p_live), match(similarity)) is reason

    def test_match_alone_never_claims_a_live_person(self) -> None:
        assert decide(limits(None, match=0.5), None, match(0.5)) is Reason.MATCHED
        assert decide(limits(None, match=0.5), liveness(0.9), match(0.4)) is Reason.NOT_MATCHED

    def test_thresholds_that_ask_for_nothing_accept_nobody(self) -> None:
        assert decide(limits(None), liveness(1.0), match(1.0)) is Reason.STAGE_FAILED

    def test_numbers_that_bypassed_their_checks_accept_nobody(self) -> None:
        unchecked = LivenessScore.model_construct(backend="m", p_live=math.nan, elapsed_ms=1.0)
        nan = LivenessResult.model_construct(backend="m", p_live=math.nan, members=(unchecked,), crop_outside=0.0)
        assert VERDICT_OF[decide(limits(), nan, None)] is not Verdict.ACCEPT
        nan_match = MatchResult.model_construct(similarity=math.nan, model_id="fake")
        assert decide(limits(match=0.5), liveness(0.9), nan_match) is Reason.NOT_MATCHED

    @pytest.mark.parametrize(
        ("first", "second", "reason"),
        [
            (0.9, 0.9, Reason.LIVE),
            (0.9, 0.5, Reason.LIVENESS_UNCERTAIN),
            (0.5, 0.1, Reason.ATTACK_SUSPECTED),
            (0.1, 0.9, Reason.ATTACK_SUSPECTED),
        ],
    )
    def test_every_member_with_a_threshold_must_reach_it(self, first: float, second: float, reason: Reason) -> None:
        both = Thresholds(liveness=tuple(LivenessThreshold(backend=name, live=0.6, attack=0.4) for name in ("m", "n")))
        assert decide(both, liveness(first, ("n", second)), None) is reason

    def test_a_member_that_did_not_run_refuses_unless_another_has(self) -> None:
        both = Thresholds(liveness=tuple(LivenessThreshold(backend=name, live=0.6, attack=0.4) for name in ("m", "n")))
        assert decide(both, liveness(0.9), None) is Reason.STAGE_FAILED
        assert decide(both, liveness(0.1), None) is Reason.ATTACK_SUSPECTED


@given(
    p_live=st.none() | st.floats(0, 1),
    similarity=st.none() | st.floats(-1, 1),
    band=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted) | st.none(),
    threshold=st.none() | st.floats(-1, 1),
)
def test_acceptance_needs_every_score_at_its_threshold(
    p_live: float | None, similarity: float | None, band: list[float] | None, threshold: float | None
) -> None:
    attack, live = band or (None, None)
    reason = decide(limits(live, attack, threshold), liveness(p_live), match(similarity))
    live_enough = live is None or (p_live is not None and live <= p_live)
    alike = threshold is None or (similarity is not None and threshold <= similarity)
    required = (live, threshold) != (None, None)
    assert (VERDICT_OF[reason] is Verdict.ACCEPT) == (live_enough and alike and required)


def accepted(**changes: object) -> Verification:
    fields = {
        "accepted": True,
        "verdict": Verdict.ACCEPT,
        "reason": Reason.LIVE,
        "message": "A live person.",
        "face": FACE,
        "faces": (FACE,),
        "liveness": liveness(0.9),
        "thresholds": limits(0.5),
    }
    return Verification.model_validate({**fields, **changes})


def test_an_acceptance_with_evidence_is_valid() -> None:
    assert accepted().accepted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accepted": False}, "the verdict is accept"),
        ({"verdict": Verdict.REJECT}, "reason live means accept"),
        ({"reason": Reason.NOT_MATCHED}, "reason not_matched means reject"),
        ({"thresholds": None}, "needs one of the faces found and the thresholds"),
        ({"thresholds": limits(None)}, "give stage_failed"),
        ({"liveness": None}, "give stage_failed"),
        ({"liveness": liveness(0.49)}, "give attack_suspected"),
        ({"thresholds": limits(0.5, match=0.4)}, "give stage_failed"),
        ({"thresholds": limits(0.5, match=0.4), "match": match(0.3)}, "give not_matched"),
        ({"reason": Reason.LIVE_AND_MATCHED}, "give live"),
        ({"reason": Reason.LIVE_AND_MATCHED, "match": match(0.9)}, "give live"),
        ({"reason": Reason.MATCHED}, "give live"),
        ({"thresholds": limits(None, match=0.4), "match": match(0.9)}, "give matched"),
        ({"face": None}, "needs one of the faces found"),
        ({"faces": None}, "needs one of the faces found"),
        ({"faces": ()}, "needs one of the faces found"),
        ({"failed": "liveness"}, "failed is liveness"),
        ({"skipped": {"liveness": "switched off"}}, "liveness is said to be skipped"),
        ({"match": match(0.9)}, "Value error, a score without a threshold decided nothing: leave it out "),
        (
            {"reason": Reason.MATCHED, "thresholds": limits(None, match=0.4), "match": match(0.9)},
            "a score without a threshold decided nothing: leave it out",
        ),
        (
            {
                "reason": Reason.LIVE_AND_MATCHED,
                "thresholds": limits(0.5, match=0.4),
                "match": match(0.9),
                "skipped": {"match": "no reference was given"},
            },
            "match is said to be skipped",
        ),
    ],
)
def test_an_acceptance_against_its_own_evidence_cannot_be_built(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        accepted(**changes)


def test_a_score_without_a_threshold_is_called_by_its_name() -> None:
    with pytest.raises(ValidationError) as refused:
        accepted(match=match(0.9))
    assert refused.value.errors()[0]["msg"] == (
        "Value error, a score without a threshold decided nothing: leave it out"
    )


@pytest.mark.parametrize("reason", [Reason.ATTACK_SUSPECTED, Reason.LIVENESS_UNCERTAIN, Reason.NOT_MATCHED])
def test_a_refusal_against_its_own_evidence_cannot_be_built(reason: Reason) -> None:
    with pytest.raises(ValidationError, match="scores and thresholds give live"):
        accepted(accepted=False, verdict=VERDICT_OF[reason], reason=reason)


def test_no_face_means_that_the_detector_ran_and_found_none() -> None:
    refused = {"accepted": False, "verdict": Verdict.UNCERTAIN, "reason": Reason.NO_FACE, "message": "No face."}
    assert Verification.model_validate({**refused, "faces": ()}).faces == ()
    for faces in (None, (FACE,)):
        with pytest.raises(ValidationError, match="no_face, but faces is"):
            Verification.model_validate({**refused, "faces": faces})
    with pytest.raises(ValidationError, match="several_faces, but faces is"):
        Verification.model_validate({**refused, "reason": Reason.SEVERAL_FACES, "faces": ()})


def test_a_refusal_cannot_be_called_accepted() -> None:
    with pytest.raises(ValidationError, match="accepted is True"):
        Verification(accepted=True, verdict=Verdict.REJECT, reason=Reason.ATTACK_SUSPECTED, message="no")


def test_a_tampered_json_is_refused() -> None:
    text = accepted().model_dump_json()
    assert Verification.model_validate_json(text) == accepted()
    with pytest.raises(ValidationError):
        Verification.model_validate_json(text.replace('"p_live":0.9', '"p_live":0.1'))


def test_a_result_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        accepted().accepted = False  # type: ignore[misc]


def test_the_verdicts_of_the_reasons_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        VERDICT_OF[Reason.NO_FACE] = Verdict.ACCEPT  # type: ignore[index]


def test_every_reason_has_a_verdict_and_only_what_was_checked_is_accepted() -> None:
    assert set(VERDICT_OF) == set(Reason)
    accepting = {reason for reason, verdict in VERDICT_OF.items() if verdict is Verdict.ACCEPT}
    assert accepting == {Reason.LIVE, Reason.LIVE_AND_MATCHED, Reason.MATCHED}


def test_a_box_knows_its_sides() -> None:
    box = Box(10, 20, 40, 80)
    assert (box.width, box.height, box.longer_side, box.area) == (30, 60, 60, 1800)
    assert FACE.box_xyxy == tuple(FACE.box_xyxy) and isinstance(FACE.box_xyxy, Box)


@pytest.mark.parametrize("live, attack", [(0.4, 0.6), (0.0, 0.0), (math.nan, 0.1), (0.5, 0.0)])
def test_a_threshold_that_accepts_everybody_or_a_band_upside_down_is_refused(live: float, attack: float) -> None:
    with pytest.raises(ValidationError):
        LivenessThreshold(backend="m", live=live, attack=attack)


@pytest.mark.parametrize("thresholds", [(0.8, 0.5, 0.3), (0.0, 0.0, 0.0), (0.1, math.nan, 0.3), (0.1, 0.2, 1.1)])
def test_operating_points_ascend_within_0_and_1(thresholds: tuple[float, float, float]) -> None:
    with pytest.raises(ValidationError):
        operating_points(*thresholds)


@pytest.mark.parametrize("vector", [(), (0.5, 0.5), (0.6, 0.802), (0.0, 0.0), (math.nan, 1.0), (math.inf, 0.0)])
def test_a_template_has_unit_length(vector: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        Template(model_id="m", vector=vector)


def test_a_template_survives_json() -> None:
    template = Template(model_id="m", vector=(0.6, 0.8))
    assert Template.model_validate_json(template.model_dump_json()) == template


def test_a_result_says_how_to_ask_it() -> None:
    with pytest.raises(TypeError, match=r"^A Verification has no truth value: write `if result\.accepted:`\.$"):
        bool(accepted())

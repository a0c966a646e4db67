"""The result of a presentation, which cannot be built against its own evidence, and the median that decides."""

import math
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from faceauth.calibration.logits import logit
from faceauth.results import LivenessResult, LivenessScore, MatchResult, Reason, Verdict
from faceauth.thresholds import LivenessThreshold, MatchThreshold, Thresholds
from faceauth.video.decision import (
    FrameCounts,
    KeptFrame,
    PresentationResult,
    SameFace,
    enough,
    logit_spread,
    lowest_match,
    median_liveness,
    median_p_live,
    refused_early,
)

from .scenes import face_at

LIVE_FROM_HALF = LivenessThreshold(backend="toy", live=0.5, attack=0.3)


def kept(p_live: float | None = 0.9, time_s: float = 0.0, similarity: float | None = None) -> KeptFrame:
    score = None if p_live is None else LivenessScore(backend="toy", p_live=p_live, elapsed_ms=2.0)
    return KeptFrame(
        time_s=time_s,
        face=face_at(100, 100, 80),
        liveness=score
        and LivenessResult(backend="toy", p_live=score.p_live, members=(score,), crop_outside=0.1, crop_scale=2.0),
        match=None if similarity is None else MatchResult(similarity=similarity, model_id="toy"),
    )


def facts(frames: tuple[KeptFrame, ...], **changes: object) -> dict[str, object]:
    """Of an acceptance by these frames."""
    return {
        "accepted": True,
        "verdict": Verdict.ACCEPT,
        "reason": Reason.LIVE,
        "message": "A live person.",
        "kept": frames,
        "frames": FrameCounts(seen=40, dropped=0, searched=12),
        "liveness": median_liveness(frames),
        "logit_spread": logit_spread(frames),
        "match": lowest_match(frames),
        "same_face": SameFace(lowest_similarity=0.8, threshold=MatchThreshold(similarity=0.4)),
        "thresholds": Thresholds(liveness=(LIVE_FROM_HALF,)),
        **changes,
    }


FRAMES = tuple(kept(0.9, n / 4) for n in range(5))
SHORT = tuple(kept(0.9, n / 5) for n in range(5))
FEW = tuple(kept(0.9, n / 3) for n in range(4))
ATTACK = tuple(kept(0.1, n / 4) for n in range(5))
MATCHING = Thresholds(liveness=(LIVE_FROM_HALF,), match=MatchThreshold(similarity=0.4))
UNLIKE = tuple(kept(0.9, n / 4, 0.3 if n == 2 else 0.9) for n in range(5))


def test_an_acceptance_with_its_evidence_can_be_built_and_comes_back_from_json() -> None:
    result = PresentationResult(**facts(FRAMES))  # type: ignore[arg-type]
    assert PresentationResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accepted": False}, "the verdict is accept"),
        ({"verdict": Verdict.REJECT}, "reason live means accept"),
        ({"reason": Reason.TRACK_BROKEN}, "reason track_broken means uncertain"),
        ({"failed": "liveness"}, "failed is liveness"),
        ({"thresholds": None}, "scores and thresholds give None"),
        ({"thresholds": Thresholds()}, "give stage_failed"),
        ({"thresholds": MATCHING}, "give stage_failed"),
        ({"reason": Reason.LIVE_AND_MATCHED}, "give live"),
        ({"reason": Reason.MATCHED}, "give live"),
        ({"liveness": None}, "not those of the kept frames"),
        ({"liveness": kept(0.8).liveness}, "not those of the kept frames"),
        ({"logit_spread": 1.0}, "not those of the kept frames"),
        ({"logit_spread": None}, "not those of the kept frames"),
        ({"match": MatchResult(similarity=0.9, model_id="toy")}, "not those of the kept frames"),
        ({"kept": ()}, "not those of the kept frames"),
        ({"same_face": None}, "do not show one person"),
        (
            {"same_face": SameFace(lowest_similarity=0.39, threshold=MatchThreshold(similarity=0.4))},
            "do not show one person",
        ),
    ],
)
def test_an_acceptance_against_its_own_evidence_cannot_be_built(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PresentationResult(**facts(FRAMES, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (FEW, "4 kept frames"),
        (SHORT, "needs 5 over 1 s"),
        (tuple(reversed(FRAMES)), "needs 5"),
        (ATTACK, "give attack_suspected"),
        ((), "give stage_failed"),
    ],
    ids=["too few", "too short", "out of order", "attack", "none"],
)
def test_an_acceptance_needs_frames_that_allow_it(frames: tuple[KeptFrame, ...], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PresentationResult(**facts(frames))  # type: ignore[arg-type]


def test_an_acceptance_by_a_match_needs_it_of_every_frame() -> None:
    with pytest.raises(ValidationError, match="give not_matched"):
        PresentationResult(**facts(UNLIKE, reason=Reason.LIVE_AND_MATCHED, thresholds=MATCHING))  # type: ignore[arg-type]
    partly = (*FRAMES[:4], kept(0.9, 1.0, 0.9))
    with pytest.raises(ValidationError, match="give stage_failed"):
        PresentationResult(**facts(partly, reason=Reason.LIVE_AND_MATCHED, thresholds=MATCHING))  # type: ignore[arg-type]


def test_a_copy_is_checked_where_it_is_used() -> None:
    forged = PresentationResult(**facts(ATTACK, accepted=False, verdict="reject", reason="attack_suspected"))  # type: ignore[arg-type]
    copy = forged.model_copy(update={"accepted": True, "verdict": Verdict.ACCEPT, "reason": Reason.LIVE})
    with pytest.raises(ValidationError):
        PresentationResult.model_validate(copy)


def test_a_result_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"result\.accepted"):
        bool(PresentationResult(**facts(FRAMES)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("p_live", "median"),
    [
        ([0.2, 0.9, 0.4], 0.4),
        ([0.5] * 4, 0.5),
        ([0.9, 0.1], 0.5),
        ([0.99, 0.6, 0.9, 0.2], None),
        ([1.0, 0.0, 1.0], 1.0),
    ],
)
def test_the_median_is_that_of_the_logits(p_live: list[float], median: float | None) -> None:
    expected = median if median is not None else 1 / (1 + math.exp(-(float(logit(0.6)) + float(logit(0.9))) / 2))
    assert median_p_live(p_live) == pytest.approx(expected)


def test_the_median_of_an_odd_number_is_the_very_score() -> None:
    """Or a tie with the threshold could be lost in rounding, and ties are accepted."""
    scores = [0.1, 0.7000000000000001, 0.9]
    assert median_p_live(scores) == scores[1]


@pytest.mark.parametrize("slope", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("offset", [-2.0, 0.5])
def test_a_calibration_moves_the_median_with_the_frames(slope: float, offset: float) -> None:
    def calibrated(p: float) -> float:
        return 1 / (1 + math.exp(-(slope * float(logit(p)) + offset)))

    scores = [0.2, 0.6, 0.7, 0.95]
    assert median_p_live([calibrated(p) for p in scores]) == pytest.approx(calibrated(median_p_live(scores)))


@pytest.mark.parametrize("summary", [median_liveness, logit_spread, lowest_match])
def test_no_frames_have_no_summary(summary: Callable[[tuple[KeptFrame, ...]], object]) -> None:
    assert summary(()) is None


def test_a_frame_without_a_score_leaves_no_median() -> None:
    assert median_liveness((*FRAMES, kept(None, 2.0))) is None
    assert lowest_match((*UNLIKE, kept(0.9, 2.0))) is None


@pytest.mark.parametrize(
    ("times", "is_enough"),
    [
        ((0.0, 0.25, 0.5, 0.75, 1.0), True),
        ((0.0, 0.25, 0.5, 0.75, 0.99), False),
        ((0.0, 0.4, 0.8, 1.2), False),
        ((0.0, 0.5, 0.25, 0.75, 1.0), False),
        ((0.0, 0.25, 0.25, 0.75, 1.0), False),
        ((), False),
    ],
)
def test_five_frames_in_order_over_a_second_are_enough(times: tuple[float, ...], is_enough: bool) -> None:
    assert enough([kept(0.9, time_s) for time_s in times]) is is_enough


@pytest.mark.parametrize(
    ("scores", "refused"),
    [
        ((0.1, 0.1), False),
        ((0.1, 0.1, 0.1), True),
        ((0.9, 0.9, 0.1, 0.1, 0.1), True),
        ((0.9, 0.9, 0.9, 0.1, 0.1, 0.1), False),
        ((0.4, 0.4, 0.4), False),
        ((), False),
    ],
)
def test_three_refused_frames_that_hold_the_median_refuse_early(scores: tuple[float, ...], refused: bool) -> None:
    frames = [kept(p, n / 4) for n, p in enumerate(scores)]
    assert refused_early(frames, Thresholds(liveness=(LIVE_FROM_HALF,))) is refused


def test_without_liveness_nothing_refuses_early() -> None:
    assert not refused_early([kept(None)] * 9, Thresholds(match=MatchThreshold(similarity=0.4)))


def test_frames_of_one_person_may_tie_with_the_threshold() -> None:
    assert SameFace(lowest_similarity=0.4, threshold=MatchThreshold(similarity=0.4)).holds

"""The notes on one presentation, and the result that they become."""

import pytest

from faceauth.errors import StageTimeout
from faceauth.presentation import MESSAGES, Presentation
from faceauth.results import LivenessResult, LivenessScore, Provenance, Reason, Verdict
from faceauth.testing import face_in
from faceauth.thresholds import LivenessThreshold, MatchThreshold, Thresholds
from tests.pipelines import noise_image

LIMITS = Thresholds(
    liveness=(LivenessThreshold(backend="m", live=0.5, attack=0.5),), match=MatchThreshold(similarity=0.4)
)


def test_the_first_reason_stays() -> None:
    one = Presentation(None)
    one.faces = ()
    one.close(Reason.NO_FACE, at="detection")
    one.close(Reason.LIVE, at="match")
    assert one.verification(LIMITS).reason is Reason.NO_FACE


def test_a_failed_stage_is_named_with_its_message() -> None:
    one = Presentation(None)
    one.fail(StageTimeout("too late", stage="liveness"))
    result = one.verification(LIMITS)
    assert (result.verdict, result.failed, result.message) == (Verdict.REJECT, "liveness", "too late")


def test_a_decision_without_its_scores_becomes_a_rejection() -> None:
    one = Presentation(None)
    one.close(Reason.STAGE_FAILED, at="match")
    assert one.verification(LIMITS).verdict is Verdict.REJECT


def test_an_acceptance_without_evidence_cannot_become_a_result() -> None:
    face = face_in(noise_image())
    score = LivenessScore(backend="m", p_live=0.9, elapsed_ms=1.0)
    live = LivenessResult(backend="m", p_live=0.9, members=(score,), crop_outside=0.0, crop_scale=2.0)
    one = Presentation(None, face=face, faces=(face,), liveness=live)
    one.close(Reason.LIVE_AND_MATCHED, at="match")
    with pytest.raises(ValueError, match="scores and thresholds give stage_failed"):
        one.verification(LIMITS)


def test_an_open_presentation_has_no_result() -> None:
    with pytest.raises(RuntimeError, match="closed with a reason"):
        Presentation(None).verification(LIMITS)


def test_the_times_of_a_stage_add_up() -> None:
    one = Presentation(None)
    for _ in range(2):
        before = one.elapsed_ms.get("cropping", 0.0)
        with one.timed("cropping"):
            pass
        assert one.elapsed_ms["cropping"] > before


def test_a_stage_that_raises_is_timed_too() -> None:
    one = Presentation(None)
    with pytest.raises(ZeroDivisionError), one.timed("liveness"):
        raise ZeroDivisionError
    assert "liveness" in one.elapsed_ms


def test_a_backend_is_noted_once() -> None:
    one = Presentation(None)
    backend = Provenance(stage="detection", name="a", distribution="d", version="1", weights_sha256={})
    one.took_part(backend)
    one.took_part(backend)
    assert one.provenance == [backend]


@pytest.mark.parametrize("reason", MESSAGES)
def test_a_message_is_a_sentence_or_two(reason: Reason) -> None:
    assert MESSAGES[reason].endswith(".") and MESSAGES[reason].count(". ") <= 1

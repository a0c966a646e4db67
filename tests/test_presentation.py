"""The notes on one picture, and the result that they become."""

import pytest

from faceauth.errors import StageTimeout
from faceauth.presentation import MESSAGES, Presentation, still_open, timed
from faceauth.results import LivenessResult, Reason, Verdict
from faceauth.thresholds import Thresholds

LIMITS = Thresholds(live=0.5, attack=0.5, operating_point=None, measured=None, match=0.4)


def test_the_first_reason_stays() -> None:
    one = Presentation(None)
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
    one = Presentation(None, liveness=LivenessResult(p_live=0.9, crop_outside=0.0, crop_scale=2.0))
    one.close(Reason.LIVE_AND_MATCHED, at="match")
    with pytest.raises(ValueError, match="without a similarity"):
        one.verification(LIMITS)


def test_an_open_presentation_has_no_result() -> None:
    with pytest.raises(RuntimeError, match="closed with a reason"):
        Presentation(None).verification(LIMITS)


def test_still_open_keeps_the_order() -> None:
    first, second, third = (Presentation(None, source=name) for name in "abc")
    second.close(Reason.NO_FACE, at="detection")
    assert still_open([first, second, third]) == [first, third]
    assert still_open([]) == []


def test_the_time_of_a_batch_is_shared_equally_and_added_up() -> None:
    batch = [Presentation(None), Presentation(None)]
    for _ in range(2):
        with timed("alignment", batch):
            pass
    assert batch[0].elapsed_ms["alignment"] == batch[1].elapsed_ms["alignment"] > 0
    with timed("liveness", []):
        pass


def test_a_stage_that_raises_is_timed_too() -> None:
    one = Presentation(None)
    with pytest.raises(ZeroDivisionError), timed("liveness", [one]):
        raise ZeroDivisionError
    assert "liveness" in one.elapsed_ms


@pytest.mark.parametrize("reason", MESSAGES)
def test_a_message_is_one_sentence(reason: Reason) -> None:
    assert MESSAGES[reason].endswith(".") and MESSAGES[reason].count(". ") == 0

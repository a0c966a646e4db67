"""What a result can never say."""

import math

import pytest
from pydantic import ValidationError

from faceauth.results import LivenessResult, MatchResult, Reason, Template, Verdict, Verification
from faceauth.thresholds import Thresholds

LIMITS = Thresholds(live=0.5, attack=0.5, operating_point=None, measured=None, match=None)
LIVE = LivenessResult(p_live=0.9, crop_outside=0.0, crop_scale=2.0)


def accepted(**changes: object) -> Verification:
    fields = {
        "accepted": True,
        "verdict": Verdict.ACCEPT,
        "reason": Reason.LIVE,
        "message": "A live person.",
        "liveness": LIVE,
        "thresholds": LIMITS,
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
        ({"thresholds": None}, "without a threshold"),
        ({"thresholds": LIMITS.model_copy(update={"live": None, "attack": None})}, "without a threshold"),
        ({"liveness": None}, r"without a P\(live\)"),
        ({"liveness": LIVE.model_copy(update={"p_live": 0.49})}, r"without a P\(live\)"),
        ({"thresholds": LIMITS.model_copy(update={"match": 0.4})}, "without a similarity"),
        (
            {
                "thresholds": LIMITS.model_copy(update={"match": 0.4}),
                "match": MatchResult(similarity=0.3, model_id="m"),
            },
            "without a similarity",
        ),
        ({"failed": "liveness"}, "failed is liveness"),
    ],
)
def test_an_acceptance_that_its_own_fields_contradict_cannot_be_built(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        accepted(**changes)


def test_a_refusal_cannot_be_called_accepted() -> None:
    with pytest.raises(ValidationError, match="accepted is True"):
        Verification(accepted=True, verdict=Verdict.REJECT, reason=Reason.ATTACK_SUSPECTED, message="no")


def test_a_tampered_json_is_refused() -> None:
    text = accepted().model_dump_json().replace('"p_live":0.9', '"p_live":0.1')
    with pytest.raises(ValidationError):
        Verification.model_validate_json(text)


def test_a_result_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        accepted().accepted = False  # type: ignore[misc]


@pytest.mark.parametrize("vector", [(), (0.5, 0.5), (0.0, 0.0), (math.nan, 1.0), (math.inf, 0.0)])
def test_a_template_has_unit_length(vector: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        Template(model_id="m", vector=vector)


def test_a_template_survives_json() -> None:
    template = Template(model_id="m", vector=(0.6, 0.8))
    assert Template.model_validate_json(template.model_dump_json()) == template

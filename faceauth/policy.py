"""What is required of a presentation, and the decision: scores and thresholds in, a reason out.

Pure functions over data: no picture, no backend, no clock. Whatever is missing, not a number or in doubt denies.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from faceauth.errors import UsageError
from faceauth.gate import GatePolicy
from faceauth.results import Face, Frozen, OperatingPointName, OperatingPoints, Reason, Thresholds

LENIENT_TO_STRICT: tuple[OperatingPointName, ...] = ("convenience", "balanced", "strict")


class Policy(Frozen):
    """What must hold for a presentation to be accepted.

    Attributes:
        require_liveness: False switches the liveness stage off; every result then says that it was skipped.
        require_match: True refuses to verify without a reference. A reference that is given must always match.
        faces: ``exactly_one`` face in the picture, or judge the ``largest`` and ignore the others.
        operating_point: the liveness backend's measured point to use.
        live_threshold: P(live) to accept from, in place of an operating point; there is no uncertain band then.
        match_threshold: cosine similarity to accept from, in place of the embedder's own.
        gate: what a face must be like to be judged at all.
        stage_timeout_s: seconds that one call of a stage may take, a batch being one call; a later answer denies.
    """

    require_liveness: bool = True
    require_match: bool = False
    faces: Literal["exactly_one", "largest"] = "exactly_one"
    operating_point: OperatingPointName | None = "balanced"
    live_threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    match_threshold: float | None = Field(default=None, ge=-1.0, le=1.0)
    gate: GatePolicy = GatePolicy()
    stage_timeout_s: float = Field(default=30.0, gt=0.0, le=3600.0)

    @model_validator(mode="before")
    @classmethod
    def _threshold_replaces_point(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("live_threshold") is not None:
            return {"operating_point": None, **values}
        return values

    @model_validator(mode="after")
    def _one_threshold(self) -> "Policy":
        if (self.operating_point is None) == (self.live_threshold is None):
            raise ValueError("set exactly one of operating_point and live_threshold")
        return self


def thresholds(policy: Policy, operating_points: OperatingPoints | None) -> Thresholds:
    """The thresholds in force for a liveness backend with these operating points; ``match`` is None.

    Below the next more lenient point's threshold a presentation is an attack; between the two it is uncertain. The
    most lenient point and an explicit threshold have no such band.

    Args:
        policy: chooses the point or the threshold.
        operating_points: the liveness backend's; None for one without, or where the policy switches liveness off.

    Raises:
        UsageError: the policy names an operating point and the backend has none, or not in order.
    """
    if not policy.require_liveness:
        return Thresholds(live=None, attack=None, operating_point=None, measured=None, match=None)
    if policy.live_threshold is not None:
        live = policy.live_threshold
        return Thresholds(live=live, attack=live, operating_point=None, measured=None, match=None)
    if operating_points is None or policy.operating_point is None:
        raise UsageError(
            f"The liveness backend has no measured operating points, so {policy.operating_point!r} means nothing: "
            "set policy.live_threshold (on the command line: --threshold) to the P(live) to accept from."
        )
    ascending = [getattr(operating_points, name).threshold for name in LENIENT_TO_STRICT]
    if ascending != sorted(ascending):
        raise UsageError(
            f"The liveness backend's thresholds for {', '.join(LENIENT_TO_STRICT)} are {ascending}, expected in "
            "ascending order: tell its author, or set policy.live_threshold."
        )
    chosen = LENIENT_TO_STRICT.index(policy.operating_point)
    measured = getattr(operating_points, policy.operating_point)
    return Thresholds(
        live=ascending[chosen],
        attack=ascending[max(chosen - 1, 0)],
        operating_point=policy.operating_point,
        measured=measured,
        match=None,
    )


def match_threshold(policy: Policy, embedder_threshold: float | None) -> float:
    """The policy's cosine similarity to accept from, else the embedder's own.

    Raises:
        UsageError: neither has one.
    """
    chosen = embedder_threshold if policy.match_threshold is None else policy.match_threshold
    if chosen is None:
        raise UsageError(
            "The embedder has no measured match threshold: set policy.match_threshold to the cosine similarity to "
            "accept from."
        )
    return chosen


def choose_face(faces: Sequence[Face], policy: Policy) -> Face | Reason:
    """The face to judge, or why there is none: with several faces only ``largest`` chooses, by area."""
    if not faces:
        return Reason.NO_FACE
    if len(faces) > 1 and policy.faces != "largest":
        return Reason.SEVERAL_FACES
    return max(faces, key=lambda face: face.width * face.height)


def decide_liveness(p_live: float | None, limits: Thresholds) -> Reason:
    """LIVE from ``limits.live`` on (ties accepted), ATTACK_SUSPECTED below ``limits.attack``, else uncertain."""
    if p_live is None or limits.live is None or limits.attack is None or not 0.0 <= p_live <= 1.0:
        return Reason.STAGE_FAILED
    if p_live >= limits.live:
        return Reason.LIVE
    return Reason.ATTACK_SUSPECTED if p_live < limits.attack else Reason.LIVENESS_UNCERTAIN


def decide(limits: Thresholds, *, p_live: float | None, similarity: float | None) -> Reason:
    """The reason of the whole presentation; its verdict is ``VERDICT_OF[reason]``.

    Every threshold that is set must be reached. A score that is missing or out of range where its threshold is set,
    and thresholds that ask for nothing at all, give STAGE_FAILED, which rejects.
    """
    if limits.live is not None:
        liveness = decide_liveness(p_live, limits)
        if liveness is not Reason.LIVE or limits.match is None:
            return liveness
    if limits.match is None or similarity is None or not -1.0 <= similarity <= 1.0:
        return Reason.STAGE_FAILED
    if similarity < limits.match:
        return Reason.NOT_MATCHED
    return Reason.MATCHED if limits.live is None else Reason.LIVE_AND_MATCHED

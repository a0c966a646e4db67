"""The typed values that faceauth hands out: frozen, JSON round-trippable, with no behaviour that could decide anything.

"Unknown" is a value of its own here: a stage that did not run says so in ``skipped``; None never means "it failed".
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NoReturn, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

OperatingPointName = Literal["convenience", "balanced", "strict"]
StageName = Literal["decode", "detection", "gate", "alignment", "liveness", "embedding", "match", "reference"]


class Frozen(BaseModel):
    """Base of all results: immutable, refuses unknown fields, NaN and infinity."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        revalidate_instances="always",  # `model_copy` and `model_construct` check nothing
    )


class Verdict(StrEnum):
    """What the pipeline says of one presentation."""

    ACCEPT = "accept"
    REJECT = "reject"
    UNCERTAIN = "uncertain"


class Reason(StrEnum):
    """Why, for machines. The sentence for people is ``Verification.message``."""

    LIVE = "live"
    LIVE_AND_MATCHED = "live_and_matched"
    MATCHED = "matched"
    ATTACK_SUSPECTED = "attack_suspected"
    LIVENESS_UNCERTAIN = "liveness_uncertain"
    NOT_MATCHED = "not_matched"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_TOO_SMALL = "face_too_small"
    FACE_OUTSIDE_FRAME = "face_outside_frame"
    FACE_TURNED_AWAY = "face_turned_away"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    TOO_BLURRED = "too_blurred"
    REFERENCE_UNUSABLE = "reference_unusable"
    IMAGE_UNUSABLE = "image_unusable"
    STAGE_FAILED = "stage_failed"


VERDICT_OF: Mapping[Reason, Verdict] = MappingProxyType(
    {
        Reason.LIVE: Verdict.ACCEPT,
        Reason.LIVE_AND_MATCHED: Verdict.ACCEPT,
        Reason.MATCHED: Verdict.ACCEPT,
        Reason.ATTACK_SUSPECTED: Verdict.REJECT,
        Reason.NOT_MATCHED: Verdict.REJECT,
        Reason.STAGE_FAILED: Verdict.REJECT,
        Reason.LIVENESS_UNCERTAIN: Verdict.UNCERTAIN,
        Reason.NO_FACE: Verdict.UNCERTAIN,
        Reason.SEVERAL_FACES: Verdict.UNCERTAIN,
        Reason.FACE_TOO_SMALL: Verdict.UNCERTAIN,
        Reason.FACE_OUTSIDE_FRAME: Verdict.UNCERTAIN,
        Reason.FACE_TURNED_AWAY: Verdict.UNCERTAIN,
        Reason.TOO_DARK: Verdict.UNCERTAIN,
        Reason.TOO_BRIGHT: Verdict.UNCERTAIN,
        Reason.TOO_BLURRED: Verdict.UNCERTAIN,
        Reason.REFERENCE_UNUSABLE: Verdict.UNCERTAIN,
        Reason.IMAGE_UNUSABLE: Verdict.UNCERTAIN,
    }
)
"""The verdict that each reason carries.

Reject is "judged and refused", uncertain "could not be judged, or was in doubt; try again".
"""


class Face(Frozen):
    """One detected face.

    Attributes:
        box_xyxy: left, top, right, bottom in pixels of the upright picture; may reach beyond its border.
        score: the detector's confidence in [0, 1].
        landmarks_px: right eye, left eye, nose, right and left mouth corner (the person's right is image left in an
            upright frontal face), x and y in pixels.
    """

    box_xyxy: tuple[float, float, float, float]
    score: float = Field(ge=0.0, le=1.0)
    landmarks_px: tuple[
        tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]
    ]

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return self.box_xyxy[2] - self.box_xyxy[0]

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return self.box_xyxy[3] - self.box_xyxy[1]

    @property
    def longer_side(self) -> float:
        """Longer side of the box in pixels."""
        return max(self.width, self.height)


class MeasuredRate(Frozen):
    """An error rate with its evidence: ``errors`` of ``n`` presentations, and an interval.

    Attributes:
        interval: how ``low`` and ``high`` were computed, for example ``"wilson 95 %"``.
    """

    errors: int = Field(ge=0)
    n: int = Field(ge=0)
    value: float = Field(ge=0.0, le=1.0)
    low: float = Field(ge=0.0, le=1.0)
    high: float = Field(ge=0.0, le=1.0)
    interval: str


class OperatingPoint(Frozen):
    """A threshold on P(live) and what it was measured to cost (ISO/IEC 30107-3).

    Attributes:
        threshold: accepted as live when P(live) >= threshold.
        apcer: attack presentation classification error rate per species.
        bpcer: bona fide presentation classification error rate.
        measured_on: data set and split of the rates.
    """

    threshold: float = Field(ge=0.0, le=1.0)
    apcer: dict[str, MeasuredRate]
    bpcer: MeasuredRate
    measured_on: str


class OperatingPoints(Frozen):
    """The three named points of a liveness backend, from lenient to severe."""

    convenience: OperatingPoint
    balanced: OperatingPoint
    strict: OperatingPoint


class Provenance(Frozen):
    """Which code and which weights took part in a stage.

    Attributes:
        weights_sha256: file name -> digest.
    """

    stage: Literal["detection", "liveness", "embedding"]
    name: str
    distribution: str
    version: str
    weights_sha256: dict[str, str]


class Thresholds(Frozen):
    """The thresholds that decided, echoed so that a log shows what was in force.

    Attributes:
        live: accepted as live when P(live) >= live; None when the policy switches liveness off.
        attack: refused as an attack when P(live) < attack; between the two the verdict is uncertain.
        operating_point: the named point behind ``live``, or None for an explicit threshold.
        measured: what ``operating_point`` was measured to cost; None for an explicit threshold.
        match: same person when the cosine similarity >= match; None when no match was asked for.
    """

    live: float | None = Field(ge=0.0, le=1.0)
    attack: float | None = Field(ge=0.0, le=1.0)
    operating_point: OperatingPointName | None
    measured: OperatingPoint | None
    match: float | None = Field(ge=-1.0, le=1.0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if (self.live is None) != (self.attack is None):
            raise ValueError("live and attack are set together or not at all")
        if self.live is not None and self.attack is not None and self.attack > self.live:
            raise ValueError(f"attack {self.attack} lies above live {self.live}: a score could be both")
        return self


class LivenessResult(Frozen):
    """P(live) of the face in [0, 1], and the share of its crop that lay outside the picture."""

    p_live: float = Field(ge=0.0, le=1.0)
    crop_outside: float = Field(ge=0.0, le=1.0)
    crop_scale: float = Field(gt=0.0)


class MatchResult(Frozen):
    """Cosine similarity in [-1, 1] to the reference, and the id of the embedding model."""

    similarity: float = Field(ge=-1.0, le=1.0)
    model_id: str


class Template(Frozen):
    """A face as numbers, to be compared with others of the same model by :func:`faceauth.templates.similarity`.

    It is biometric data: ``repr`` and the text of a validation error leave the vector out, so that a log does not hold
    it.

    Attributes:
        model_id: the embedding space; templates of two models are never compared.
        vector: unit length.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    model_id: str = Field(min_length=1)
    vector: tuple[float, ...] = Field(min_length=1, repr=False)

    @model_validator(mode="after")
    def _unit_length(self) -> Self:
        length = math.sqrt(sum(x * x for x in self.vector))
        if abs(length - 1.0) > 1e-3:
            raise ValueError(f"a template has unit length, not {length:.4f}")
        return self


class Verification(Frozen):
    """The answer to one presentation. It cannot be built with an ``accepted`` that its other fields contradict.

    Attributes:
        accepted: True only when every required stage ran and said yes.
        verdict, reason: for machines; ``VERDICT_OF[reason]`` is the verdict.
        message: one sentence a person can act on.
        source: the path that was given, or None for pixels and bytes.
        face: the judged face, or None when there was none to judge.
        faces_found: number of faces the detector saw.
        liveness, match: None when the stage did not run, and ``skipped`` says why; or when it failed, and ``failed``
            names it.
        skipped: "liveness" or "match" -> why it did not run.
        failed: the stage that failed, with reason ``stage_failed``; None when none did.
        thresholds: None when the presentation never came to a threshold.
        stages: the backends that took part.
        elapsed_ms: wall time per stage in milliseconds; in a batch, an equal share of each batched call. "reference"
            is everything that was done with the reference picture.
    """

    accepted: bool
    verdict: Verdict
    reason: Reason
    message: str
    source: str | None = None
    face: Face | None = None
    faces_found: int | None = None
    liveness: LivenessResult | None = None
    match: MatchResult | None = None
    skipped: dict[StageName, str] = {}
    failed: StageName | None = None
    thresholds: Thresholds | None = None
    stages: tuple[Provenance, ...] = ()
    elapsed_ms: dict[StageName, float] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.verdict is not VERDICT_OF[self.reason]:
            raise ValueError(f"reason {self.reason} means {VERDICT_OF[self.reason]}, not {self.verdict}")
        if self.accepted != (self.verdict is Verdict.ACCEPT):
            raise ValueError(f"accepted is {self.accepted}, but the verdict is {self.verdict}")
        if (self.failed is not None) != (self.reason is Reason.STAGE_FAILED):
            raise ValueError(f"failed is {self.failed}, but the reason is {self.reason}")
        if self.accepted:
            self._evidence()
        return self

    def _evidence(self) -> None:
        """An accepted presentation shows what accepted it: a score at or above every threshold in force."""
        limits = self.thresholds
        if limits is None or (limits.live is None and limits.match is None):
            raise ValueError("nothing is accepted without a threshold")
        if limits.live is not None and (self.liveness is None or self.liveness.p_live < limits.live):
            raise ValueError("accepted as live without a P(live) at the threshold")
        if limits.match is not None and (self.match is None or self.match.similarity < limits.match):
            raise ValueError("accepted as matched without a similarity at the threshold")

    def __bool__(self) -> NoReturn:
        """Refused: ``if result:`` would let everybody in. Write ``if result.accepted:``."""
        raise TypeError("A Verification has no truth value: write `if result.accepted:`.")

"""The results that faceauth returns, and the one function that compares scores with thresholds.

All are frozen and round-trip through JSON. "Unknown" is a separate value: a stage that did not run says so in
``skipped``; None never means that something failed.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple, NoReturn, Self

from pydantic import ConfigDict, Field, model_validator

from faceauth.thresholds import Frozen, LivenessThreshold, Thresholds

StageName = Literal[
    "decode", "detection", "gate", "cropping", "liveness", "embedding", "match", "reference", "challenge"
]


class Verdict(StrEnum):
    """What the pipeline says about a presentation."""

    ACCEPT = "accept"
    REJECT = "reject"
    UNCERTAIN = "uncertain"


class Reason(StrEnum):
    """Why, for machines. The sentence for people is the ``message`` of the result.

    The reasons from ``track_broken`` to ``timed_out`` belong to :mod:`faceauth.video`, the last three to
    :mod:`faceauth.challenge`.
    """

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
    NO_COLOR = "no_color"
    REFERENCE_UNUSABLE = "reference_unusable"
    IMAGE_UNUSABLE = "image_unusable"
    STAGE_FAILED = "stage_failed"
    TRACK_BROKEN = "track_broken"
    FROZEN_STREAM = "frozen_stream"
    LOOPED_STREAM = "looped_stream"
    FRAMES_OUT_OF_ORDER = "frames_out_of_order"
    STREAM_ENDED = "stream_ended"
    CAMERA_LOST = "camera_lost"
    TIMED_OUT = "timed_out"
    CHALLENGE_FAILED = "challenge_failed"
    CHALLENGE_UNCLEAR = "challenge_unclear"
    CHALLENGE_EXPIRED = "challenge_expired"


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
        Reason.NO_COLOR: Verdict.UNCERTAIN,
        Reason.REFERENCE_UNUSABLE: Verdict.UNCERTAIN,
        Reason.IMAGE_UNUSABLE: Verdict.UNCERTAIN,
        Reason.TRACK_BROKEN: Verdict.UNCERTAIN,
        Reason.FROZEN_STREAM: Verdict.REJECT,
        Reason.LOOPED_STREAM: Verdict.REJECT,
        Reason.FRAMES_OUT_OF_ORDER: Verdict.UNCERTAIN,
        Reason.STREAM_ENDED: Verdict.UNCERTAIN,
        Reason.CAMERA_LOST: Verdict.UNCERTAIN,
        Reason.TIMED_OUT: Verdict.UNCERTAIN,
        Reason.CHALLENGE_FAILED: Verdict.REJECT,
        Reason.CHALLENGE_UNCLEAR: Verdict.UNCERTAIN,
        Reason.CHALLENGE_EXPIRED: Verdict.UNCERTAIN,
    }
)
"""The verdict that each reason carries.

Reject means "judged and refused"; uncertain means "could not be judged, or in doubt: try again".
"""


class Box(NamedTuple):
    """An upright box in pixels; may reach beyond the border of its image."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def longer_side(self) -> float:
        """The larger of width and height."""
        return max(self.width, self.height)

    @property
    def area(self) -> float:
        """Width times height, in square pixels."""
        return self.width * self.height


class Face(Frozen):
    """One detected face.

    Attributes:
        box_xyxy: left, top, right, bottom in pixels of the upright image; may reach beyond its border.
        score: the detector's confidence in [0, 1].
        landmarks_px: right eye, left eye, nose, right and left mouth corner (the person's right is image left in an
            upright frontal face), x and y in pixels.
    """

    box_xyxy: Box
    score: float = Field(ge=0.0, le=1.0)
    landmarks_px: tuple[
        tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]
    ]


class Provenance(Frozen):
    """Which code and which weights took part in a stage.

    Attributes:
        weights_sha256: file name -> digest.
    """

    stage: Literal["detection", "liveness", "embedding", "challenge"]
    name: str
    distribution: str
    version: str
    weights_sha256: dict[str, str]


class LivenessScore(Frozen):
    """What one liveness backend said: P(live) in [0, 1], and the wall time it took in milliseconds."""

    backend: str
    p_live: float = Field(ge=0.0, le=1.0)
    elapsed_ms: float = Field(ge=0.0)


class LivenessResult(Frozen):
    """What the liveness stage said about the face.

    Attributes:
        backend: the backend, or the label of a combination, such as ``"mean(spoofnet, minifasnet)"``.
        p_live: P(live) in [0, 1]: the backend's own, the combined one for ``mean``, and the lowest of the members that
            ran for ``all`` and ``deny_only``.
        members: the score of each backend that ran, in the order in which they ran.
        crop_outside: share of the first crop that lay outside the image.
        crop_scale: side of the first crop / longer side of the face box.
    """

    backend: str
    p_live: float = Field(ge=0.0, le=1.0)
    members: tuple[LivenessScore, ...] = Field(min_length=1)
    crop_outside: float = Field(ge=0.0, le=1.0)
    crop_scale: float = Field(gt=0.0)

    def p_live_of(self, backend: str) -> float | None:
        """P(live) under that name; None for a member that did not run."""
        if backend == self.backend:
            return self.p_live
        return next((member.p_live for member in self.members if member.backend == backend), None)


class MatchResult(Frozen):
    """What the match stage found.

    Attributes:
        similarity: cosine similarity in [-1, 1] to the reference's most similar template.
        model_id: of the embedding model.
        template: index of that template in the reference, from 0.
    """

    similarity: float = Field(ge=-1.0, le=1.0)
    model_id: str
    template: int = Field(default=0, ge=0)


class Template(Frozen):
    """A face as a vector, to be compared with templates of the same model by :func:`faceauth.similarity`.

    It is biometric data: ``repr`` and validation errors leave the vector out, to keep it out of logs.

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


def check_verdict(reason: Reason, verdict: Verdict, *, accepted: bool, failed: StageName | None) -> None:
    """Raise ValueError where verdict, ``accepted`` or the failed stage contradict the reason."""
    if verdict is not VERDICT_OF[reason]:
        raise ValueError(f"reason {reason} means {VERDICT_OF[reason]}, not {verdict}")
    if accepted != (verdict is Verdict.ACCEPT):
        raise ValueError(f"accepted is {accepted}, but the verdict is {verdict}")
    if (failed is not None) != (reason is Reason.STAGE_FAILED):
        raise ValueError(f"failed is {failed}, but the reason is {reason}")


class Verification(Frozen):
    """The answer to one presentation. A result that contradicts its own evidence cannot be constructed.

    Attributes:
        accepted: True only when every required stage ran and said yes.
        verdict: for machines; always ``VERDICT_OF[reason]``.
        reason: for machines.
        message: one sentence a person can act on.
        source: the path that was given, as text; None for pixels and bytes.
        face: the judged face, or None when there was none to judge.
        faces: all faces that the detector found; None when it did not run.
        liveness: None if the stage did not run (``skipped`` says why) or failed (``failed`` names it).
        match: likewise.
        skipped: "liveness" or "match" -> why it did not run.
        failed: the stage that failed, with reason ``stage_failed``; None if none failed.
        thresholds: the thresholds in force; None if no score was compared with one.
        stages: the backends that took part.
        elapsed_ms: wall time per stage in milliseconds; "reference" is all the work on the reference.
    """

    accepted: bool
    verdict: Verdict
    reason: Reason
    message: str
    source: str | None = None
    face: Face | None = None
    faces: tuple[Face, ...] | None = None
    liveness: LivenessResult | None = None
    match: MatchResult | None = None
    skipped: dict[StageName, str] = Field(default_factory=dict)
    failed: StageName | None = None
    thresholds: Thresholds | None = None
    stages: tuple[Provenance, ...] = ()
    elapsed_ms: dict[StageName, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_verdict(self.reason, self.verdict, accepted=self.accepted, failed=self.failed)
        for stage, found in (("liveness", self.liveness), ("match", self.match)):
            if found is not None and stage in self.skipped:
                raise ValueError(f"{stage} is said to be skipped, but has a result")
        if self.reason in DECIDED:
            self._decided()
        if (self.reason is Reason.NO_FACE) != (self.faces == ()):
            raise ValueError(f"reason is {self.reason}, but faces is {self.faces}")
        return self

    def _decided(self) -> None:
        """A reason that follows from scores must be the reason that these scores and thresholds give."""
        if self.thresholds is None or self.face is None or self.face not in (self.faces or ()):
            raise ValueError(f"reason {self.reason} needs one of the faces found and the thresholds that decided")
        found = decide(self.thresholds, self.liveness, self.match)
        if found is not self.reason:
            raise ValueError(f"reason is {self.reason}, but scores and thresholds give {found}")
        if (self.liveness and not self.thresholds.liveness) or (self.match and not self.thresholds.match):
            raise ValueError("a score without a threshold decided nothing: leave it out")

    def __bool__(self) -> NoReturn:
        """Refused: ``if result:`` would let everybody in. Write ``if result.accepted:``."""
        raise TypeError("A Verification has no truth value: write `if result.accepted:`.")


DECIDED = frozenset(
    {
        Reason.LIVE,
        Reason.LIVE_AND_MATCHED,
        Reason.MATCHED,
        Reason.ATTACK_SUSPECTED,
        Reason.LIVENESS_UNCERTAIN,
        Reason.NOT_MATCHED,
    }
)
"""The reasons that :func:`decide` gives."""


def decide(thresholds: Thresholds, liveness: LivenessResult | None, match: MatchResult | None) -> Reason:
    """The reason of a presentation whose face was judged: the only place that compares a score with a threshold.

    Every threshold must be reached; a tie is accepted. A score below an ``attack`` threshold refuses whatever else is
    missing. Otherwise a missing score, and thresholds that ask for nothing at all, give ``STAGE_FAILED``.
    """
    if thresholds.liveness:
        reason = _decide_liveness(thresholds.liveness, liveness)
        if reason is not Reason.LIVE or thresholds.match is None:
            return reason
    if thresholds.match is None or match is None:
        return Reason.STAGE_FAILED
    if not match.similarity >= thresholds.match.similarity:
        return Reason.NOT_MATCHED
    return Reason.LIVE_AND_MATCHED if thresholds.liveness else Reason.MATCHED


def _decide_liveness(thresholds: tuple[LivenessThreshold, ...], liveness: LivenessResult | None) -> Reason:
    if liveness is None:
        return Reason.STAGE_FAILED
    scored = [(liveness.p_live_of(threshold.backend), threshold) for threshold in thresholds]
    if any(p_live is not None and p_live < threshold.attack for p_live, threshold in scored):
        return Reason.ATTACK_SUSPECTED
    if any(p_live is None for p_live, _ in scored):
        return Reason.STAGE_FAILED
    if all(p_live is not None and p_live >= threshold.live for p_live, threshold in scored):
        return Reason.LIVE
    return Reason.LIVENESS_UNCERTAIN

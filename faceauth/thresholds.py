"""Thresholds, the error rates measured at them, and the named points that backends offer."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

PointName = Literal["convenience", "balanced", "strict"]

LENIENT_TO_STRICT: tuple[PointName, ...] = ("convenience", "balanced", "strict")


class Frozen(BaseModel):
    """Base of all values that faceauth hands out: immutable, refuses unknown fields, NaN and infinity."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        revalidate_instances="always",  # `model_copy` and `model_construct` check nothing
    )


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
    """A threshold on P(live) and the error rates measured at it (ISO/IEC 30107-3).

    Attributes:
        threshold: accepted as live when P(live) >= threshold. Above 0, since 0 would accept everybody.
        apcer: attack presentation classification error rate per species.
        bpcer: bona fide presentation classification error rate.
        measured_on: data set and split of the rates.
    """

    threshold: float = Field(gt=0.0, le=1.0, strict=True)
    apcer: dict[str, MeasuredRate]
    bpcer: MeasuredRate
    measured_on: str


class MatchPoint(Frozen):
    """A threshold on the cosine similarity and the error rates measured at it (ISO/IEC 19795-1).

    Attributes:
        threshold: the same person when the similarity >= threshold.
        fmr: false match rate, over pairs of different people.
        fnmr: false non-match rate, over pairs of one person.
        measured_on: data set of the rates.
    """

    threshold: float = Field(ge=-1.0, le=1.0, strict=True)
    fmr: MeasuredRate
    fnmr: MeasuredRate
    measured_on: str


class OperatingPoints(Frozen):
    """The named points of a liveness backend, from lenient to strict.

    ``convenience`` and ``strict`` are None where no useful threshold has their error rate.
    """

    convenience: OperatingPoint | None
    balanced: OperatingPoint
    strict: OperatingPoint | None

    def offered(self) -> Iterator[tuple[PointName, OperatingPoint]]:
        """The points that exist, from lenient to strict."""
        for name in LENIENT_TO_STRICT:
            point = getattr(self, name)
            if point is not None:
                yield name, point

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        found = [point.threshold for _, point in self.offered()]
        if found != sorted(found):
            raise ValueError(f"thresholds must ascend from convenience over balanced to strict, not {found}")
        return self


class MatchPoints(Frozen):
    """The named points of an embedder, from lenient to strict.

    Attributes:
        curve: more thresholds, ascending, as far as the measured pairs say anything: the search among many people
            chooses from them. Empty for an embedder that must not be used for that.
    """

    convenience: MatchPoint
    balanced: MatchPoint
    strict: MatchPoint
    curve: tuple[MatchPoint, ...] = ()

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        found = [self.convenience.threshold, self.balanced.threshold, self.strict.threshold]
        if found != sorted(found):
            raise ValueError(f"thresholds must ascend from convenience over balanced to strict, not {found}")
        along = [point.threshold for point in self.curve]
        if along != sorted(set(along)):
            raise ValueError(f"thresholds of the curve must ascend, not {along}")
        return self


class LivenessThreshold(Frozen):
    """The threshold in force for one score.

    Attributes:
        backend: whose score it decides: the name of a backend, or the label of a combination, such as
            ``"mean(spoofnet, minifasnet)"``.
        live: accepted as live when P(live) >= live.
        attack: refused as an attack when P(live) < attack; between the two the verdict is uncertain.
        point: the named point behind ``live``; None for a number.
        measured: the error rates at ``point``; None where none were measured at this very threshold.
        points_sha256: digest of the points file that it comes from; None for the backend's own points or a number.
        profile_sha256: digest of the camera profile that moved it; None without one.
    """

    backend: str
    live: float = Field(gt=0.0, le=1.0, strict=True)
    attack: float = Field(gt=0.0, le=1.0, strict=True)
    point: PointName | None = None
    measured: OperatingPoint | None = None
    points_sha256: str | None = None
    profile_sha256: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.attack > self.live:
            raise ValueError(f"attack {self.attack} lies above live {self.live}: a score could be both")
        return self


class MatchThreshold(Frozen):
    """The threshold in force for the match.

    Attributes:
        similarity: the same person when the cosine similarity >= similarity.
        point: the named point behind it; None for a number.
        measured: the error rates at ``point``; None for a number.
    """

    similarity: float = Field(ge=-1.0, le=1.0, strict=True)
    point: PointName | None = None
    measured: MatchPoint | None = None


class Thresholds(Frozen):
    """All thresholds in force, echoed in each result so that a log shows what decided.

    Attributes:
        liveness: each must be reached; empty when the configuration switches liveness off.
        match: None when no match was asked for.
    """

    liveness: tuple[LivenessThreshold, ...] = ()
    match: MatchThreshold | None = None

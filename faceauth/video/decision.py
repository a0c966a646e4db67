"""The one decision about the kept frames of a presentation, and the result that holds the evidence for it."""

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import NoReturn, Self

from pydantic import Field, model_validator

from faceauth.calibration.logits import logit, sigmoid
from faceauth.results import (
    DECIDED,
    Face,
    LivenessResult,
    LivenessScore,
    MatchResult,
    Provenance,
    Reason,
    StageName,
    Verdict,
    check_verdict,
    decide,
)
from faceauth.thresholds import Frozen, MatchThreshold, Thresholds

MIN_KEPT = 5
"""Kept frames that a decision needs. Within one recording SpoofNet's logit has an intra-class correlation of
0.60 to 0.89, so that ten frames count as 1.1 to 1.6, and more of them add little."""

MIN_SPAN_S = 1.0
"""Seconds from the first kept frame to the last that a decision needs: chosen, not measured."""


class KeptFrame(Frozen):
    """A frame that counts: it passed the gate, and differs from every other kept one in pose, distance or light.

    Attributes:
        time_s: when it was captured, on the clock of its source.
        liveness: None where the configuration switches liveness off.
        match: None until the presentation was accepted as live, and without a reference.
    """

    time_s: float
    face: Face
    liveness: LivenessResult | None
    match: MatchResult | None


class FrameCounts(Frozen):
    """What became of the frames.

    Attributes:
        seen: fed to the session.
        dropped: by a camera that was faster than the session; files, folders and iterators drop none.
        searched: in which the detector looked for the face.
    """

    seen: int = Field(ge=0)
    dropped: int = Field(ge=0)
    searched: int = Field(ge=0)


class SameFace(Frozen):
    """Whether the kept frames show one person.

    Attributes:
        lowest_similarity: of any two kept frames, cosine, in [-1, 1].
        threshold: the pipeline's own threshold for a match, which every two kept frames have to reach.
    """

    lowest_similarity: float = Field(ge=-1.0, le=1.0)
    threshold: MatchThreshold

    @property
    def holds(self) -> bool:
        """Whether it is one person; a tie is accepted."""
        return self.lowest_similarity >= self.threshold.similarity


class PresentationResult(Frozen):
    """The answer to one presentation at a camera. A result that contradicts its evidence cannot be constructed.

    Attributes:
        accepted: True only when every required stage said yes, over all kept frames.
        verdict, reason: for machines; ``VERDICT_OF[reason]`` is the verdict.
        message: one sentence a person can act on.
        source: what was watched: a file, a folder or a device; None for frames of the caller's own.
        kept: the frames that the decision rests on, in their order.
        frames: how many there were.
        liveness: P(live) and the members' scores, each the median of its calibrated logits over the kept frames. Of the
            crops it tells the largest share outside and the smallest scale, and ``elapsed_ms`` is the sum.
        logit_spread: the largest logit of P(live) of a kept frame less the smallest.
        match: the lowest similarity to the reference of any kept frame.
        same_face: None with fewer than two kept frames.
        skipped, failed, thresholds, stages: as in :class:`~faceauth.Verification`.
        elapsed_ms: wall time per stage in milliseconds, of all frames.
    """

    accepted: bool
    verdict: Verdict
    reason: Reason
    message: str
    source: str | None = None
    kept: tuple[KeptFrame, ...] = ()
    frames: FrameCounts
    liveness: LivenessResult | None = None
    logit_spread: float | None = None
    match: MatchResult | None = None
    same_face: SameFace | None = None
    skipped: dict[StageName, str] = Field(default_factory=dict)
    failed: StageName | None = None
    thresholds: Thresholds | None = None
    stages: tuple[Provenance, ...] = ()
    elapsed_ms: dict[StageName, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_verdict(self.reason, self.verdict, accepted=self.accepted, failed=self.failed)
        if not _summed_up(self.kept, self.liveness, self.logit_spread, self.match):
            raise ValueError("liveness, logit_spread and match are not those of the kept frames")
        if self.reason in DECIDED:
            found = None if self.thresholds is None else decide(self.thresholds, self.liveness, self.match)
            if found is not self.reason:
                raise ValueError(f"reason is {self.reason}, but scores and thresholds give {found}")
        if self.accepted and not enough(self.kept):
            raise ValueError(f"accepted by {len(self.kept)} kept frames: needs {MIN_KEPT} over {MIN_SPAN_S:g} s")
        if self.accepted and (self.same_face is None or not self.same_face.holds):
            raise ValueError("accepted, but the kept frames do not show one person")
        return self

    def __bool__(self) -> NoReturn:
        """Refused: ``if result:`` would let everybody in. Write ``if result.accepted:``."""
        raise TypeError("A PresentationResult has no truth value: write `if result.accepted:`.")


def enough(kept: Sequence[KeptFrame]) -> bool:
    """Whether a decision may rest on these frames: as many as it needs, in order, over as long as it needs."""
    times = [frame.time_s for frame in kept]
    in_order = all(earlier < later for earlier, later in itertools.pairwise(times))
    return len(times) >= MIN_KEPT and in_order and times[-1] - times[0] >= MIN_SPAN_S


def refused_early(kept: Sequence[KeptFrame], thresholds: Thresholds) -> bool:
    """Whether to refuse before there are enough frames: a majority of ``MIN_KEPT`` is refused, and so is the median."""
    if not thresholds.liveness:
        return False
    liveness_only = Thresholds(liveness=thresholds.liveness)
    refused = [frame for frame in kept if decide(liveness_only, frame.liveness, None) is Reason.ATTACK_SUSPECTED]
    median = decide(liveness_only, median_liveness(kept), None)
    return len(refused) > MIN_KEPT // 2 and median is Reason.ATTACK_SUSPECTED


def median_liveness(kept: Sequence[KeptFrame]) -> LivenessResult | None:
    """What the liveness stage says about all kept frames; None without frames, or where one has no score."""
    scored = [frame.liveness for frame in kept if frame.liveness is not None]
    if not scored or len(scored) < len(kept):
        return None
    members = [
        LivenessScore(
            backend=one.backend,
            p_live=median_p_live([_member(frame, one.backend) for frame in scored]),
            elapsed_ms=sum(_elapsed_ms(frame, one.backend) for frame in scored),
        )
        for one in scored[0].members
    ]
    return LivenessResult(
        backend=scored[0].backend,
        p_live=median_p_live([frame.p_live for frame in scored]),
        members=tuple(members),
        crop_outside=max(frame.crop_outside for frame in scored),
        crop_scale=min(frame.crop_scale for frame in scored),
    )


def median_p_live(p_live: Sequence[float]) -> float:
    """P(live) at the median of the logits; of an even number the mean of the two logits in the middle.

    A calibration is linear in the logit and rising, so the median of calibrated logits is the same P(live).
    """
    low, high = statistics.median_low(p_live), statistics.median_high(p_live)
    return low if low == high else float(sigmoid((logit(low) + logit(high)) / 2))


def logit_spread(kept: Sequence[KeptFrame]) -> float | None:
    """The largest logit of P(live) less the smallest; None without scores."""
    logits = [float(logit(frame.liveness.p_live)) for frame in kept if frame.liveness is not None]
    return max(logits) - min(logits) if logits else None


def lowest_match(kept: Sequence[KeptFrame]) -> MatchResult | None:
    """The match of the frame that is least like the reference; None unless every frame was compared with it."""
    matches = [frame.match for frame in kept if frame.match is not None]
    return min(matches, key=lambda match: match.similarity) if matches and len(matches) == len(kept) else None


def _member(liveness: LivenessResult, backend: str) -> float:
    p_live = liveness.p_live_of(backend)
    if p_live is None:
        raise ValueError(f"{backend} scored some of the frames only")
    return p_live


def _elapsed_ms(liveness: LivenessResult, backend: str) -> float:
    return next(member.elapsed_ms for member in liveness.members if member.backend == backend)


def _summed_up(
    kept: Sequence[KeptFrame], liveness: LivenessResult | None, spread: float | None, match: MatchResult | None
) -> bool:
    expected = median_liveness(kept)
    if liveness is None or expected is None:
        same_liveness = liveness is expected
    else:
        same_liveness = liveness.backend == expected.backend and all(
            _close(liveness.p_live_of(name), expected.p_live_of(name))
            for name in (expected.backend, *(member.backend for member in expected.members))
        )
    lowest = lowest_match(kept)
    return same_liveness and _close(spread, logit_spread(kept)) and match == lowest


def _close(found: float | None, expected: float | None) -> bool:
    """Equal except for the last digits, in which the logarithms of two machines may differ."""
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)

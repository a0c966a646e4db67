"""One picture on its way through the pipeline: what each stage found goes in, a ``Verification`` comes out.

Knows no backend and no threshold: it keeps the notes, closes at the first reason to stop, and never reopens.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from faceauth.errors import ScoreError
from faceauth.results import (
    VERDICT_OF,
    Face,
    LivenessResult,
    MatchResult,
    Provenance,
    Reason,
    StageName,
    Template,
    Thresholds,
    Verdict,
    Verification,
)
from faceauth.stages import Crop, Image

MESSAGES: dict[Reason, str] = {
    Reason.LIVE: "A live person.",
    Reason.LIVE_AND_MATCHED: "A live person, and the one of the reference.",
    Reason.MATCHED: "The person of the reference; nobody checked whether it is a live person.",
    Reason.ATTACK_SUSPECTED: "This looks like a picture or a screen, not like a live person: face the camera yourself.",
    Reason.LIVENESS_UNCERTAIN: "It is not clear whether this is a live person: take the picture again in better light.",
    Reason.NOT_MATCHED: "A different person than the one of the reference.",
    Reason.NO_FACE: "No face was found: look into the camera, with the whole face in the picture.",
    Reason.STAGE_FAILED: "A stage gave no usable answer.",
    Reason.SEVERAL_FACES: "Several faces were found: only one person may be in the picture.",
}
"""The sentence for people where the stage that ended the presentation has none of its own."""


@dataclass(eq=False)
class Presentation:
    """The notes on one picture; open until a reason is known.

    Attributes:
        image: read-only for every stage, so that all of them judge the same pixels; None when it was not decoded.
        views: the crops cut last, one a view.
        reason: why the presentation ended; None while it is open.
        provenance: the backends that took part so far.
    """

    image: Image | None
    source: str | None = None
    faces_found: int | None = None
    face: Face | None = None
    views: Sequence[Crop] = ()
    liveness: LivenessResult | None = None
    template: Template | None = None
    match: MatchResult | None = None
    reason: Reason | None = None
    message: str = ""
    failed: StageName | None = None
    provenance: dict[StageName, Provenance] = field(default_factory=dict)
    elapsed_ms: dict[StageName, float] = field(default_factory=dict)

    def close(self, reason: Reason, message: str = "", *, at: StageName) -> None:
        """End it ``at`` a stage for ``reason``; a presentation that has ended keeps its first reason."""
        if self.reason is None:
            self.reason = reason
            self.message = message or MESSAGES[reason]
            self.failed = at if reason is Reason.STAGE_FAILED else None

    def fail(self, error: ScoreError) -> None:
        """End it because a stage failed, which denies."""
        self.close(Reason.STAGE_FAILED, str(error), at=cast(StageName, error.stage))

    def verification(self, limits: Thresholds) -> Verification:
        """The result of a closed presentation; ``limits`` are echoed if it came to a threshold."""
        if self.reason is None:
            raise RuntimeError("a presentation is closed with a reason before it has a result")
        verdict = VERDICT_OF[self.reason]
        return Verification(
            accepted=verdict is Verdict.ACCEPT,
            verdict=verdict,
            reason=self.reason,
            message=self.message,
            source=self.source,
            face=self.face,
            faces_found=self.faces_found,
            liveness=self.liveness,
            match=self.match,
            skipped=self._skipped(limits),
            failed=self.failed,
            thresholds=limits if self.liveness or self.match else None,
            stages=tuple(self.provenance.values()),
            elapsed_ms=self.elapsed_ms,
        )

    def _skipped(self, limits: Thresholds) -> dict[StageName, str]:
        skipped: dict[StageName, str] = {}
        if limits.live is None:
            skipped["liveness"] = "the policy does not require liveness"
        elif self.liveness is None and self.failed != "liveness":
            skipped["liveness"] = f"an earlier stage ended the presentation: {self.reason}"
        if limits.match is None:
            skipped["match"] = "no reference was given"
        elif self.match is None and self.failed not in ("embedding", "match", "reference"):
            not_live = self.liveness is not None and self.reason in (Reason.ATTACK_SUSPECTED, Reason.LIVENESS_UNCERTAIN)
            skipped["match"] = (
                "a face that is not accepted as live is never matched"
                if not_live
                else f"an earlier stage ended the presentation: {self.reason}"
            )
        return skipped


def still_open(presentations: Sequence[Presentation]) -> list[Presentation]:
    """Those without a reason yet, in order."""
    return [one for one in presentations if one.reason is None]


@contextmanager
def timed(stage: StageName, presentations: Sequence[Presentation]) -> Iterator[None]:
    """Add the wall time of the block to ``stage``, an equal share to each presentation."""
    start = time.perf_counter()
    try:
        yield
    finally:
        share_ms = (time.perf_counter() - start) * 1000 / max(len(presentations), 1)
        for one in presentations:
            one.elapsed_ms[stage] = one.elapsed_ms.get(stage, 0.0) + share_ms

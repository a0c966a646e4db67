"""One presentation on its way through the pipeline: what each stage found, and the result at the end.

It closes at the first reason to stop and never reopens.
"""

import time
from collections.abc import Iterator
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
    Verdict,
    Verification,
)
from faceauth.stages import Image
from faceauth.thresholds import Thresholds

MESSAGES: dict[Reason, str] = {
    Reason.LIVE: "A live person.",
    Reason.LIVE_AND_MATCHED: "A live person, and the person in the reference.",
    Reason.MATCHED: "The person in the reference; liveness was not checked.",
    Reason.ATTACK_SUSPECTED: "This looks like a photo or a screen. Show your own face to the camera.",
    Reason.LIVENESS_UNCERTAIN: "This may not be a live person. Take another photo in better light.",
    Reason.NOT_MATCHED: "Not the person in the reference.",
    Reason.NO_FACE: "No face found. Look into the camera with your whole face in the image.",
    Reason.STAGE_FAILED: "A stage gave no usable answer.",
    Reason.SEVERAL_FACES: "Several faces found. Only one person may be in the image.",
    Reason.TRACK_BROKEN: "Start again, and stay in front of the camera until the end.",
    Reason.FROZEN_STREAM: "The camera shows the same frame again, which no live camera does.",
    Reason.LOOPED_STREAM: "The camera repeats earlier frames, which no live camera does.",
    Reason.FRAMES_OUT_OF_ORDER: "The capture times of the frames do not increase.",
    Reason.STREAM_ENDED: "There were too few different frames. Start again.",
    Reason.CAMERA_LOST: "The camera stopped giving frames. Connect it, and start again.",
    Reason.TIMED_OUT: "It took too long. Start again, and move your head a little.",
    Reason.CHALLENGE_FAILED: "That was not what was asked for. Start again.",
    Reason.CHALLENGE_UNCLEAR: "The answer could not be judged. Start again.",
    Reason.CHALLENGE_EXPIRED: "The session is too old. Ask for a new one.",
}
"""The sentence for people if the stage that ended the presentation gives none."""


def message_for_anybody(reason: Reason | str, message: str) -> str:
    """The message, unless a stage failed: what that said may hold paths and scores, and is in the log."""
    return MESSAGES[Reason.STAGE_FAILED] if reason is Reason.STAGE_FAILED else message


@dataclass(eq=False)
class Presentation:
    """What is known about one image; open until a reason is known.

    Attributes:
        image: read-only, so that all stages judge the same pixels; None when it was not decoded.
        templates: of the one face; of a reference, all that were given.
        reason: why the presentation ended; None while it is open.
        provenance: the backends that took part so far.
    """

    image: Image | None
    source: str | None = None
    faces: tuple[Face, ...] | None = None
    face: Face | None = None
    liveness: LivenessResult | None = None
    templates: tuple[Template, ...] = ()
    match: MatchResult | None = None
    reason: Reason | None = None
    message: str = ""
    failed: StageName | None = None
    provenance: list[Provenance] = field(default_factory=list)
    elapsed_ms: dict[StageName, float] = field(default_factory=dict)

    def took_part(self, provenance: Provenance) -> None:
        """Record a backend, once."""
        if provenance not in self.provenance:
            self.provenance.append(provenance)

    def close(self, reason: Reason, message: str = "", *, at: StageName) -> None:
        """End it ``at`` a stage for ``reason``; a presentation that has ended keeps its first reason."""
        if self.reason is None:
            self.reason = reason
            self.message = message or MESSAGES[reason]
            self.failed = at if reason is Reason.STAGE_FAILED else None

    def fail(self, error: ScoreError) -> None:
        """End it because a stage failed, which denies."""
        self.close(Reason.STAGE_FAILED, str(error), at=cast(StageName, error.stage))

    def verification(self, thresholds: Thresholds) -> Verification:
        """The result of a closed presentation; ``thresholds`` are echoed if a score was compared with one."""
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
            faces=self.faces,
            liveness=self.liveness,
            match=self.match,
            skipped=self._skipped(thresholds),
            failed=self.failed,
            thresholds=thresholds if self.liveness or self.match else None,
            stages=tuple(self.provenance),
            elapsed_ms=self.elapsed_ms,
        )

    def _skipped(self, thresholds: Thresholds) -> dict[StageName, str]:
        skipped: dict[StageName, str] = {}
        ended = f"an earlier stage ended the presentation: {self.reason}"
        if not thresholds.liveness:
            skipped["liveness"] = "the configuration does not require liveness"
        elif self.liveness is None and self.failed != "liveness":
            skipped["liveness"] = ended
        if thresholds.match is None:
            skipped["match"] = "no reference was given"
        elif self.match is None and self.failed not in ("embedding", "match", "reference"):
            not_live = self.reason in (Reason.ATTACK_SUSPECTED, Reason.LIVENESS_UNCERTAIN)
            skipped["match"] = "a face that is not accepted as live is never matched" if not_live else ended
        return skipped

    @contextmanager
    def timed(self, stage: StageName) -> Iterator[None]:
        """Add the wall time of the block to ``stage``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.elapsed_ms[stage] = self.elapsed_ms.get(stage, 0.0) + (time.perf_counter() - start) * 1000

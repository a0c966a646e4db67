"""A presentation that must answer a challenge as well: both have to hold, and both see the very same frames.

A session has a nonce, is opened once and deliberately, is used once, and expires after two minutes. It runs alongside
the camera: frames are judged as they come, since only an answer soon after the question counts.
"""

import math
import secrets
import time
from collections.abc import Callable
from typing import NoReturn, Self

from pydantic import Field, model_validator

from faceauth.backends.loading import injected
from faceauth.backends.registry import LoadedBackend, load_backend
from faceauth.backends.time_limit import Guard
from faceauth.challenge.face_mesh import FaceMesh
from faceauth.config import PipelineConfig
from faceauth.errors import ScoreError, UsageError
from faceauth.imaging.decoding import ImageSource
from faceauth.pipeline import NOT_GIVEN, MaybeReference, Pipeline
from faceauth.results import DECIDED, VERDICT_OF, Face, Provenance, Reason, Verdict
from faceauth.stages import Challenge, ChallengeFrame, ChallengeState, Image, Prompt
from faceauth.steps import Color
from faceauth.thresholds import Frozen
from faceauth.video.decision import PresentationResult
from faceauth.video.session import PresentationSession, State
from faceauth.video.track import LOST_AFTER_S

LIFETIME_S = 120.0
"""Seconds from the making of a session to its end: chosen, not measured."""

MAX_DRIFT_S = 1.0
"""Seconds by which the clock of the frames may run ahead of, or behind, the one here: it bounds how long a frame may
have been on its way, and keeps a sender from stretching time. Chosen, not measured."""

NONCE_BYTES = 16

MOVE = Prompt("move", "Well done. Now move your head a little until there are enough frames.")


class ChallengeResult(Frozen):
    """The answer to one presentation under a challenge. A result that contradicts its evidence cannot be constructed.

    Attributes:
        nonce: of the session.
        challenge: the challenge's name, distribution and version.
        answered: it was passed.
        presentation: what the frames said, and the one reason of the whole.
    """

    nonce: str
    challenge: Provenance
    answered: bool
    presentation: PresentationResult

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.presentation.accepted and not self.answered:
            raise ValueError("accepted, but the challenge was not passed")
        return self

    @property
    def accepted(self) -> bool:
        """True only when the challenge was passed and every required stage said yes."""
        return self.answered and self.presentation.accepted

    @property
    def verdict(self) -> Verdict:
        """Accept, reject or uncertain."""
        return self.presentation.verdict

    @property
    def reason(self) -> Reason:
        """Why, for machines."""
        return self.presentation.reason

    @property
    def message(self) -> str:
        """One sentence a person can act on."""
        return self.presentation.message

    def __bool__(self) -> NoReturn:
        """Refused: ``if result:`` would let everybody in. Write ``if result.accepted:``."""
        raise TypeError("A ChallengeResult has no truth value: write `if result.accepted:`.")


class ChallengeStatus(Frozen):
    """Where a session stands after a frame.

    Attributes:
        prompt: what to do now; at the end the last request.
        message: what to do now, or what keeps the face from being judged; at the end the result's message.
        progress: from 0 to 1, of the challenge.
        presentation: where the presentation stands.
        result: None until the end.
    """

    prompt: Prompt
    message: str
    progress: float = Field(ge=0.0, le=1.0)
    presentation: State
    result: ChallengeResult | None

    @property
    def obstacle(self) -> Reason | None:
        """Why the face that was looked for last cannot be judged, None when it can."""
        return self.presentation.obstacle

    @property
    def kept(self) -> int:
        """Frames kept so far."""
        return self.presentation.kept

    @property
    def face(self) -> Face | None:
        """The face found last."""
        return self.presentation.face

    @property
    def time_s(self) -> float | None:
        """When the frame was captured."""
        return self.presentation.time_s


class ChallengeSession:
    """Takes the frames of one presentation under one challenge, and decides once.

    ::

        session = ChallengeSession(pipeline, "turn", reference=template)
        session.open(session.nonce)
        for time_s, image in frames:
            status = session.feed(image, time_s)
            print(status.prompt.message)
            if status.result is not None: ...

    Args:
        pipeline: judges the frames; its configuration says which distributions may provide a challenge.
        challenge: the name of an installed challenge, or one that was just constructed, such as
            ``Turn(ways=("left", "right", "up"))``.
        reference: whom every kept frame must match; see :meth:`faceauth.Pipeline.verify`.
        source: what to call the source in the result.
        mesh: may be shared by sessions; by default each session has its own.
        clock: seconds, which never go back; against it the session grows old.

    Attributes:
        nonce: names this session, and no other.

    Raises:
        BackendNotFound: no installed challenge has this name.
        BackendNotAllowed: the configuration does not allow the distribution that provides the challenge.
        BackendConflict: two distributions provide a challenge of this name.
        UsageError: the challenge has ended already.
        BackendBroken: the challenge does not keep its contract, or the extra ``challenge`` is not installed.
        FaceAuthError: as for :class:`~faceauth.video.PresentationSession`.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        challenge: str | Challenge,
        reference: MaybeReference = NOT_GIVEN,
        *,
        source: str | None = None,
        mesh: FaceMesh | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        config = pipeline.config
        loaded = _loaded(challenge, config)
        self._challenge, self._provenance = loaded.backend, loaded.provenance
        self._guard = Guard("challenge", loaded.provenance.name, timeout_s=config.stage_timeout_s)
        self._mesh = mesh or FaceMesh(config.weights)
        self._presentation = PresentationSession(pipeline, reference, source=source, held=True, time_limit_s=LIFETIME_S)
        self._clock, self._made_s = clock, clock()
        self._opened = False
        self._first: tuple[float, float] | None = None
        self._judgeable_s = -math.inf
        self._state, self._prompt = self._guard.call(self._told), self._ask()
        if self._state.ended:
            raise UsageError("This challenge has ended, and can be used only once: construct a new one.")
        self.nonce = secrets.token_urlsafe(NONCE_BYTES)
        self._status = self._show(self._presentation.state)

    @property
    def image(self) -> Image | None:
        """The frame fed last, upright and read-only; None before the first."""
        return self._presentation.image

    @property
    def status(self) -> ChallengeStatus:
        """Where it stands."""
        return self._status

    @property
    def result(self) -> ChallengeResult:
        """The one result.

        Raises:
            UsageError: the session has not ended.
        """
        if self._status.result is None:
            raise UsageError("The session has no result yet: feed it more frames, or call finish().")
        return self._status.result

    def open(self, nonce: str) -> None:
        """Begin: an act of the person's own, such as pressing a button. A session is opened once.

        Raises:
            UsageError: it was opened before, or the nonce is not that of this session.
        """
        if self._opened:
            raise UsageError("This session was opened before, and can be used only once: make a new one.")
        if not secrets.compare_digest(nonce.encode(errors="replace"), self.nonce.encode()):  # it may be any text
            raise UsageError("The nonce is that of another session: an answer only counts for its own session.")
        self._opened = True

    def feed(self, image: ImageSource, time_s: float, *, color: Color = "bgr", dropped: int = 0) -> ChallengeStatus:
        """Judge the next frame. After the end, frames are ignored and the last status is returned.

        Args:
            image: as for :meth:`faceauth.Pipeline.verify`.
            time_s: when it was captured, in seconds on a clock that never goes back.
            color: channel order of an array.
            dropped: frames that the source lost so far.

        Raises:
            UsageError: the session was not opened.
        """
        if not self._opened:
            raise UsageError("The session is not open: call open() with its nonce when the person starts it.")
        if self._status.result is not None:
            return self._status
        if self._clock() - self._made_s > LIFETIME_S:
            return self.close(Reason.CHALLENGE_EXPIRED)
        if (drift_s := self._drift(time_s)) > MAX_DRIFT_S:
            return self.close(
                Reason.CHALLENGE_UNCLEAR,
                f"The clock of the frames is off by {drift_s:.1f} s since the first, at most {MAX_DRIFT_S:g} s are "
                "allowed. Start again.",
            )
        seen = self._presentation.feed(image, time_s, color=color, dropped=dropped)
        if seen.result is None and not self._state.ended and self._may_answer(seen, time_s):
            self._judge(time_s)
        return self._conclude()

    def finish(self) -> ChallengeStatus:
        """No more frames come."""
        if self._status.result is not None:
            return self._status
        if self._state.passed:
            return self._show(self._presentation.finish())
        return self.close(Reason.STREAM_ENDED, "The frames ended before everything was answered. Start again.")

    def close(self, reason: Reason, message: str = "") -> ChallengeStatus:
        """End it for a reason that does not accept, such as a camera that is gone."""
        return self._show(self._presentation.close(reason, message))

    def _drift(self, time_s: float) -> float:
        """Seconds by which the clock of the frames and the one here have parted since the first frame."""
        now = self._clock()
        if self._first is None:
            self._first = (time_s, now)
        drift_s = abs((time_s - self._first[0]) - (now - self._first[1]))
        return 0.0 if math.isnan(drift_s) else drift_s  # the presentation refuses such a time

    def _may_answer(self, seen: State, time_s: float) -> bool:
        """Whether the face is one that the presentation judges, or could judge a moment ago.

        Otherwise somebody else could answer before the first frame is kept, or in the dark, where none is.
        """
        if seen.face is None:
            return False
        if seen.obstacle is None:
            self._judgeable_s = time_s
        return time_s - self._judgeable_s <= LOST_AFTER_S

    def _judge(self, time_s: float) -> None:
        """The mesh of this very frame, and the challenge's view of it."""
        image, face = self._presentation.image, self._presentation.state.face
        assert image is not None and face is not None  # a face was found in it, or in one shortly before
        try:
            mesh_px = self._guard.call(lambda: self._mesh.points(image, face))
            if mesh_px is None:
                return
            frame = ChallengeFrame(time_s, image, face, mesh_px)
            self._guard.call(lambda: self._challenge.feed(frame))
            self._state, self._prompt = self._guard.call(self._told), self._ask()
        except ScoreError as error:
            self._presentation.close(Reason.STAGE_FAILED, str(error), failed="challenge")

    def _told(self) -> ChallengeState:
        """The challenge's state; reasons that follow from scores, or from a stage that failed, are not its to give."""
        state = self._challenge.state
        reason = state.reason
        if reason is None or (reason not in DECIDED and reason is not Reason.STAGE_FAILED):
            return state
        rejected = VERDICT_OF[reason] is Verdict.REJECT
        return ChallengeState(reason=Reason.CHALLENGE_FAILED if rejected else Reason.CHALLENGE_UNCLEAR)

    def _ask(self) -> Prompt:
        return self._guard.call(self._challenge.prompt)

    def _conclude(self) -> ChallengeStatus:
        """A refused challenge ends the presentation; a passed one waits for frames that are enough."""
        state = self._presentation.state
        if state.result is None and self._state.reason is not None:
            return self.close(self._state.reason, self._state.message)
        if state.result is None and self._state.passed:
            self._prompt = MOVE
            if self._presentation.enough:
                state = self._presentation.finish()
        return self._show(state)

    def _show(self, state: State) -> ChallengeStatus:
        result = None
        if state.result is not None:
            result = ChallengeResult(
                nonce=self.nonce, challenge=self._provenance, answered=self._state.passed, presentation=state.result
            )
        blocked = result is None and state.obstacle is not None
        message = state.message if blocked or result is not None else self._prompt.message
        self._status = ChallengeStatus(
            prompt=self._prompt,
            message=message,
            progress=min(max(0.0, self._state.progress), 1.0),  # in this order 0 for NaN
            presentation=state,
            result=result,
        )
        return self._status


def _loaded(challenge: str | Challenge, config: PipelineConfig) -> LoadedBackend[Challenge]:
    if not isinstance(challenge, str):
        return injected("challenge", type(challenge).__name__, challenge)
    return load_backend("challenge", challenge, allowed=config.allowed_plugins)

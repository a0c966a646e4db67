"""One presentation that arrives in chunks: passive, or under a challenge, with what to tell the person meanwhile."""

from collections.abc import Sequence
from typing import Protocol

from faceauth.backends.registry import load_backend
from faceauth.challenge.challenge_session import MAX_DRIFT_S, ChallengeSession
from faceauth.challenge.face_mesh import FaceMesh
from faceauth.pipeline import NOT_GIVEN, MaybeReference, Pipeline
from faceauth.presentation import message_for_anybody
from faceauth.results import Reason, Template
from faceauth.server.replies import Kind, PromptReply, prompt_reply
from faceauth.stages import Challenge, Prompt
from faceauth.video.decision import PresentationResult
from faceauth.video.session import LOOK, PresentationSession

WATCHED = Prompt("look", LOOK)


class Presenting(Protocol):
    """Takes frames until there is one result. Used by one thread at a time."""

    @property
    def prompt(self) -> PromptReply:
        """What the person has to do now."""

    @property
    def result(self) -> PresentationResult | None:
        """None until it has ended."""

    def feed(self, image: bytes, time_s: float, arrived_s: float) -> None:
        """Judge a frame.

        Args:
            image: JPEG.
            time_s: when it was captured, on the clock of its sender.
            arrived_s: when all of it had arrived, on the clock here: whoever writes the times could stretch them.
        """

    def close(self, reason: Reason) -> None:
        """End it for a reason that does not accept."""


class Passive:
    """Watches the face, and asks for nothing."""

    def __init__(self, pipeline: Pipeline, templates: Sequence[Template]) -> None:
        self._session = PresentationSession(pipeline, _reference(templates))
        self._first: tuple[float, float] | None = None

    @property
    def prompt(self) -> PromptReply:
        """As for :class:`Presenting`, and so is the rest."""
        state = self._session.state
        action = "done" if state.result is not None else "move" if state.kept and state.obstacle is None else "look"
        return prompt_reply(
            Prompt(action, state.message),
            message=_said(state.message, state.result),
            obstacle=state.obstacle if state.result is None else None,
            progress=state.progress,
        )

    @property
    def result(self) -> PresentationResult | None:
        """None until it has ended."""
        return self._session.state.result

    def feed(self, image: bytes, time_s: float, arrived_s: float) -> None:
        """Judge a frame, if its clock goes as the one here."""
        if self._first is None:
            self._first = (time_s, arrived_s)
        drift_s = abs((time_s - self._first[0]) - (arrived_s - self._first[1]))
        if drift_s > MAX_DRIFT_S:
            self._session.close(
                Reason.FRAMES_OUT_OF_ORDER,
                f"The clock of the frames is off by {drift_s:.1f} s since the first, at most {MAX_DRIFT_S:g} s are "
                "allowed. Start again.",
            )
        else:
            self._session.feed(image, time_s)

    def close(self, reason: Reason) -> None:
        """End it."""
        self._session.close(reason)


class Challenged:
    """Asks for something random as well."""

    def __init__(
        self, pipeline: Pipeline, challenge: Challenge, templates: Sequence[Template], mesh: FaceMesh, arrived_s: float
    ) -> None:
        self._arrived_s = arrived_s
        # the clock stands at the arrival of what is judged: waiting in the queue is no fault of the person
        self._session = ChallengeSession(
            pipeline, challenge, _reference(templates), mesh=mesh, clock=lambda: self._arrived_s
        )
        self._session.open(self._session.nonce)

    @property
    def prompt(self) -> PromptReply:
        """As for :class:`Presenting`, and so is the rest."""
        status = self._session.status
        prompt = status.prompt if self.result is None else Prompt("done", status.message)
        obstacle = status.obstacle if self.result is None else None
        message = _said(status.message, self.result)
        return prompt_reply(prompt, message=message, obstacle=obstacle, progress=status.progress)

    @property
    def result(self) -> PresentationResult | None:
        """None until it has ended."""
        result = self._session.status.result
        return None if result is None else result.presentation

    def feed(self, image: bytes, time_s: float, arrived_s: float) -> None:
        """Judge a frame."""
        self._arrived_s = arrived_s
        self._session.feed(image, time_s)

    def close(self, reason: Reason) -> None:
        """End it."""
        self._session.close(reason)


def new_challenge(pipeline: Pipeline, kind: Kind) -> Challenge | None:
    """The challenge of a session of that kind, drawn for it alone; None where nothing is asked.

    Raises:
        BackendError: the configuration does not allow it.
    """
    if kind is Kind.PASSIVE:
        return None
    return load_backend("challenge", kind.value, allowed=pipeline.config.allowed_plugins).backend


def first_prompt(challenge: Challenge | None) -> PromptReply:
    """What the person is told before the first frame."""
    prompt = WATCHED if challenge is None else challenge.prompt()
    return prompt_reply(prompt, message=prompt.message, obstacle=None, progress=0.0)


def present(
    pipeline: Pipeline, challenge: Challenge | None, templates: Sequence[Template], mesh: FaceMesh, arrived_s: float
) -> Presenting:
    """Begin, with the first frames.

    Args:
        pipeline: judges.
        challenge: of :func:`new_challenge`.
        templates: whom every kept frame must match; empty for liveness alone.
        mesh: shared by all challenges.
        arrived_s: when the first frames had arrived.
    """
    if challenge is None:
        return Passive(pipeline, templates)
    return Challenged(pipeline, challenge, templates, mesh, arrived_s)


def _said(message: str, result: PresentationResult | None) -> str:
    return message if result is None else message_for_anybody(result.reason, message)


def _reference(templates: Sequence[Template]) -> MaybeReference:
    return tuple(templates) or NOT_GIVEN

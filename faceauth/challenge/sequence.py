"""Three random steps, one after another; at least two of them are turns.

Each step has its own baseline and random pause, and is drawn when the previous step is answered. A recording has the
right steps, in the right order and at the right times, in a few of a hundred sessions at most: ``benchmarks/results``.
"""

import random
import secrets
from collections.abc import Mapping
from types import MappingProxyType

from faceauth.challenge.closer import Closer
from faceauth.challenge.turn import Turn
from faceauth.stages import API_VERSION, ChallengeFrame, ChallengeState, Prompt

STEPS = 3
"""Chosen, not measured."""

CLOSER_AT_MOST = 1
"""Steps that a photo moved by hand could answer."""


class Sequence:
    """Steps one after the other.

    Args:
        lot: source of randomness; by default the system's, which cannot be predicted.
    """

    api_version = API_VERSION
    weights_sha256: Mapping[str, str] = MappingProxyType({})

    def __init__(self, *, lot: random.Random | None = None) -> None:
        self._lot = lot or secrets.SystemRandom()
        self._closer_left = CLOSER_AT_MOST
        self._answered = 0
        self._step = self._draw()
        self._state = ChallengeState()

    @property
    def state(self) -> ChallengeState:
        """Where it stands."""
        return self._state

    def prompt(self) -> Prompt:
        """What the step that is due asks."""
        return self._step.prompt()

    def feed(self, frame: ChallengeFrame) -> None:
        """Judge the next frame, by the step that is due."""
        if self._state.ended:
            return
        self._step.feed(frame)
        step = self._step.state
        self._answered += step.passed
        passed = self._answered == STEPS
        progress = 1.0 if passed else (self._answered + (0.0 if step.passed else step.progress)) / STEPS
        self._state = ChallengeState(passed, step.reason, step.message, progress)
        if step.passed and not passed:
            self._step = self._draw()

    def _draw(self) -> Turn | Closer:
        drawn = self._lot.choice(("left", "right", "closer") if self._closer_left else ("left", "right"))
        if drawn != "closer":
            return Turn(lot=self._lot)
        self._closer_left -= 1
        return Closer(lot=self._lot)

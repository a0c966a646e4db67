"""What `turn` and `closer` have in common: a baseline, a random pause, one question, and the answer to it."""

import random
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from faceauth.challenge.mesh_pose import MeshPose, PoseTrack
from faceauth.results import Reason
from faceauth.stages import API_VERSION, ChallengeFrame, ChallengeState, Prompt

PAUSE_S = (0.5, 1.5)
"""Shortest and longest pause between the baseline and the question, drawn at random: chosen, not measured."""

STRAIGHT = Prompt("look_straight", "Look straight into the camera and hold still.")


class PoseChallenge(ABC):
    """One question about the pose of the face, answered from its own baseline.

    Args:
        lot: source of randomness; by default the system's, which cannot be predicted.
    """

    api_version = API_VERSION
    weights_sha256: Mapping[str, str] = MappingProxyType({})

    limit_s: ClassVar[float]
    """Seconds for each part, after which it is unclear."""

    def __init__(self, *, lot: random.Random | None = None) -> None:
        self._lot = lot or secrets.SystemRandom()
        self._track = PoseTrack()
        self._prompt, self._state = STRAIGHT, ChallengeState()
        self._since_s: float | None = None
        self._baseline: MeshPose | None = None
        self._due_s: float | None = None
        self._asked = False

    @property
    def state(self) -> ChallengeState:
        """Where it stands."""
        return self._state

    def prompt(self) -> Prompt:
        """What to do now; the question is not drawn before it is due."""
        return self._prompt

    def feed(self, frame: ChallengeFrame) -> None:
        """Judge the next frame."""
        if self._state.ended:
            return
        pose, time_s = self._track.feed(frame.time_s, frame.mesh_px), frame.time_s
        if self._since_s is None:
            self._since_s = time_s
        if time_s - self._since_s > self.limit_s:
            self._end(Reason.CHALLENGE_UNCLEAR, f"It took longer than {self.limit_s:g} s. Start again.")
        elif self._baseline is None:
            self._rest(time_s)
        elif not self._asked:
            self._wait(time_s, pose, self._baseline)
        else:
            self._follow(time_s - self._since_s, time_s, pose, self._baseline)

    @abstractmethod
    def _early(self, pose: MeshPose, baseline: MeshPose) -> str | None:
        """What to tell somebody who moved before anything was asked; None for somebody who did not."""

    @abstractmethod
    def _draw(self) -> Prompt:
        """The question, drawn at random."""

    @abstractmethod
    def _follow(self, waited_s: float, time_s: float, pose: MeshPose, baseline: MeshPose) -> None:
        """Judge a pose after the question, ``waited_s`` seconds after the prompt that is shown."""

    def _rest(self, time_s: float) -> None:
        self._baseline = self._track.baseline()
        if self._baseline is not None:
            self._due_s = time_s + self._lot.uniform(*PAUSE_S)
            self._next(time_s, STRAIGHT, 0.25)

    def _wait(self, time_s: float, pose: MeshPose, baseline: MeshPose) -> None:
        assert self._due_s is not None  # drawn with the baseline
        early = self._early(pose, baseline)
        if early is not None:
            self._end(Reason.CHALLENGE_UNCLEAR, early)
        elif time_s >= self._due_s:
            self._asked = True
            self._next(time_s, self._draw(), 0.5)

    def _next(self, time_s: float, prompt: Prompt, progress: float) -> None:
        self._since_s, self._prompt, self._state = time_s, prompt, ChallengeState(progress=progress)

    def _pass(self) -> None:
        self._state = ChallengeState(passed=True, progress=1.0)

    def _end(self, reason: Reason, message: str) -> None:
        self._state = ChallengeState(reason=reason, message=message, progress=self._state.progress)

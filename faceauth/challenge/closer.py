"""Come closer by a factor drawn by lot, and stay there.

It tells no photo from a face: a photo moved by hand comes closer as well. It stops recordings that come closer by
another factor, and gives the liveness backends frames that differ; by itself it is no proof.
"""

import random
import secrets
from collections.abc import Mapping
from types import MappingProxyType

from faceauth.challenge.mesh_pose import MAX_GAP_S, MeshPose, PoseTrack
from faceauth.challenge.turn import PAUSE_S, STRAIGHT
from faceauth.results import Reason
from faceauth.stages import API_VERSION, ChallengeFrame, ChallengeState, Prompt

NEARER = (1.35, 1.7)
"""Smallest and largest growth of the eye distance that is asked for: issue 25."""

TOLERANCE = 0.05
"""Share by which the growth may miss what was asked: chosen, not measured."""

TOO_FAR = 0.12
"""Share beyond what was asked, from which on it is another answer: chosen, not measured."""

EARLY = 1.12
"""Growth before anything was asked that ends it: chosen, not measured."""

HOLD_S = 1.0
"""Seconds for which the face stays there: chosen, not measured."""

STILL = 0.03
"""Largest change of the distance meanwhile. Chosen, not measured; a steady zoom slow enough for it does not come close
enough within ``LIMIT_S``."""

LIMIT_S = 8.0
"""Seconds for each part, after which it is unclear: chosen, not measured."""

CLOSER = "Come closer, slowly, until your face fills the outline, and stay there."


class Closer:
    """One approach.

    Args:
        lot: what draws; by default the system's source of randomness, which cannot be foretold.
    """

    api_version = API_VERSION
    weights_sha256: Mapping[str, str] = MappingProxyType({})

    def __init__(self, *, lot: random.Random | None = None) -> None:
        self._lot = lot or secrets.SystemRandom()
        self._track = PoseTrack()
        self._prompt, self._state = STRAIGHT, ChallengeState()
        self._since_s: float | None = None
        self._baseline: MeshPose | None = None
        self._due_s: float | None = None
        self._asked: float | None = None
        self._held: list[tuple[float, float]] = []

    @property
    def state(self) -> ChallengeState:
        """Where it stands."""
        return self._state

    def prompt(self) -> Prompt:
        """What to do now; the factor is not drawn before it is asked."""
        return self._prompt

    def feed(self, frame: ChallengeFrame) -> None:
        """Judge the next frame."""
        if self._state.ended:
            return
        pose, time_s = self._track.feed(frame.time_s, frame.mesh_px), frame.time_s
        if self._since_s is None:
            self._since_s = time_s
        if time_s - self._since_s > LIMIT_S:
            self._end(Reason.CHALLENGE_UNCLEAR, f"It took longer than {LIMIT_S:g} s. Start again.")
        elif self._baseline is None:
            self._rest(time_s)
        elif self._asked is None:
            self._wait(time_s, pose.eye_distance_px / self._baseline.eye_distance_px)
        else:
            self._follow(time_s, pose.eye_distance_px / self._baseline.eye_distance_px / self._asked - 1)

    def _rest(self, time_s: float) -> None:
        self._baseline = self._track.baseline()
        if self._baseline is not None:
            self._since_s, self._due_s = time_s, time_s + self._lot.uniform(*PAUSE_S)
            self._state = ChallengeState(progress=0.25)

    def _wait(self, time_s: float, growth: float) -> None:
        assert self._due_s is not None  # drawn with the baseline
        if growth > EARLY:
            self._end(Reason.CHALLENGE_UNCLEAR, "The face came closer before it was asked to. Start again, and wait.")
        elif time_s >= self._due_s:
            self._since_s, self._asked = time_s, self._lot.uniform(*NEARER)
            self._prompt = Prompt("come_closer", CLOSER, nearer=self._asked)
            self._state = ChallengeState(progress=0.5)

    def _follow(self, time_s: float, miss: float) -> None:
        """``miss`` is the share by which the face is nearer than asked."""
        if self._track.gap_s > MAX_GAP_S or abs(miss) > TOLERANCE:
            self._held.clear()
        if miss > TOO_FAR:
            self._end(Reason.CHALLENGE_FAILED, "The face came closer than was asked. Start again.")
        elif abs(miss) <= TOLERANCE:
            self._held.append((time_s, miss))
            while max(miss for _, miss in self._held) - min(miss for _, miss in self._held) > STILL:
                del self._held[0]
            if time_s - self._held[0][0] >= HOLD_S:
                self._state = ChallengeState(passed=True, progress=1.0)

    def _end(self, reason: Reason, message: str) -> None:
        self._state = ChallengeState(reason=reason, message=message, progress=self._state.progress)

"""Turn the head to a random side, hold it, and come back.

A flat photo that is tilted by up to 40 degrees does not reach the angle, see ``benchmarks/results``. What it does not
stop: a person who moves a face in real time, by a mask or by software; and a recording of a turn, which has one chance
in as many as there are ways.
"""

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, get_args

from faceauth.challenge.mesh_pose import MAX_GAP_S, MeshPose
from faceauth.challenge.pose_challenge import PoseChallenge
from faceauth.errors import UsageError
from faceauth.results import Reason
from faceauth.stages import Prompt

Way = Literal["left", "right", "up"]
"""The person's own left and right."""

TURN_DEG = 20.0
"""Degrees from the baseline that count as turned: no flat photo that was tilted by up to 40 degrees reached them, see
``python -m benchmarks.challenge_attacks``."""

HOLD_S = 0.2
"""Seconds for which the head stays turned: chosen, not measured."""

HOLD_FRAMES = 2
"""Frames in which it is seen turned, at least: what six frames a second give in ``HOLD_S``."""

BACK_DEG = 8.0
"""Degrees from the baseline within which the head is back: chosen, not measured."""

WRONG_DEG = 12.0
"""Degrees the wrong way that refuse: twice what noise and restlessness move in a baseline; chosen, not measured."""

EARLY_DEG = 10.0
"""Degrees by which the head may stray before anything was asked: chosen, not measured."""

REACTION_S = 0.15
"""Seconds after the question before which nobody's head has moved by ``EARLY_DEG``. Choosing between two answers takes
people 0.2 s and more; chosen, not measured."""

ON_THE_WAY = 2
"""Frames that show the head between rest and turned: one photo replaced by another has none. Chosen, not measured."""

JUMP_DEG, JUMP_DEG_S = 10.0, 250.0
"""Degrees from one frame to the next, and degrees a second, beyond both of which no head was turned but frames were put
together. Chosen, not measured; a head that is turned by 20 degrees in a fifth of a second reaches 100 a second."""

LIMIT_S = 10.0
"""Seconds for each part, after which it is unclear: chosen, not measured."""

MOVED_EARLY = "The head moved too early. Start again, and wait for the request."
TOO_FAST = "The head turned too fast. Start again, more slowly."

BACK = Prompt("look_straight", "Now look straight into the camera again.")
ASKED: Mapping[Way, Prompt] = MappingProxyType(
    {
        "left": Prompt("turn_left", "Turn your head slowly to your left."),
        "right": Prompt("turn_right", "Turn your head slowly to your right."),
        "up": Prompt("turn_up", "Raise your head slowly."),
    }
)


class Turn(PoseChallenge):
    """One turn of the head.

    Args:
        ways: of which one is drawn.
        lot: source of randomness; by default the system's, which cannot be predicted.

    Raises:
        UsageError: no way, or one that does not exist.
    """

    limit_s = LIMIT_S

    def __init__(self, *, ways: Sequence[Way] = ("left", "right"), lot: random.Random | None = None) -> None:
        if not ways or not set(ways) <= set(get_args(Way)):
            raise UsageError(f"ways is {ways!r}: expected at least one of {', '.join(get_args(Way))}.")
        super().__init__(lot=lot)
        self._ways = tuple(ways)
        self._way: Way | None = None
        self._on_the_way = 0
        self._held: list[float] = []
        self._turned = False

    def _early(self, pose: MeshPose, baseline: MeshPose) -> str | None:
        strayed = max(abs(pose.yaw_deg - baseline.yaw_deg), abs(pose.pitch_deg - baseline.pitch_deg))
        return MOVED_EARLY if strayed > EARLY_DEG else None

    def _draw(self) -> Prompt:
        self._way = way = self._lot.choice(self._ways)
        return ASKED[way]

    def _follow(self, waited_s: float, time_s: float, pose: MeshPose, baseline: MeshPose) -> None:
        assert self._way is not None  # drawn with the question
        turn_deg = _turn_deg(pose, baseline, self._way)
        jump_deg = self._track.jump_pitch_deg if self._way == "up" else self._track.jump_yaw_deg
        if jump_deg > max(JUMP_DEG, JUMP_DEG_S * self._track.gap_s):
            self._end(Reason.CHALLENGE_UNCLEAR, TOO_FAST)
        elif not self._turned:
            self._turn(waited_s, time_s, turn_deg, _stray_deg(pose, baseline, self._way))
        elif abs(turn_deg) <= BACK_DEG:
            self._pass()

    def _turn(self, waited_s: float, time_s: float, turn_deg: float, stray_deg: float) -> None:
        """From the question until the turn was held. ``stray_deg`` is the largest turn any other way."""
        if self._track.gap_s > MAX_GAP_S:
            self._held.clear()
        if turn_deg <= -WRONG_DEG or (stray_deg >= TURN_DEG and stray_deg > turn_deg):
            self._end(Reason.CHALLENGE_FAILED, "The head was turned the wrong way. Start again.")
        elif turn_deg > EARLY_DEG and waited_s < REACTION_S:
            self._end(Reason.CHALLENGE_UNCLEAR, MOVED_EARLY)
        elif turn_deg >= TURN_DEG:
            self._held.append(time_s)
            self._hold(time_s)
        else:
            self._held.clear()
            self._on_the_way += turn_deg > BACK_DEG

    def _hold(self, time_s: float) -> None:
        if self._on_the_way < ON_THE_WAY:
            self._end(Reason.CHALLENGE_UNCLEAR, TOO_FAST)
        elif len(self._held) >= HOLD_FRAMES and time_s - self._held[0] >= HOLD_S:
            self._turned = True
            self._next(time_s, BACK, 0.75)


def _turn_deg(pose: MeshPose, baseline: MeshPose, way: Way) -> float:
    """Degrees from the baseline, positive the way that was asked."""
    if way == "up":
        return pose.pitch_deg - baseline.pitch_deg
    yaw_deg = pose.yaw_deg - baseline.yaw_deg
    return yaw_deg if way == "left" else -yaw_deg


def _stray_deg(pose: MeshPose, baseline: MeshPose, way: Way) -> float:
    """The largest turn that belongs to no answer to ``way``: a nod for a turn, a turn for a raised head."""
    if way == "up":
        return abs(pose.yaw_deg - baseline.yaw_deg)
    return abs(pose.pitch_deg - baseline.pitch_deg)

"""A person who answers what is asked, as meshes at a steady rate."""

from collections.abc import Callable

import numpy as np

from faceauth.challenge.challenge_testing import frame_at, head_mesh
from faceauth.stages import Challenge, ChallengeState, MeshPoints, Prompt

Answer = Callable[[float, Prompt, float], MeshPoints]
"""The mesh at a time, with that prompt on the screen since so many seconds."""

SIGN = {"turn_left": 1.0, "turn_right": -1.0}


class Neck:
    """Turns to an angle no faster than it can."""

    def __init__(self, deg_s: float = 60.0) -> None:
        self.deg, self._deg_s, self._last_s = 0.0, deg_s, 0.0

    def turn(self, wanted_deg: float, time_s: float) -> float:
        step, self._last_s = self._deg_s * (time_s - self._last_s), time_s
        self.deg += float(np.clip(wanted_deg - self.deg, -step, step))
        return self.deg


def turned(deg: float = 28.0, *, ramp_s: float = 0.5, delay_s: float = 0.3) -> Answer:
    """Turns the head as asked, and back."""
    neck, last = Neck(deg / ramp_s), [""]

    def answer(time_s: float, prompt: Prompt, since_s: float) -> MeshPoints:
        asked = prompt.action == "turn_up" or prompt.action in SIGN
        last[0] = prompt.action if asked else last[0]
        share = neck.turn(deg * (asked and since_s >= delay_s), time_s)
        return head_mesh(pitch_deg=share) if last[0] == "turn_up" else head_mesh(yaw_deg=SIGN.get(last[0], 0) * share)

    return answer


def run(challenge: Challenge, answer: Answer, *, rate: float = 30.0, seconds: float = 40.0) -> ChallengeState:
    """The state in which the challenge ends, or the last one."""
    action, since_s = "", 0.0
    for number in range(round(seconds * rate)):
        time_s, prompt = number / rate, challenge.prompt()
        if prompt.action != action:
            action, since_s = prompt.action, time_s
        challenge.feed(frame_at(time_s, answer(time_s, prompt, time_s - since_s)))
        if challenge.state.ended:
            break
    return challenge.state

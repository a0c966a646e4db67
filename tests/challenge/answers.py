"""A person who answers what is asked, as meshes at a steady rate."""

from collections.abc import Callable

import numpy as np

from faceauth.challenge.challenge_testing import frame_at, head_mesh
from faceauth.stages import Challenge, ChallengeState, MeshPoints, Prompt

Answer = Callable[[float, Prompt, float], MeshPoints]
"""The mesh at a time, with that prompt on the screen since so many seconds."""

SIGN = {"turn_left": 1.0, "turn_right": -1.0}


def turned(deg: float = 28.0, *, ramp_s: float = 0.5, delay_s: float = 0.3) -> Answer:
    """Turns the head as asked, and back."""

    def answer(time_s: float, prompt: Prompt, since_s: float) -> MeshPoints:
        share = float(np.clip((since_s - delay_s) / ramp_s, 0, 1))
        if prompt.action == "turn_up":
            return head_mesh(pitch_deg=deg * share)
        if prompt.action in SIGN:
            return head_mesh(yaw_deg=SIGN[prompt.action] * deg * share)
        return head_mesh()

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

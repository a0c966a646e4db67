"""Look at the screen while it shows a random sequence of colours, called a word.

A recording, and a screen that shows one, do not answer, or answer another word. What it does not stop: whoever relights
a face by software in real time; and a photo in hand, which answers the colours like a face, except where the light is
strong enough to show the shading of a solid. Where the surroundings are too bright it tells nothing: use `turn`.
"""

import random
import secrets
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from faceauth.challenge.code_book import LINEAR, REST, SYMBOL_S, SYMBOLS, Floats, draw_decoys, draw_symbols
from faceauth.challenge.light_response import (
    LAGS_S,
    MIN_CORRELATION,
    MIN_GAIN,
    MIN_LEAD,
    MIN_SIDE,
    SHADING_GAIN,
    SKIN_BLUE_GREEN,
    SKIN_RED_GREEN,
    STABLE_LAG_S,
    Reading,
    Response,
    response_to,
    untimely,
)
from faceauth.challenge.mesh_pose import MeshPose, PoseTrack
from faceauth.challenge.shading import MIN_SHADING, light_of
from faceauth.results import Face, Reason
from faceauth.stages import API_VERSION, ChallengeFrame, ChallengeState, Image, MeshPoints, Prompt, Screen

BASELINE_S = 1.0
"""Seconds at rest before the first colour, in which exposure and white balance settle: chosen, not measured."""

LIMIT_S = 10.0
"""Seconds for the baseline, after which it is unclear: chosen, not measured."""

AHEAD_S = 0.5
"""Seconds before a colour is due from which on it is told: chosen, not measured."""

STILL_DEG = 12.0
STILL_SIZE = 1.15
"""How far the head may turn, and come closer, while colours are shown: chosen, not measured."""

MIN_BEHIND = 0.05
"""Share of the image that has to be beside the head: chosen, not measured."""

RESTING = Screen(REST, REST)
LOOK = "Look at the screen and hold still while its colour changes."


class Light:
    """One word of colours.

    Args:
        lot: source of randomness; by default the system's, which cannot be predicted.
    """

    api_version = API_VERSION
    weights_sha256: Mapping[str, str] = MappingProxyType({})

    def __init__(self, *, lot: random.Random | None = None) -> None:
        self._lot = lot or secrets.SystemRandom()
        self._symbols = draw_symbols(self._lot)
        self._track = PoseTrack()
        self._state = ChallengeState()
        self._readings: list[Reading] = []
        self._first_s: float | None = None
        self._start_s: float | None = None
        self._now_s = 0.0
        self._baseline: tuple[MeshPose, MeshPoints] | None = None

    @property
    def state(self) -> ChallengeState:
        """Where it stands."""
        return self._state

    def prompt(self) -> Prompt:
        """The colours of now, and those that are due within ``AHEAD_S``."""
        if self._start_s is None:
            return Prompt("look_at_screen", LOOK, screen=RESTING)
        number = int((self._now_s - self._start_s) / SYMBOL_S + 1e-9)
        due_s = self._start_s + (number + 1) * SYMBOL_S
        upcoming = (due_s, self._screen(number + 1)) if due_s - self._now_s <= AHEAD_S else None
        return Prompt("look_at_screen", LOOK, screen=self._screen(number), next_screen=upcoming)

    def feed(self, frame: ChallengeFrame) -> None:
        """Read the next frame; the last one after the word is judged."""
        if self._state.ended:
            return
        self._now_s = frame.time_s
        pose = self._track.feed(frame.time_s, frame.mesh_px)
        behind = background_of(frame.image, frame.face)
        self._readings.append(Reading(frame.time_s, light_of(frame.image, frame.mesh_px)[:, ::-1], behind))
        if self._first_s is None:
            self._first_s = frame.time_s
        if not np.isfinite(behind).all():
            self._end(Reason.CHALLENGE_UNCLEAR, "The face fills the image. Move back a little, and start again.")
        elif self._start_s is None or self._baseline is None:
            self._rest(frame, self._first_s)
        elif not _still(pose, self._baseline[0]):
            self._end(Reason.CHALLENGE_UNCLEAR, "The head moved. Start again, and hold still.")
        elif frame.time_s - self._start_s >= SYMBOLS * SYMBOL_S + LAGS_S[-1]:
            self._judge(self._start_s, self._baseline[1])
        else:
            progress = (frame.time_s - self._start_s) / (SYMBOLS * SYMBOL_S + LAGS_S[-1])
            self._state = ChallengeState(progress=float(progress))

    def _rest(self, frame: ChallengeFrame, first_s: float) -> None:
        baseline = self._track.baseline()
        if baseline is not None and frame.time_s - first_s >= BASELINE_S:
            self._start_s, self._baseline = frame.time_s, (baseline, frame.mesh_px)
        elif frame.time_s - first_s > LIMIT_S:
            self._end(Reason.CHALLENGE_UNCLEAR, "The head did not hold still. Start again.")

    def _screen(self, number: int) -> Screen:
        return self._symbols[number].screen if 0 <= number < SYMBOLS else RESTING

    def _judge(self, start_s: float, mesh_px: MeshPoints) -> None:
        why = untimely(self._readings, start_s)
        if why is not None:
            self._end(
                Reason.CHALLENGE_UNCLEAR,
                f"Too few frames: {why}. Start again with less load on the machine, or more light.",
            )
            return
        readings = [one for one in self._readings if one.time_s >= start_s - BASELINE_S / 2]
        decoys = draw_decoys(self._symbols, self._lot)
        found = refusal(response_to(readings, start_s, self._symbols, decoys, mesh_px))
        if found is None:
            self._state = ChallengeState(passed=True, progress=1.0)
        else:
            self._end(*found)

    def _end(self, reason: Reason, message: str) -> None:
        self._state = ChallengeState(reason=reason, message=message, progress=self._state.progress)


def refusal(response: Response) -> tuple[Reason, str] | None:
    """Why a response is not that of a face in front of this screen; None when it may be.

    One half of the screen raises the face by half of the gain, and that is what shading needs. Every comparison is
    written so that NaN refuses: half a face that left the image in a single frame makes ``side`` NaN.
    """
    if not response.gain >= MIN_GAIN:
        return Reason.TOO_BRIGHT, "The screen hardly lights the face. Dim the room, or use the challenge `turn`."
    first, second = response.halves_lag_s
    heard = response.correlation >= MIN_CORRELATION and response.correlation - response.decoy >= MIN_LEAD
    if not heard or abs(first - second) > STABLE_LAG_S:
        return Reason.CHALLENGE_FAILED, "The face did not answer the colours of the screen. Start again."
    red, blue = response.red_green, response.blue_green
    if not (SKIN_RED_GREEN[0] <= red <= SKIN_RED_GREEN[1] and SKIN_BLUE_GREEN[0] <= blue <= SKIN_BLUE_GREEN[1]):
        return Reason.CHALLENGE_FAILED, "The lit surface does not reflect light as skin does. Start again."
    if not response.side >= MIN_SIDE:
        return Reason.CHALLENGE_FAILED, "The face did not answer the sides of the screen. Start again."
    if response.gain / 2 >= SHADING_GAIN and not (response.shading is not None and response.shading >= MIN_SHADING):
        return Reason.CHALLENGE_FAILED, "The lit surface is flat. Show your own face to the camera."
    return None


def background_of(image: Image, face: Face) -> Floats:
    """Mean light beside the head: float64, 3, RGB; NaN where there is too little of it."""
    left, _, right, _ = face.box_xyxy
    margin = (right - left) / 2
    edges = max(0, int(left - margin)), min(image.shape[1], int(right + margin))
    beside = np.concatenate([image[:, : edges[0]], image[:, edges[1] :]], axis=1)
    if beside.size < MIN_BEHIND * image.size:
        return np.full(3, np.nan)
    return np.asarray(LINEAR[beside[::2, ::2]].mean(axis=(0, 1))[::-1], np.float64)


def _still(pose: MeshPose, baseline: MeshPose) -> bool:
    turned = max(abs(pose.yaw_deg - baseline.yaw_deg), abs(pose.pitch_deg - baseline.pitch_deg))
    nearer = pose.eye_distance_px / baseline.eye_distance_px
    return turned <= STILL_DEG and 1 / STILL_SIZE <= nearer <= STILL_SIZE

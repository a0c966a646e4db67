"""Light passes for a face that answers this word, here and now; everything else is refused or unclear.

The faces are simulated (``benchmarks/light_simulation.py``): these tests hold rules, and no error rate.
"""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
from benchmarks.challenge_attacks import Source, usable
from benchmarks.light_simulation import outcome
from faceauth.challenge import light, light_response
from faceauth.challenge.challenge_testing import ChallengeConformance, frame_at, head_mesh
from faceauth.challenge.light import Light, refusal
from faceauth.challenge.light_response import Reading, Response, untimely
from faceauth.imaging.decoding import load_image
from faceauth.results import Reason
from faceauth.stages import ChallengeFrame, Prompt
from faceauth.testing import face_in

COLLINS = Path(__file__).parents[2] / "examples" / "collins.jpg"
GOOD = Response(
    correlation=0.95,
    halves_lag_s=(0.15, 0.16),
    decoy=0.5,
    gain=0.1,
    red_green=2.0,
    blue_green=0.6,
    side=0.8,
    shading=0.0,
)


class TestLight(ChallengeConformance):
    @pytest.fixture
    def make(self) -> type[Light]:
        return Light


@pytest.fixture(scope="module")
def source() -> Source:
    found = usable(load_image(COLLINS)[:320, 60:380])
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_face_that_answers_the_word_passes(source: Source, seed: int) -> None:
    state = outcome("head", source, 0.1, seed)
    assert state.passed, state


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["still", "replay", "late"])
def test_a_recording_another_answer_and_a_late_one_do_not(source: Source, kind: str, seed: int) -> None:
    state = outcome(kind, source, 0.3, seed)
    assert not state.passed and state.reason in (Reason.CHALLENGE_FAILED, Reason.TOO_BRIGHT)


def test_strong_light_tells_a_photo_from_a_head(source: Source) -> None:
    assert outcome("photo", source, 1.5, 0).reason is Reason.CHALLENGE_FAILED


def test_light_that_hardly_reaches_the_face_is_too_bright_around(source: Source) -> None:
    assert outcome("head", source, 0.02, 0).reason is Reason.TOO_BRIGHT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"gain": 0.029}, Reason.TOO_BRIGHT),
        ({"correlation": 0.79}, Reason.CHALLENGE_FAILED),
        ({"decoy": 0.81}, Reason.CHALLENGE_FAILED),
        ({"halves_lag_s": (0.1, 0.23)}, Reason.CHALLENGE_FAILED),
        ({"red_green": 0.79}, Reason.CHALLENGE_FAILED),
        ({"red_green": 5.1}, Reason.CHALLENGE_FAILED),
        ({"blue_green": 1.51}, Reason.CHALLENGE_FAILED),
        ({"blue_green": 0.09}, Reason.CHALLENGE_FAILED),
        ({"side": 0.39}, Reason.CHALLENGE_FAILED),
        ({"gain": 0.61, "shading": 0.129}, Reason.CHALLENGE_FAILED),
        ({"gain": 0.61, "shading": None}, Reason.CHALLENGE_FAILED),
    ],
)
def test_every_check_is_needed(change: dict[str, float], reason: Reason) -> None:
    assert refusal(GOOD) is None
    found = refusal(replace(GOOD, **change))  # type: ignore[arg-type]
    assert found is not None and found[0] is reason


@pytest.mark.parametrize(
    "change",
    [
        *({name: np.nan} for name in ("correlation", "decoy", "gain", "red_green", "blue_green", "side")),
        {"gain": 0.61, "shading": np.nan},
    ],
    ids=lambda change: [*change][-1],
)
def test_what_is_no_number_is_refused(change: dict[str, float]) -> None:
    assert refusal(replace(GOOD, **change)) is not None  # type: ignore[arg-type]


def test_just_enough_of_everything_is_enough() -> None:
    least = replace(GOOD, correlation=0.8, decoy=0.65, halves_lag_s=(0.1, 0.22), gain=0.03, side=0.4)
    assert refusal(least) is None
    assert refusal(replace(GOOD, gain=0.61, shading=0.13)) is None
    assert refusal(replace(GOOD, gain=0.59, shading=0.0)) is None


def still_frame(time_s: float, **mesh: float) -> ChallengeFrame:
    frame = frame_at(time_s, head_mesh(**mesh))
    return replace(frame, face=face_in(frame.image, share=0.3))


def prompts(challenge: Light, *, rate: float = 30.0, seconds: float = 6.0) -> list[tuple[float, Prompt]]:
    shown = []
    for number in range(round(seconds * rate)):
        challenge.feed(still_frame(number / rate))
        shown.append((number / rate, challenge.prompt()))
        if challenge.state.ended:
            break
    return shown


def test_a_color_is_told_half_a_second_ahead_at_most_and_comes_when_it_was_told() -> None:
    assert light.AHEAD_S == 0.5
    promised: dict[float, object] = {}
    for time_s, prompt in prompts(Light(lot=random.Random(4))):
        if prompt.next_screen is not None:
            due_s, screen = prompt.next_screen
            assert 0 < due_s - time_s <= 0.5
            promised[due_s] = screen
        past = [due for due in promised if due <= time_s]
        if past:
            assert prompt.screen == promised[max(past)]
    assert len(promised) >= 9


def test_nothing_is_told_before_the_baseline() -> None:
    resting = [prompt for time_s, prompt in prompts(Light()) if time_s < light.BASELINE_S]
    assert resting and all(prompt.screen == light.RESTING and prompt.next_screen is None for prompt in resting)


def test_a_head_that_moves_ends_it() -> None:
    challenge = Light()
    for number in range(150):
        challenge.feed(still_frame(number / 30, yaw_deg=0 if number < 60 else 13))
    assert challenge.state.reason is Reason.CHALLENGE_UNCLEAR and "hold still" in challenge.state.message


def test_a_face_that_fills_the_image_is_unclear() -> None:
    challenge = Light()
    frame = frame_at(0.0)
    challenge.feed(replace(frame, face=face_in(frame.image, share=0.9)))
    assert challenge.state.reason is Reason.CHALLENGE_UNCLEAR and "Move back" in challenge.state.message


def readings(times_s: "np.ndarray") -> list[Reading]:
    return [Reading(time_s, np.ones((468, 3)), np.ones(3)) for time_s in times_s]


def test_six_frames_a_second_are_too_few_and_twelve_are_enough() -> None:
    assert (light_response.MIN_FRAMES, light_response.MAX_GAP_S) == (3, 0.25)
    assert untimely(readings(np.arange(0, 5, 1 / 6)), 0.0) is not None
    assert untimely(readings(np.arange(0, 5, 1 / 12)), 0.0) is None


def test_a_gap_makes_it_unclear() -> None:
    times = np.arange(0, 5, 1 / 30)
    assert untimely(readings(times[(times < 2) | (times > 2.18)]), 0.0) is None
    assert "apart" in (untimely(readings(times[(times < 2) | (times > 2.3)]), 0.0) or "")

"""A turn passes when it goes the way that was asked, far enough, for long enough, and back."""

import random

import pytest

from faceauth.challenge import turn
from faceauth.challenge.challenge_testing import ChallengeConformance, frame_at, head_mesh
from faceauth.challenge.mesh_pose import BASELINE_S
from faceauth.challenge.pose_challenge import PAUSE_S
from faceauth.challenge.turn import Turn
from faceauth.errors import UsageError
from faceauth.results import Reason
from faceauth.stages import MeshPoints, Prompt
from tests.challenge.answers import SIGN, run, turned

SEEDS = range(6)


class TestTurn(ChallengeConformance):
    @pytest.fixture
    def make(self) -> type[Turn]:
        return Turn


@pytest.mark.parametrize("rate", [6, 12, 30, 60])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_turn_as_asked_passes_at_any_frame_rate(rate: float, seed: int) -> None:
    ramp_s = 1.0 if rate < 10 else 0.5
    state = run(Turn(ways=("left", "right", "up"), lot=random.Random(seed)), turned(ramp_s=ramp_s), rate=rate)
    assert state.passed and state.progress == 1.0, state


def test_both_sides_are_asked_for_and_neither_is_known_before_it_is_due() -> None:
    asked = set()
    for seed in range(20):
        challenge = Turn(lot=random.Random(seed))
        for number in range(90):
            before = challenge.prompt().action
            challenge.feed(frame_at(number / 30))
            if challenge.prompt().action != before:
                asked.add(challenge.prompt().action)
                assert number / 30 >= PAUSE_S[0]
    assert asked == {"turn_left", "turn_right"}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_wrong_way_is_refused(seed: int) -> None:
    mirrored = {"turn_left": "turn_right", "turn_right": "turn_left"}
    person = turned()

    def wrong_way(time_s: float, prompt: Prompt, since_s: float) -> MeshPoints:
        return person(time_s, Prompt(mirrored.get(prompt.action, prompt.action), "."), since_s)

    assert run(Turn(lot=random.Random(seed)), wrong_way).reason is Reason.CHALLENGE_FAILED


def test_a_nod_is_no_turn() -> None:
    def nod(_: float, prompt: Prompt, since_s: float) -> MeshPoints:
        return head_mesh(pitch_deg=-min(60 * since_s, 30) if prompt.action in SIGN else 0)

    assert run(Turn(), nod).reason is Reason.CHALLENGE_FAILED


def test_no_answer_in_time_is_unclear() -> None:
    state = run(Turn(), lambda *_: head_mesh())
    assert state.reason is Reason.CHALLENGE_UNCLEAR and "10 s" in state.message


def test_a_turn_of_less_than_twenty_degrees_is_none() -> None:
    assert turn.TURN_DEG == 20.0
    assert run(Turn(), turned(19.5)).reason is Reason.CHALLENGE_UNCLEAR
    assert run(Turn(), turned(20.5)).passed


def test_a_turn_counts_from_the_persons_own_baseline() -> None:
    def askew(time_s: float, prompt: Prompt, since_s: float) -> MeshPoints:
        share = min(since_s, 1.0) * (prompt.action in SIGN)
        return head_mesh(yaw_deg=10 + SIGN.get(prompt.action, 0) * 15 * share)

    assert not run(Turn(), askew).passed


def test_a_turn_that_is_not_held_is_none() -> None:
    def glance(_: float, prompt: Prompt, since_s: float) -> MeshPoints:
        phase = (since_s % 0.8) / 0.8  # above 20 degrees for 0.13 s at a time
        return head_mesh(yaw_deg=SIGN.get(prompt.action, 0) * 23 * (1 - abs(2 * phase - 1)))

    assert turn.HOLD_S == 0.2
    assert not run(Turn(), glance).passed


def test_what_is_held_over_a_gap_is_not_held() -> None:
    challenge = Turn(ways=("left",), lot=random.Random(0))
    time_s = 0.0
    while challenge.prompt().action != "turn_left":
        challenge.feed(frame_at(time_s))
        time_s += 1 / 30
    for deg in (*range(0, 24, 2), 22, 22):
        challenge.feed(frame_at(time_s := time_s + 1 / 30, head_mesh(yaw_deg=deg)))
    challenge.feed(frame_at(time_s + 0.5, head_mesh(yaw_deg=22)))
    assert challenge.prompt().action == "turn_left"


def test_the_head_has_to_come_back() -> None:
    def stays(_: float, prompt: Prompt, since_s: float) -> MeshPoints:
        sign = stays_sign.setdefault(prompt.action, SIGN.get(prompt.action, 0))
        last[0] = sign * min(40 * since_s, 28) if sign else last[0]
        return head_mesh(yaw_deg=last[0])

    last, stays_sign = [0.0], {}
    assert run(Turn(), stays).reason is Reason.CHALLENGE_UNCLEAR


def test_one_photo_in_the_place_of_another_is_no_turn() -> None:
    state = run(Turn(), turned(ramp_s=1e-6))
    assert state.reason is Reason.CHALLENGE_UNCLEAR and "more slowly" in state.message


def test_frames_that_were_put_together_are_no_turn() -> None:
    """A right answer, played backwards: it starts turned, comes back, and turns again."""

    def backwards(_: float, prompt: Prompt, since_s: float) -> MeshPoints:
        deg = 12 if since_s < 0.1 else 24 * abs(min(since_s, 1.5) - 0.6)  # too little to count as turned at first
        return head_mesh(yaw_deg=SIGN.get(prompt.action, 0) * deg)

    assert (turn.JUMP_DEG, turn.JUMP_DEG_S) == (10.0, 250.0)
    state = run(Turn(), backwards)
    assert state.reason is Reason.CHALLENGE_UNCLEAR and "more slowly" in state.message


def test_photos_that_look_up_further_and_further_are_no_raised_head() -> None:
    def shown(_: float, prompt: Prompt, since_s: float) -> MeshPoints:
        return head_mesh(pitch_deg=(0, 15, 25)[min(int(since_s / 0.25), 2)] if prompt.action == "turn_up" else 0)

    state = run(Turn(ways=("up",)), shown)
    assert state.reason is Reason.CHALLENGE_UNCLEAR and "more slowly" in state.message


@pytest.mark.parametrize("seed", SEEDS)
def test_moving_before_it_is_asked_ends_it(seed: int) -> None:
    still_s = BASELINE_S + 0.1

    def early(time_s: float, *_: object) -> MeshPoints:
        """Past ``EARLY_DEG`` within the shortest pause after the baseline."""
        return head_mesh(yaw_deg=min(max(time_s - still_s, 0) * 40, 30))

    state = run(Turn(lot=random.Random(seed)), early)
    assert state.reason is Reason.CHALLENGE_UNCLEAR and "moved too early" in state.message


def test_nobody_reacts_at_once() -> None:
    state = run(Turn(), turned(delay_s=0.0, ramp_s=0.15), rate=60)
    assert state.reason is Reason.CHALLENGE_UNCLEAR and "moved too early" in state.message


def test_a_restless_face_has_no_baseline() -> None:
    def restless(time_s: float, *_: object) -> MeshPoints:
        return head_mesh(yaw_deg=10 * (-1) ** int(time_s * 5))

    challenge = Turn()
    assert run(challenge, restless).reason is Reason.CHALLENGE_UNCLEAR
    assert challenge.prompt().action == "look_straight"


@pytest.mark.parametrize("ways", [(), ("down",)])
def test_ways_that_do_not_exist_are_refused(ways: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="expected at least one of left, right, up"):
        Turn(ways=ways)  # type: ignore[arg-type]

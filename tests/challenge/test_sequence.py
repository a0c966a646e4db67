"""Three steps, drawn one after the other; the first that is not answered ends it."""

import random
from collections import Counter

import pytest

from faceauth.challenge.challenge_testing import ChallengeConformance, head_mesh
from faceauth.challenge.sequence import Sequence
from faceauth.results import Reason
from faceauth.stages import MeshPoints, Prompt
from tests.challenge.answers import SIGN, Neck, run, turned


class TestSequence(ChallengeConformance):
    @pytest.fixture
    def make(self) -> type[Sequence]:
        return Sequence


class Person:
    """Answers everything, and remembers what was asked."""

    def __init__(self, *, wrong_from: int = 99) -> None:
        self.asked: list[str] = []
        self._size_px, self._neck = 60.0, Neck()
        self._last, self._start_px, self._wrong_from = "", 60.0, wrong_from

    def __call__(self, time_s: float, prompt: Prompt, since_s: float) -> MeshPoints:
        if prompt.action != self._last and prompt.action != "look_straight":
            self.asked.append(prompt.action)
            self._start_px = self._size_px
        self._last = prompt.action
        if prompt.nearer is not None:
            self._size_px = self._start_px * (1 + (prompt.nearer - 1) * min(since_s, 1))
        wrong = len(self.asked) >= self._wrong_from
        wanted_deg = SIGN.get(prompt.action, 0) * 28 * (since_s >= 0.3) * (-1 if wrong else 1)
        return head_mesh(yaw_deg=self._neck.turn(wanted_deg, time_s), eye_distance_px=self._size_px)


@pytest.mark.slow
def test_three_right_answers_pass_and_every_step_occurs() -> None:
    asked: Counter[tuple[str, ...]] = Counter()
    for seed in range(40):
        person = Person()
        assert run(Sequence(lot=random.Random(seed)), person).passed
        assert len(person.asked) == 3
        assert person.asked.count("come_closer") <= 1
        asked[tuple(person.asked)] += 1
    assert len(asked) > 10
    assert {one for steps in asked for one in steps} == {"turn_left", "turn_right", "come_closer"}


def test_the_first_wrong_answer_ends_it() -> None:
    for seed in range(10):
        person = Person(wrong_from=2)
        state = run(Sequence(lot=random.Random(seed)), person)
        turned_wrong = [step for step in person.asked[1:] if step != "come_closer"][:1]
        assert state.reason is Reason.CHALLENGE_FAILED and person.asked[-1:] == turned_wrong


def test_progress_grows_with_every_step() -> None:
    challenge, seen = Sequence(lot=random.Random(3)), []
    person = Person()

    def watched(time_s: float, prompt: Prompt, since_s: float) -> MeshPoints:
        seen.append(challenge.state.progress)
        return person(time_s, prompt, since_s)

    run(challenge, watched)
    assert seen == sorted(seen) and seen[-1] > 0.9 - 1 / 6


def test_one_turn_answers_one_step_only() -> None:
    once = turned()
    answered = []

    def only_first(time_s: float, prompt: Prompt, since_s: float) -> MeshPoints:
        if prompt.action != "look_straight" and prompt.action not in answered and len(answered) < 1:
            answered.append(prompt.action)
        return once(time_s, prompt, since_s) if time_s < 5 else head_mesh()

    assert run(Sequence(lot=random.Random(2)), only_first, seconds=60).reason is Reason.CHALLENGE_UNCLEAR

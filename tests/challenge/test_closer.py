"""Coming closer passes at the distance that was asked, and nowhere else."""

import random
from collections.abc import Callable

import pytest

from faceauth.challenge import closer
from faceauth.challenge.challenge_testing import ChallengeConformance, head_mesh
from faceauth.challenge.closer import Closer
from faceauth.results import Reason
from faceauth.stages import MeshPoints, Prompt
from tests.challenge.answers import run


class TestCloser(ChallengeConformance):
    @pytest.fixture
    def make(self) -> type[Closer]:
        return Closer


def approach(share: float = 1.0, *, ramp_s: float = 1.0) -> Callable[[float, Prompt, float], MeshPoints]:
    """Comes nearer by that share of what is asked, and stays."""

    def answer(_: float, prompt: Prompt, since_s: float) -> MeshPoints:
        growth = 1 if prompt.nearer is None else 1 + (prompt.nearer * share - 1) * min(since_s / ramp_s, 1)
        return head_mesh(eye_distance_px=60 * growth)

    return answer


@pytest.mark.parametrize("rate", [6, 12, 60])
def test_coming_as_close_as_asked_passes(rate: float) -> None:
    assert run(Closer(lot=random.Random(1)), approach(), rate=rate).passed


def test_the_factor_is_drawn_from_its_range_when_it_is_due() -> None:
    found = []
    for seed in range(30):
        challenge = Closer(lot=random.Random(seed))
        run(challenge, approach(0.9))
        found.append(challenge.prompt().nearer)
    assert closer.NEARER == (1.35, 1.7)
    assert all(one is not None and 1.35 <= one <= 1.7 for one in found)
    assert min(found) < 1.45 and max(found) > 1.6 and len(set(found)) == 30  # type: ignore[type-var]


def test_too_near_is_refused_and_too_far_is_unclear() -> None:
    assert run(Closer(), approach(1 + closer.TOO_FAR + 0.01)).reason is Reason.CHALLENGE_FAILED
    assert run(Closer(), approach(1 - closer.TOLERANCE - 0.01)).reason is Reason.CHALLENGE_UNCLEAR
    assert (closer.TOLERANCE, closer.TOO_FAR) == (0.05, 0.12)


@pytest.mark.slow
@pytest.mark.parametrize("speed", [0.05, 0.1, 0.2, 0.6])
def test_a_steady_zoom_never_passes(speed: float) -> None:
    """As fast as it has to be to arrive in time, it is not still; and then it is too near."""

    def zoom(_: float, prompt: Prompt, since_s: float) -> MeshPoints:
        return head_mesh(eye_distance_px=60 * (1 + speed * since_s * (prompt.nearer is not None)))

    assert not [seed for seed in range(20) if run(Closer(lot=random.Random(seed)), zoom).passed]
    assert (closer.HOLD_S, closer.STILL, closer.LIMIT_S) == (1.0, 0.03, 8.0)


def test_coming_closer_before_it_is_asked_ends_it() -> None:
    state = run(Closer(), lambda time_s, *_: head_mesh(eye_distance_px=60 * (1 + 0.5 * max(time_s - 0.5, 0))))
    assert state.reason is Reason.CHALLENGE_UNCLEAR


def test_a_turned_head_is_not_taken_for_one_further_away() -> None:
    def turns(_: float, prompt: Prompt, since_s: float) -> MeshPoints:
        growth = 1 if prompt.nearer is None else 1 + (prompt.nearer - 1) * min(since_s, 1)
        return head_mesh(yaw_deg=25 * min(since_s, 1) if growth > 1 else 0, eye_distance_px=60 * growth)

    assert run(Closer(), turns).passed

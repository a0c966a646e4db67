"""What is asked is drawn from the system's randomness: a seed that somebody knows foretells nothing."""

import random

import numpy as np
import pytest

from faceauth.challenge.closer import Closer
from faceauth.challenge.light import Light
from faceauth.challenge.sequence import Sequence
from faceauth.challenge.turn import Turn

from .test_challenge_session import FakeChallenge, Scene, growing, session_of


@pytest.mark.parametrize("kind", [Turn, Closer, Sequence, Light])
def test_every_challenge_draws_from_the_system(kind: type[Turn | Closer | Sequence | Light]) -> None:
    assert isinstance(kind()._lot, random.SystemRandom)


def test_the_words_of_light_do_not_follow_a_seed() -> None:
    drawn = []
    for _ in range(8):
        random.seed(0)
        np.random.seed(0)
        drawn.append(str(Light()._symbols))
    assert len(set(drawn)) > 1


def test_a_nonce_does_not_follow_a_seed() -> None:
    nonces = []
    for _ in range(2):
        random.seed(0)
        np.random.seed(0)
        nonces.append(session_of(Scene(growing(1.0)), FakeChallenge([])).nonce)
    assert nonces[0] != nonces[1]

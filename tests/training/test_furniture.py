"""Furniture stands behind the person, is the same for both of a pair, and differs from draw to draw."""

import numpy as np
import pytest

from faceauth.stages import Image
from training.furniture import furnish

SIZE = 96
IN_THE_MIDDLE = (0.5, 0.5, 0.3)


def wall(value: int) -> Image:
    return np.full((SIZE, SIZE, 3), value, np.uint8)


def changed(face: tuple[float, float, float], seed: int, value: int = 120) -> Image:
    view = wall(value)
    return np.asarray((furnish(view, np.random.default_rng(seed), face) != view).any(axis=2))


@pytest.mark.parametrize("face", [IN_THE_MIDDLE, (0.3, 0.4, 0.25), (0.75, 0.6, 0.2)])
def test_the_face_stays_and_what_is_behind_does_not(face: tuple[float, float, float]) -> None:
    x, y, half = face[0] * SIZE, face[1] * SIZE, face[2] * SIZE * 0.4
    box = slice(round(y - half), round(y + half)), slice(round(x - half * 0.7), round(x + half * 0.7))
    shares = [changed(face, seed).mean() for seed in range(20)]
    assert not any(changed(face, seed)[box].any() for seed in range(20))
    assert min(shares) > 0.02 and max(shares) > 0.3


def test_two_of_a_pair_get_the_same_furniture_in_their_own_light() -> None:
    bright, dark = (furnish(wall(value), np.random.default_rng(5), IN_THE_MIDDLE) for value in (120, 60))
    places = (bright != 120).any(axis=2), (dark != 60).any(axis=2)
    assert (places[0] & places[1]).sum() > 0.9 * (places[0] | places[1]).sum()
    assert bright[places[0]].mean() > 1.2 * dark[places[0]].mean()


def test_another_seed_is_another_room() -> None:
    rooms = {furnish(wall(120), np.random.default_rng(seed), IN_THE_MIDDLE).tobytes() for seed in range(5)}
    assert len(rooms) == 5


def test_a_bar_brighter_than_the_wall_never_darkens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its soft edge is a share of its own colour and the rest of the wall's: nothing is taken off twice."""
    monkeypatch.setattr("training.furniture._colour", lambda _: (240.0, 240.0, 240.0, 1.0))
    for seed in range(10):
        assert furnish(wall(120), np.random.default_rng(seed), IN_THE_MIDDLE).min() >= 119

"""Words that nobody takes for one another, and that flash no more than WCAG 2.3.1 allows."""

import itertools
import random

import numpy as np
import pytest

from faceauth.challenge import code_book as book
from faceauth.challenge.code_book import COLORS, draw_decoys, draw_symbols, light_at, linear, words


def test_two_words_differ_in_five_symbols_at_least() -> None:
    assert (book.SYMBOLS, book.SYMBOL_S, book.DISTANCE, book.DECOYS) == (9, 0.45, 5, 32)
    book_of_words = np.array(words())
    assert len(book_of_words) >= 64
    assert min(int((a != b).sum()) for a, b in itertools.combinations(book_of_words, 2)) >= 5


def test_a_symbol_differs_from_the_one_before() -> None:
    assert all(first != second for word in words() for first, second in itertools.pairwise(word))


def luminance(rgb: tuple[int, int, int]) -> float:
    return float(linear(rgb) @ np.array([0.2126, 0.7152, 0.0722]))


def flashes(luminances: list[float]) -> int:
    """Pairs of opposing changes of a tenth and more whose darker end is below 0.8 (WCAG 2.3.1)."""
    changes = [
        np.sign(second - first)
        for first, second in itertools.pairwise(luminances)
        if abs(second - first) >= 0.1 and min(first, second) < 0.8
    ]
    return sum(first != second for first, second in itertools.pairwise(changes)) // 2 + bool(changes)


@pytest.mark.parametrize("seed", range(50))
def test_each_half_of_the_screen_flashes_at_most_one_and_a_fifth_times_a_second(seed: int) -> None:
    symbols = draw_symbols(random.Random(seed))
    seconds = book.SYMBOLS * book.SYMBOL_S
    for half in ("left", "right"):
        shown = [luminance(book.REST), *(luminance(getattr(one.screen, half)) for one in symbols), luminance(book.REST)]
        assert flashes(shown) / seconds <= 1.24


def test_no_color_is_a_saturated_red() -> None:
    """WCAG: R / (R + G + B) of 0.8 and more."""
    assert all(linear(color)[0] / linear(color).sum() < 0.8 for color in (*COLORS, book.REST))


def test_about_half_of_the_symbols_light_one_side_and_both_sides_occur() -> None:
    for seed in range(50):
        sides = [one.side for one in draw_symbols(random.Random(seed))]
        assert sum(side is not None for side in sides) in (4, 5)
        assert {"left", "right"} <= set(sides)


def test_the_dark_symbol_lights_no_side() -> None:
    assert not [
        one for seed in range(50) for one in draw_symbols(random.Random(seed)) if one.side and one.color == book.DARK
    ]


def test_decoys_are_thirty_two_other_words() -> None:
    symbols = draw_symbols(random.Random(0))
    decoys = draw_decoys(symbols, random.Random(1))
    assert len(decoys) == 32
    assert all(sum(a.color != b.color for a, b in zip(symbols, decoy, strict=True)) >= 5 for decoy in decoys)


def test_words_are_drawn_from_the_whole_book() -> None:
    assert len({tuple(one.color for one in draw_symbols(random.Random(seed))) for seed in range(400)}) > 55


def test_light_is_that_of_the_symbol_that_is_due() -> None:
    symbols = draw_symbols(random.Random(0))
    light, side = light_at(symbols, np.array([-0.1, 0.0, 0.44, 0.46, 4.04, 4.06]))
    rest = linear(book.REST)
    assert np.allclose(light[0], rest) and np.allclose(light[-1], rest) and np.allclose(light[1], light[2])
    assert not np.allclose(light[2], light[3])
    first = symbols[0].screen
    assert np.allclose(light[1], (linear(first.left) + linear(first.right)) / 2)
    assert side[1] == {"left": 1, "right": -1, None: 0}[symbols[0].side] and side[0] == side[-1] == 0

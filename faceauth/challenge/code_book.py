"""The sequence of colours that a screen shows: random, so that no two sessions look alike.

Colours are unsaturated, a symbol differs from the one before, and two words of the book differ in at least five of nine
symbols, so that no word is taken for another where four were seen wrongly.
"""

import functools
import itertools
import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from faceauth.stages import Rgb, Screen

SYMBOLS = 9
"""Of a word. In simulated light six are too few and eight are enough; the ninth pays for ``DISTANCE``."""

SYMBOL_S = 0.45
"""Seconds that a symbol is shown: chosen, not measured. Any two in a row are 0.9 s, so there are at most 1.2 flashes a
second, of the three that WCAG 2.3.1 allows."""

DISTANCE = 5
"""Symbols in which two words differ at least: chosen, not measured."""

WHITE: Rgb = (255, 250, 245)

DARK: Rgb = (70, 70, 75)
"""Also of the side that is not lit."""

COLORS: tuple[Rgb, ...] = (WHITE, DARK, (255, 205, 140), (140, 190, 255))
"""White, dark, amber, blue. None has more than four fifths of its light in red, which WCAG 2.3.1 calls saturated."""

REST: Rgb = (160, 160, 160)
"""Before the first symbol."""

SIDES = 5
"""Symbols of a word of which one side alone is lit: about half."""

DECOYS = 32
"""Other words that the answer is compared with: chosen, not measured."""

Word = tuple[int, ...]
Floats = npt.NDArray[np.float64]


class Lit(NamedTuple):
    """One symbol: the colour, and the side that alone is lit, as the person sees it; None for both."""

    color: Rgb
    side: str | None

    @property
    def screen(self) -> Screen:
        """What the screen shows."""
        return Screen(DARK if self.side == "right" else self.color, DARK if self.side == "left" else self.color)


@functools.cache
def words() -> tuple[Word, ...]:
    """All words, by a greedy search that always finds the same."""
    words = np.array([word for word in itertools.product(range(len(COLORS)), repeat=SYMBOLS) if _moves(word)])
    np.random.default_rng(0).shuffle(words)
    book: list[Word] = []
    while len(words):
        book.append(tuple(int(symbol) for symbol in words[0]))
        words = words[(words != words[0]).sum(axis=1) >= DISTANCE]
    return tuple(book)


def draw_symbols(lot: random.Random) -> list[Lit]:
    """A word of the book, of which some symbols light one side alone; these are never the dark colour."""
    return _with_sides(lot.choice(words()), lot)


def draw_decoys(symbols: Sequence[Lit], lot: random.Random) -> list[list[Lit]]:
    """Other words with their own lit sides, each of which differs in at least ``DISTANCE`` colours."""
    word = [COLORS.index(one.color) for one in symbols]
    others = [other for other in words() if sum(a != b for a, b in zip(word, other, strict=True)) >= DISTANCE]
    return [_with_sides(lot.choice(others), lot) for _ in range(DECOYS)]


def linear(rgb: npt.ArrayLike) -> Floats:
    """sRGB, 0-255, as light in [0, 1] (IEC 61966-2-1)."""
    value = np.asarray(rgb, np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


LINEAR = linear(np.arange(256)).astype(np.float32)
"""The light of each level, looked up for every pixel."""


def light_at(symbols: Sequence[Lit], times_s: Floats) -> tuple[Floats, Floats]:
    """The light of the screen at times since the first symbol began.

    Returns:
        float64, N x 3: the mean of both halves; and N: 1 where the left alone is lit, -1 for the right, otherwise 0.
    """
    halves = np.array([[linear(one.screen.left), linear(one.screen.right)] for one in symbols])
    rest = linear(REST)[None]
    mean = np.concatenate([rest, halves.mean(axis=1), rest])
    side = np.array([0, *({"left": 1, "right": -1, None: 0}[one.side] for one in symbols), 0], np.float64)
    index = np.clip(np.floor(times_s / SYMBOL_S).astype(int) + 1, 0, len(symbols) + 1)
    return mean[index], side[index]


def _moves(word: Word) -> bool:
    return all(first != second for first, second in itertools.pairwise(word))


def _with_sides(word: Word, lot: random.Random) -> list[Lit]:
    bright = [number for number, symbol in enumerate(word) if COLORS[symbol] != DARK]
    sided = lot.sample(bright, min(SIDES, len(bright)))
    sides = {number: ("left", "right")[place % 2] for place, number in enumerate(sided)}
    return [Lit(COLORS[symbol], sides.get(number)) for number, symbol in enumerate(word)]

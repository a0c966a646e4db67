"""Ink on paper: more of it is darker, its colour is its own, and a tired printer gives itself away."""

from dataclasses import replace

import numpy as np
import pytest

from training.simulate.press import Press, draw_press, reflect, separate
from training.simulate.scene import to_linear

INKS = np.array([[0.80, 0.58, 0.05], [0.58, 0.06, 0.86], [0.06, 0.90, 0.93], [0.03, 0.03, 0.03]], np.float32)
PLAIN = Press(
    inks=INKS,
    strength=np.ones(4, np.float32),
    managed=1.0,
    black_share=0.0,
    gains=(0.0, 0.0, 0.0, 0.0),
    lightness=1.0,
    levels=256,
    monochrome=False,
    paper_bgr=np.array([0.85, 0.9, 0.9], np.float32),
    halftone=None,
    lines=None,
)
RAMP = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)


def solid(*coverage: int) -> np.ndarray:
    return np.array([[coverage]], np.uint8)


def test_a_print_gets_lighter_with_the_image() -> None:
    for seed in range(12):
        press = draw_press(np.random.default_rng(seed))
        light = reflect(separate(RAMP, press), press).mean(axis=(0, 2))
        assert (np.diff([part.mean() for part in np.array_split(light, 8)]) > -0.01).all()
        assert light.min() > 0.001 and light.max() < 1  # ink is no black hole, paper no mirror


def test_more_ink_never_reflects_more() -> None:
    for ink in range(4):
        steps = np.zeros((1, 256, 4), np.uint8)
        steps[0, :, ink] = np.arange(256)
        assert (np.diff(reflect(steps, PLAIN), axis=1) < 0).all()


def test_bare_paper_is_paper_and_a_solid_layer_its_ink_on_it() -> None:
    np.testing.assert_allclose(reflect(solid(0, 0, 0, 0), PLAIN)[0, 0], PLAIN.paper_bgr)
    for ink in range(4):
        layer = [255 * (k == ink) for k in range(4)]
        np.testing.assert_allclose(reflect(solid(*layer), PLAIN)[0, 0], PLAIN.paper_bgr * INKS[ink], rtol=1e-5)


def test_inks_overlap_at_random() -> None:
    """Demichel: of two inks at 50 % a quarter is bare, a quarter each ink, a quarter both."""
    cyan, magenta = INKS[0], INKS[1]
    expected = PLAIN.paper_bgr * (1 + cyan + magenta + cyan * magenta) / 4
    np.testing.assert_allclose(reflect(solid(128, 128, 0, 0), PLAIN)[0, 0], expected, rtol=0.01)


def test_cyan_magenta_and_yellow_take_red_green_and_blue() -> None:
    for ink, taken in ((0, 2), (1, 1), (2, 0)):
        light = reflect(solid(*(255 * (k == ink) for k in range(4))), PLAIN)[0, 0]
        assert light.argmin() == taken


def test_a_managed_printer_prints_the_grey_that_it_was_given() -> None:
    light = reflect(separate(RAMP, PLAIN), PLAIN)[0] / PLAIN.paper_bgr
    wanted = to_linear(RAMP)[0]
    middle = slice(100, 256)  # darker greys are outside of what three inks can do
    np.testing.assert_allclose(light[middle], wanted[middle], atol=0.08)


def test_grey_component_replacement_keeps_the_tone() -> None:
    with_black = replace(PLAIN, black_share=0.7)
    assert separate(RAMP, with_black)[0, 60, 3] > 40 > separate(RAMP, PLAIN)[0, 60, 3]
    difference = reflect(separate(RAMP, with_black), with_black) - reflect(separate(RAMP, PLAIN), PLAIN)
    assert np.abs(difference).max() < 0.08


def test_dot_gain_darkens_the_middle_and_not_the_ends() -> None:
    fat = replace(PLAIN, gains=(0.15,) * 4)
    plain, gained = separate(RAMP, PLAIN)[0, :, 0].astype(int), separate(RAMP, fat)[0, :, 0].astype(int)
    at_half = np.abs(plain - 128).argmin()
    assert gained[at_half] - plain[at_half] == pytest.approx(0.15 * 255, abs=3)
    assert gained[255] == plain[255] and gained[0] == plain[0]


def test_faded_and_exhausted_inks_lift_the_blacks_and_cast_a_colour() -> None:
    dark = solid(220, 220, 220, 120)
    fresh = reflect(dark, PLAIN)[0, 0]
    faded = reflect(dark, replace(PLAIN, strength=np.full(4, 0.5, np.float32)))[0, 0]
    assert (faded > 2 * fresh).all()
    no_yellow = reflect(dark, replace(PLAIN, strength=np.array([1, 1, 0.2, 1], np.float32)))[0, 0]
    assert no_yellow.argmax() == 0 and no_yellow[0] > 3 * fresh[0]  # blue shadows
    np.testing.assert_allclose(no_yellow[1:], fresh[1:], rtol=0.15)


def test_a_driver_of_few_levels_prints_steps() -> None:
    assert len(np.unique(separate(RAMP, replace(PLAIN, levels=16))[..., 1])) <= 16
    assert len(np.unique(separate(RAMP, PLAIN)[..., 1])) > 100


def test_black_ink_alone_prints_grey() -> None:
    colours = np.array([[[200, 40, 30], [30, 180, 90], [40, 60, 220]]], np.uint8)
    coverage = separate(colours, replace(PLAIN, monochrome=True))
    assert not coverage[..., :3].any() and coverage[..., 3].min() > 10


def test_presses_differ_as_printers_do() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_press(rng) for _ in range(300)]
    assert 0.6 < np.mean([p.halftone is not None for p in drawn]) < 0.9
    assert 0.4 < np.mean([p.strength.min() < 0.85 for p in drawn]) < 0.65
    assert 0.02 < np.mean([p.monochrome for p in drawn]) < 0.12

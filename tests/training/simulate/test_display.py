"""A display shows its sub-pixels where a camera can tell them apart, moire where it nearly can, and else its tones."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from training.simulate.aliasing import Grid
from training.simulate.display import Display, add_glare, draw_display, shine
from training.simulate.scene import Scene, to_linear

GridOf = Callable[..., Grid]

PLAIN = Display(0.25, "upright", 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, (1.0, 1.0, 1.0), 1.0, 0.0, 0.0, 1.0)
STRIPED = replace(PLAIN, fill=1.0)


def shown(scene: Scene, grid: Grid, display: Display) -> np.ndarray:
    height, width = scene.image.shape[:2]
    return shine(scene.image, (0.0, 0.0, width, height), grid, display, np.random.default_rng(0)).astype(np.float64)


def peak(plane: np.ndarray) -> tuple[float, float]:
    """Frequency down and across of the strongest wave, cycles per px, 0 to 0.5."""
    spectrum = np.abs(np.fft.rfft2((plane - plane.mean()) * np.outer(*(np.hanning(n) for n in plane.shape))))
    down, across = np.unravel_index(spectrum.argmax(), spectrum.shape)
    return min(down, plane.shape[0] - down) / plane.shape[0], across / plane.shape[1]


def test_stripes_have_the_period_of_the_display_px(grey: Scene, grid_of: GridOf) -> None:
    """A px of 0.25 mm seen by sensor px of 0.05 mm: 0.2 cycles a px."""
    grid = grid_of(grey, px_mm=0.05)
    assert peak(shown(grey, grid, STRIPED)[..., 1]) == pytest.approx((0.0, 0.2), abs=0.01)
    assert peak(shown(grey, grid, replace(STRIPED, stripes="level"))[..., 1]) == pytest.approx((0.2, 0.0), abs=0.01)
    assert peak(shown(grey, grid, replace(PLAIN, rows=0.4))[..., 1]) == pytest.approx((0.2, 0.0), abs=0.01)


def test_sub_px_are_as_strong_as_pulses_of_a_third_of_the_px(grey: Scene, grid_of: GridOf) -> None:
    """The first harmonic of such a pulse is 2 sinc(1/3) of its mean."""
    grid = grid_of(grey, px_mm=0.1)
    green = shown(grey, grid, replace(STRIPED, fill=0.3))[..., 1]
    left = float(grid.contrast(np.array([0.4, 0.0]))[1])
    assert np.sqrt(2) * green.std() / green.mean() == pytest.approx(2 * np.sinc(1 / 3) * 0.3 * left, rel=0.05)


def test_red_green_and_blue_stand_side_by_side(grey: Scene, grid_of: GridOf) -> None:
    """A third of a display px apart, red to the left."""
    light = shown(grey, grid_of(grey, px_mm=0.025), STRIPED)
    row = light[light.shape[0] // 2]
    turn = np.exp(-2j * np.pi * 0.1 * np.arange(row.shape[0]))
    blue, green, red = np.angle((row - row.mean(axis=0)).T @ turn)
    for step in (red - green, green - blue):
        assert np.mod(step, 2 * np.pi) == pytest.approx(2 * np.pi / 3, abs=0.1)


def test_red_and_blue_of_a_pentile_screen_lie_on_its_diagonals_and_green_has_none(grey: Scene, grid_of: GridOf) -> None:
    light = shown(grey, grid_of(grey, px_mm=0.0625), replace(STRIPED, stripes="pentile"))
    blue, green, red = (light[..., channel] / light[..., channel].mean() - 1 for channel in range(3))
    assert np.abs(green).max() < 1e-3
    assert peak(blue) == pytest.approx((0.125, 0.125), abs=0.01)
    assert np.corrcoef(blue.ravel(), red.ravel())[0, 1] < -0.99  # where red is, blue is not
    np.testing.assert_allclose(np.abs(np.fft.fft2(blue)), np.abs(np.fft.fft2(blue[:, ::-1])), rtol=0.1, atol=100)


def test_moire_comes_from_sampling_and_goes_with_blur(grey: Scene, grid_of: GridOf) -> None:
    def beat(px_mm: float, blur_px: float) -> float:
        light = shown(grey, grid_of(grey, px_mm=px_mm, blur_px=blur_px), STRIPED)
        row = light[light.shape[0] // 2, :, 1]
        spectrum = np.abs(np.fft.rfft((row - row.mean()) * np.hanning(row.size))) / row.size / row.mean()
        return float(spectrum[1 : row.size // 8].max())  # periods above 8 px only

    assert beat(0.97 * 0.25, 0.0) > 0.01
    assert beat(0.97 * 0.25, 1.0) < 1e-3
    assert beat(0.3 * 0.25, 0.0) < 3e-3  # finely sampled: the stripes are seen as stripes, nothing folds down


def test_the_lattice_takes_no_light_on_average(grey: Scene, grid_of: GridOf) -> None:
    grid = grid_of(grey, px_mm=0.07)
    bare, lattice = (shown(grey, grid, display).mean() for display in (PLAIN, replace(STRIPED, fill=0.5)))
    assert lattice == pytest.approx(bare, rel=0.01)


def test_a_plain_display_shows_the_image_as_it_is(live: Scene, grid_of: GridOf) -> None:
    grid = grid_of(live, px_mm=0.2)
    light = shown(live, grid, PLAIN)
    y, x = (np.round(v - 0.5).astype(int) for v in (grid.view.y, grid.view.x))
    wanted = to_linear(live.image)[y.clip(0, 239), x.clip(0, 219)]
    assert np.median(np.abs(light - wanted)) < 0.01


def test_black_gamma_white_and_saturation_act_on_the_tones(live: Scene, grey: Scene, grid_of: GridOf) -> None:
    grid = grid_of(grey, px_mm=0.2)
    level = shown(grey, grid, PLAIN).mean()
    assert shown(grey, grid, replace(PLAIN, black=0.1)).mean() == pytest.approx(level * 0.9 + 0.1, rel=0.01)
    assert shown(grey, grid, replace(PLAIN, brightness=2.0)).mean() == pytest.approx(2 * level, rel=0.01)
    assert shown(grey, grid, replace(PLAIN, gamma=0.8)).mean() > 1.1 * level  # pale
    warm = shown(grey, grid, replace(PLAIN, white_bgr=(0.8, 1.0, 1.25))).mean(axis=(0, 1))
    np.testing.assert_allclose(warm / level, (0.8, 1.0, 1.25), rtol=0.01)
    flat, vivid = (shown(live, grid, replace(PLAIN, saturation=s)).std(axis=2).mean() for s in (0.5, 1.5))
    assert vivid > 2 * flat


def test_a_contrast_curve_darkens_shadows_and_lifts_lights(grid_of: GridOf) -> None:
    for tone, sign in ((64, -1), (192, 1)):
        scene = Scene(np.full((240, 220, 3), tone, np.uint8), (65.0, 60.0, 155.0, 180.0))
        grid = grid_of(scene, px_mm=0.2)
        change = shown(scene, grid, replace(PLAIN, contrast=1.0)).mean() - shown(scene, grid, PLAIN).mean()
        assert sign * change > 0.01


def test_refresh_bands_are_level_and_as_many_as_asked(grey: Scene, grid_of: GridOf) -> None:
    light = shown(grey, grid_of(grey, px_mm=0.2), replace(PLAIN, flicker=0.2, flicker_periods=6.0))[..., 1]
    assert light.std(axis=1).max() < 1e-3
    profile = light[:, 0] - light[:, 0].mean()
    assert np.abs(np.fft.rfft(profile)).argmax() in (6, 7)
    assert profile.std() / light.mean() == pytest.approx(0.2 / np.sqrt(2), rel=0.25)


def test_glare_adds_light_and_never_takes_any(grey: Scene) -> None:
    dark = np.full((60, 50, 3), 0.1, np.float32)
    for seed in range(5):
        glared = add_glare(dark, grey.image, 0.2, np.random.default_rng(seed))
        assert (glared - dark).min() > 0.02
    assert add_glare(dark, grey.image, 0.0, np.random.default_rng(2)).min() >= 0.1 - 1e-6


def test_nearly_half_of_the_displays_leave_no_moire_and_hardly_a_cast() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_display(rng, px_mm=(0.05, 0.5), flicker_chance=0.3) for _ in range(300)]
    good = [d for d in drawn if d.fill == 0 and d.rows == 0]
    assert 0.35 < len(good) / len(drawn) < 0.6
    assert not any(d.flicker for d in good)
    assert np.mean([d.gamma for d in good]) < 0.95
    assert np.std([d.white_bgr[0] for d in good]) < 0.1 < np.std([d.white_bgr[0] for d in drawn])
    assert all(0.05 <= d.px_mm <= 0.5 for d in drawn)

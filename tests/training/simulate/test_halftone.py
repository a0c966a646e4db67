"""Dots keep the tone they render; rosettes have their ruling and angles, scattered dots no low frequencies."""

from collections.abc import Callable

import numpy as np
import pytest

from training.simulate.aliasing import Grid
from training.simulate.halftone import ANGLES_DEG, Halftone, draw_halftone, screen
from training.simulate.scene import Scene

GridOf = Callable[..., Grid]

LASER, INKJET = Halftone(True, 150.0, 5.0), Halftone(False, 300.0, 5.0)


def screened(grey: Scene, grid_of: GridOf, halftone: Halftone, tone: float, *, px_mm: float = 0.2) -> np.ndarray:
    """Coverage 0-255 of C, M, Y, K at each px, of a flat tone of 0 to 1."""
    grid = grid_of(grey, px_mm=px_mm)
    flat = np.full((*grid.view.shape_hw, 4), round(255 * tone), np.uint8)
    return screen(flat, halftone, grid, np.random.default_rng(0)).astype(np.float64)


@pytest.mark.parametrize("halftone", [LASER, INKJET], ids=["laser", "ink-jet"])
def test_dots_average_to_the_tone_that_they_render(grey: Scene, grid_of: GridOf, halftone: Halftone) -> None:
    tones = np.linspace(0.1, 0.9, 9)
    means = [screened(grey, grid_of, halftone, tone).mean() / 255 for tone in tones]
    np.testing.assert_allclose(means, tones, atol=0.03)


@pytest.mark.parametrize("halftone", [LASER, INKJET], ids=["laser", "ink-jet"])
def test_bare_paper_and_solid_ink_have_no_dots_and_the_middle_has_most(
    grey: Scene, grid_of: GridOf, halftone: Halftone
) -> None:
    spread = [screened(grey, grid_of, halftone, tone).std() for tone in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert spread[0] == 0 and spread[-1] == 0
    assert spread[2] > spread[1] > 1 and spread[2] > spread[3] > 1
    assert spread[1] == pytest.approx(spread[3], rel=0.15)


@pytest.mark.parametrize("dpi, cell", [(150, 5.0), (300, 8.0)])
def test_a_rosette_has_the_ruling_and_the_angles_of_its_printer(
    grey: Scene, grid_of: GridOf, dpi: float, cell: float
) -> None:
    halftone, px_mm = Halftone(True, dpi, cell), 0.15
    assert 25.4 / halftone.period_mm == pytest.approx(dpi / cell)  # lines per inch
    coverage = screened(grey, grid_of, halftone, 0.5, px_mm=px_mm)
    down, across = np.meshgrid(np.fft.fftfreq(coverage.shape[0]), np.fft.fftfreq(coverage.shape[1]), indexing="ij")
    for ink, angle in enumerate(ANGLES_DEG):
        spectrum = np.abs(np.fft.fft2(coverage[..., ink] - coverage[..., ink].mean()))
        at = np.unravel_index(spectrum.argmax(), spectrum.shape)
        frequency = np.array([across[at], down[at]])
        assert np.hypot(*frequency) == pytest.approx(px_mm / halftone.period_mm, abs=0.008)
        turned = np.rad2deg(np.arctan2(frequency[1], frequency[0])) - angle
        assert abs((turned + 45) % 90 - 45) < 4  # a lattice repeats every 90 degrees


def test_the_first_harmonic_at_half_coverage_is_that_of_a_checkerboard(grey: Scene, grid_of: GridOf) -> None:
    grid = grid_of(grey, px_mm=0.3, blur_px=0.6)
    flat = np.full((*grid.view.shape_hw, 4), 128, np.uint8)
    black = screen(flat, LASER, grid, np.random.default_rng(0))[..., 3] / 255.0
    left = grid.contrast(np.array([0.3, 0.0]) / LASER.period_mm).mean()
    assert 0.2 < left < 0.6  # weakened, so that no peak is cut off
    assert black.std() == pytest.approx(left * 4 / np.pi**2, rel=0.05)  # two waves, each a / sqrt 2


def test_scattered_dots_are_blue_noise(grey: Scene, grid_of: GridOf) -> None:
    coverage = screened(grey, grid_of, INKJET, 0.5)[..., 0]
    power = np.abs(np.fft.fft2(coverage - coverage.mean())) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(power.shape[1]), np.fft.fftfreq(power.shape[0])))
    low, high = power[(radius > 0) & (radius < 0.05)].mean(), power[(radius > 0.3) & (radius < 0.5)].mean()
    assert low < 0.05 * high


def test_grain_falls_with_the_square_of_the_distance(grey: Scene, grid_of: GridOf) -> None:
    near, far = (screened(grey, grid_of, INKJET, 0.5, px_mm=px_mm)[..., 0].std() for px_mm in (0.15, 0.3))
    assert near / far == pytest.approx(4, rel=0.15)


def test_inks_have_noise_of_their_own(grey: Scene, grid_of: GridOf) -> None:
    planes = screened(grey, grid_of, INKJET, 0.5).reshape(-1, 4)
    assert np.abs(np.corrcoef(planes.T) - np.eye(4)).max() < 0.1


def test_printers_of_both_kinds_have_150_to_600_dpi() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_halftone(rng) for _ in range(300)]
    assert {h.dpi for h in drawn} == {150, 200, 300, 400, 600}
    assert 0.3 < np.mean([h.clustered for h in drawn]) < 0.6

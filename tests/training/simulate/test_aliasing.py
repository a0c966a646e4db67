"""What repeats on a medium is weakened by lens, photosite and mosaic, and folds where the sampling is too coarse."""

from collections.abc import Callable

import numpy as np
import pytest

from training.simulate.aliasing import Grid, photosites
from training.simulate.pose import Pose
from training.simulate.scene import Scene

GridOf = Callable[..., Grid]


def peak(field: np.ndarray) -> tuple[float, float]:
    """Frequency down and across of the strongest wave, cycles per px, 0 to 0.5."""
    window = np.hanning(field.shape[0])[:, None] * np.hanning(field.shape[1])
    spectrum = np.abs(np.fft.rfft2((field - field.mean()) * window))
    down, across = np.unravel_index(spectrum.argmax(), spectrum.shape)
    return min(down, field.shape[0] - down) / field.shape[0], across / field.shape[1]


def test_a_wave_has_the_period_that_it_has_on_the_medium(grey: Scene, grid_of: GridOf) -> None:
    wave = grid_of(grey, px_mm=0.2).wave((1.0, 0.0))  # 1 mm is 5 px
    assert wave is not None
    assert peak(wave.cosine) == pytest.approx((0.0, 0.2), abs=0.01)


def test_twice_the_distance_halves_the_period(grey: Scene, grid_of: GridOf) -> None:
    near, far = (grid_of(grey, px_mm=px_mm).wave((0.0, 0.5)) for px_mm in (0.2, 0.4))
    assert near is not None and far is not None
    assert peak(near.sine) == pytest.approx((0.1, 0.0), abs=0.01)
    assert peak(far.sine) == pytest.approx((0.2, 0.0), abs=0.01)


def test_a_wave_turns_with_the_medium(grey: Scene, grid_of: GridOf) -> None:
    grid = grid_of(grey, px_mm=0.2, pose=Pose(yaw=0.0, pitch=0.0, roll=90.0, distance=4.0))
    np.testing.assert_allclose(np.abs(grid.view.sensor_px_to_medium().T @ (1, 0)) * grid.view.scale, (0, 1), atol=0.01)


def test_what_is_finer_than_the_sensor_folds_down(grey: Scene, grid_of: GridOf) -> None:
    wave = grid_of(grey, px_mm=0.97).wave((1.0, 0.0))  # 0.97 cycles per px look like 0.03
    assert wave is not None
    assert peak(wave.cosine) == pytest.approx((0.0, 0.03), abs=0.01)


def test_contrast_falls_with_frequency_and_with_blur(grey: Scene, grid_of: GridOf) -> None:
    sharp, soft = (grid_of(grey, px_mm=1.0, blur_px=blur) for blur in (0.0, 0.6))
    left = [float(sharp.contrast(np.array([f, 0.0])).max()) for f in (0.0, 0.2, 0.5, 0.8, 1.1)]
    assert left[0] == pytest.approx(1.0)
    assert (np.diff(left) < 0).all()
    assert soft.contrast(np.array([0.3, 0.0]))[1] < 0.7 * sharp.contrast(np.array([0.3, 0.0]))[1]
    # exp(-2 (pi sigma f)^2) of the best lens and sinc(0.85 f) of the photosite
    expected = np.exp(-2 * (np.pi * 0.3 * 0.5) ** 2) * np.sinc(0.85 * 0.5)
    assert left[2] == pytest.approx(expected, rel=1e-3)


def test_a_wave_of_which_nothing_is_left_is_none(grey: Scene, grid_of: GridOf) -> None:
    assert grid_of(grey, px_mm=3.0).wave((1.0, 0.0)) is None


def test_red_and_blue_photosites_fold_where_green_does_not(grey: Scene, grid_of: GridOf) -> None:
    """At half a cycle per photosite red and blue, one photosite in two, see no change: the source of colour moire."""
    blue, green, red = grid_of(grey, px_mm=1.0, photosites=4).contrast(np.array([2.0, 0.0]))
    assert blue == pytest.approx(red) and red > 0.3
    assert green < 0.01 * red


def test_shrinking_by_area_takes_away_what_is_finer_than_a_px(grey: Scene, grid_of: GridOf) -> None:
    grid = grid_of(grey, px_mm=1.0, photosites=4)
    assert grid.contrast(np.array([1.0, 0.0])).max() < 1e-6  # a whole cycle in each px
    assert grid.contrast(np.array([4.0, 0.0])).min() > 0.01  # one a photosite: folded before the shrinking


def test_photosites_follow_distance_and_focal_length() -> None:
    assert photosites(1.2, 400, 1000) == 3
    assert photosites(1.2, 200, 1000) == 6
    assert photosites(0.1, 600, 500) == 1  # never less than one

"""A printer's lines run one way, repeat with its passes and change the ink of the sheet, not of the light."""

from collections.abc import Callable

import numpy as np
import pytest

from training.simulate.aliasing import Grid
from training.simulate.printer_lines import Lines, draw_lines, draw_over
from training.simulate.scene import Scene

GridOf = Callable[..., Grid]

NONE = (0.0, 0.0, 0.0, 0.0)


def drawn(grey: Scene, grid_of: GridOf, lines: Lines, *, px_mm: float = 0.5) -> np.ndarray:
    grid = grid_of(grey, px_mm=px_mm)
    flat = np.full((*grid.view.shape_hw, 4), 128, np.uint8)
    return draw_over(flat, lines, grid, np.random.default_rng(1)).astype(np.float64)


@pytest.mark.parametrize("level", [True, False])
def test_bands_run_across_the_sheet_or_up_and_down_it(grey: Scene, grid_of: GridOf, level: bool) -> None:
    coverage = drawn(grey, grid_of, Lines(level, 5.0, (0.2, 0.2, 0.2, 0.2), NONE, 0.0))
    along, across = (1, 0) if level else (0, 1)
    assert coverage.std(axis=along).max() < 1
    assert coverage.std(axis=across).min() > 8


@pytest.mark.parametrize("pass_mm", [4.0, 8.0])
def test_bands_repeat_with_the_pass_of_the_head(grey: Scene, grid_of: GridOf, pass_mm: float) -> None:
    profile = drawn(grey, grid_of, Lines(True, pass_mm, (0.2, 0.0, 0.0, 0.0), NONE, 0.0))[:, 0, 0]
    spectrum = np.abs(np.fft.rfft((profile - profile.mean()) * np.hanning(profile.size)))
    assert spectrum.argmax() / profile.size == pytest.approx(0.5 / pass_mm, abs=0.008)


def test_a_band_belongs_to_its_ink(grey: Scene, grid_of: GridOf) -> None:
    coverage = drawn(grey, grid_of, Lines(True, 5.0, (0.0, 0.2, 0.0, 0.0), NONE, 0.0))
    assert coverage[..., 1].std() > 8
    assert np.delete(coverage, 1, axis=2).std() == 0


def test_a_blocked_nozzle_leaves_a_thin_pale_line_in_each_pass(grey: Scene, grid_of: GridOf) -> None:
    profile = drawn(grey, grid_of, Lines(True, 10.0, NONE, (0.5, 0.0, 0.0, 0.0), 0.0), px_mm=0.2)[:, 0, 0]
    pale = profile < 100
    assert profile.max() == 128  # nowhere more ink than wanted
    assert profile.min() == pytest.approx(64, abs=6)
    assert 0.05 < pale.mean() < 0.2
    starts = np.flatnonzero(np.diff(pale.astype(int)) == 1)
    np.testing.assert_allclose(np.diff(starts), 50, atol=1)  # 10 mm


def test_streaks_do_not_repeat(grey: Scene, grid_of: GridOf) -> None:
    profile = drawn(grey, grid_of, Lines(True, 5.0, NONE, NONE, 0.2), px_mm=0.3)[:, 0, 0]
    assert profile.std() > 5
    centred = profile - profile.mean()
    rest = np.correlate(centred, centred, "full")[centred.size + 4 :] / (centred @ centred)
    assert np.abs(rest[:60]).max() < 0.4


def test_lines_finer_than_a_px_are_averaged(grey: Scene, grid_of: GridOf) -> None:
    lines = Lines(True, 0.8, (0.2, 0.2, 0.2, 0.2), NONE, 0.0)
    assert drawn(grey, grid_of, lines, px_mm=2.0).std() < 0.3 * drawn(grey, grid_of, lines, px_mm=0.2).std()


def test_most_printers_leave_lines_and_some_none() -> None:
    rng = np.random.default_rng(0)
    none = np.mean([draw_lines(rng) is None for _ in range(300)])
    assert 0.2 < none < 0.4

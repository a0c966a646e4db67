"""Lines that a printer leaves along or across the sheet: bands of its passes, blocked nozzles, streaks of its drum."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.aliasing import Grid
from training.simulate.halftone import Coverage
from training.simulate.randomness import chance, log_uniform

_STEP_MM = 0.1  # of a profile
_LONGEST = 6000  # steps of a profile: two sheets of A4


@dataclass(frozen=True)
class Lines:
    """What repeats from line to line.

    Attributes:
        level: whether the lines run across the live image, else up and down (the sheet was printed on its side).
        pass_mm: from one pass of the print head, or one turn of a roller, to the next.
        bands: uneven ink over a pass, share of the coverage, one value an ink.
        blocked: ink missing in one thin line of each pass, share of the coverage.
        streaks: uneven ink from line to line that does not repeat, deviation as a share.
    """

    level: bool
    pass_mm: float
    bands: tuple[float, float, float, float]
    blocked: tuple[float, float, float, float]
    streaks: float


def draw_lines(rng: np.random.Generator) -> Lines | None:
    """None for a printer in order."""
    if chance(rng, 0.3):
        return None
    bands = log_uniform(rng, 0.006, 0.07) * rng.uniform(0.2, 1, 4)
    blocked = (rng.random(4) < 0.5) * rng.uniform(0.05, 0.35, 4) if chance(rng, 0.25) else np.zeros(4)
    streaks = log_uniform(rng, 0.004, 0.04)
    return Lines(chance(rng, 0.65), log_uniform(rng, 0.7, 12), _four(bands), _four(blocked), streaks)


def draw_over(coverage: Coverage, lines: Lines, grid: Grid, rng: np.random.Generator) -> Coverage:
    """``coverage`` at each sensor px, stronger and weaker along ``lines``."""
    at = grid.view.y if lines.level else grid.view.x
    low = float(at.min())
    steps = min(_LONGEST, int((float(at.max()) - low) * grid.mm / _STEP_MM) + 2)
    profile = _profile(lines, steps, grid.px_mm / _STEP_MM, rng)
    position = ((at - np.float32(low)) * np.float32(grid.mm / _STEP_MM)).astype(np.float32)
    seen = cv2.remap(profile, np.zeros_like(position), position, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(coverage * seen + np.float32(0.5), 0, 255), np.uint8)


def _profile(lines: Lines, steps: int, px_steps: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Ink laid down at each step, steps x 1 x 4, 1 = as wanted, averaged over a sensor px of ``px_steps``."""
    turn = np.arange(steps) * (_STEP_MM / lines.pass_mm) + rng.uniform()
    profile = np.ones((steps, 4), np.float32)
    for ink in range(4):
        for harmonic in (1, 2, 3):  # any shape, the slow parts stronger
            phase = 2 * np.pi * (harmonic * turn + rng.uniform())
            profile[:, ink] += lines.bands[ink] / harmonic * np.sin(phase).astype(np.float32)
        nozzle, thin = rng.uniform(), max(0.12, 0.25 / lines.pass_mm)
        profile[(turn - nozzle) % 1 < thin, ink] *= 1 - np.float32(lines.blocked[ink])
    profile *= 1 + np.float32(lines.streaks) * rng.standard_normal((steps // 3 + 1, 1)).repeat(3, axis=0)[:steps]
    return np.asarray(cv2.blur(profile[:, None], (1, max(1, round(px_steps)))), np.float32)


def _four(values: NDArray[np.float64]) -> tuple[float, float, float, float]:
    c, m, y, k = (float(value) for value in values)
    return c, m, y, k

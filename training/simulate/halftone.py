"""Halftoning as a sensor sees it: adds the traces of printed dots to continuous ink coverage.

No dot is drawn: at the usual distances a sensor px covers many. A clustered-dot screen is its first harmonics, sampled
as ``aliasing`` says; scattered dots are the noise that is left of them in a sensor px.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.aliasing import Field, Grid
from training.simulate.randomness import chance, grain, log_uniform

Coverage = NDArray[np.uint8]  # H x W x 4: C, M, Y, K, 0-255 = 0-100 % of the area

ANGLES_DEG = (15.0, 75.0, 0.0, 45.0)  # of the screens of C, M, Y, K: the rosette of process printing
_CHECKERBOARD = 4 / np.pi**2  # amplitude of the first harmonic of a screen at 50 %, a checkerboard


@dataclass(frozen=True)
class Halftone:
    """How a printer makes tones of dots.

    Attributes:
        clustered: dots that grow on a lattice (AM: laser, offset); else dots of one size, scattered (FM: ink-jet).
        dpi: printer dots per inch, 150 to 600.
        cell: side of a cell of the lattice in printer dots (clustered only).
    """

    clustered: bool
    dpi: float
    cell: float

    @property
    def period_mm(self) -> float:
        """Of the lattice; the ruling in lines per inch is ``dpi / cell``."""
        return 25.4 / self.dpi * self.cell


def draw_halftone(rng: np.random.Generator) -> Halftone:
    """An ink-jet or a laser printer, from a draft to its best."""
    dpi = float(rng.choice([150, 200, 300, 400, 600], p=[0.12, 0.13, 0.3, 0.15, 0.3]))
    return Halftone(chance(rng, 0.45), dpi, log_uniform(rng, 3.5, 8))


def screen(coverage: Coverage, halftone: Halftone, grid: Grid, rng: np.random.Generator) -> Coverage:
    """``coverage`` at each sensor px, with what the sensor sees of its dots; its mean stays."""
    if halftone.clustered:
        return _rosette(coverage, 1 / halftone.period_mm, grid, rng)
    return _scattered(coverage, 25.4 / halftone.dpi / grid.px_mm, rng)


def _rosette(coverage: Coverage, per_mm: float, grid: Grid, rng: np.random.Generator) -> Coverage:
    strength = _table(lambda c: _CHECKERBOARD * np.sin(np.pi * c))
    planes = []
    for plane, angle in zip(cv2.split(coverage), np.deg2rad(ANGLES_DEG), strict=True):
        lattice = np.zeros(plane.shape, np.float32)
        for axis in (angle, angle + np.pi / 2):
            seen = grid.wave((per_mm * float(np.cos(axis)), per_mm * float(np.sin(axis))))
            shift = rng.uniform(0, 2 * np.pi)
            if seen is not None:
                turned = seen.cosine * np.float32(np.cos(shift)) + seen.sine * np.float32(np.sin(shift))
                lattice += seen.contrast.mean() * turned
        planes.append(_shifted(plane, np.asarray(cv2.LUT(plane, strength), np.float32) * lattice))
    return np.asarray(cv2.merge(planes), np.uint8)


def _scattered(coverage: Coverage, dot_px: float, rng: np.random.Generator) -> Coverage:
    """Noise of dots of ``dot_px`` sensor px, with little low-frequency energy (blue noise: Ulichney, 1988).

    Dots that fall independently would vary by ``sqrt(c (1 - c))`` times ``dot_px`` in the mean of a px; blue noise,
    whose power grows with the square of the frequency, by the square of ``dot_px`` instead.
    """
    strength = _table(lambda c: np.sqrt(c * (1 - c)) * min(1.0, dot_px) ** 2)
    planes = []
    for plane in cv2.split(coverage):
        noise = grain(plane.shape, rng)
        if dot_px > 1:
            noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.4 * dot_px), np.float32) * np.float32(1.4 * dot_px)
        noise = noise - cv2.GaussianBlur(noise, (0, 0), 1.2 * max(1.0, dot_px))
        planes.append(_shifted(plane, np.asarray(cv2.LUT(plane, strength), np.float32) * noise))
    return np.asarray(cv2.merge(planes), np.uint8)


def _table(of_coverage: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float32]:
    return (of_coverage(np.arange(256) / 255) * 255).astype(np.float32)


def _shifted(plane: NDArray[np.uint8] | cv2.typing.MatLike, by: Field) -> NDArray[np.uint8]:
    return np.asarray(np.clip(plane + by + np.float32(0.5), 0, 255), np.uint8)

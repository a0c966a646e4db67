"""How a sensor samples what repeats on a medium: the dots of a print, the sub-pixels of a display.

A pattern is a sum of plane waves. Each is weakened by the lens and by the size of a photosite, sampled by photosites
under a mosaic of colours (red and blue by one in four, which is where most moire comes from), and averaged as the image
is shrunk. Evaluated at the centres of the sensor px it is then sampled once more: what is finer folds down into moire.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.simulate.placement import View
from training.simulate.randomness import log_uniform
from training.simulate.scene import Lens

Field = NDArray[np.float32]

_APERTURE = 0.85  # side of the light-sensitive part of a photosite; chosen, not measured
_SHARPEST = 0.3  # sigma of the best lens, photosites; chosen, not measured
_FAINTEST = 0.003  # contrast below which a wave is left out
_MOST = 8  # photosites along the side of a sensor px


@dataclass(frozen=True)
class Wave:
    """A plane wave at the centres of the sensor px: ``cosine``, ``sine`` and its contrast in blue, green and red."""

    cosine: Field
    sine: Field
    contrast: NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """A sensor in front of a medium.

    Attributes:
        view: where each sensor px looks.
        lens: its blur is in sensor px.
        mm: width on the medium of one px of the live image, so that a pattern can be given in mm.
        photosites: along the side of a sensor px: of a camera finer than the image that it stores, shrunk by area.
    """

    view: View
    lens: Lens
    mm: float
    photosites: int

    @property
    def px_mm(self) -> float:
        """Width of a sensor px on the medium."""
        return self.mm / self.view.scale

    def wave(self, per_mm: tuple[float, float]) -> Wave | None:
        """A plane wave on the medium as sampled; None where hardly anything of it is left.

        Args:
            per_mm: its frequency across and down the medium, cycles per mm.
        """
        of_medium = np.array(per_mm) * self.mm
        contrast = self.contrast(self.view.sensor_px_to_medium().T @ of_medium)
        if contrast.max() < _FAINTEST:
            return None
        across, down = (of_medium * 2 * np.pi).astype(np.float32)
        phase = across * self.view.x + down * self.view.y
        return Wave(np.cos(phase), np.sin(phase), contrast)

    def contrast(self, frequency: NDArray[np.float64]) -> NDArray[np.float32]:
        """What is left in blue, green and red of a wave of ``frequency`` (across, down; cycles per sensor px)."""
        sigma = np.hypot(self.lens.blur_px, _SHARPEST / self.photosites)
        optics = np.exp(-2 * (np.pi * sigma) ** 2 * (frequency @ frequency))
        optics *= abs(np.prod(np.sinc(_APERTURE * frequency / self.photosites)))
        k = np.arange(self.photosites)
        turns = np.add.outer(frequency[1] * k, frequency[0] * k) / self.photosites
        sampled = np.exp(2j * np.pi * turns)  # by each photosite under a sensor px, whose mean is taken
        if self.photosites == 1:  # the mosaic is at the sensor px themselves: ``sensor`` samples them
            return np.full(3, optics, np.float32)
        odd_rows, odd_columns = (k % 2 == 1)[:, None], (k % 2 == 1)[None]
        mosaic = (odd_rows & odd_columns, odd_rows ^ odd_columns, ~odd_rows & ~odd_columns)  # B, G, R
        return np.array([optics * abs(sampled[colour].mean()) for colour in mosaic], np.float32)


def photosites(px_mm: float, distance_mm: float, focal_px: float) -> int:
    """Photosites along a sensor px that covers ``px_mm`` of a medium ``distance_mm`` before a pinhole camera."""
    return int(np.clip(round(px_mm * focal_px / distance_mm), 1, _MOST))


def draw_grid(
    view: View, lens: Lens, face_mm: float, distance_mm: tuple[float, float], rng: np.random.Generator
) -> Grid:
    """A webcam of 640 px to a phone of 12 megapixels, before a face ``face_mm`` high on the medium."""
    mm = face_mm / view.face_px
    focal_px = log_uniform(rng, 500, 3200)
    return Grid(view, lens, mm, photosites(mm / view.scale, rng.uniform(*distance_mm), focal_px))

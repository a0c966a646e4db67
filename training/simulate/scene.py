"""What the simulator passes around: a picture with its face box, and light in linear units.

Knows no attack and no camera.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # H x W x 3, BGR, 0-255, sRGB-encoded
Light = NDArray[np.float32]  # H x W x 3 (BGR) or H x W, linear, 1.0 = diffuse white; highlights may exceed 1
Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in px


@dataclass(frozen=True)
class Scene:
    """A picture and where its face is. ``box_xyxy`` may reach beyond a tightly cut picture."""

    image: Image
    box_xyxy: Box


@dataclass(frozen=True)
class Exposure:
    """Light that falls on the sensor: ``light`` at sensor resolution, ``box_xyxy`` in sensor px."""

    light: Light
    box_xyxy: Box


@dataclass(frozen=True)
class Lens:
    """The part of a camera that acts before the sampling: it decides which moire can arise.

    ``sensor_scale``: sensor px per output px. ``blur_px``: Gaussian sigma of optics and defocus, in sensor px.

    Simpler than a real one: a display's lattice is weakened by ``blur_px`` before the sampling and once more with all
    light after it, and the dots of a print are averaged over a sensor px before it and blurred only after it. So a soft
    shot keeps less of a screen's moire, and more of a print's, than it would.
    """

    sensor_scale: float
    blur_px: float


Render = Callable[[Scene, Image | None, Lens, np.random.Generator], Exposure]


@dataclass(frozen=True)
class Family:
    """One way of attacking. ``species`` is its APCER row, ``share`` its relative frequency (chosen, not measured)."""

    name: str
    species: str
    share: float
    render: Render


@lru_cache(maxsize=1)
def _srgb_table() -> NDArray[np.float32]:
    v = np.arange(256) / 255.0
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_linear(image: Image) -> Light:
    """Linear light in [0, 1] of sRGB bytes (IEC 61966-2-1)."""
    return np.asarray(cv2.LUT(image, _srgb_table()), np.float32)


def crop_of(array: Light, box_xyxy: Box) -> Light:
    """The part of ``array`` inside the box; the whole array where the box lies outside of it."""
    height, width = array.shape[:2]
    x0, y0 = max(0, int(box_xyxy[0])), max(0, int(box_xyxy[1]))
    part = array[y0 : min(height, int(box_xyxy[3])), x0 : min(width, int(box_xyxy[2]))]
    return part if part.size else array

"""What the simulator passes around: an image with its face box, and light in linear units."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # H x W x 3, BGR, 0-255, sRGB-encoded
Light = NDArray[np.float32]  # H x W x 3 (BGR) or H x W, linear, 1.0 = diffuse white; highlights may exceed 1
Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in px


@dataclass(frozen=True)
class Scene:
    """An image and where its face is. ``box_xyxy`` may reach beyond a tightly cropped image."""

    image: Image
    box_xyxy: Box

    @property
    def face_px(self) -> float:
        """Longer side of the face's box."""
        x0, y0, x1, y1 = self.box_xyxy
        return max(x1 - x0, y1 - y0)


@dataclass(frozen=True)
class Exposure:
    """Light that falls on the sensor: ``light`` at sensor resolution, ``box_xyxy`` in sensor px."""

    light: Light
    box_xyxy: Box


@dataclass(frozen=True)
class Lens:
    """The part of a camera that acts before the sampling: it decides which moire can arise.

    ``sensor_scale``: sensor px per output px. ``blur_px``: Gaussian sigma of optics and defocus, in sensor px.
    """

    sensor_scale: float
    blur_px: float


class Render(Protocol):
    """Shows a live image on a medium to a camera.

    ``fills``: the medium fills the frame and is lit evenly, with no edge, hand, bezel or reflection in view. Behind it
    stands ``background`` where it does not.
    """

    def __call__(
        self, live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator, *, fills: bool
    ) -> Exposure:
        """The light on the sensor."""


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

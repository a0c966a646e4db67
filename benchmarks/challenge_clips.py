"""Moves the face of a single image: as a plane, a bent sheet, a zoom, or over a relief.

Planes, bent sheets and zooms are what a photo held before a camera does, computed from real images. The relief is a
simulation of a head that turns: it tests that a challenge can be passed, and gives no error rate of live people.
"""

import functools

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.results import Face
from faceauth.stages import Image, MeshPoints

FOCAL = 1.2
"""Focal length / width of the image: a webcam of some 45 degrees."""

RELIEF = 1.5
"""Times the depth of the mesh: chosen so that most simulated heads, turned by 33 degrees, are seen turned by 20."""

STEPS = 5
"""Of the fixed-point iteration that turns a relief."""

_FIELD_PX, _LARGEST_PX = 256, 640

NOISE = 1.5
"""Standard deviation of the sensor's noise, of 255: no two frames of a camera are the same."""

Floats = npt.NDArray[np.float32]


def tilted(image: Image, face: Face, deg: float) -> Image:
    """The image as a flat photo, tilted about the upright axis through the face: its right edge goes back."""
    height, width = image.shape[:2]
    x, y = _middle(face)
    focal, cosine, sine = FOCAL * width, np.cos(np.radians(deg)), np.sin(np.radians(deg))
    tilt = np.array([[focal * cosine, 0, 0], [0, focal, 0], [sine, 0, focal]])
    to_middle, back = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1.0]]), np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
    matrix = back @ tilt @ to_middle
    return _warped(cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def bent(image: Image, face: Face, deg: float, *, radius: float) -> Image:
    """The image on a sheet bent about an upright axis and turned by ``deg``; ``radius`` in widths of the face box."""
    x, _ = _middle(face)
    curve = radius * face.box_xyxy.width
    columns, rows = _grid(image)
    turn = np.radians(-deg)
    arc = curve * (np.arcsin(np.clip((columns - x) / curve + np.sin(turn), -1, 1)) - turn)
    return _remapped(image, x + arc, rows)


def nearer(image: Image, face: Face, factor: float) -> Image:
    """The image ``factor`` times as near."""
    x, y = _middle(face)
    matrix = np.array([[factor, 0, x - factor * x], [0, factor, y - factor * y]])
    size_wh = (image.shape[1], image.shape[0])
    return _warped(cv2.warpAffine(image, matrix, size_wh, borderMode=cv2.BORDER_REPLICATE))


class Relief:
    """A head with the depth of its mesh, which turns: a simulation.

    Args:
        image: of the face.
        face: its box.
        mesh_px: its mesh; beyond it the depth runs out smoothly.
    """

    def __init__(self, image: Image, face: Face, mesh_px: MeshPoints) -> None:
        self._image, self._middle = image, _middle(face)
        self._depth = _depth(image, face, mesh_px)
        self._columns, self._rows = _grid(image)
        distance = np.hypot(self._columns - self._middle[0], self._rows - self._middle[1]) / face.box_xyxy.longer_side
        self._share = np.clip(2.2 - 2 * distance, 0, 1).astype(
            np.float32
        )  # how much of the turn the point takes part in

    def turned(self, deg: float) -> Image:
        """The head turned to its own left by ``deg``."""
        if deg == 0:
            return self._image
        turn = np.float32(np.radians(deg)) * self._share
        sine, cosine, x = np.sin(turn), np.cos(turn), np.float32(self._middle[0])
        source = self._columns
        for _ in range(STEPS):  # solves x + (source - x) cos - depth sin = column for source
            depth = cv2.remap(self._depth, source, self._rows, cv2.INTER_LINEAR)
            source = x + (self._columns - x + depth * sine) / cosine
        return _remapped(self._image, source, self._rows)


def noisy(image: Image, rng: np.random.Generator) -> Image:
    """The image with a sensor's noise, so that no frame comes twice: one field, at two places drawn anew each time."""
    height, width = image.shape[:2]
    noise = sum(_field()[top : top + height, left : left + width] for top, left in rng.integers(0, _FIELD_PX, (2, 2)))
    return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)


@functools.cache
def _field() -> npt.NDArray[np.int16]:
    side = _FIELD_PX + _LARGEST_PX
    return np.random.default_rng(0).normal(0, NOISE / 2**0.5, (side, side, 3)).round().astype(np.int16)


def _depth(image: Image, face: Face, mesh_px: MeshPoints) -> npt.NDArray[np.float32]:
    """Depth in pixels at each pixel, 0 at the outline of the face and negative towards the camera."""
    height, width = image.shape[:2]
    outline = np.quantile(mesh_px[:, 2], 0.9)
    depth, weight = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for x, y, z in mesh_px:
        if 0 <= x < width and 0 <= y < height:
            depth[int(y), int(x)] += z - outline
            weight[int(y), int(x)] += 1
    spread = face.box_xyxy.longer_side / 20
    depth, weight = (cv2.GaussianBlur(plane, (0, 0), spread) for plane in (depth, weight))
    filled = depth / np.maximum(weight, 1e-3 * weight.max())
    return np.asarray(RELIEF * cv2.GaussianBlur(filled, (0, 0), spread), np.float32)


def _middle(face: Face) -> tuple[float, float]:
    left, top, right, bottom = face.box_xyxy
    return (left + right) / 2, (top + bottom) / 2


def _grid(image: Image) -> tuple[Floats, Floats]:
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    return columns, rows


def _remapped(image: Image, columns: Floats, rows: Floats) -> Image:
    source = np.asarray(columns, np.float32), np.asarray(rows, np.float32)
    return _warped(cv2.remap(image, *source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _warped(image: object) -> Image:
    return np.asarray(image, np.uint8)

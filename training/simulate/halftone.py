"""Tone to dots: a continuous ink coverage in, a binary dot pattern out. Knows no ink and no picture.

The pattern is made on a raster finer than the sensor; whoever looks at it must average it over a sensor px.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Threshold = NDArray[np.uint8]  # N x N, one period; a dot is set where coverage > threshold

# Lattice vectors (a, b) of the cells of C, M, Y, K in raster px: rational tangents near 15, 75, 0 and 45 degrees
# (Holladay, Proc. SID 1980), at four rulings. Cell width is hypot(a, b).
RULINGS: tuple[tuple[tuple[int, int], ...], ...] = (
    ((2, 1), (1, 2), (2, 0), (2, 2)),
    ((3, 1), (1, 3), (3, 0), (2, 2)),
    ((4, 1), (1, 4), (4, 0), (3, 3)),
    ((5, 2), (2, 5), (5, 0), (4, 4)),
)


def _by_rank(spot: NDArray[np.float64]) -> Threshold:
    """Thresholds spread evenly over 0-254 in the order of ``spot``: coverage and dot area agree exactly."""
    order = np.empty(spot.size)
    order[np.argsort(spot, axis=None, kind="stable")] = np.arange(spot.size)
    return np.floor(order / spot.size * 255).reshape(spot.shape).astype(np.uint8)


@lru_cache(maxsize=32)
def clustered_dot(a: int, b: int) -> Threshold:
    """AM screen: dots grow around the points of the lattice (a, b), (-b, a), which repeats every a^2 + b^2 px."""
    period = a * a + b * b
    y, x = np.mgrid[0:period, 0:period] + 0.37  # off the symmetry axes, so that few px tie
    u, v = (a * x + b * y) / period, (-b * x + a * y) / period
    spot = -np.cos(2 * np.pi * u) - np.cos(2 * np.pi * v)
    jitter = np.random.default_rng(period).uniform(0, 1e-3, spot.shape)  # breaks the ties between equal cells
    return _by_rank(spot + jitter)


@lru_cache(maxsize=1)
def blue_noise(size: int = 128) -> Threshold:
    """FM screen: dots of one size, scattered with little low-frequency energy (Ulichney, Proc. IEEE 1988).

    Made by alternately removing the low frequencies and ranking, which comes close to void-and-cluster quickly.
    """
    field = np.random.default_rng(7).random((size, size), dtype=np.float32)
    for _ in range(24):
        wrapped = cv2.copyMakeBorder(field, 8, 8, 8, 8, cv2.BORDER_WRAP)
        low = cv2.GaussianBlur(wrapped, (0, 0), 1.6)[8:-8, 8:-8]
        ranks = np.asarray(_by_rank((field - low).astype(np.float64)), np.float32) / np.float32(255)
        field = ranks + np.random.default_rng(11).random((size, size), dtype=np.float32) / np.float32(512)
    return _by_rank(field.astype(np.float64))


def screen(coverage: NDArray[np.uint8], thresholds: tuple[Threshold, ...], shift: tuple[int, int]) -> NDArray[np.uint8]:
    """Binary dots (0 or 255) for each ink plane of ``coverage`` (uint8, H x W x K), one threshold map a plane."""
    height, width, _ = coverage.shape
    planes = []
    for plane, tile in zip(cv2.split(coverage), thresholds, strict=True):
        rows, columns = height // tile.shape[0] + 2, width // tile.shape[1] + 2
        top, left = shift[0] % tile.shape[0], shift[1] % tile.shape[1]
        grid = np.tile(tile, (rows, columns))[top : top + height, left : left + width]
        planes.append(cv2.compare(plane, np.ascontiguousarray(grid), cv2.CMP_GT))
    return np.asarray(cv2.merge(planes), np.uint8)

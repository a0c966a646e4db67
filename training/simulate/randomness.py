"""Random fields for textures, light and noise, as float32 arrays."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
_POOL = 1 << 21


@lru_cache(maxsize=1)
def _pool() -> Field:
    """Fixed normal deviates: cutting a slice at a drawn offset costs a tenth of drawing new ones."""
    return np.random.default_rng(20240607).standard_normal(_POOL, dtype=np.float32)


def grain(shape: tuple[int, ...], rng: np.random.Generator) -> Field:
    """White normal noise, mean 0, deviation 1."""
    count = int(np.prod(shape))
    if count >= _POOL:
        return rng.standard_normal(shape, dtype=np.float32)
    start = int(rng.integers(0, _POOL - count))
    return _pool()[start : start + count].reshape(shape)


def clouds(shape_hw: tuple[int, int], cells: float, rng: np.random.Generator) -> Field:
    """Smooth noise, mean about 0, deviation about 1, with ``cells`` bumps along the longer side."""
    height, width = shape_hw
    step = max(height, width) / cells
    coarse = rng.standard_normal((max(2, round(height / step) + 1), max(2, round(width / step) + 1)), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def ramp(shape_hw: tuple[int, int], rng: np.random.Generator) -> Field:
    """A linear slope in a random direction, from -1 to 1 along the diagonal."""
    height, width = shape_hw
    angle = rng.uniform(0, 2 * np.pi)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * np.float32(np.cos(angle))
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    return np.asarray(x + y, np.float32)


def chance(rng: np.random.Generator, p: float) -> bool:
    """True with probability ``p``."""
    return bool(rng.random() < p)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform in the logarithm: sizes and pitches that span factors."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))

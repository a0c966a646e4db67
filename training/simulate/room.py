"""The place of the attack: what stands behind the medium, how it is lit, and what it mirrors."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.randomness import chance, clouds, ramp
from training.simulate.scene import Image, Light, to_linear

Field = NDArray[np.float32]


def behind(background: Image | None, shape_hw: tuple[int, int], rng: np.random.Generator) -> Light:
    """Linear light from behind the medium: the given image, cropped and out of focus, or a plain wall."""
    height, width = shape_hw
    if background is None or chance(rng, 0.15):
        return _wall(shape_hw, rng)
    rows, columns = background.shape[:2]
    zoom = max(height / rows, width / columns)
    if chance(rng, 0.5):
        zoom *= float(rng.uniform(1.0, 1.8))
    crop_h, crop_w = min(rows, int(height / zoom) + 1), min(columns, int(width / zoom) + 1)
    top, left = int(rng.integers(rows - crop_h + 1)), int(rng.integers(columns - crop_w + 1))
    crop = background[top : top + crop_h, left : left + crop_w]
    if chance(rng, 0.5):
        crop = crop[:, ::-1]
    image = np.asarray(cv2.resize(np.ascontiguousarray(crop), (width, height)), np.uint8)
    if chance(rng, 0.6):
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 5.0)), np.uint8)
    return to_linear(image)


def _wall(shape_hw: tuple[int, int], rng: np.random.Generator) -> Light:
    tone = rng.uniform(0.05, 0.8) * np.exp(rng.normal(0, 0.12, 3))
    shade = 1 + np.float32(rng.uniform(0.05, 0.4)) * ramp(shape_hw, rng) + np.float32(0.04) * clouds(shape_hw, 5, rng)
    return np.asarray(np.maximum(shade, 0.05)[..., None] * tone, np.float32)


def lamp(shape_hw: tuple[int, int], rng: np.random.Generator) -> Field:
    """Light falling on a surface, about 1 on average: a slope, and sometimes the cone of a near lamp."""
    light = 1 + np.float32(abs(rng.normal(0, 0.14))) * ramp(shape_hw, rng)
    if chance(rng, 0.3):
        light = light + np.float32(rng.uniform(0.05, 0.25)) * clouds(shape_hw, 1.5, rng)
    return np.asarray(np.maximum(light, 0.1), np.float32)


def windows(shape_hw: tuple[int, int], rng: np.random.Generator) -> Field:
    """What a glossy surface mirrors of a lit room: soft panes, tubes or bulbs, 0-1."""
    side = 64
    canvas = np.zeros((side, side), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        x, y = (int(v) for v in rng.integers(-8, side + 8, 2))
        kind = rng.choice(["pane", "tube", "bulb"], p=[0.4, 0.25, 0.35])
        strength = float(rng.uniform(0.4, 1.0))
        if kind == "bulb":
            cv2.circle(canvas, (x, y), int(rng.integers(1, 7)), strength, -1)
            continue
        long, short = (rng.uniform(10, 34), rng.uniform(8, 22)) if kind == "pane" else (rng.uniform(20, 60), 2.0)
        corners = cv2.boxPoints(((x, y), (float(long), float(short)), float(rng.normal(0, 20) + rng.choice([0, 90]))))
        cv2.fillConvexPoly(canvas, corners.astype(np.int32), strength)
    canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.6, 6.0)), np.float32)
    return np.asarray(cv2.resize(canvas, (shape_hw[1], shape_hw[0]), interpolation=cv2.INTER_CUBIC), np.float32).clip(0)


def mirrored(background: Image | None, shape_hw: tuple[int, int], rng: np.random.Generator) -> Light:
    """A lit room mirrored in glass, out of focus: the background image flipped, or clouds of light."""
    if background is None:
        soft = np.clip(0.3 + 0.3 * clouds(shape_hw, 4, rng), 0, 1)
        return np.asarray(np.repeat(soft[..., None], 3, axis=2), np.float32)
    small = cv2.resize(background[:, ::-1], (72, 72), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.5, 3.0))
    large = cv2.resize(small, (shape_hw[1], shape_hw[0]), interpolation=cv2.INTER_LINEAR)
    return to_linear(np.asarray(large, np.uint8))

"""Fingers that hold a sheet or a device: drawn over an image at its edges."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.placement import View
from training.simulate.randomness import chance
from training.simulate.scene import Box, Light
from training.simulate.surface import over

# Linear reflectance of skin, B, G, R, from dark to light (chosen after published skin albedos, not measured).
_DARK = np.array([0.030, 0.050, 0.110])
_LIGHT = np.array([0.30, 0.40, 0.66])


@dataclass(frozen=True)
class Finger:
    """A capsule from ``root``, outside of the frame, to ``tip``; medium px."""

    tip: NDArray[np.float64]
    root: NDArray[np.float64]
    width: float


def draw_fingers(light: Light, view: View, held: Box, relative_width: float, rng: np.random.Generator) -> Light:
    """``light`` with one to six fingers on the edges of the box ``held`` (medium px).

    ``relative_width``: of a finger, in heights of the face. Each finger is a capsule, shaded as a cylinder and a
    little out of focus, since it is nearer than the sheet.
    """
    share = rng.uniform(0, 1)
    skin = _DARK ** (1 - share) * _LIGHT**share * np.exp(rng.normal(0, 0.1, 3)) * rng.uniform(0.6, 1.3)
    width = relative_width * (view.box_xyxy[3] - view.box_xyxy[1]) / view.scale
    for side in rng.choice(["left", "right", "bottom"], int(rng.integers(1, 3)), replace=False, p=[0.4, 0.4, 0.2]):
        along, slant = rng.uniform(0.3, 0.95), rng.normal(0, 0.35)
        for k in range(int(rng.integers(2, 4)) if chance(rng, 0.25) else 1):
            step = along + k * 1.05 * width / (held[3] - held[1])
            finger = _place(held, str(side), step, (slant + rng.normal(0, 0.06), rng.uniform(0.2, 1.1) * width), width)
            light = _draw(light, view, finger, skin.astype(np.float32), rng)
    return light


def _place(held: Box, side: str, along: float, reach: tuple[float, float], width: float) -> Finger:
    """``reach``: slant in radians, and how far the finger comes in over the edge in medium px."""
    x0, y0, x1, y1 = held
    slant, depth = reach
    if side == "bottom":
        edge, inward = np.array([x0 + along * (x1 - x0), y1]), np.array([np.sin(slant), -np.cos(slant)])
    else:
        sign = 1.0 if side == "left" else -1.0
        edge = np.array([x0 if side == "left" else x1, y0 + along * (y1 - y0)])
        inward = np.array([sign * np.cos(slant), np.sin(slant) - 0.35])
    return Finger(edge + (depth - width / 2) * inward, edge - 2 * max(x1 - x0, y1 - y0) * inward, width)


def _draw(light: Light, view: View, finger: Finger, skin: NDArray[np.float32], rng: np.random.Generator) -> Light:
    ends = view.project(np.array([finger.tip, finger.root], np.float32)) / 2  # half resolution: it is blurred anyway
    radius = max(1.0, finger.width * view.scale / 4)
    mask = np.zeros((light.shape[0] // 2 + 1, light.shape[1] // 2 + 1), np.uint8)
    step = (ends[1] - ends[0]) / max(1e-3, float(np.hypot(*(ends[1] - ends[0])))) * radius
    palm, spread = rng.uniform(3.5, 7), rng.uniform(0.6, 1.6)  # where the finger widens to the hand, and how much
    for k in np.arange(0, 24, 0.5):  # overlapping discs from the tip to far out of the frame
        widened = radius * (1 + spread / (1 + np.exp(-2 * (k - palm))))
        x, y = np.clip(np.round(ends[0] + k * step), -3000, 3000).astype(int).tolist()
        cv2.circle(mask, (x, y), max(1, round(widened)), 255, -1)
    if not mask.any():
        return light
    inset = np.minimum(cv2.distanceTransform(mask, cv2.DIST_L2, 3) / np.float32(radius), 1)
    shade = np.sqrt(np.maximum(1 - (1 - inset) ** 2, 0)) * np.float32(0.6) + np.float32(0.4)
    blur = max(0.5, radius * rng.uniform(0.06, 0.25))
    size = (light.shape[1], light.shape[0])
    cover = np.asarray(cv2.resize(cv2.GaussianBlur(mask, (0, 0), blur), size), np.float32) / np.float32(255)
    shade = np.asarray(cv2.resize(cv2.GaussianBlur(shade, (0, 0), blur), size), np.float32)
    red = 1 + np.array([-0.15, -0.1, 0.12], np.float32) * (1 - shade[..., None])
    return over(shade[..., None] * red * skin, cover, light)

"""Seeing a flat thing through a ``View``: its image, its outline, its shadow."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.placement import View
from training.simulate.scene import Box, Light

Field = NDArray[np.float32]
Pixel = TypeVar("Pixel", NDArray[np.uint8], NDArray[np.float32])


def seen(image: Pixel, part: Box, view: View) -> Pixel:
    """``image``, stretched over the box ``part`` of the medium: averaged over a sensor px, then sampled at each."""
    kx, ky = image.shape[1] / (part[2] - part[0]), image.shape[0] / (part[3] - part[1])
    footprint = kx / view.scale  # image px per sensor px
    if footprint > 1.4:
        odd = 2 * int(footprint / 2) + 1
        side = odd if footprint - odd < 1 else odd + 1
        image = np.asarray(cv2.blur(image, (side, side)), image.dtype)
    method = cv2.INTER_LINEAR if footprint > 1.4 else cv2.INTER_CUBIC  # linear would blur what is not shrunk
    map_x = (view.x - np.float32(part[0])) * np.float32(kx) - np.float32(0.5)
    map_y = (view.y - np.float32(part[1])) * np.float32(ky) - np.float32(0.5)
    out = cv2.remap(image, map_x, map_y, method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, image.dtype)


def inside(box: Box, view: View, *, corner: float = 0.0, soft_px: float = 1.0) -> Field:
    """Share of each sensor px covered by a box of the medium with round corners of radius ``corner`` (medium px)."""
    cx, cy = np.float32((box[0] + box[2]) / 2), np.float32((box[1] + box[3]) / 2)
    half_w, half_h = np.float32((box[2] - box[0]) / 2 - corner), np.float32((box[3] - box[1]) / 2 - corner)
    dx, dy = np.abs(view.x - cx) - half_w, np.abs(view.y - cy) - half_h
    if corner > 0:
        distance = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0)
    else:
        distance = np.maximum(dx, dy)
    edge = (np.float32(corner) - distance) * np.float32(view.scale / soft_px) + np.float32(0.5)
    return np.asarray(np.clip(edge, 0, 1), np.float32)


def over(top: Light, cover: Field, below: Light) -> Light:
    """``top`` where it covers, ``below`` elsewhere."""
    return np.asarray(below + cover[..., None] * (top - below), np.float32)


def shadow(cover: Field, shift_px: tuple[float, float], blur_px: float, depth: float) -> Field:
    """Light left on the wall behind a thing with this outline: 1 in the open, 1 - depth in its shade."""
    small = cv2.resize(cover, (max(2, cover.shape[1] // 4), max(2, cover.shape[0] // 4)), interpolation=cv2.INTER_AREA)
    move = np.array([[1, 0, shift_px[0] / 4], [0, 1, shift_px[1] / 4]], np.float32)
    moved = cv2.warpAffine(small, move, (small.shape[1], small.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(moved, (0, 0), max(0.5, blur_px / 4))
    full = cv2.resize(soft, (cover.shape[1], cover.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1 - np.float32(depth) * full, np.float32)

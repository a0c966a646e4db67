"""Clips made by code from one portrait: a camera that sees it move, come closer and turn in its plane, with noise."""

import cv2
import numpy as np

from faceauth.stages import Image

SIZE_WH = (640, 480)
TimedFrame = tuple[float, Image]


def moved(portrait: Image, time_s: float, *, size_wh: tuple[int, int] = SIZE_WH, seed: int = 0) -> Image:
    """The portrait as a camera sees it at that time: it sways, comes closer and goes back, under a sensor's noise."""
    width, height = size_wh
    scale = height / portrait.shape[0] * (1.0 + 0.25 * np.sin(1.3 * time_s))
    matrix = cv2.getRotationMatrix2D((portrait.shape[1] / 2, portrait.shape[0] / 2), 6 * np.sin(0.9 * time_s), scale)
    matrix[:, 2] += width / 2 - portrait.shape[1] / 2, height / 2 - portrait.shape[0] / 2
    matrix[0, 2] += 0.04 * width * np.sin(1.1 * time_s)
    image = cv2.warpAffine(portrait, matrix, size_wh, borderValue=(90, 100, 110))
    noise = np.random.default_rng([seed, round(time_s * 1e6)]).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def clip(portrait: Image, seconds: float, *, rate: float = 30.0, start_s: float = 0.0) -> list[TimedFrame]:
    """Frames of :func:`moved` at a steady rate."""
    times = [start_s + number / rate for number in range(round(seconds * rate))]
    return [(time_s, moved(portrait, time_s)) for time_s in times]

"""Clips made by code from photos: a camera that sees one sway, turn in its plane and come closer, under noise."""

from collections.abc import Iterator

import cv2
import numpy as np

from faceauth.results import Face
from faceauth.stages import Image

SIZE_WH = (640, 480)
NOISE = np.random.default_rng(0).normal(0, 2, (480, 640, 3)).astype(np.int16)
TimedImage = tuple[float, Image]


def moved(photo: Image, time_s: float) -> Image:
    """The photo as a camera sees it at that time, 640 x 480: a plane that is moved by hand, with a sensor's noise."""
    width, height = SIZE_WH
    scale = height / photo.shape[0] * (1.0 + 0.3 * np.sin(2.0 * time_s))
    matrix = cv2.getRotationMatrix2D((photo.shape[1] / 2, photo.shape[0] / 2), 6 * np.sin(1.5 * time_s), scale)
    matrix[:, 2] += width / 2 - photo.shape[1] / 2, height / 2 - photo.shape[0] / 2
    matrix[0, 2] += 0.04 * width * np.sin(1.7 * time_s)
    image = cv2.warpAffine(photo, matrix, SIZE_WH, borderValue=(90, 100, 110))
    noise = np.roll(NOISE, round(time_s * 1000) * 7, axis=(0, 1))  # another one every millisecond
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def clip(photo: Image, seconds: float, *, rate: float = 30.0, start_s: float = 0.0) -> Iterator[TimedImage]:
    """Frames of :func:`moved` at a steady rate."""
    return ((time_s, moved(photo, time_s)) for time_s in times(seconds, rate, start_s))


def swapped(first: Image, second: Image, *, at_s: float, seconds: float, rate: float = 30.0) -> Iterator[TimedImage]:
    """One photo until a time, the other from it on, at the same place and in the same motion."""
    return ((time_s, moved(first if time_s < at_s else second, time_s)) for time_s in times(seconds, rate))


def with_face_of(photo: Image, face: Face, other: Image, other_face: Face) -> Image:
    """The photo with the head of another one held before the face, as a mask or a printed photo is."""
    source, target = np.float32(other_face.landmarks_px), np.float32(face.landmarks_px)
    matrix, _ = cv2.estimateAffinePartial2D(source, target, method=cv2.LMEDS)
    size_wh = photo.shape[1::-1]
    moved_other = cv2.warpAffine(other, matrix, size_wh, borderMode=cv2.BORDER_REPLICATE)
    left, top, right, bottom = face.box_xyxy
    center = (round((left + right) / 2), round((top + bottom) / 2))
    axes = (round(0.7 * (right - left)), round(0.7 * (bottom - top)))
    mask = cv2.ellipse(np.zeros(size_wh[::-1], np.uint8), center, axes, 0, 0, 360, 255, -1)
    return np.where(mask[..., None] > 0, moved_other, photo)


def times(seconds: float, rate: float, start_s: float = 0.0) -> list[float]:
    """Capture times of a steady camera."""
    return [start_s + number / rate for number in range(round(seconds * rate))]

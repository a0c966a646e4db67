"""What a phone or player lays over the image: controls, captions, bars, guide lines."""

import cv2
import numpy as np

from training.simulate.randomness import chance
from training.simulate.scene import Image

_WORDS = ("LIVE", "Photos", "12:41", "Back", "News", "Edit", "Camera", "IMG_2043", "Subscribe", "0:07 / 0:31")


def overlay(image: Image, rng: np.random.Generator) -> Image:
    """A copy of ``image`` (uint8, H x W x 3, BGR) with one or two elements of a user interface drawn on it."""
    image = image.copy()
    height, width = image.shape[:2]
    tone = int(rng.choice([255, 255, 20]))
    for kind in rng.choice(["play", "caption", "bar", "grid"], int(rng.integers(1, 3)), replace=False):
        if kind == "play":
            _play(image, (width / 2 + rng.normal(0, 0.05) * width, height * rng.uniform(0.4, 0.6)), 0.08 * width)
        elif kind == "caption":
            _caption(image, tone, rng)
        elif kind == "bar":
            top = chance(rng, 0.5)
            thick = int(height * rng.uniform(0.02, 0.1))
            rows = slice(0, thick) if top else slice(height - thick, height)
            image[rows] = np.asarray(image[rows] * rng.uniform(0, 0.6) + tone * 0.3, np.uint8)
        else:
            _grid(image, rng)
    return image


def _play(image: Image, centre: tuple[float, float], radius: float) -> None:
    x, y, r = round(centre[0]), round(centre[1]), max(3, round(radius))
    disc = image.copy()
    cv2.circle(disc, (x, y), r, (40, 40, 40), -1, cv2.LINE_AA)
    cv2.addWeighted(disc, 0.6, image, 0.4, 0, dst=image)
    triangle = np.array([[x - r // 3, y - r // 2], [x - r // 3, y + r // 2], [x + r // 2, y]], np.int32)
    cv2.fillConvexPoly(image, triangle, (250, 250, 250), cv2.LINE_AA)


def _caption(image: Image, tone: int, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    at = (
        int(rng.uniform(0.02, 0.6) * width),
        int(height * rng.choice([rng.uniform(0.05, 0.12), rng.uniform(0.85, 0.97)])),
    )
    word = str(rng.choice(_WORDS))
    cv2.putText(image, word, at, cv2.FONT_HERSHEY_SIMPLEX, width / rng.uniform(350, 700), (tone,) * 3, 1, cv2.LINE_AA)


def _grid(image: Image, rng: np.random.Generator) -> None:
    """A camera app's thirds."""
    height, width = image.shape[:2]
    lines = image.copy()
    for k in (1, 2):
        x, y = width * k // 3, height * k // 3
        cv2.line(lines, (x, 0), (x, height), (240, 240, 240), 1)
        cv2.line(lines, (0, y), (width, y), (240, 240, 240), 1)
    share = float(rng.uniform(0.3, 0.9))
    cv2.addWeighted(lines, share, image, 1 - share, 0, dst=image)

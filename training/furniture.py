"""Furniture: a view and where its face is in, the same before window frames, doors and shelves out.

Straight edges around a head are what a phone or a sheet of paper has, and what a room has behind anybody. Drawn behind
live people and attacks alike, they carry no label any more. All ranges are chosen, not measured.
"""

from itertools import pairwise, product

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.stages import Image
from training.augment import FaceInView

Floats = npt.NDArray[np.float32]

FILLED = 0.35  # share of the fields between frames that hide what was there: doors, curtains, the night


def furnish(view: Image, rng: np.random.Generator, face: FaceInView) -> Image:
    """Draw frames and filled fields behind head and shoulders, in one plane seen at an angle.

    Args:
        view: uint8, size x size x 3, BGR.
        rng: decides; the same state gives the same furniture to any view.
        face: where it is in ``view``.
    """
    size = view.shape[0]
    wall = _seen_at_an_angle(_wall(size, rng), rng)
    wall = np.asarray(cv2.GaussianBlur(wall, (0, 0), float(rng.uniform(0.6, 2.0))), np.float32)
    light = 0.5 + float(view.mean()) / 256  # a dark room has dark furniture
    behind = 1 - _person(size, face)
    # Warped and blurred with its cover, a colour is already that share of itself.
    furnished = view * (1 - wall[..., 3:] * behind) + wall[..., :3] * light * behind
    return np.asarray(np.clip(furnished, 0, 255), np.uint8)


def _wall(size: int, rng: np.random.Generator) -> Floats:
    """Colours (BGR, 0-255; 0 where there is none) and cover (0 or 1) of the furniture: float32, size x size x 4."""
    wall = np.zeros((size, size, 4), np.float32)
    columns, rows = _cuts(size, int(rng.integers(2, 6)), rng), _cuts(size, int(rng.integers(1, 7)), rng)
    thick = max(1, round(size * rng.uniform(0.01, 0.05)))
    thin = max(1, round(thick * rng.uniform(0.3, 1.0)))
    frame = _colour(rng)
    for (x0, x1), (y0, y1) in product(pairwise(columns), pairwise(rows)):
        if rng.random() < FILLED:
            cv2.rectangle(wall, (x0, y0), (x1, y1), _colour(rng), cv2.FILLED)
    for x in columns[1:-1]:
        cv2.line(wall, (x, 0), (x, size), frame, thick)
    for y in rows[1:-1]:
        cv2.line(wall, (0, y), (size, y), frame, thin)
    return wall


def _cuts(size: int, count: int, rng: np.random.Generator) -> list[int]:
    """``count`` places along a side, between its two ends."""
    return [0, *sorted(rng.integers(0, size, count).tolist()), size]


def _colour(rng: np.random.Generator) -> tuple[float, ...]:
    """A shade of grey with a tint, and full cover."""
    tinted = np.clip(rng.uniform(10, 245) + rng.normal(0, 18, 3), 0, 255)
    return (*(float(channel) for channel in tinted), 1.0)


def _seen_at_an_angle(wall: Floats, rng: np.random.Generator) -> Floats:
    size = wall.shape[0]
    corners = np.array([(0, 0), (size, 0), (size, size), (0, size)], np.float32)
    moved = corners + rng.normal(0, 0.06 * size, (4, 2)).astype(np.float32)
    return np.asarray(cv2.warpPerspective(wall, cv2.getPerspectiveTransform(corners, moved), (size, size)), np.float32)


def _person(size: int, face: FaceInView) -> Floats:
    """1 on head and shoulders, 0 behind them: float32, size x size x 1."""
    mask = np.zeros((size, size), np.float32)
    x, y, half = face[0] * size, face[1] * size, face[2] * size / 2
    for below, width, height in ((-0.05, 1.15, 1.45), (2.6, 2.1, 1.5)):  # in halves of the face box
        centre, axes = (round(x), round(y + below * half)), (round(width * half), round(height * half))
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 1.0, cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.5, half * 0.05)), np.float32)[..., None]

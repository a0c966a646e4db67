"""One presentation is one track of one face: what breaks it, and which of its frames differ.

Pure measures of frames and faces; :mod:`faceauth.video.session` acts on them. ``python -m benchmarks.track_limits``
measured the numbers on 88 presentations of four images each, in room light and under three lamps.
"""

import hashlib
import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.gate import head_pose
from faceauth.results import Box, Face
from faceauth.stages import Image

SEARCH_EVERY_S = 0.11
"""The detector looks again before this much time has passed: in every third frame at 30 a second, every sixth at 60,
and in each one at 12 and at 6. Chosen, not measured."""

LOST_AFTER_S = 0.4
"""Seconds without the face after which a track is broken: chosen, not measured."""

MIN_OVERLAP = 0.3
"""Intersection over union of the face's boxes in two searches, below which it jumped: half a width to the side, or 1.8
times as large. Chosen, not measured: a head that crosses its own width in a third of a second keeps 0.5."""

MIN_LIKENESS = 0.5
"""Correlation of two frames in a row, shrunk to 32 x 32 in grey, below which there was a cut. Moved by a fifth
of the face's width an image keeps 0.73 in 95 of 100; two presentations in the same light reach 0.5 in 11 of 100."""

MIN_TURN_DEG = 5.0
"""Yaw or pitch by which two frames differ. With the two below it was chosen so that noise alone makes a still face
differ in 4 of 100 pairs; that of a poor webcam does in 12."""

MIN_NEARER = 0.08
"""Logarithm of the quotient of two distances by which two frames differ: 8 %, chosen with ``MIN_TURN_DEG``."""

MIN_LIT = 0.1
"""Logarithm of the quotient of two mean lumas of the face by which two frames differ: 10 %, chosen with it too."""

_LIKENESS_PX = 32
_HASHED_ROWS = 4
"""Of which one is hashed. A sensor's noise makes any row of two frames differ; who changes the others by hand could as
well change all."""

Thumbnail = npt.NDArray[np.float64]
NOTHING: Thumbnail = np.zeros((_LIKENESS_PX, _LIKENESS_PX))
"""The thumbnail of a flat frame, which is like no other."""


class View(NamedTuple):
    """What may differ between two frames of one face.

    Attributes:
        yaw_deg, pitch_deg: see :func:`faceauth.gate.head_pose`.
        log_size: logarithm of the extent of the landmarks in pixels.
        log_light: logarithm of the mean luma of the face box.
    """

    yaw_deg: float
    pitch_deg: float
    log_size: float
    log_light: float

    def differs(self, other: "View") -> bool:
        """Whether one of them differs by as much as counts."""
        return (
            abs(self.yaw_deg - other.yaw_deg) >= MIN_TURN_DEG
            or abs(self.pitch_deg - other.pitch_deg) >= MIN_TURN_DEG
            or abs(self.log_size - other.log_size) >= MIN_NEARER
            or abs(self.log_light - other.log_light) >= MIN_LIT
        )


def view_of(image: Image, face: Face) -> View:
    """The view of a face that passed the gate."""
    pose = head_pose(face.landmarks_px)
    points = np.asarray(face.landmarks_px, np.float64)
    extent = float(np.linalg.norm(points - points.mean(axis=0)))
    left, top, right, bottom = (max(0, round(edge)) for edge in face.box_xyxy)
    light = float(cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2GRAY).mean())
    return View(pose.yaw, pose.pitch, math.log(max(extent, 1.0)), math.log(max(light, 1.0)))


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (first.area + second.area - width * height)


def thumbnail(image: Image) -> Thumbnail:
    """The frame in grey, 32 x 32, of mean 0 and unit length; all 0 for a flat one."""
    small = cv2.resize(image, (_LIKENESS_PX, _LIKENESS_PX), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float64)
    grey -= grey.mean()
    return np.asarray(grey / max(float(np.linalg.norm(grey)), 1e-9), np.float64)


def likeness(first: Thumbnail, second: Thumbnail) -> float:
    """Correlation of two thumbnails, in [-1, 1]: a change of exposure or contrast leaves it at 1."""
    return float((first * second).sum())


def digest(image: Image) -> bytes:
    """The same for a frame that is repeated; another one for a frame with another pixel in a hashed row."""
    rows = np.ascontiguousarray(image[::_HASHED_ROWS])
    return hashlib.blake2b(rows.data, digest_size=16).digest()

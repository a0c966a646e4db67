"""Where the sheet or screen is in front of the camera: which point of it each sensor px looks at.

Coordinates on the medium are px of the live image that it shows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.simulate.pose import Bend, Pose
from training.simulate.scene import Box, Lens, Scene

Field = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """The medium as the sensor sees it."""

    x: Field  # H x W, medium coordinates under each sensor px
    y: Field
    scale: float  # sensor px per medium px, at the face
    box_xyxy: Box  # the face, in sensor px
    homography: NDArray[np.float64]  # flattened medium to sensor, about the face's centre
    centre: tuple[float, float]  # that centre on the medium
    face_px: float  # longer side of the face's box on the medium
    pose: Pose

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Size of the frame, sensor px."""
        return (self.x.shape[0], self.x.shape[1])

    def project(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Medium points (N x 2) to sensor px (N x 2)."""
        return _project(points, self.homography, self.centre, self.pose.bend)

    def sensor_px_to_medium(self) -> NDArray[np.float64]:
        """2 x 2: how far a step of one sensor px across or down (columns) moves on the medium, at the face."""
        steps = np.array(self.centre) + np.array([(0, 0), (1, 0), (0, 1)])
        origin, across, down = self.project(steps.astype(np.float32)).astype(np.float64)
        return np.asarray(np.linalg.inv(np.column_stack([across - origin, down - origin])), np.float64)

    def angle(self) -> Field | None:
        """Slope of a rolled sheet under each px, radians; None when it is flat."""
        bend = self.pose.bend
        if bend is None:
            return None
        arc = (self.x - self.centre[0]) if bend.upright else (self.y - self.centre[1])
        return np.asarray(np.clip(arc / np.float32(bend.radius), -1.39, 1.39), np.float32)


def cropped_tightly(live: Scene) -> bool:
    """Whether the image shows hardly more than the face, so that an edge around it would look odd."""
    return bool(live.image.shape[0] < 1.35 * (live.box_xyxy[3] - live.box_xyxy[1]))


def shown_part(live: Scene, rng: np.random.Generator, *, whole: bool) -> Box:
    """The part of the live image that the attacker puts on the medium, in medium px."""
    height, width = live.image.shape[:2]
    if whole:
        return (0.0, 0.0, float(width), float(height))
    x0, y0, x1, y1 = live.box_xyxy
    cx, cy, size = (x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0)
    margins = size * rng.uniform([0.58, 0.62, 0.58, 0.62], [1.25, 1.15, 1.25, 1.35])
    left, top = max(0.0, cx - margins[0]), max(0.0, cy - margins[1])
    part = (left, top, min(width, cx + margins[2]), min(height, cy + margins[3]))
    return part if part[2] - part[0] > 16 and part[3] - part[1] > 16 else (0.0, 0.0, float(width), float(height))


def look(live: Scene, part: Box, pose: Pose, lens: Lens, rng: np.random.Generator, *, fills: bool) -> View:
    """Aim the camera. ``fills``: the frame stays inside the shown part; otherwise its surroundings are in view."""
    x0, y0, x1, y1 = live.box_xyxy
    size = max(x1 - x0, y1 - y0, 16.0)
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    scale = float(np.clip(rng.uniform(0.8, 1.2), 56 / size, 160 / size)) * lens.sensor_scale
    homography = _homography(pose, size, scale)
    if fills:
        height, width = live.image.shape[:2]
        frame = (np.array([0, 0, width, height], np.float64) - np.array(centre * 2)) * scale
        frame = _shrink_into(frame, part, homography, centre, pose.bend)
    else:
        shift = rng.normal(0, 0.1, 2) * size * scale
        reach = rng.uniform(0.55, 0.9) if cropped_tightly(live) else rng.uniform(0.85, 1.4)
        half = reach * size * scale * np.array([rng.uniform(0.8, 1.2), 1.0])
        frame = np.concatenate([shift - half, shift + half])
    left, top = float(frame[0]), float(frame[1])
    size_wh = (max(32, round(frame[2] - left)), max(32, round(frame[3] - top)))
    shifted = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ homography
    x, y = _unproject(size_wh, shifted, centre, pose.bend)
    box = _project_box(live.box_xyxy, shifted, centre, pose.bend)
    return View(x, y, scale, box, shifted, centre, size, pose)


def _homography(pose: Pose, size: float, scale: float) -> NDArray[np.float64]:
    """Plane about the face's centre to the sensor about its projection, ``scale`` sensor px per medium px there."""
    a, b, c = np.deg2rad([pose.pitch, pose.yaw, pose.roll])
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    rotation = rz @ rx @ ry
    distance = pose.distance * size
    plane = np.column_stack([rotation[:, 0], rotation[:, 1], [0, 0, distance]])
    return np.asarray(np.diag([distance * scale, distance * scale, 1.0]) @ plane, np.float64)


def _shrink_into(
    frame: NDArray[np.float64],
    part: Box,
    homography: NDArray[np.float64],
    centre: tuple[float, float],
    bend: Bend | None,
) -> NDArray[np.float64]:
    """Crop the frame towards the face until its corners lie on the shown part, and on the near side of its bend."""
    inverse = np.linalg.inv(homography)
    low, high = np.array(part[:2]) - centre - 0.5, np.array(part[2:]) - centre + 0.5
    for _ in range(60):
        corners = frame[[0, 2, 2, 0]], frame[[1, 1, 3, 3]]
        points = inverse @ np.vstack([*corners, np.ones(4)])
        plane = (points[:2] / points[2]).astype(np.float32)
        flat, near = (plane, True) if bend is None else (bend.on_the_paper(*plane), bend.faces_the_camera(*plane))
        x, y = flat
        if near and ((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])).all():
            break
        frame = frame * 0.965
    return frame


def _unproject(
    size_wh: tuple[int, int], homography: NDArray[np.float64], centre: tuple[float, float], bend: Bend | None
) -> tuple[Field, Field]:
    inverse = np.linalg.inv(homography).astype(np.float32)
    u = np.arange(size_wh[0], dtype=np.float32)[None, :] + np.float32(0.5)
    v = np.arange(size_wh[1], dtype=np.float32)[:, None] + np.float32(0.5)
    depth = 1 / (inverse[2, 0] * u + (inverse[2, 1] * v + inverse[2, 2]))
    x = (inverse[0, 0] * u + (inverse[0, 1] * v + inverse[0, 2])) * depth
    y = (inverse[1, 0] * u + (inverse[1, 1] * v + inverse[1, 2])) * depth
    if bend is not None:
        x, y = bend.on_the_paper(x, y)
    return x + np.float32(centre[0]), y + np.float32(centre[1])


def _project(
    points: NDArray[np.float32], homography: NDArray[np.float64], centre: tuple[float, float], bend: Bend | None
) -> NDArray[np.float32]:
    x, y = points[:, 0] - np.float32(centre[0]), points[:, 1] - np.float32(centre[1])
    if bend is not None:
        x, y = bend.on_the_plane(x, y)
    mapped = homography @ np.vstack([x, y, np.ones_like(x)])
    return np.asarray((mapped[:2] / mapped[2]).T, np.float32)


def _project_box(box: Box, homography: NDArray[np.float64], centre: tuple[float, float], bend: Bend | None) -> Box:
    """Bounds of the ellipse inside the box: under rotation they fit a face better than those of its corners."""
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    half = np.array([(box[2] - box[0]) / 2, (box[3] - box[1]) / 2])
    outline = np.array(centre) + half * np.column_stack([np.cos(turn), np.sin(turn)])
    points = _project(outline.astype(np.float32), homography, centre, bend)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return (float(left), float(top), float(right), float(bottom))

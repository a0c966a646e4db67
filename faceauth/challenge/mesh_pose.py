"""Yaw, pitch and size of a face from its mesh, and the baseline before anything was asked.

The angles are the network's own: it adds the relief of a face to whatever it sees, so no plane fits its points. But a
flat photo that is tilted does not become a turned head for it, which ``python -m benchmarks.challenge_attacks``
measures.
"""

import math
import statistics
from collections import deque
from typing import NamedTuple, Self

import numpy as np

from faceauth.stages import MeshPoints

SIDES = (
    (33, 263),
    (133, 362),
    (61, 291),
    (234, 454),
    (127, 356),
    (132, 361),
    (58, 288),
    (50, 280),
    (105, 334),
    (205, 425),
)
"""Points of the person's right side and their mirror images: corners of the eyes and the mouth, temples, jaw, cheeks,
brows. Their sum averages the noise of single points."""

UPRIGHT = ((10, 152), (151, 199), (9, 200), (168, 0))
"""Points of the midline and others below them, from the top of the forehead to the chin."""

EYES = (33, 263)
"""The outer corners."""

SMOOTHED_FRAMES = 3
"""Of which the median counts: one frame that jumps moves nothing. Chosen, not measured."""

BASELINE_FRAMES = 8
"""Frames that a baseline needs: chosen, not measured."""

BASELINE_S = 0.25
"""Seconds that these frames span at least: at 60 frames a second eight are too short to tell rest from motion. Chosen,
not measured."""

BASELINE_MOST = 60
"""Frames of a baseline at most: of one second, at 60 a second. Chosen, not measured."""

STEADY_DEG = 6.0
"""Range of yaw and of pitch within a baseline: chosen, not measured."""

STEADY_SIZE = 1.08
"""Largest eye distance in a baseline / smallest: chosen, not measured."""

STRAIGHT_DEG = 20.0
"""Yaw of a baseline at most, either way. Of 317 photos of LFW 90 % lie between -18 and 22 degrees of mesh yaw, so that
this asks for a face that looks at the camera."""

MAX_GAP_S = 0.4
"""Seconds between two frames with a face, beyond which what was held was not held: as long as a track may be lost."""


class MeshPose(NamedTuple):
    """How a face is seen.

    Attributes:
        yaw_deg: turn to the side, positive towards the right of the image, which is the person's own left.
        pitch_deg: positive looks up.
        eye_distance_px: of the outer corners of the eyes, its depth included, so that a turn does not shorten it.
    """

    yaw_deg: float
    pitch_deg: float
    eye_distance_px: float

    @classmethod
    def of(cls, mesh_px: MeshPoints) -> Self:
        """The pose of a mesh."""
        across = sum(mesh_px[left] - mesh_px[right] for right, left in SIDES)
        down = sum(mesh_px[below] - mesh_px[above] for above, below in UPRIGHT)
        return cls(
            yaw_deg=math.degrees(math.atan2(across[2], math.hypot(across[0], across[1]))),
            pitch_deg=-math.degrees(math.atan2(down[2], math.hypot(down[0], down[1]))),
            eye_distance_px=float(np.linalg.norm(mesh_px[EYES[1]] - mesh_px[EYES[0]])),
        )

    @classmethod
    def median(cls, poses: "list[MeshPose]") -> Self:
        """Each number's own median."""
        return cls(*(statistics.median(values) for values in zip(*poses, strict=True)))


class PoseTrack:
    """Takes the pose of frame after frame; smooths them, and says when the face was at rest.

    Attributes:
        gap_s: seconds since the frame before.
        jump_yaw_deg, jump_pitch_deg: by how much yaw and pitch differ from those of the frame before, not smoothed.
    """

    def __init__(self) -> None:
        self._recent: deque[MeshPose] = deque(maxlen=SMOOTHED_FRAMES)
        self._resting: list[tuple[float, MeshPose]] = []
        self._last_s = -math.inf
        self.gap_s = math.inf
        self.jump_yaw_deg = self.jump_pitch_deg = 0.0
        self._last: MeshPose | None = None

    def feed(self, time_s: float, mesh_px: MeshPoints) -> MeshPose:
        """The smoothed pose of the next frame."""
        self.gap_s, self._last_s = time_s - self._last_s, time_s
        if self.gap_s > MAX_GAP_S:
            self._recent.clear()
            self._resting.clear()
        found = MeshPose.of(mesh_px)
        before, self._last = self._last or found, found
        self.jump_yaw_deg = abs(found.yaw_deg - before.yaw_deg)
        self.jump_pitch_deg = abs(found.pitch_deg - before.pitch_deg)
        self._recent.append(found)
        pose = MeshPose.median(list(self._recent))
        self._resting.append((time_s, pose))
        self._resting = self._resting[-BASELINE_MOST:]
        while len(self._resting) > BASELINE_FRAMES and not _steady([one for _, one in self._resting]):
            del self._resting[0]
        return pose

    def baseline(self) -> MeshPose | None:
        """The pose of a face that has been looking at the camera at rest until now; None for one that has not."""
        poses = [pose for _, pose in self._resting]
        enough = len(poses) >= BASELINE_FRAMES and self._last_s - self._resting[0][0] >= BASELINE_S
        if not enough or not _steady(poses):
            return None
        middle = MeshPose.median(poses)
        return middle if abs(middle.yaw_deg) <= STRAIGHT_DEG else None


def _steady(poses: list[MeshPose]) -> bool:
    yaws, pitches, sizes = ([pose[number] for pose in poses] for number in range(3))
    turned_deg = max(max(yaws) - min(yaws), max(pitches) - min(pitches))
    return turned_deg <= STEADY_DEG and max(sizes) <= STEADY_SIZE * min(sizes)

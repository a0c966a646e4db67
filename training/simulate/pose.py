"""How a sheet or screen is held, and how a sheet is bent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.simulate.randomness import chance

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Bend:
    """A sheet rolled around a cylinder. ``radius`` in medium px; ``upright``: the axis runs up and down the face."""

    radius: float
    upright: bool
    depth: float  # how much nearer or farther parts grow or shrink, per radius of depth

    def on_the_paper(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Where points of the plane that the camera sees, relative to the face's centre, lie on the flat paper."""
        if self.upright:
            return self._flatten(x, y)
        y, x = self._flatten(y, x)
        return x, y

    def on_the_plane(self, x: Field, y: Field) -> tuple[Field, Field]:
        """The inverse of ``on_the_paper``."""
        if self.upright:
            return self._roll(x, y)
        y, x = self._roll(y, x)
        return x, y

    def faces_the_camera(self, x: Field, y: Field) -> bool:
        """Whether all these points of the plane lie on the near half of the cylinder."""
        return bool((np.abs(x if self.upright else y) < 0.9 * self.radius).all())

    def _flatten(self, along: Field, across: Field) -> tuple[Field, Field]:
        sine = np.clip(along / np.float32(self.radius), -0.985, 0.985)
        angle = np.arcsin(sine)
        recede = np.float32(self.depth) * (1 - np.sqrt(1 - sine * sine))
        return angle * np.float32(self.radius), across * (1 + recede)

    def _roll(self, along: Field, across: Field) -> tuple[Field, Field]:
        angle = np.clip(along / np.float32(self.radius), -1.39, 1.39)
        return np.sin(angle) * np.float32(self.radius), across / (1 + np.float32(self.depth) * (1 - np.cos(angle)))


@dataclass(frozen=True)
class Pose:
    """How the medium is held. Angles in degrees; ``distance`` from the lens in sizes of the face."""

    yaw: float
    pitch: float
    roll: float
    distance: float
    bend: Bend | None = None


def draw_pose(rng: np.random.Generator, *, steady: float = 1.0, bend: Bend | None = None) -> Pose:
    """Held by hand, roughly upright and facing the camera; ``steady`` > 1 for what stands on a desk."""
    tilt = 5.0 / steady if chance(rng, 0.6) else 15.0 / steady
    yaw, pitch, roll = rng.normal(0, tilt), rng.normal(0, tilt), rng.normal(0, 0.6 * tilt)
    return Pose(float(np.clip(yaw, -40, 40)), float(np.clip(pitch, -35, 35)), float(roll), rng.uniform(2.5, 6), bend)

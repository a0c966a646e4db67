"""A drawn face and cameras without faults, so that a test sees one piece of physics at a time."""

from collections.abc import Callable

import numpy as np
import pytest

from training.simulate.aliasing import Grid
from training.simulate.placement import View, look
from training.simulate.pose import Bend, Pose
from training.simulate.scene import Lens, Scene

FRONTAL = Pose(yaw=0.0, pitch=0.0, roll=0.0, distance=4.0)
CLEAN = Lens(sensor_scale=1.0, blur_px=0.0)

ViewOf = Callable[..., View]
GridOf = Callable[..., Grid]


@pytest.fixture
def live() -> Scene:
    """A bright ellipse with two dark eyes on a slope: enough structure, and no person."""
    y, x = np.mgrid[0:240, 0:220].astype(np.float32)
    image = np.stack([60 + x * 0.3, 80 + y * 0.3, 70 + x * 0.1], axis=2)
    image[((x - 110) / 45) ** 2 + ((y - 120) / 60) ** 2 < 1] = (110, 140, 190)
    for eye in (92, 128):
        image[(x - eye) ** 2 + (y - 110) ** 2 < 36] = (20, 20, 20)
    return Scene(image.astype(np.uint8), (65.0, 60.0, 155.0, 180.0))


@pytest.fixture
def grey() -> Scene:
    """A live image of one grey: what varies in its attack is the attack's own."""
    return Scene(np.full((240, 220, 3), 128, np.uint8), (65.0, 60.0, 155.0, 180.0))


@pytest.fixture
def view_of() -> ViewOf:
    """A scene on a medium that fills the frame, seen straight on and rolled as asked."""

    def of(scene: Scene, *, bend: Bend | None = None, pose: Pose = FRONTAL) -> View:
        height, width = scene.image.shape[:2]
        pose = Pose(pose.yaw, pose.pitch, pose.roll, pose.distance, bend)
        return look(scene, (0.0, 0.0, width, height), pose, CLEAN, np.random.default_rng(0), fills=True)

    return of


@pytest.fixture
def grid_of(view_of: ViewOf) -> GridOf:
    """A sensor before it whose px are ``px_mm`` wide there."""

    def of(scene: Scene, *, px_mm: float, photosites: int = 1, blur_px: float = 0.0, pose: Pose = FRONTAL) -> Grid:
        view = view_of(scene, pose=pose)
        return Grid(view, Lens(1.0, blur_px), px_mm * view.scale, photosites)

    return of

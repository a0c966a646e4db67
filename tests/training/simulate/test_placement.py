"""The face's box follows the medium wherever it is held, and a frame that the medium fills shows nothing else."""

from collections.abc import Callable

import numpy as np
import pytest

from training.simulate.placement import View, cropped_tightly, look, shown_part
from training.simulate.pose import Bend, Pose, draw_pose
from training.simulate.scene import Lens, Scene

ViewOf = Callable[..., View]
TILTED = Pose(yaw=12.0, pitch=-8.0, roll=9.0, distance=4.0)


@pytest.mark.parametrize("bend", [None, Bend(150.0, True, 0.3), Bend(150.0, False, 0.3)])
def test_the_box_follows_the_pose(live: Scene, bend: Bend | None) -> None:
    """The px that look at the face's ellipse are the ones that the mapped box bounds."""
    pose = Pose(12.0, -8.0, 9.0, 4.0, bend)
    view = look(live, (0, 0, 220, 240), pose, Lens(1.0, 0.0), np.random.default_rng(0), fills=False)
    rows, columns = np.nonzero(((view.x - 110) / 45) ** 2 + ((view.y - 120) / 60) ** 2 < 1)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    np.testing.assert_allclose(view.box_xyxy, found, atol=1.5)


@pytest.mark.parametrize("seed", range(8))
def test_a_medium_that_fills_the_frame_is_all_that_is_seen(live: Scene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bend = [None, Bend(130.0, True, 0.3), Bend(130.0, False, 0.1)][seed % 3]
    view = look(live, (0, 0, 220, 240), draw_pose(rng, bend=bend), Lens(1.0, 0.0), rng, fills=True)
    assert view.x.min() > -1 and view.y.min() > -1
    assert view.x.max() < 221 and view.y.max() < 241


def test_a_medium_that_does_not_fill_it_lets_its_surroundings_be_seen(live: Scene) -> None:
    part = shown_part(live, np.random.default_rng(0), whole=False)
    view = look(live, part, draw_pose(np.random.default_rng(0)), Lens(1.0, 0.0), np.random.default_rng(0), fills=False)
    outside = (view.x < part[0]) | (view.x > part[2]) | (view.y < part[1]) | (view.y > part[3])
    assert outside.mean() > 0.1


@pytest.mark.parametrize("pose", [Pose(0.0, 0.0, 0.0, 4.0), TILTED])
def test_steps_on_the_medium_are_those_between_neighbouring_px(live: Scene, view_of: ViewOf, pose: Pose) -> None:
    view = view_of(live, pose=pose)
    row, column = (round((view.box_xyxy[k] + view.box_xyxy[k + 2]) / 2) for k in (1, 0))
    steps = view.sensor_px_to_medium()
    for axis, field in enumerate((view.x, view.y)):
        across, down = field[row, column + 1] - field[row, column], field[row + 1, column] - field[row, column]
        np.testing.assert_allclose(steps[axis], (across, down), atol=0.02)


@pytest.mark.parametrize("upright", [True, False])
def test_a_bent_sheet_is_as_long_as_when_flat(upright: bool) -> None:
    bend = Bend(100.0, upright, 0.3)
    along, across = np.linspace(-130, 130, 27, dtype=np.float32), np.full(27, 40, np.float32)
    points = (along, across) if upright else (across, along)
    plane = bend.on_the_plane(*points)
    np.testing.assert_allclose(bend.on_the_paper(*plane), points, atol=0.5)
    assert plane[0 if upright else 1].max() == pytest.approx(100 * np.sin(1.3), rel=1e-4)


def test_turning_shortens_what_is_seen(live: Scene, view_of: ViewOf) -> None:
    def width(view: View) -> float:
        return (view.box_xyxy[2] - view.box_xyxy[0]) / (view.box_xyxy[3] - view.box_xyxy[1])

    turned = view_of(live, pose=Pose(yaw=40.0, pitch=0.0, roll=0.0, distance=4.0))
    assert width(turned) / width(view_of(live)) == pytest.approx(np.cos(np.deg2rad(40)), abs=0.04)


def test_the_attackers_part_holds_the_face(live: Scene) -> None:
    for seed in range(10):
        part = shown_part(live, np.random.default_rng(seed), whole=False)
        assert part[0] <= 65 and part[1] <= 60 and part[2] >= 155 and part[3] >= 180
    assert shown_part(live, np.random.default_rng(0), whole=True) == (0.0, 0.0, 220.0, 240.0)


def test_an_image_that_ends_at_the_face_is_tight(live: Scene) -> None:
    assert not cropped_tightly(live)
    assert cropped_tightly(Scene(live.image[60:190], (65.0, 0.0, 155.0, 120.0)))

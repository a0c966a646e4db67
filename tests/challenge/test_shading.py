"""Light from the side follows the normals of a solid, and of nothing flat."""

import numpy as np
import pytest

from faceauth.challenge.shading import MIN_SHADING, light_of, normals, shading_of
from faceauth.stages import MeshPoints


@pytest.fixture
def dome() -> MeshPoints:
    """468 points of a half sphere towards the camera, in pixels."""
    rng = np.random.default_rng(0)
    across = rng.uniform(-0.8, 0.8, (468, 2))
    depth = -np.sqrt(np.maximum(1.6 - (across**2).sum(axis=1), 0))
    points = np.column_stack([100 + 60 * across, 60 * depth])
    points[[33, 263]] = [(60, 100, -60), (140, 100, -60)]
    return points


def lit(mesh_px: MeshPoints, side: float) -> np.ndarray:
    facing = normals(mesh_px)
    return 0.3 + 0.2 * np.maximum(0.7 + 0.7 * side * facing[:, 0], 0)


def test_normals_point_away_from_the_middle_of_a_dome(dome: MeshPoints) -> None:
    right = dome[:, 0] > 130
    assert (normals(dome)[right, 0] > 0).mean() > 0.95


def test_a_dome_lit_from_both_sides_is_shaded_like_a_solid(dome: MeshPoints) -> None:
    found = shading_of(lit(dome, 1.0), lit(dome, -1.0), dome)
    assert found is not None and found >= MIN_SHADING == 0.13
    mirrored = shading_of(lit(dome, -1.0), lit(dome, 1.0), dome)
    assert mirrored is not None and mirrored < 0


def test_light_that_only_falls_off_to_one_side_is_that_of_a_plane(dome: MeshPoints) -> None:
    slope = (dome[:, 0] - 100) / 200
    found = shading_of(0.4 + 0.3 * slope, 0.4 - 0.3 * slope, dome)
    assert found is not None and abs(found) < MIN_SHADING


def test_points_that_are_black_or_clipped_tell_nothing(dome: MeshPoints) -> None:
    dark = np.full(468, 0.001)
    assert shading_of(dark, dark, dome) is None and shading_of(np.ones(468), np.ones(468), dome) is None


def test_light_is_read_where_the_points_are(dome: MeshPoints) -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, 100:] = (0, 0, 255)
    found = light_of(image, dome)
    assert np.allclose(found[dome[:, 0] > 125, 2], 1, atol=0.02) and np.allclose(found[dome[:, 0] < 75], 0, atol=0.02)
    outside = light_of(image, dome + np.array([150, 0, 0]))
    assert np.isnan(outside[dome[:, 0] > 60]).all() and not np.isnan(outside[dome[:, 0] < 45]).any()

"""Five points come to lie where the template wants them, and what lies outside the image is measured."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceauth.cropping.five_point import ARCFACE_TEMPLATE_PX, arcface_crop, fitted_similarity
from faceauth.results import Face
from faceauth.stages import CropSpec, Image

ARCFACE = CropSpec(size_wh=(112, 112), scale=1.0, kind="arcface", color="bgr")
ASTRONAUT = Face(
    box_xyxy=(178.0, 62.6, 268.4, 176.4),
    score=0.93,
    landmarks_px=((200.1, 101.8), (247.2, 102.6), (220.3, 124.7), (198.9, 143.2), (239.8, 143.9)),
)

coordinate = st.floats(-1000, 1000)
five_points = st.lists(st.tuples(coordinate, coordinate), min_size=5, max_size=5)


def face_at(landmarks_px: npt.NDArray[np.float64]) -> Face:
    (left, top), (right, bottom) = landmarks_px.min(axis=0) - 20, landmarks_px.max(axis=0) + 20
    first, second, third, fourth, fifth = ((float(x), float(y)) for x, y in landmarks_px)
    return Face(box_xyxy=(left, top, right, bottom), score=1.0, landmarks_px=(first, second, third, fourth, fifth))


def noise(width: int, height: int) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def umeyama(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The paper's own way, by a singular value decomposition, equations 38 to 43."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, d, vt = np.linalg.svd(b.T @ a / len(a))
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(signs) @ vt
    scale = (d * signs).sum() / a.var(axis=0).sum()
    return np.column_stack([scale * rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0)])


@given(five_points)
def test_similarity_is_umeyamas(points: list[tuple[float, float]]) -> None:
    source = np.array(points)
    if np.ptp(source, axis=0).max() < 1:
        return
    mine, his = fitted_similarity(source, ARCFACE_TEMPLATE_PX), umeyama(source, ARCFACE_TEMPLATE_PX)
    residuals = [((source @ m[:, :2].T + m[:, 2] - ARCFACE_TEMPLATE_PX) ** 2).sum() for m in (mine, his)]
    assert residuals[0] <= residuals[1] + 1e-6
    assert np.linalg.det(mine[:, :2]) >= 0


def test_similarity_equals_umeyamas_matrix_on_a_face() -> None:
    source = np.array(ASTRONAUT.landmarks_px)
    np.testing.assert_allclose(
        fitted_similarity(source, ARCFACE_TEMPLATE_PX), umeyama(source, ARCFACE_TEMPLATE_PX), atol=1e-9
    )


@given(st.floats(0.1, 20), st.floats(-3, 3), coordinate, coordinate)
def test_similarity_undoes_a_rotation_scale_and_shift(scale: float, angle: float, x: float, y: float) -> None:
    turn = scale * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    source = ARCFACE_TEMPLATE_PX @ turn.T + (x, y)
    matrix = fitted_similarity(source, ARCFACE_TEMPLATE_PX)
    np.testing.assert_allclose(source @ matrix[:, :2].T + matrix[:, 2], ARCFACE_TEMPLATE_PX, atol=1e-6)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), 7.0), np.full((5, 2), np.nan)])
def test_points_that_span_nothing_are_refused(points: npt.NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="finite and apart"):
        fitted_similarity(points, ARCFACE_TEMPLATE_PX)


def test_face_on_the_template_is_copied_unchanged() -> None:
    image = noise(112, 112)
    crop = arcface_crop(image, face_at(ARCFACE_TEMPLATE_PX), ARCFACE)
    assert np.abs(crop.pixels.astype(int) - image).max() <= 1
    assert crop.outside == pytest.approx(0, abs=1e-6)


def test_scale_is_the_side_taken_over_the_longer_side_of_the_box() -> None:
    face = face_at(2 * ARCFACE_TEMPLATE_PX)
    crop = arcface_crop(noise(224, 224), face, ARCFACE)
    assert crop.scale == pytest.approx(224 / face.box_xyxy.longer_side)


@pytest.mark.parametrize(
    ("shift_xy", "outside"), [((0, 0), 0.0), ((-56, 0), 0.5), ((56, 0), 0.5), ((0, -28), 0.25), ((-56, 56), 0.75)]
)
def test_share_outside_the_image_is_measured(shift_xy: tuple[int, int], outside: float) -> None:
    crop = arcface_crop(noise(112, 112), face_at(ARCFACE_TEMPLATE_PX + shift_xy), ARCFACE)
    assert crop.outside == pytest.approx(outside, abs=1e-5)


def test_share_outside_is_measured_for_a_turned_face() -> None:
    centre = np.array([55.5, 55.5])
    turn = np.array([(np.cos(np.pi / 4), -np.sin(np.pi / 4)), (np.sin(np.pi / 4), np.cos(np.pi / 4))])
    face = face_at((ARCFACE_TEMPLATE_PX - centre) @ turn.T + centre)
    crop = arcface_crop(noise(112, 112), face, ARCFACE)
    assert crop.outside == pytest.approx(1 - 2 * (np.sqrt(2) - 1), abs=1e-4)  # an octagon stays inside


def test_pixels_outside_the_image_are_black() -> None:
    image = np.full((112, 112, 3), 200, np.uint8)
    crop = arcface_crop(image, face_at(ARCFACE_TEMPLATE_PX - (56, 0)), ARCFACE)
    assert crop.pixels[:, :55].max() == 0
    assert crop.pixels[:, 57:].min() == 200


def test_face_outside_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the 112 x 112 image"):
        arcface_crop(noise(112, 112), face_at(ARCFACE_TEMPLATE_PX + 500), ARCFACE)


@pytest.mark.parametrize("zoom", [3, 5, 7.8])
def test_large_face_gives_the_crop_of_the_small_one(astronaut: Image, zoom: float) -> None:
    large = np.asarray(cv2.resize(astronaut, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC), np.uint8)
    landmarks = (np.array(ASTRONAUT.landmarks_px) + 0.5) * zoom - 0.5
    small_crop = arcface_crop(astronaut, ASTRONAUT, ARCFACE).pixels.astype(float)
    large_crop = arcface_crop(large, face_at(landmarks), ARCFACE).pixels.astype(float)
    assert np.abs(small_crop - large_crop).mean() < 3


def test_large_face_is_averaged_not_sampled() -> None:
    crop = arcface_crop(noise(1120, 1120), face_at(10 * ARCFACE_TEMPLATE_PX), ARCFACE)
    assert crop.pixels.std() < 12  # 74 for single pixels of this noise, 7.4 for means of 10 x 10
    assert crop.pixels.shape == (112, 112, 3)


def test_arcface_crop_of_another_size_is_refused(astronaut: Image) -> None:
    spec = CropSpec(size_wh=(128, 128), scale=1.0, kind="arcface", color="bgr")
    with pytest.raises(ValueError, match="112 x 112 pixels, not"):
        arcface_crop(astronaut, ASTRONAUT, spec)

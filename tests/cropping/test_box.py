"""Rules of the scaled box: reduced to what the image holds, shifted inside, then stretched."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceauth.cropping.box import box_crop, scaled_box
from faceauth.stages import CropSpec, Image

Box = tuple[float, float, float, float]
Region = tuple[int, int, int, int]

sides = st.integers(2, 400)
scales = st.floats(0.5, 5.0)


@st.composite
def images_and_boxes(draw: st.DrawFn) -> tuple[tuple[int, int], Box]:
    """An image's size, and a box with an area of which at least a corner lies in it."""
    width, height = draw(sides), draw(sides)
    left, top = draw(st.floats(-100, width - 1)), draw(st.floats(-100, height - 1))
    right, bottom = draw(st.floats(max(left, 0) + 1, 600)), draw(st.floats(max(top, 0) + 1, 600))
    return (width, height), (left, top, right, bottom)


def spec(scale: float, size_wh: tuple[int, int] = (80, 80)) -> CropSpec:
    return CropSpec(size_wh, scale, "box", "bgr")


def noise(width: int, height: int) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("box", "scale", "region"),
    [
        pytest.param((300, 200, 340, 260), 2.0, (280, 170, 360, 290), id="held by the image: scaled about its centre"),
        pytest.param((10, 200, 50, 260), 2.0, (0, 170, 80, 290), id="over the left border: shifted, not clipped"),
        pytest.param((600, 200, 639, 260), 2.0, (561, 170, 639, 290), id="over the right border"),
        pytest.param((300, 0, 340, 60), 2.0, (280, 0, 360, 120), id="over the upper border"),
        pytest.param((300, 430, 340, 479), 2.0, (280, 381, 360, 479), id="over the lower border"),
        pytest.param((200, 100, 440, 340), 2.7, (80, 0, 559, 479), id="image too low: both sides reduced alike"),
        pytest.param((100, 100, 500, 150), 4.0, (0, 85, 639, 164), id="image too narrow: both sides reduced alike"),
        pytest.param((100, 100, 375, 321), 2.7, (0, 0, 596, 479), id="a rounding error costs no pixel at the border"),
    ],
)
def test_region_of_a_box(box: Box, scale: float, region: Region) -> None:
    assert scaled_box((640, 480), box, scale) == region


@given(images_and_boxes(), scales)
def test_the_region_lies_inside_the_image(case: tuple[tuple[int, int], Box], scale: float) -> None:
    (width, height), box = case
    left, top, right, bottom = scaled_box((width, height), box, scale)
    assert 0 <= left <= right <= width - 1
    assert 0 <= top <= bottom <= height - 1


@given(images_and_boxes(), scales)
def test_the_region_has_the_shape_of_the_box(case: tuple[tuple[int, int], Box], scale: float) -> None:
    (width, height), box = case
    left, top, right, bottom = scaled_box((width, height), box, scale)
    face_wh = np.array([box[2] - box[0], box[3] - box[1]])
    expected_wh = face_wh * min(scale, *((np.array([width, height]) - 1) / face_wh))
    assert np.abs(expected_wh - (right - left, bottom - top)).max() <= 1 + 1e-6  # whole pixels


@given(images_and_boxes(), scales)
def test_a_region_at_the_right_and_lower_border_ends_with_the_last_pixel(
    case: tuple[tuple[int, int], Box], scale: float
) -> None:
    (width, height), box = case
    left, top, right, bottom = scaled_box((width, height), box, scale)
    centre_xy = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    if left > 0 and centre_xy[0] > width - 1:
        assert right == width - 1
    if top > 0 and centre_xy[1] > height - 1:
        assert bottom == height - 1


def test_the_crop_is_the_region_resized_without_smoothing() -> None:
    image = noise(640, 480)
    crop = box_crop(image, (250.0, 150.0, 350.0, 270.0), spec(2.7))
    np.testing.assert_array_equal(crop.pixels, cv2.resize(image[48:373, 165:436], (80, 80)))
    assert crop.outside == 0.0


def test_the_size_is_width_and_height_in_this_order() -> None:
    assert box_crop(noise(640, 480), (250, 150, 350, 270), spec(2.0, (40, 60))).pixels.shape == (60, 40, 3)


def test_the_scale_says_what_was_taken() -> None:
    box = (100.0, 100.0, 200.0, 200.0)
    assert box_crop(noise(640, 480), box, spec(2.7)).scale == pytest.approx(2.7, abs=0.02)
    assert box_crop(noise(300, 300), box, spec(4.0)).scale == pytest.approx(3.0)


def test_a_smaller_image_gives_a_smaller_scale_than_asked_for() -> None:
    assert box_crop(noise(300, 200), (100, 50, 200, 150), spec(4.0)).scale == pytest.approx(2.0)


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (9, 5, 5, 9), (5, 9, 9, 5), (np.nan, 0, 9, 9), (0, 0, np.inf, 9)])
def test_a_box_that_spans_nothing_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match="finite corners"):
        box_crop(noise(64, 64), box, spec(2.7))


@pytest.mark.parametrize("box", [(50, 10, 60, 20), (-9, 10, 0, 20), (10, 40, 20, 60), (10, -20, 20, 0)])
def test_a_box_wholly_outside_the_image_is_refused_and_not_answered_with_another_place(box: Box) -> None:
    with pytest.raises(ValueError, match="outside the 50 x 40 image"):
        box_crop(noise(50, 40), box, spec(2.7))


def test_the_image_is_not_written_to() -> None:
    image = noise(64, 64)
    image.flags.writeable = False
    crop = box_crop(image, (10, 10, 30, 30), spec(1.0, (21, 21)))
    np.testing.assert_array_equal(crop.pixels, image[10:31, 10:31])

"""Rules of the one crop function."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceauth.cropping.square import square_around, square_crop
from faceauth.stages import CropSpec, Image

Box = tuple[float, float, float, float]

sides = st.integers(1, 400)
scales = st.floats(0.3, 5.0)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Boxes with an area, in the image, over its border or far from it."""
    left, top = draw(st.floats(-300, 500)), draw(st.floats(-300, 500))
    return left, top, left + draw(st.floats(0.5, 400)), top + draw(st.floats(0.5, 400))


def spec(side: int = 32, scale: float = 2.0, color: str = "bgr") -> CropSpec:
    return CropSpec((side, side), scale, "square", color)  # type: ignore[arg-type]


def noise(width: int, height: int) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def overlaps(box: Box, width: int, height: int) -> bool:
    return box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0


def test_the_square_is_centred_on_the_box_where_the_image_holds_it() -> None:
    assert square_around((640, 480), (300, 200, 340, 240), 3.0) == (260, 160, 120)


def test_the_longer_side_of_the_box_counts() -> None:
    assert square_around((640, 480), (300, 200, 340, 280), 2.0)[2] == 160
    assert square_around((640, 480), (300, 200, 380, 240), 2.0)[2] == 160


@pytest.mark.parametrize(
    ("box", "left_top"),
    [((0, 200, 40, 240), (0, 160)), ((600, 200, 640, 240), (520, 160)), ((300, 440, 340, 480), (260, 360))],
)
def test_a_square_over_the_border_is_shifted_and_not_shrunk(box: Box, left_top: tuple[int, int]) -> None:
    assert square_around((640, 480), box, 3.0) == (*left_top, 120)
    crop = square_crop(noise(640, 480), box, spec(scale=3.0))
    assert (crop.outside, crop.scale) == (0.0, 3.0)


@given(sides, sides, boxes(), scales)
def test_the_square_is_never_larger_than_asked_for_nor_than_the_longer_side_of_the_image(
    width: int, height: int, box: Box, scale: float
) -> None:
    side = square_around((width, height), box, scale)[2]
    asked = scale * max(box[2] - box[0], box[3] - box[1])
    assert 1 <= side <= max(width, height)
    assert side == max(1, round(min(asked, max(width, height))))


@given(sides, sides, boxes(), scales)
def test_the_square_lies_inside_along_every_side_that_can_hold_it(
    width: int, height: int, box: Box, scale: float
) -> None:
    left, top, side = square_around((width, height), box, scale)
    for start, length in ((left, width), (top, height)):
        if side <= length:
            assert 0 <= start <= length - side
        else:
            before, behind = -start, start + side - length
            assert min(before, behind) >= 0 and abs(before - behind) <= 1, "the same sticks out on both sides"


@given(sides, sides, boxes(), scales)
def test_the_share_outside_is_counted_exactly(width: int, height: int, box: Box, scale: float) -> None:
    if not overlaps(box, width, height):
        return
    left, top, side = square_around((width, height), box, scale)
    rows, columns = np.arange(top, top + side), np.arange(left, left + side)
    inside = ((rows >= 0) & (rows < height)).sum() * ((columns >= 0) & (columns < width)).sum()
    crop = square_crop(noise(width, height), box, spec(8, scale))
    assert crop.outside == pytest.approx(1 - inside / side**2)
    assert 0.0 <= crop.outside < 1.0
    assert crop.scale == pytest.approx(side / max(box[2] - box[0], box[3] - box[1]))


@pytest.mark.parametrize("size_wh", [(100, 60), (60, 100), (100, 7)])
def test_what_lies_outside_is_the_mirrored_image(size_wh: tuple[int, int]) -> None:
    image = noise(*size_wh)
    crop = square_crop(image, (10, 2, size_wh[0] - 10, 6), spec(100, 50.0))
    height, width = image.shape[:2]
    margins = [(100 - length - (100 - length) // 2, (100 - length) // 2) for length in (height, width)]
    assert np.array_equal(crop.pixels, np.pad(image, (*margins, (0, 0)), mode="symmetric"))


def test_scale_is_what_was_really_taken() -> None:
    crop = square_crop(noise(100, 80), (20, 20, 70, 70), spec(scale=4.0))
    assert crop.scale == 2.0
    assert crop.outside == pytest.approx(0.2)


@given(boxes(), scales)
def test_the_crop_is_uint8_of_the_size_asked_for_and_the_image_stays_as_it_was(box: Box, scale: float) -> None:
    image = noise(120, 90)
    if not overlaps(box, 120, 90):
        return
    image.flags.writeable = False
    crop = square_crop(image, box, CropSpec((24, 16), scale, "square", "rgb"))
    assert crop.pixels.dtype == np.uint8 and crop.pixels.shape == (16, 24, 3)
    assert np.array_equal(image, noise(120, 90))


def test_the_same_face_gives_the_same_crop() -> None:
    first, second = (square_crop(noise(200, 150), (50.3, 40.7, 99.1, 98.2), spec(64, 2.7)) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert (first.outside, first.scale) == (second.outside, second.scale)


def test_a_part_of_a_larger_array_is_not_padded_with_its_surroundings() -> None:
    whole = np.full((200, 200, 3), 255, np.uint8)
    whole[50:110, 50:150] = 7
    part = whole[50:110, 50:150]
    assert (square_crop(part, (10, 10, 90, 50), spec(scale=3.0)).pixels == 7).all()


def test_a_fine_pattern_fades_when_shrunk_instead_of_becoming_a_moire() -> None:
    stripes = np.zeros((300, 300, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = square_crop(stripes, (50, 50, 250, 250), spec(size := 71, 1.0)).pixels[:, 1:-1]
    by_point_sampling = cv2.resize(stripes[50:250, 50:250], (size, size), interpolation=cv2.INTER_LINEAR)
    assert crop.std() < 25 < by_point_sampling.std()


def test_shrinking_by_a_whole_factor_is_the_mean_of_the_pixels() -> None:
    image = noise(64, 64)
    means = image.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(square_crop(image, (0, 0, 64, 64), spec(32, 1.0)).pixels - means).max() <= 0.5


def test_a_crop_of_the_size_asked_for_is_the_pixels_themselves() -> None:
    image = noise(100, 100)
    crop = square_crop(image, (42, 42, 58, 58), spec(32, 2.0))
    assert np.array_equal(crop.pixels, image[34:66, 34:66])


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "box",
    [(10, 10, 10, 20), (10, 10, 20, 10), (20, 10, 10, 20), (NAN, 0, 1, 1), (0, 0, INF, 1), (-INF, 0, 1, 1)],
)
def test_a_box_without_an_area_or_not_finite_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match="finite corners"):
        square_crop(noise(50, 50), box, spec())


@pytest.mark.parametrize(
    "box", [(50, 10, 60, 20), (-9, 10, 0, 20), (10, 40, 20, 60), (10, -20, 20, 0), (500, 5, 600, 9)]
)
def test_a_box_wholly_outside_the_image_is_refused_and_not_answered_with_another_place(box: Box) -> None:
    with pytest.raises(ValueError, match="outside the 50 x 40 image"):
        square_crop(noise(50, 40), box, spec())

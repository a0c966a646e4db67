"""A face is cropped as the spec asks: kind, colour order, direction."""

from dataclasses import replace

import numpy as np
import pytest

from faceauth.cropping.box import box_crop
from faceauth.cropping.crops import crop_box, crop_face
from faceauth.cropping.five_point import arcface_crop
from faceauth.cropping.square import square_crop
from faceauth.stages import CropSpec, Image
from faceauth.testing import face_in

SPECS = {
    "square": CropSpec((40, 40), 2.0, "square", "bgr"),
    "box": CropSpec((40, 40), 2.0, "box", "bgr"),
    "arcface": CropSpec((112, 112), 1.0, "arcface", "bgr"),
}


@pytest.fixture
def image() -> Image:
    return np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)


def test_each_kind_has_its_function(image: Image) -> None:
    face = face_in(image)
    for kind, function in (("square", square_crop), ("box", box_crop)):
        expected = function(image, face.box_xyxy, SPECS[kind])
        for crop in (crop_face(image, face, SPECS[kind]), crop_box(image, face.box_xyxy, SPECS[kind])):
            assert np.array_equal(crop.pixels, expected.pixels)
            assert (crop.outside, crop.scale) == (expected.outside, expected.scale)
    aligned = crop_face(image, face, SPECS["arcface"])
    assert np.array_equal(aligned.pixels, arcface_crop(image, face, SPECS["arcface"]).pixels)


def test_an_aligned_crop_needs_landmarks(image: Image) -> None:
    with pytest.raises(ValueError, match="needs landmarks"):
        crop_box(image, face_in(image).box_xyxy, SPECS["arcface"])


@pytest.mark.parametrize("kind", SPECS)
def test_rgb_is_the_reverse_of_bgr_and_mirrored_exchanges_left_and_right(image: Image, kind: str) -> None:
    face = face_in(image)
    plain = crop_face(image, face, SPECS[kind]).pixels
    rgb = crop_face(image, face, replace(SPECS[kind], color="rgb")).pixels
    mirrored = crop_face(image, face, replace(SPECS[kind], mirrored=True)).pixels
    assert np.array_equal(rgb, plain[..., ::-1]) and not np.array_equal(rgb, plain)
    assert np.array_equal(mirrored, plain[:, ::-1]) and not np.array_equal(mirrored, plain)
    assert mirrored.flags.c_contiguous


@pytest.mark.parametrize("kind", SPECS)
def test_the_image_is_not_written_to(image: Image, kind: str) -> None:
    before = image.copy()
    image.flags.writeable = False
    crop_face(image, face_in(image), replace(SPECS[kind], color="rgb", mirrored=True)).pixels[:] = 0
    assert np.array_equal(image, before)

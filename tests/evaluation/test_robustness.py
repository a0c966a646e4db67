"""Each change does to a picture what its name says, and the curves count errors at one threshold."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth.errors import UsageError
from faceauth.evaluation.robustness import (
    CHANGES,
    blur,
    brightness,
    context,
    crop_margin,
    face_size,
    jpeg_quality,
    measure_robustness,
)
from faceauth.stages import Crops, Image
from faceauth.testing import FakeLiveness
from tests.evaluation.test_scoring import brightness as mean_brightness
from tests.evaluation.test_scoring import grey_records

BOX = (170.0, 60.0, 270.0, 180.0)


def test_face_size_brings_the_longer_side_to_the_level(astronaut: Image) -> None:
    image, box = face_size(60)(astronaut, BOX)
    assert image.shape == (256, 256, 3)
    assert box == (85.0, 30.0, 135.0, 90.0)


def test_face_size_never_enlarges(astronaut: Image) -> None:
    image, box = face_size(500)(astronaut, BOX)
    assert image.shape == astronaut.shape
    assert box == BOX


def test_blur_removes_detail_in_proportion_to_the_face(astronaut: Image) -> None:
    def detail(image: Image) -> float:
        return float(cv2.Laplacian(image, cv2.CV_64F).var())

    assert np.array_equal(blur(0)(astronaut, BOX)[0], astronaut)
    assert detail(astronaut) > 5 * detail(blur(1)(astronaut, BOX)[0]) > 5 * detail(blur(5)(astronaut, BOX)[0])
    small = blur(2)(astronaut, (0.0, 0.0, 20.0, 20.0))[0]
    assert detail(small) > detail(blur(2)(astronaut, BOX)[0])


def test_brightness_multiplies_and_saturates() -> None:
    image = np.array([[[10, 100, 200]]], np.uint8)
    assert brightness(2)(image, BOX)[0].tolist() == [[[20, 200, 255]]]
    assert brightness(0.5)(image, BOX)[0].tolist() == [[[5, 50, 100]]]


def test_a_lower_jpeg_quality_loses_more(astronaut: Image) -> None:
    loss = [
        np.abs(jpeg_quality(quality)(astronaut, BOX)[0].astype(int) - astronaut).mean() for quality in (95, 60, 20, 5)
    ]
    assert loss == sorted(loss)
    assert loss[0] > 0


def test_crop_margin_scales_the_box_about_its_centre(astronaut: Image) -> None:
    image, box = crop_margin(1.5)(astronaut, (10.0, 20.0, 30.0, 60.0))
    assert box == (5.0, 10.0, 35.0, 70.0)
    assert image is astronaut


def test_context_cuts_a_square_around_the_face_as_far_as_the_picture_reaches(astronaut: Image) -> None:
    tight, box = context(1.0)(astronaut, (100.0, 120.0, 160.0, 200.0))
    assert np.array_equal(tight, astronaut[120:200, 90:170]) and box == (10.0, 0.0, 70.0, 80.0)
    at_the_border, box = context(2.0)(astronaut, (0.0, 0.0, 60.0, 60.0))
    assert np.array_equal(at_the_border, astronaut[:90, :90]) and box == (0.0, 0.0, 60.0, 60.0)
    outside, _ = context(1.0)(astronaut, (-80.0, -80.0, 2.0, 2.0))
    assert outside.size, "a box of which little is inside still leaves a picture"


def test_a_change_leaves_its_picture_alone(astronaut: Image) -> None:
    before = astronaut.copy()
    for change, levels in CHANGES.values():
        change(levels[0])(astronaut, BOX)
    assert np.array_equal(astronaut, before)


def test_curves_hold_every_level_and_count_at_the_threshold(tmp_path: Path) -> None:
    rows = grey_records(tmp_path, [200, 60, 150, 100])  # live 200 and 150, prints 60 and 100
    told: list[tuple[int, int]] = []
    curves = measure_robustness(
        rows, FakeLiveness(mean_brightness), 0.5, progress=lambda done, of: told.append((done, of))
    )
    assert {name: tuple(point.level for point in points) for name, points in curves.items()} == {
        name: levels for name, (_, levels) in CHANGES.items()
    }
    bright = {point.level: (point.bpcer.errors, point.apcer_pooled.errors) for point in curves["brightness, x"]}
    assert bright == {0.25: (2, 0), 0.5: (2, 0), 0.75: (1, 0), 1: (0, 0), 1.5: (0, 1), 2: (0, 1)}
    assert told[-1] == (33, 33)


def test_robustness_needs_both_classes(tmp_path: Path) -> None:
    def never(crops: Crops) -> np.ndarray:
        raise AssertionError("asked although live is missing")

    rows = [row for row in grey_records(tmp_path, [1, 2]) if not row.is_live]
    with pytest.raises(UsageError, match="one of them is missing"):
        measure_robustness(rows, FakeLiveness(never), 0.5)

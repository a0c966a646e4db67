"""The measures of a track that no session shows by itself."""

import numpy as np
import pytest

from faceauth.results import Box
from faceauth.video.track import digest, likeness, overlap, thumbnail

from .scenes import BACKGROUND


@pytest.mark.parametrize("row", [0, 4, 120, 236])
def test_a_frame_with_one_other_pixel_in_a_hashed_row_is_another_frame(row: int) -> None:
    other = BACKGROUND.copy()
    other[row, 7, 1] ^= 1
    assert digest(other) != digest(BACKGROUND) == digest(BACKGROUND.copy())


def test_at_least_a_quarter_of_the_rows_is_hashed() -> None:
    seen = 0
    for row in range(BACKGROUND.shape[0]):
        other = BACKGROUND.copy()
        other[row] ^= 1
        seen += digest(other) != digest(BACKGROUND)
    assert seen >= BACKGROUND.shape[0] / 4


def test_exposure_and_contrast_leave_the_likeness_at_one() -> None:
    dimmer = (BACKGROUND * 0.6 + 20).astype(np.uint8)
    assert likeness(thumbnail(BACKGROUND), thumbnail(dimmer)) > 0.999
    assert likeness(thumbnail(BACKGROUND), thumbnail(255 - BACKGROUND)) < -0.99


def test_a_flat_frame_is_like_no_other() -> None:
    flat = np.full_like(BACKGROUND, 90)
    assert likeness(thumbnail(flat), thumbnail(BACKGROUND)) == 0.0 == likeness(thumbnail(flat), thumbnail(flat))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Box(0, 0, 10, 10), 1.0),
        (Box(5, 0, 15, 10), 1 / 3),
        (Box(0, 0, 10, 5), 0.5),
        (Box(10, 0, 20, 10), 0.0),
        (Box(50, 50, 60, 60), 0.0),
    ],
)
def test_overlap_is_intersection_over_union(other: Box, expected: float) -> None:
    assert overlap(Box(0, 0, 10, 10), other) == pytest.approx(expected) == overlap(other, Box(0, 0, 10, 10))

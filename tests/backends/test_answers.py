"""What a backend's answer must be; the faults of every kind are in tests/test_fault_injection.py."""

from collections.abc import Callable

import numpy as np
import pytest

from faceauth.backends.answers import (
    LANDMARKS_WITHIN,
    UNIT_LENGTH_TOLERANCE,
    ContractBroken,
    best_score,
    check_embeddings,
    check_faces,
    check_p_live,
)
from faceauth.results import Box, Face
from faceauth.testing import face_in


def shifted(face: Face, x_px: float, y_px: float) -> Face:
    points = tuple((x + x_px, y + y_px) for x, y in face.landmarks_px)
    return face.model_copy(update={"landmarks_px": points})


@pytest.mark.parametrize("direction", [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_landmarks_belong_to_the_box_that_they_come_with(direction: tuple[int, int]) -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    face = face_in(image, share=0.25)  # its landmarks are centred a tenth of its height below its middle
    to_limit = LANDMARKS_WITHIN * face.box_xyxy.width / 2
    inside, outside = (
        shifted(face, direction[0] * reach, direction[1] * reach - 0.1 * face.box_xyxy.height)
        for reach in (to_limit - 2, to_limit + 2)
    )
    assert check_faces([inside], image) == [inside]
    with pytest.raises(ContractBroken, match="landmarks around"):
        check_faces([face, outside], image)


@pytest.mark.parametrize(("dx", "dy"), [(-1, 0), (1, 0), (0, -1), (0, 1)])
def test_a_box_that_touches_the_image_by_a_pixel_is_a_face_and_one_beside_it_is_not(dx: int, dy: int) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    face = face_in(image)
    (left, top, right, bottom), (height, width) = face.box_xyxy, image.shape[:2]
    reach_x = {-1: -right, 0: 0, 1: width - left}[dx]  # as far as the edge and no pixel more
    reach_y = {-1: -bottom, 0: 0, 1: height - top}[dy]

    def moved(x: float, y: float) -> Face:
        box = Box(left + x, top + y, right + x, bottom + y)
        return shifted(face, x, y).model_copy(update={"box_xyxy": box})

    touching = moved(reach_x - dx, reach_y - dy)
    assert check_faces([touching], image) == [touching]
    with pytest.raises(ContractBroken, match=f"which lies outside the {width} x {height} image"):
        check_faces([moved(reach_x, reach_y)], image)


@pytest.mark.parametrize("direction", [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_landmarks_at_the_very_limit_belong_to_the_box(direction: tuple[int, int]) -> None:
    box = Box(100.0, 50.0, 200.0, 150.0)
    reach = LANDMARKS_WITHIN * 50
    middle = (150.0 + direction[0] * reach, 100.0 + direction[1] * reach)
    face = face_in(IMAGE).model_copy(update={"box_xyxy": box, "landmarks_px": (middle,) * 5})
    assert check_faces([face], IMAGE) == [face]


def test_the_ends_of_the_range_are_probabilities() -> None:
    ends = np.array([0.0, 0.5, 1.0], np.float32)
    assert check_p_live(ends, 3).tolist() == [0.0, 0.5, 1.0]
    assert check_p_live(np.empty(0, np.float32), 0).shape == (0,)


def test_each_embedding_has_unit_length_within_the_tolerance() -> None:
    rows = np.array([(1.0, 0.0), (0.0, 1.0), (0.6, 0.8)], np.float32)
    assert np.array_equal(check_embeddings(rows, 3), rows)
    for sign in (-1, 1):
        assert len(check_embeddings(rows * np.float32(1 + sign * 0.9 * UNIT_LENGTH_TOLERANCE), 3)) == 3
        with pytest.raises(ContractBroken, match="of length"):
            check_embeddings(rows * np.float32(1 + sign * 1.1 * UNIT_LENGTH_TOLERANCE), 3)
    with pytest.raises(ContractBroken, match="of length"):
        check_embeddings(rows * np.float32([[1], [1], [2]]), 3)


def test_the_best_score_is_that_of_the_surest_face_and_0_without_one() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    faces = [face_in(image).model_copy(update={"score": score}) for score in (0.2, 0.7, 0.4)]
    assert (best_score(faces), best_score([])) == (0.7, 0.0)
    with pytest.raises(ContractBroken):
        best_score(None)


IMAGE = np.zeros((200, 300, 3), np.uint8)
FACE = face_in(IMAGE)
OUTSIDE = FACE.model_copy(update={"box_xyxy": Box(400.0, 0.0, 500.0, 100.0)})


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (lambda: check_faces(None, IMAGE), "returned builtins.NoneType, expected a list of Face"),
        (lambda: check_faces([FACE, "x"], IMAGE), "returned builtins.list, expected a list of Face"),
        (
            lambda: check_faces([FACE.model_copy(update={"score": 2.0})], IMAGE),
            "returned a face whose score is wrong: Input should be less than or equal to 1",
        ),
        (
            lambda: check_faces([OUTSIDE], IMAGE),
            f"returned the box {OUTSIDE.box_xyxy}, which lies outside the 300 x 200 image",
        ),
        (
            lambda: check_faces([shifted(FACE, 1000, 0)], IMAGE),
            f"returned landmarks around (1150, 110) for the box {FACE.box_xyxy}",
        ),
        (lambda: check_p_live([0.5], 1), "returned builtins.list, expected a numpy array"),
        (lambda: check_p_live(np.float32(0.5), 1), "returned numpy.float32, expected a numpy array"),
        (
            lambda: check_p_live(np.zeros((1, 2), np.float64), 1),
            "returned float64 of shape (1, 2), expected float32 of shape 1",
        ),
        (
            lambda: check_p_live(np.array([0.5, 2.0], np.float32), 2),
            "returned P(live) [0.5, 2.0], expected numbers in [0, 1]",
        ),
        (
            lambda: check_embeddings(np.zeros(3, np.float32), 2),
            "returned float32 of shape (3,), expected float32 of shape 2 x D",
        ),
        (
            lambda: check_embeddings(np.zeros((1, 3), np.float32), 1),
            "returned embeddings of length [0.0], expected 1",
        ),
    ],
)
def test_a_broken_contract_says_what_came_and_what_was_expected(check: Callable[[], object], said: str) -> None:
    with pytest.raises(ContractBroken) as broken:
        check()
    assert str(broken.value) == said

"""What a backend's answer must be; the faults of every kind are in tests/test_fault_injection.py."""

import numpy as np
import pytest

from faceauth.backends.answers import LANDMARKS_WITHIN, ContractBroken, check_faces
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
    with pytest.raises(ContractBroken, match=f"which holds nothing of {width} x {height} pixels"):
        check_faces([moved(reach_x, reach_y)], image)

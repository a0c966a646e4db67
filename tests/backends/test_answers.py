"""What a backend's answer must be; the faults of every kind are in tests/test_fault_injection.py."""

import numpy as np
import pytest

from faceauth.backends.answers import LANDMARKS_WITHIN, ContractBroken, check_faces
from faceauth.results import Face
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

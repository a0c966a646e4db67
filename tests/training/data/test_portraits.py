"""A portrait's face is the one in the middle, and its person is in one split."""

from pathlib import Path

import cv2
import numpy as np

from faceauth.testing import FakeDetector, face_in
from training.data.manifests import LIVE
from training.data.portraits import held_out_portraits, portrait_face, split_of_portrait


def test_the_face_in_the_middle_is_taken() -> None:
    image = np.zeros((100, 300, 3), np.uint8)
    middle = face_in(image)
    aside = middle.model_copy(update={"box_xyxy": (0.0, 20.0, 40.0, 60.0)})
    assert portrait_face(image, FakeDetector([aside, middle])) == middle
    assert portrait_face(image, FakeDetector([])) is None


def test_only_people_outside_training_are_held_out(tmp_path: Path) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    image = np.full((64, 64, 3), 120, np.uint8)
    for number in range(40):
        cv2.imwrite(str(folder / f"person{'abcdefghij'[number % 10]}{'xyzw'[number // 10]}_0001.jpg"), image)
    (folder / "broken.jpg").write_text("no picture")
    records = list(held_out_portraits([folder], FakeDetector([face_in(image)])))
    assert 0 < len(records) < 40
    assert all(record.label == LIVE and split_of_portrait(record.path) == "val" for record in records)

"""YuNet finds faces of every size, in pixels of the image it was given."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceauth.detection.yunet import YuNet
from faceauth.errors import ProviderUnavailable, UsageError, WeightsMismatch
from faceauth.results import Face
from faceauth.stages import Image
from faceauth.testing import DetectorConformance

ASTRONAUT_XYXY = (178.0, 62.6, 268.4, 176.4)


class TestContract(DetectorConformance):
    @pytest.fixture
    def backend(self) -> YuNet:
        return YuNet()

    @pytest.fixture
    def portrait(self, astronaut: Image) -> Image:
        return astronaut


@pytest.fixture(scope="module")
def yunet() -> YuNet:
    return YuNet()


def zoomed(image: Image, zoom: float) -> Image:
    interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=interpolation), np.uint8)


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union."""
    inner = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


def only(faces: list[Face]) -> Face:
    assert len(faces) == 1
    return faces[0]


def test_the_one_face_is_found_with_its_points_in_order(yunet: YuNet, astronaut: Image) -> None:
    face = only(yunet.detect(astronaut))
    assert overlap(face.box_xyxy, ASTRONAUT_XYXY) > 0.95
    assert 0.9 < face.score <= 1
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks_px
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


@pytest.mark.parametrize("zoom", [0.25, 0.5, 1.3, 2.5, 8.0])
def test_size_of_the_image_does_not_matter(yunet: YuNet, astronaut: Image, zoom: float) -> None:
    face = only(yunet.detect(zoomed(astronaut, zoom)))
    assert overlap(tuple(value / zoom for value in face.box_xyxy), ASTRONAUT_XYXY) > 0.7


@pytest.mark.parametrize("side", [150, 320, 640, 1280, 3000])
@pytest.mark.parametrize("context", [1.0, 1.2, 1.6])
def test_face_that_fills_the_image_is_found(yunet: YuNet, astronaut: Image, side: int, context: float) -> None:
    x, y, half = 223, 119, round(57 * context)
    zoom = side / (2 * half)
    face = only(yunet.detect(zoomed(astronaut[y - half : y + half, x - half : x + half], zoom)))
    left, top, right, bottom = (value / zoom for value in face.box_xyxy)
    back = (left + x - half, top + y - half, right + x - half, bottom + y - half)
    assert overlap(back, ASTRONAUT_XYXY) > 0.75


def test_large_face_and_small_face_are_both_found(yunet: YuNet, astronaut: Image) -> None:
    large = zoomed(astronaut[0:240, 100:340], 4)  # the face is 460 px high: more than the first look finds at 640
    small = zoomed(astronaut[20:240, 110:330], 0.5)
    image = np.full((960, 1100, 3), 127, np.uint8)
    image[:, :960] = large
    image[10 : 10 + small.shape[0], 970 : 970 + small.shape[1]] = small
    faces = yunet.detect(image)
    assert sorted(round(face.box_xyxy.height / 113.8, 1) for face in faces) == pytest.approx([0.5, 4.0], rel=0.15)


@pytest.mark.parametrize("shift_xy", [(1, 0), (7, 13), (31, 32)])
def test_padding_moves_the_face_with_the_image(yunet: YuNet, astronaut: Image, shift_xy: tuple[int, int]) -> None:
    x, y = shift_xy
    part = astronaut[:256, :256]  # not resized, so that only the shift differs
    moved = cv2.copyMakeBorder(part, y, 0, x, 0, cv2.BORDER_CONSTANT)
    before, after = only(yunet.detect(part)), only(yunet.detect(np.asarray(moved, np.uint8)))
    expected = tuple(value + shift for value, shift in zip(before.box_xyxy, (x, y, x, y), strict=True))
    assert overlap(after.box_xyxy, expected) > 0.9


def test_faces_come_best_first_and_none_twice(yunet: YuNet, astronaut: Image) -> None:
    face = astronaut[20:240, 110:330]
    blurred = np.asarray(cv2.GaussianBlur(face, (0, 0), 4), np.uint8)
    faces = yunet.detect(np.concatenate([blurred, face], axis=1))
    assert len(faces) == 2
    assert faces[0].score > faces[1].score
    assert faces[0].box_xyxy[0] > 220 > faces[1].box_xyxy[0]


@pytest.mark.parametrize("size_wh", [(1, 1), (2, 900), (900, 2), (31, 33), (640, 480), (1000, 700)])
@pytest.mark.parametrize("value", [0, 127, 255])
def test_image_without_a_face_gives_none(yunet: YuNet, size_wh: tuple[int, int], value: int) -> None:
    assert yunet.detect(np.full((size_wh[1], size_wh[0], 3), value, np.uint8)) == []


def test_threshold_is_obeyed(astronaut: Image) -> None:
    score = only(YuNet().detect(astronaut)).score
    assert len(YuNet(score_threshold=score - 1e-4).detect(astronaut)) == 1
    assert YuNet(score_threshold=score + 1e-4).detect(astronaut) == []


def test_image_is_not_written_to(yunet: YuNet, astronaut: Image) -> None:
    before = astronaut.copy()
    yunet.detect(astronaut)
    np.testing.assert_array_equal(astronaut, before)


def test_part_of_a_larger_array_is_read_like_its_copy(yunet: YuNet, astronaut: Image) -> None:
    view = astronaut[:240, 100:360]
    assert yunet.detect(view) == yunet.detect(view.copy())


@pytest.mark.parametrize("options", [{"score_threshold": -0.1}, {"score_threshold": 1.1}, {"longest_side": 16}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="YuNet needs"):
        YuNet(**options)


def test_provider_that_is_absent_is_refused() -> None:
    with pytest.raises(ProviderUnavailable):
        YuNet(providers=("NoneExecutionProvider",))


def test_weights_in_use_are_named_with_their_card() -> None:
    digests = YuNet().weights_sha256
    assert list(digests) == ["yunet/yunet_2023mar.onnx", "yunet/card.json"]
    assert digests["yunet/yunet_2023mar.onnx"] == "569c0eefdfdfcceeabc75222dbb67f8538c2510df803106671dfe0208bbb59c4"


def test_unpinned_weights_in_ones_own_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "yunet").mkdir()
    (tmp_path / "yunet" / "yunet_2023mar.onnx").write_bytes(b"anything")
    with pytest.raises(WeightsMismatch):
        YuNet(weights_folder=tmp_path)


@pytest.mark.parametrize("size", [160, 256, 512])
def test_opencv_decodes_the_same_faces_from_the_original_model(
    yunet: YuNet, astronaut: Image, shared: Path, size: int
) -> None:
    image = np.asarray(cv2.resize(astronaut, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    model = str(shared / "models" / "face_detection_yunet_2023mar.onnx")
    peer = cv2.FaceDetectorYN.create(model, "", (size, size), 0.7, 0.3, 5000)
    _, (row,) = peer.detect(image)
    face = only(yunet.detect(image))
    x, y, w, h = row[:4]
    np.testing.assert_allclose(face.box_xyxy, (x, y, x + w, y + h), atol=0.02 * size)
    np.testing.assert_allclose(np.ravel(face.landmarks_px), row[4:14], atol=0.02 * size)
    assert face.score == pytest.approx(row[14], abs=0.03)

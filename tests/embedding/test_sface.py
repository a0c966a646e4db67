"""SFace maps a person's pictures close together, and its threshold is the measured one."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from faceauth.cropping.five_point import FivePointAligner
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import MATCH_THRESHOLD, MEASURED_SHA256, SFace
from faceauth.stages import Crops, Image
from faceauth.testing import EmbedderConformance
from faceauth.weights.store import WeightStore

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "lfw_match.json"


class TestContract(EmbedderConformance):
    @pytest.fixture
    def backend(self) -> SFace:
        return SFace()


@pytest.fixture(scope="module")
def sface() -> SFace:
    return SFace()


def crops_of(*images: Image) -> Crops:
    detector, aligner = YuNet(), FivePointAligner()
    return np.stack([aligner.align(image, detector.detect(image)[0], SFace.crop).pixels for image in images])


def test_a_batch_gives_what_single_crops_give(sface: SFace, astronaut: Image) -> None:
    crop = crops_of(astronaut)[0]
    crops = np.stack([crop, crop[:, ::-1], np.zeros_like(crop), np.full_like(crop, 255)])
    single = np.concatenate([sface.embed(one[None]) for one in crops])
    np.testing.assert_allclose(sface.embed(crops), single, atol=1e-6)


def test_picture_of_the_same_person_matches_after_recompression_and_a_change_of_light(
    sface: SFace, astronaut: Image
) -> None:
    _, jpeg = cv2.imencode(".jpg", astronaut, [cv2.IMWRITE_JPEG_QUALITY, 40])
    recompressed = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    darker = (astronaut * 0.5).astype(np.uint8)
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    smaller = np.asarray(cv2.resize(astronaut, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    first, *others = sface.embed(crops_of(astronaut, recompressed, darker, mirrored, smaller))
    assert min(float(first @ other) for other in others) > 0.7


def test_colour_order_matters_and_is_rgb(sface: SFace, astronaut: Image) -> None:
    rgb = crops_of(astronaut)
    assert SFace.crop.color == "rgb"
    assert float(sface.embed(rgb)[0] @ sface.embed(rgb[..., ::-1])[0]) < 0.99


def test_opencv_computes_the_same_embedding(sface: SFace, astronaut: Image) -> None:
    crop = crops_of(astronaut)[0]
    peer = cv2.FaceRecognizerSF.create(str(WeightStore().find("sface_2021dec.onnx").path), "")
    theirs = peer.feature(np.ascontiguousarray(crop[..., ::-1]))[0]
    np.testing.assert_allclose(sface.embed(crop[None])[0], theirs / np.linalg.norm(theirs), atol=1e-4)


def test_default_threshold_is_the_one_that_was_measured() -> None:
    measured = json.loads(RESULTS.read_text())
    assert measured["default"]["threshold"] == MATCH_THRESHOLD
    assert measured["weights_sha256"]["sface_2021dec.onnx"] == MEASURED_SHA256
    assert SFace().match_threshold == MATCH_THRESHOLD


def test_other_weights_have_another_id_and_no_threshold(tmp_path: Path) -> None:
    model = onnx.load_from_string(WeightStore().find("sface_2021dec.onnx").read())
    model.doc_string = "retrained"
    content = model.SerializeToString()
    pin = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    terms = {"licence": "MIT", "origin": "a test", "use": "testing"}
    (tmp_path / "sface_2021dec.onnx").write_bytes(content)
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"sface_2021dec.onnx": pin | terms}}))
    other = SFace(weights_folder=tmp_path)
    assert other.model_id != SFace().model_id
    assert other.match_threshold is None
    assert other.weights_sha256 == {"sface_2021dec.onnx": pin["sha256"]}

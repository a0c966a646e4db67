"""SFace maps a person's images close together, and its match points are the measured ones."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from pydantic import ValidationError

from faceauth.cropping.crops import crop_face
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.stages import Crops, Image
from faceauth.testing import EmbedderConformance
from faceauth.weights.cards import ModelCard, SFaceCard
from faceauth.weights.store import PinnedModel, Weights

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "lfw_match.json"


class TestContract(EmbedderConformance):
    @pytest.fixture
    def backend(self) -> SFace:
        return SFace()


@pytest.fixture(scope="module")
def sface() -> SFace:
    return SFace()


def network() -> Weights:
    return PinnedModel("sface", ModelCard).weights("network")


def crops_of(*images: Image) -> Crops:
    detector = YuNet()
    return np.stack([crop_face(image, detector.detect(image)[0], SFace.crop).pixels for image in images])


def test_a_batch_gives_what_single_crops_give(sface: SFace, astronaut: Image) -> None:
    crop = crops_of(astronaut)[0]
    crops = np.stack([crop, crop[:, ::-1], np.zeros_like(crop), np.full_like(crop, 255)])
    single = np.concatenate([sface.embed(one[None]) for one in crops])
    np.testing.assert_allclose(sface.embed(crops), single, atol=1e-6)


def test_image_of_the_same_person_matches_after_recompression_and_a_change_of_light(
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
    peer = cv2.FaceRecognizerSF.create(str(network().path), "")
    theirs = peer.feature(np.ascontiguousarray(crop[..., ::-1]))[0]
    np.testing.assert_allclose(sface.embed(crop[None])[0], theirs / np.linalg.norm(theirs), atol=1e-4)


def test_match_points_are_the_ones_that_were_measured_with_these_weights(sface: SFace) -> None:
    measured = json.loads(RESULTS.read_text())
    assert sface.match_points is not None
    assert sface.match_points.model_dump(exclude={"curve"}) == measured["named"]
    assert measured["weights_sha256"].items() >= {(network().name, network().sha256)}


def test_match_points_are_the_chosen_ones_and_balanced_keeps_nists_limit(sface: SFace) -> None:
    points = sface.match_points
    assert points is not None
    assert (points.convenience.threshold, points.balanced.threshold, points.strict.threshold) == (0.37, 0.43, 0.46)
    assert points.balanced.fmr.value <= 1e-4
    assert points.balanced.fmr.n > 800_000
    assert points.balanced.fmr.low < points.balanced.fmr.value < points.balanced.fmr.high
    assert points.balanced.fmr.interval.startswith("identity bootstrap 95 %")


def test_other_weights_have_another_id_and_no_points(tmp_path: Path) -> None:
    model = onnx.load_from_string(network().read())
    model.doc_string = "retrained"
    content = model.SerializeToString()
    pin = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    card = {"licence": "MIT", "origin": "a test", "use": "testing", "files": {"network": {"name": "own.onnx", **pin}}}
    written = json.dumps(card).encode()
    (tmp_path / "sface").mkdir()
    (tmp_path / "sface" / "own.onnx").write_bytes(content)
    (tmp_path / "sface" / "card.json").write_bytes(written)
    card_pin = {"size": len(written), "sha256": hashlib.sha256(written).hexdigest()}
    (tmp_path / "manifest.json").write_text(json.dumps({"cards": {"sface": card_pin}}))
    other = SFace(weights_folder=tmp_path)
    assert other.model_id != SFace().model_id
    assert other.match_points is None
    assert other.weights_sha256 == {"sface/own.onnx": pin["sha256"], "sface/card.json": card_pin["sha256"]}


def test_card_refuses_points_out_of_order() -> None:
    content = json.loads(PinnedModel("sface", SFaceCard).card.model_dump_json())
    content["match_points"]["strict"]["threshold"] = 0.4
    with pytest.raises(ValidationError, match="thresholds must ascend"):
        SFaceCard.model_validate(content)

"""ArcFace through the insightface package, for real where the package and a model file are there."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth.embedding.arcface import ArcFace
from faceauth.errors import BackendBroken, WeightsMismatch
from faceauth.stages import Crops
from faceauth.testing import EmbedderConformance


@pytest.fixture(scope="module")
def path(shared: Path) -> Path:
    pytest.importorskip("insightface", reason="needs pip install 'faceauth[insightface]'")
    return shared / "models" / "fr_feature.onnx"


@pytest.fixture(scope="module")
def arcface(path: Path) -> ArcFace:
    return ArcFace(model=str(path))


@pytest.fixture
def crops(astronaut: np.ndarray) -> Crops:
    """The same face twice, a little shifted, and a piece of the background."""
    corners = [(170, 60, 120), (174, 62, 120), (380, 300, 120)]
    return np.stack([cv2.resize(astronaut[y : y + s, x : x + s], (112, 112)) for x, y, s in corners])


class TestArcFace(EmbedderConformance):
    @pytest.fixture
    def backend(self, arcface: ArcFace) -> ArcFace:
        return arcface


def test_embeddings_equal_an_independent_computation_from_the_file(arcface: ArcFace, path: Path, crops: Crops) -> None:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rgb = np.float32(crops[..., ::-1].transpose(0, 3, 1, 2))
    raw = np.concatenate([session.run(None, {"input": (one[None] - 127.5) / 127.5})[0] for one in rgb])
    expected = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(arcface.embed(crops), expected, atol=1e-4)


def test_a_face_is_nearer_to_itself_than_to_the_background(arcface: ArcFace, crops: Crops) -> None:
    face, shifted, background = arcface.embed(crops)
    assert face @ shifted > 0.7 > 0.4 > face @ background


def test_an_empty_batch_has_the_dimensions_of_the_model(arcface: ArcFace) -> None:
    assert arcface.embed(np.empty((0, 112, 112, 3), np.uint8)).shape == (0, 512)


def test_model_id_is_that_of_the_file(arcface: ArcFace, path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert arcface.weights_sha256 == {path.name: digest}
    assert digest in arcface.model_id


def test_it_needs_an_explicit_match_threshold(arcface: ArcFace) -> None:
    assert arcface.match_points is None


def test_digest_asked_for_is_obeyed(path: Path) -> None:
    with pytest.raises(WeightsMismatch):
        ArcFace(model=str(path), sha256="0" * 64)


def test_detection_model_is_no_embedder(path: Path) -> None:
    with pytest.raises(BackendBroken, match="no recognition model"):
        ArcFace(model=str(path.parent / "scrfd_500m_kps.onnx"))


def test_terms_of_the_packs_are_on_the_class() -> None:
    assert "non-commercial research only" in ArcFace.licence_notice

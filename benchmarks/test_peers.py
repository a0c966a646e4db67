"""Head to head in one run, one thread each: the built-in backend of a stage first, then others on the same input.

Speed alone: what the liveness backends are worth is a matter for ``faceauth evaluate``. Absent on purpose: deepface,
uniface and insightface's liveness add-on, whose weights are fetched from a site when they are first used.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import noise
from faceauth.backends.registry import load_backend
from faceauth.cropping.crops import crop_face
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.errors import BackendNotFound
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.results import Face
from faceauth.stages import Image, LivenessBackend


def liveness_input(image: Image, face: Face, backend: LivenessBackend) -> list[np.ndarray]:
    """All crops of one face that a backend asks for."""
    return [crop_face(image, face, spec).pixels[None] for spec in backend.crops]


@pytest.mark.benchmark(group="liveness, 1 face")
def test_spoofnet(benchmark: BenchmarkFixture, spoofnet: SpoofNet, image: Image, face: Face) -> None:
    """Both of its crops."""
    benchmark.extra_info.update(weights=spoofnet.weights_sha256)
    assert benchmark(spoofnet.score, liveness_input(image, face, spoofnet)).shape == (1,)


@pytest.mark.benchmark(group="liveness, 1 face")
def test_minifasnet_plugin(benchmark: BenchmarkFixture, image: Image, face: Face, shared: Path) -> None:
    """Both MiniFASNet networks, through the plugin's entry point."""
    try:
        backend = load_backend("liveness", "minifasnet", options={"weights_dir": str(shared / "models")}).backend
    except BackendNotFound:
        pytest.skip("pip install -e plugins/faceauth-minifasnet")
    benchmark.extra_info.update(weights=backend.weights_sha256)
    assert benchmark(backend.score, liveness_input(image, face, backend)).shape == (1,)


@pytest.mark.benchmark(group="liveness, 1 face")
def test_facenox_network(benchmark: BenchmarkFixture, shared: Path) -> None:
    """The bare network of facenox/face-antispoof-onnx, without its preprocessing."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(shared / "models" / "facenox_98.20.onnx"), options, providers=["CPUExecutionProvider"]
    )
    planes = noise(1, 128).transpose(0, 3, 1, 2).astype(np.float32) / 255
    assert benchmark(session.run, None, {"input": planes})[0].shape == (1, 2)


@pytest.mark.benchmark(group="detection, 640 x 480")
def test_yunet(benchmark: BenchmarkFixture, yunet: YuNet, image: Image) -> None:
    assert len(benchmark(yunet.detect, image)) == 1


@pytest.mark.benchmark(group="detection, 640 x 480")
def test_opencv_yunet(benchmark: BenchmarkFixture, image: Image, shared: Path) -> None:
    """The same network in float, by OpenCV's own FaceDetectorYN."""
    path = shared / "models" / "face_detection_yunet_2023mar.onnx"
    detector = cv2.FaceDetectorYN.create(str(path), "", image.shape[1::-1], 0.7)
    assert len(benchmark(detector.detect, image)[1]) == 1


@pytest.mark.benchmark(group="detection, 640 x 480")
def test_insightface_scrfd(benchmark: BenchmarkFixture, image: Image, shared: Path) -> None:
    """SCRFD-500M at the 640 x 640 that its file fixes, through the insightface package."""
    pytest.importorskip("insightface")
    model = str(shared / "models" / "scrfd_500m_kps.onnx")
    backend = load_backend("detection", "scrfd", options={"model": model}).backend
    assert len(benchmark(backend.detect, image)) == 1


@pytest.mark.benchmark(group="embedding, 1 crop")
def test_sface(benchmark: BenchmarkFixture, sface: SFace) -> None:
    assert benchmark(sface.embed, noise(1, 112)).shape == (1, 128)


@pytest.mark.benchmark(group="embedding, 1 crop")
def test_insightface_arcface(benchmark: BenchmarkFixture, shared: Path) -> None:
    """The MobileFaceNet of faceplugin, through the insightface package."""
    pytest.importorskip("insightface")
    model = str(shared / "models" / "fr_feature.onnx")
    backend = load_backend("embedding", "arcface", options={"model": model}).backend
    assert benchmark(backend.embed, noise(1, 112)).shape == (1, 512)

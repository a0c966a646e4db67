"""Each stage alone: weights loaded, what comes before it done, one thread."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import noise
from faceauth import gate
from faceauth.cropping.crops import crop_face
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.imaging.decoding import load_image
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.results import Face
from faceauth.stages import Image

pytestmark = pytest.mark.benchmark(group="stages")


def test_decode(benchmark: BenchmarkFixture, photo: bytes) -> None:
    assert benchmark(load_image, photo).shape == (480, 640, 3)


def test_detection(benchmark: BenchmarkFixture, yunet: YuNet, image: Image) -> None:
    assert len(benchmark(yunet.detect, image)) == 1


def test_gate(benchmark: BenchmarkFixture, image: Image, face: Face) -> None:
    assert benchmark(gate.check, image, face, gate.GatePolicy()) is None


def test_square_crop(benchmark: BenchmarkFixture, spoofnet: SpoofNet, image: Image, face: Face) -> None:
    assert benchmark(crop_face, image, face, spoofnet.crops[0]).pixels.shape == (224, 224, 3)


def test_five_point_crop(benchmark: BenchmarkFixture, sface: SFace, image: Image, face: Face) -> None:
    assert benchmark(crop_face, image, face, sface.crop).pixels.shape == (112, 112, 3)


@pytest.mark.parametrize("n", [1, 8])
def test_spoofnet_score(benchmark: BenchmarkFixture, spoofnet: SpoofNet, n: int) -> None:
    benchmark.extra_info.update(items=n)
    crops = [noise(n, 224) for _ in spoofnet.crops]
    assert benchmark(spoofnet.score, crops).shape == (n,)


@pytest.mark.parametrize("n", [1, 8])
def test_sface_embed(benchmark: BenchmarkFixture, sface: SFace, n: int) -> None:
    benchmark.extra_info.update(items=n)
    assert benchmark(sface.embed, noise(n, 112)).shape == (n, 128)

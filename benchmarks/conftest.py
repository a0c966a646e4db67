"""What the benchmarks share: the photo, the built-in backends with one thread each, and what they need of the photo."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.photo import photo_640x480
from faceauth import Pipeline
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.imaging.decoding import load_image
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.results import Face
from faceauth.stages import Image


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """OpenCV as every onnxruntime session here: one thread, or peers would compare by their number of threads."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with other projects' models, for the head to head."""
    folder = Path(os.environ.get("FACEAUTH_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip("needs other projects' models: set FACEAUTH_SHARED")
    return folder


@pytest.fixture(scope="session")
def photo() -> bytes:
    return photo_640x480()


@pytest.fixture(scope="session")
def image(photo: bytes) -> Image:
    return load_image(photo)


@pytest.fixture(scope="session")
def yunet() -> YuNet:
    return YuNet()


@pytest.fixture(scope="session")
def spoofnet() -> SpoofNet:
    return SpoofNet()


@pytest.fixture(scope="session")
def sface() -> SFace:
    return SFace()


@pytest.fixture(scope="session")
def face(yunet: YuNet, image: Image) -> Face:
    (found,) = yunet.detect(image)
    return found


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    return Pipeline()


def noise(n: int, side: int) -> np.ndarray:
    """Crops; what they show does not change how long a network takes."""
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)

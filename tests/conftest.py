"""Fixtures shared by all tests: where the optional test data lies, and the one public-domain face."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from faceauth.stages import Image

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of a test
settings.load_profile("untimed")

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # there is a worker for each core


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of test data and of other projects' models; the test is skipped where it is absent."""
    folder = Path(os.environ.get("FACEAUTH_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip("needs the shared data folder: set FACEAUTH_SHARED")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> Image:
    """Eileen Collins, NASA, public domain: uint8, 512 x 512 x 3, BGR."""
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(data.astronaut()[..., ::-1])

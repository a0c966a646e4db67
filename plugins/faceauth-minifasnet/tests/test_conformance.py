"""MiniFASNet keeps the rules of a liveness backend. Needs the two files: set FACEAUTH_MINIFASNET_WEIGHTS."""

import os

import pytest
from faceauth_minifasnet import FOLDER_VARIABLE, MiniFASNet

from faceauth.testing import LivenessConformance


class TestMiniFASNet(LivenessConformance):
    """The inherited rules."""

    @pytest.fixture
    def backend(self) -> MiniFASNet:
        """Both networks, from the folder that the environment names."""
        if not os.environ.get(FOLDER_VARIABLE):
            pytest.skip(f"needs the two MiniFASNet files: set {FOLDER_VARIABLE} to their folder")
        return MiniFASNet()

"""Operating points that the tests of this room share."""

import pytest

from faceauth.thresholds import OperatingPoints

from .. import pipelines


@pytest.fixture
def operating_points() -> OperatingPoints:
    return pipelines.operating_points(0.3, 0.5, 0.8)

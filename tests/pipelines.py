"""Pipelines of fakes, and the images and points that their tests share."""

import numpy as np

from faceauth.pipeline import Pipeline
from faceauth.stages import Image
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness
from faceauth.thresholds import MatchPoint, MatchPoints, MeasuredRate, OperatingPoint, OperatingPoints

RATE = MeasuredRate(errors=1, n=10, value=0.1, low=0.0, high=0.4, interval="wilson 95 %")


def noise_image(seed: int = 0) -> Image:
    """Coarse noise, 240 x 320: sharp and of medium brightness, so that it passes the gate; two seeds do not match."""
    tiles = np.random.default_rng(seed).integers(40, 216, (12, 16, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(tiles, np.ones((20, 20, 1), np.uint8)))


def operating_points(convenience: float, balanced: float, strict: float) -> OperatingPoints:
    def at(threshold: float) -> OperatingPoint:
        return OperatingPoint(threshold=threshold, apcer={"print": RATE}, bpcer=RATE, measured_on="invented")

    return OperatingPoints(convenience=at(convenience), balanced=at(balanced), strict=at(strict))


def match_points(convenience: float, balanced: float, strict: float) -> MatchPoints:
    def at(threshold: float) -> MatchPoint:
        return MatchPoint(threshold=threshold, fmr=RATE, fnmr=RATE, measured_on="invented")

    return MatchPoints(convenience=at(convenience), balanced=at(balanced), strict=at(strict))


def fake_pipeline(
    *,
    detector: FakeDetector | None = None,
    liveness: FakeLiveness | None = None,
    embedder: FakeEmbedder | None = None,
    **settings: object,
) -> Pipeline:
    """A pipeline of fakes that accepts P(live) and similarity from 0.5 on, unless told otherwise."""
    return Pipeline(
        detector=detector or FakeDetector(),
        liveness=liveness or FakeLiveness(),
        embedder=embedder or FakeEmbedder(),
        **{"threshold": 0.5, "match_threshold": 0.5, **settings},  # type: ignore[arg-type]
    )

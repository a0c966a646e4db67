"""Whole calls on the bytes of a 640 x 480 JPEG, and the share of them that is not spent inside the networks."""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.networks import median_outside, timed, watch
from faceauth import Pipeline
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.liveness.spoofnet import SpoofNet

pytestmark = pytest.mark.benchmark(group="pipeline")

IMAGES = 16
WATCHED = 40
EVERYBODY_IS_LIVE = 1e-6  # or a reference would not be compared


def test_verify(benchmark: BenchmarkFixture, pipeline: Pipeline, photo: bytes) -> None:
    result = benchmark(pipeline.verify, photo)
    assert result.liveness is not None
    benchmark.extra_info.update(weights={stage.name: stage.weights_sha256 for stage in result.stages})


def test_verify_with_a_template(benchmark: BenchmarkFixture, photo: bytes) -> None:
    pipeline = Pipeline(threshold=EVERYBODY_IS_LIVE)
    assert benchmark(pipeline.verify, photo, pipeline.embed(photo)).match is not None


def test_verify_many(benchmark: BenchmarkFixture, pipeline: Pipeline, photo: bytes) -> None:
    benchmark.extra_info.update(items=IMAGES)
    results = benchmark(lambda: list(pipeline.verify_many([photo] * IMAGES)))
    assert len(results) == IMAGES and all(result.liveness is not None for result in results)


@pytest.mark.parametrize("matching", [False, True], ids=["verify", "verify_with_a_template"])
def test_share_outside_the_networks(benchmark: BenchmarkFixture, photo: bytes, matching: bool) -> None:
    """Every call gives its own ratio of two clocks, so that a busy machine moves it little."""
    backends = (YuNet(), SpoofNet(), SFace())
    detector, liveness, embedder = backends
    pipeline = Pipeline(detector=detector, liveness=liveness, embedder=embedder, threshold=EVERYBODY_IS_LIVE)
    references = (pipeline.embed(photo),) if matching else ()
    sessions = timed(*backends)
    n = 1 if benchmark.disabled else WATCHED
    calls = benchmark.pedantic(watch, (lambda: pipeline.verify(photo, *references), sessions), {"calls": n}, rounds=1)
    assert all(0 < call.networks_s < call.wall_s for call in calls)
    result = pipeline.verify(photo, *references)
    benchmark.extra_info.update(
        outside=median_outside(calls),
        outside_ms=float(np.median([call.wall_s - call.networks_s for call in calls])) * 1000,
        wall_ms=float(np.median([call.wall_s for call in calls])) * 1000,
        calls=len(calls),
        elapsed_ms_of_one={stage: round(ms, 3) for stage, ms in result.elapsed_ms.items()},
    )

"""Whole calls on the bytes of a 640 x 480 JPEG, and the share of them that is not spent inside the networks."""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.networks import median_outside, timed, watch
from faceauth import Pipeline, PipelineConfig
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.policy import Policy

pytestmark = pytest.mark.benchmark(group="pipeline")

BATCH = 16
WATCHED = 40
EVERYBODY_IS_LIVE = PipelineConfig(policy=Policy(live_threshold=0.0))  # or a reference would not be compared


def test_verify(benchmark: BenchmarkFixture, pipeline: Pipeline, photo: bytes) -> None:
    result = benchmark(pipeline.verify, photo)
    assert result.liveness is not None
    benchmark.extra_info.update(weights={stage.name: stage.weights_sha256 for stage in result.stages})


def test_verify_with_a_template(benchmark: BenchmarkFixture, photo: bytes) -> None:
    pipeline = Pipeline(EVERYBODY_IS_LIVE)
    assert benchmark(pipeline.verify, photo, pipeline.embed(photo)).match is not None


def test_verify_many(benchmark: BenchmarkFixture, pipeline: Pipeline, photo: bytes) -> None:
    benchmark.extra_info.update(items=BATCH)
    results = benchmark(lambda: list(pipeline.verify_many([photo] * BATCH, batch_size=8)))
    assert len(results) == BATCH and all(result.liveness is not None for result in results)


@pytest.mark.parametrize("matching", [False, True], ids=["verify", "verify_with_a_template"])
def test_share_outside_the_networks(benchmark: BenchmarkFixture, photo: bytes, matching: bool) -> None:
    """Every call gives its own ratio of two clocks, so that a busy machine moves it little."""
    backends = (YuNet(), SpoofNet(), SFace())
    pipeline = Pipeline(EVERYBODY_IS_LIVE, detector=backends[0], liveness=backends[1], embedder=backends[2])
    template = pipeline.embed(photo) if matching else None
    sessions = timed(*backends)
    n = 1 if benchmark.disabled else WATCHED
    calls = benchmark.pedantic(watch, (lambda: pipeline.verify(photo, template), sessions), {"calls": n}, rounds=1)
    assert all(0 < call.networks_s < call.wall_s for call in calls)
    result = pipeline.verify(photo, template)
    benchmark.extra_info.update(
        outside=median_outside(calls),
        outside_ms=float(np.median([call.wall_s - call.networks_s for call in calls])) * 1000,
        wall_ms=float(np.median([call.wall_s for call in calls])) * 1000,
        calls=len(calls),
        elapsed_ms_of_one={stage: round(ms, 3) for stage, ms in result.elapsed_ms.items()},
    )

"""Video at 30 frames a second, 640 x 480: processor time of a second of it, and from the last frame to the answer.

Processor time, not wall time, and of all threads: what other programs take does not count.
"""

import time
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from faceauth import Pipeline
from faceauth.stages import Image
from faceauth.video import PresentationSession

pytestmark = pytest.mark.benchmark(group="video", timer=time.process_time)

RATE = 30
SECONDS = 2.0
TimedImage = tuple[float, Image]


def moving(image: Image) -> list[TimedImage]:
    """The photo, coming closer by 8 % and more in a fifth of a second: every fifth of a second a frame is kept."""
    height, width = image.shape[:2]
    frames = []
    noise = np.random.default_rng(0).integers(-3, 4, image.shape, np.int16)
    for number in range(round(SECONDS * RATE)):
        time_s = number / RATE
        zoom = cv2.getRotationMatrix2D((width / 2, height / 3), 0, 0.8 * 1.1 ** (time_s / 0.2))
        seen = cv2.warpAffine(image, zoom, (width, height), borderValue=(90, 100, 110))
        frames.append((time_s, np.clip(seen + np.roll(noise, number, axis=0), 0, 255).astype(np.uint8)))
    return frames


@pytest.fixture(scope="module")
def frames(image: Image) -> list[TimedImage]:
    return moving(image)


def fed(pipeline: Pipeline, frames: Sequence[TimedImage], *, held: bool) -> PresentationSession:
    session = PresentationSession(pipeline, held=held)
    for time_s, image in frames:
        session.feed(image, time_s)
    return session


def test_a_second_of_video(benchmark: BenchmarkFixture, pipeline: Pipeline, frames: list[TimedImage]) -> None:
    """A second in which as many frames are kept as ever can be."""
    session = benchmark(fed, pipeline, frames[:RATE], held=True)
    result = session.finish().result
    assert result is not None and len(result.kept) == 5
    benchmark.extra_info.update(items=RATE, kept=len(result.kept), searched=result.frames.searched)


def test_a_second_of_a_still_face(benchmark: BenchmarkFixture, pipeline: Pipeline, image: Image) -> None:
    """Nothing to keep after the first frame: what watching alone takes."""
    noise = np.random.default_rng(0).integers(-1, 2, image.shape, np.int16)
    shifted = (np.roll(noise, number, axis=0) for number in range(RATE))
    still = [(n / RATE, np.clip(image + one, 0, 255).astype(np.uint8)) for n, one in enumerate(shifted)]
    result = benchmark(fed, pipeline, still, held=True).finish().result
    assert result is not None and len(result.kept) < 5
    benchmark.extra_info.update(items=RATE, kept=len(result.kept), searched=result.frames.searched)


@pytest.mark.parametrize("matching", [False, True], ids=["liveness", "liveness_and_match"])
def test_from_the_last_frame_to_the_answer(
    benchmark: BenchmarkFixture, pipeline: Pipeline, image: Image, frames: list[TimedImage], matching: bool
) -> None:
    """Search, gate, liveness, embedding and decision on the frame that decides; the enrolled template is there."""
    references = (pipeline.embed(image),) if matching else ()

    def before_the_last() -> tuple[tuple[PresentationSession, TimedImage], dict[str, object]]:
        session = PresentationSession(pipeline, *references)
        for number, (time_s, seen) in enumerate(frames):
            if number == deciding:
                break
            session.feed(seen, time_s)
        return (session, frames[deciding]), {}

    def last(session: PresentationSession, frame: TimedImage) -> PresentationSession:
        session.feed(frame[1], frame[0])
        return session

    probe = PresentationSession(pipeline, *references)
    deciding = next(n for n, (time_s, seen) in enumerate(frames) if probe.feed(seen, time_s).result is not None)
    assert probe.result.thresholds is not None and frames[deciding][0] >= 1.0
    rounds = 1 if benchmark.disabled else 10
    session = benchmark.pedantic(last, setup=before_the_last, rounds=rounds)
    assert session.result.reason is probe.result.reason

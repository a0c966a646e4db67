"""Clips of photos with the built-in networks: one public-domain portrait, and the test data where it is there.

A photo that is moved by code is no live person: SpoofNet takes the portrait for one because it is a photo of one. What
is tested here is that the same evidence is accepted while nothing breaks the track, and refused when something does.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth import Pipeline, Reason, Template, similarity
from faceauth.errors import BackendError, WeightsError
from faceauth.presentation import Presentation
from faceauth.stages import Image
from faceauth.video import PresentationResult, watch

from .clips import TimedImage, clip, swapped, with_face_of

pytestmark = pytest.mark.slow

PEOPLE = 4
UNLIKE = 0.25
"""Similarity below which two presentations are of two people: SFace's balanced point is 0.43."""


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    try:
        return Pipeline()
    except (BackendError, WeightsError):
        pytest.skip("the package was not built: pip install -e .")


@pytest.fixture(scope="module")
def portrait_clip(astronaut: Image) -> list[TimedImage]:
    return list(clip(astronaut, 2.5))


def outcome(pipeline: Pipeline, frames: Iterable[TimedImage], **settings: object) -> PresentationResult:
    *_, last = watch(pipeline, frames, **settings)  # type: ignore[arg-type]
    assert last.result is not None
    return last.result


def test_the_portrait_is_accepted_and_matches_itself(
    pipeline: Pipeline, astronaut: Image, portrait_clip: list[TimedImage]
) -> None:
    result = outcome(pipeline, portrait_clip, reference=pipeline.embed(astronaut))
    assert result.reason is Reason.LIVE_AND_MATCHED, result.message


def test_frame_rates_from_6_to_60_end_alike(pipeline: Pipeline, astronaut: Image) -> None:
    for rate in (6.0, 12.0, 60.0):
        assert outcome(pipeline, clip(astronaut, 4.0, rate=rate)).reason is Reason.LIVE


@pytest.mark.parametrize(
    ("injected", "reason"),
    [
        (lambda frames: [*frames[:10], (frames[10][0] - 0.01, frames[9][1]), *frames[10:]], Reason.FROZEN_STREAM),
        (lambda frames: [*frames[:12], (frames[12][0] - 0.01, frames[4][1]), *frames[12:]], Reason.LOOPED_STREAM),
        (lambda frames: [(n / 30, frames[n % 15][1]) for n in range(90)], Reason.LOOPED_STREAM),
        (lambda frames: [(n / 30, frames[n // 2][1]) for n in range(90)], Reason.FROZEN_STREAM),
        (lambda frames: frames[:8] + frames[9:11] + frames[8:9] + frames[11:], Reason.FRAMES_OUT_OF_ORDER),
        (lambda frames: frames[:12] + [(t + 60.0, image) for t, image in frames[12:]], Reason.TRACK_BROKEN),
        (lambda frames: frames[:15] + [(t, image[:, ::-1]) for t, image in frames[15:]], Reason.TRACK_BROKEN),
        (lambda frames: frames[:20], Reason.STREAM_ENDED),
    ],
    ids=["frame twice", "frame from before", "loop", "every frame twice", "reordered", "clock", "cut", "ends early"],
)
def test_the_same_portrait_is_not_accepted_when(
    pipeline: Pipeline, portrait_clip: list[TimedImage], injected: object, reason: Reason
) -> None:
    assert outcome(pipeline, injected(portrait_clip)).reason is reason  # type: ignore[operator]


def test_a_portrait_that_does_not_move_is_not_accepted(pipeline: Pipeline, astronaut: Image) -> None:
    rng = np.random.default_rng(0)
    noises = [rng.normal(0, 2, astronaut.shape) for _ in range(30)]
    still = [(n / 10, np.clip(astronaut + noise, 0, 255).astype(np.uint8)) for n, noise in enumerate(noises)]
    result = outcome(pipeline, still)
    assert result.reason is Reason.STREAM_ENDED and len(result.kept) < 5


# Real presentations of two people: never shown, and skipped where the data is absent.


@pytest.fixture(scope="module")
def presentations(shared: Path, pipeline: Pipeline) -> tuple[list[Presentation], list[Presentation]]:
    """Live people and prints in room light that the pipeline can judge, each with its template; images kept."""
    folder = shared / "data" / "light"
    live: list[Presentation] = []
    prints: list[Presentation] = []
    with (folder / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["light"] == "room"]
    for row in rows:
        image = cv2.imread(str(folder / row["path"]))
        one = Presentation(np.asarray(image, np.uint8))
        pipeline.steps.find_face(one, pipeline.config.gate)
        if one.reason is None:
            pipeline.steps.score(one, stop_early=False)
            pipeline.steps.embed(one)
            (live if row["label"] == "live" else prints).append(one)
    sure = [one for one in live if one.liveness is not None and one.liveness.p_live > 0.8]
    return sure[:PEOPLE], prints


def template(one: Presentation) -> Template:
    assert one.templates[0] is not None
    return one.templates[0]


def pairs(presentations: tuple[list[Presentation], list[Presentation]]) -> Iterator[tuple[Presentation, Presentation]]:
    """Every live person with two prints of somebody else."""
    live, prints = presentations
    for one in live:
        others = [other for other in prints if similarity(template(one), template(other)) < UNLIKE]
        assert len(others) >= 2
        yield from ((one, other) for other in others[:2])


def test_live_people_whose_photo_moves_reach_a_decision(
    pipeline: Pipeline, presentations: tuple[list[Presentation], list[Presentation]]
) -> None:
    reasons = [outcome(pipeline, clip(one.image, 5.0)).reason for one in presentations[0]]  # type: ignore[arg-type]
    assert len(reasons) == PEOPLE and set(reasons) <= {Reason.LIVE, Reason.ATTACK_SUSPECTED, Reason.LIVENESS_UNCERTAIN}
    assert reasons.count(Reason.LIVE) > PEOPLE // 2


def test_a_swap_for_a_print_before_another_wall_breaks_the_track(
    pipeline: Pipeline, presentations: tuple[list[Presentation], list[Presentation]]
) -> None:
    for one, other in pairs(presentations):
        result = outcome(pipeline, swapped(one.image, other.image, at_s=0.65, seconds=5.0))  # type: ignore[arg-type]
        assert result.reason is Reason.TRACK_BROKEN, result.message


def test_a_print_held_before_the_face_breaks_the_track(
    pipeline: Pipeline, presentations: tuple[list[Presentation], list[Presentation]]
) -> None:
    """Same room, same place, same motion: only the face is another, which the embedder tells."""
    for one, other in pairs(presentations):
        assert one.image is not None and one.face is not None and other.image is not None and other.face is not None
        masked = with_face_of(one.image, one.face, other.image, other.face)
        result = outcome(pipeline, swapped(one.image, masked, at_s=0.65, seconds=5.0))
        assert result.reason is Reason.TRACK_BROKEN and "another face" in result.message, result.message


def test_loops_and_frames_injected_twice_are_refused_for_everybody(
    pipeline: Pipeline, presentations: tuple[list[Presentation], list[Presentation]]
) -> None:
    for one in presentations[0]:
        assert one.image is not None
        frames = list(clip(one.image, 1.0))
        looped = outcome(pipeline, [(n / 30, frames[n % 15][1]) for n in range(90)])
        doubled = outcome(pipeline, [(n / 30, frames[n // 2][1]) for n in range(60)])
        assert (looped.reason, doubled.reason) == (Reason.LOOPED_STREAM, Reason.FROZEN_STREAM)

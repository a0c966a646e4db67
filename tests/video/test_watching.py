"""``watch``: states, and one result at the end of whatever is watched."""

from pathlib import Path

import pytest

from faceauth.errors import UsageError
from faceauth.results import Reason, Template
from faceauth.video import watch

from .scenes import Scene, changed, growing


def test_watching_ends_in_one_result() -> None:
    scene = Scene(growing(2.0))
    states = list(watch(scene.pipeline, scene.frames()))
    assert [state.result is not None for state in states] == [False] * (len(states) - 1) + [True]
    assert states[-1].result is not None and states[-1].result.accepted
    assert len(states) < len(scene.script)


def test_watching_frames_that_end_ends_in_a_result_too() -> None:
    scene = Scene(growing(0.5))
    *states, last = watch(scene.pipeline, scene.frames())
    assert len(states) == 15 and all(state.result is None for state in states)
    assert last.result is not None and last.result.reason is Reason.STREAM_ENDED


def test_watching_nothing_is_uncertain() -> None:
    (only,) = watch(Scene([]).pipeline, [])
    assert only.result is not None and only.result.reason is Reason.STREAM_ENDED


def test_watching_matches_with_the_reference() -> None:
    scene = Scene(growing(2.0))
    *_, last = watch(scene.pipeline, scene.frames(), reference=Template(model_id="fake", vector=(1.0, 0.0)))
    assert last.result is not None and last.result.reason is Reason.LIVE_AND_MATCHED
    *_, last = watch(scene.pipeline, scene.frames(), reference=Template(model_id="fake", vector=(0.0, 1.0)))
    assert last.result is not None and last.result.reason is Reason.NOT_MATCHED


def test_watching_with_reference_none_is_an_error() -> None:
    with pytest.raises(UsageError, match="The reference is None"):
        next(watch(Scene([]).pipeline, [], reference=None))  # type: ignore[arg-type]


def test_the_result_names_the_file_that_was_watched(tmp_path: Path) -> None:
    import cv2

    scene = Scene(growing(0.3))
    for number, (_, image) in enumerate(scene.frames()):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), image)
    *_, last = watch(scene.pipeline, tmp_path)
    assert last.result is not None and last.result.source == str(tmp_path)


def test_a_broken_track_ends_the_watching_at_once() -> None:
    scene = Scene(changed(growing(2.0), 0.5, other=0.95))
    *_, last = watch(scene.pipeline, scene.frames())
    assert last.result is not None and last.result.reason is Reason.TRACK_BROKEN and last.time_s == pytest.approx(0.5)

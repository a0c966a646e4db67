"""A video becomes a few evenly spaced frames with its facts, once."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth.errors import UsageError
from training.data.manifests import SPOOF, Record
from training.data.video_frames import sample_videos


def quiet(*_: object) -> None:
    """No progress bar."""


def film(path: Path, frames: int) -> Record:
    """Frame i is grey of value 10 i."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (32, 24))
    for number in range(frames):
        writer.write(np.full((24, 32, 3), 10 * number, np.uint8))
    writer.release()
    return Record(path, SPOOF, "replay", "cam", "train", recording="clip")


def test_the_middles_of_equal_parts_are_kept(tmp_path: Path) -> None:
    records = sample_videos([film(tmp_path / "clip.avi", 20)], tmp_path / "frames", per_video=4, progress=quiet)
    assert [record.path.name for record in records] == ["00002.jpg", "00007.jpg", "00012.jpg", "00017.jpg"]
    shown = [float(cv2.imread(str(record.path)).mean()) for record in records]
    np.testing.assert_allclose(shown, [20, 70, 120, 170], atol=4)


def test_frames_keep_the_facts_of_their_video(tmp_path: Path) -> None:
    (record,) = sample_videos([film(tmp_path / "clip.avi", 3)], tmp_path / "frames", per_video=1, progress=quiet)
    assert (record.label, record.species, record.domain, record.split, record.recording) == (
        SPOOF,
        "replay",
        "cam",
        "train",
        "clip",
    )
    assert record.path.parent == tmp_path / "frames" / "cam" / "clip-1"


def test_a_short_video_gives_all_it_has(tmp_path: Path) -> None:
    assert len(sample_videos([film(tmp_path / "clip.avi", 3)], tmp_path, per_video=8, progress=quiet)) == 3


def test_frames_that_exist_are_not_made_again_and_another_number_is_another_folder(tmp_path: Path) -> None:
    video = film(tmp_path / "clip.avi", 6)
    first = sample_videos([video], tmp_path / "frames", per_video=2, progress=quiet)
    (tmp_path / "clip.avi").unlink()
    assert sample_videos([video], tmp_path / "frames", per_video=2, progress=quiet) == first
    with pytest.raises(UsageError):
        sample_videos([video], tmp_path / "frames", per_video=3, progress=quiet)


def test_pictures_pass_through_and_what_is_no_video_is_named(tmp_path: Path) -> None:
    picture = Record(tmp_path / "a.jpg", SPOOF, "print", "cam", "train")
    assert sample_videos([picture], tmp_path, progress=quiet) == [picture]
    (tmp_path / "b.avi").write_bytes(b"no video")
    broken = Record(tmp_path / "b.avi", SPOOF, "print", "cam", "train", recording="b")
    with pytest.raises(UsageError, match=r"b\.avi"):
        sample_videos([broken], tmp_path, progress=quiet)


def test_a_video_without_a_recording_is_refused(tmp_path: Path) -> None:
    """All of a domain would share the frames of the first."""
    nameless = replace(film(tmp_path / "clip.avi", 6), recording=None)
    with pytest.raises(UsageError, match=r"clip\.avi is a video without a name of its recording"):
        sample_videos([nameless], tmp_path / "frames", progress=quiet)


def test_two_videos_of_one_recording_are_not_taken_for_one_another(tmp_path: Path) -> None:
    videos = [film(tmp_path / f"{name}.avi", 3) for name in ("first", "second")]
    with pytest.raises(UsageError, match=r"first\.avi and .*second\.avi are both called clip in cam"):
        sample_videos(videos, tmp_path / "frames", progress=quiet)

"""Video files, folders and frames of the caller's own: every frame, in order, at its own time."""

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth.errors import UsageError
from faceauth.video import open_stream
from faceauth.video.streams import own_frames

from ..pipelines import noise_image


def video(path: Path, frames: int, *, rate: float, codec: str = "MJPG") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, (320, 240))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((240, 320, 3), 12 * number, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(("name", "codec"), [("clip.avi", "MJPG"), ("clip.mp4", "mp4v")])
@pytest.mark.parametrize("rate", [6.0, 12.5, 30.0, 60.0])
def test_a_file_gives_every_frame_at_its_own_time(tmp_path: Path, name: str, codec: str, rate: float) -> None:
    with open_stream(video(tmp_path / name, 20, rate=rate, codec=codec)) as stream:
        found = list(stream)
        assert (stream.name, stream.dropped) == (str(tmp_path / name), 0)
    assert [time_s for time_s, _ in found] == pytest.approx([n / rate for n in range(20)], abs=1e-3)
    assert [round(float(np.mean(image)) / 12) for _, image in found] == list(range(20))  # type: ignore[arg-type]


def test_a_slow_reader_loses_nothing_of_a_file(tmp_path: Path) -> None:
    with open_stream(str(video(tmp_path / "clip.avi", 5, rate=100.0))) as stream:
        assert len([time.sleep(0.05) for _ in stream]) == 5


def test_a_folder_gives_its_images_by_name_ten_a_second(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), noise_image())
    (tmp_path / "notes.txt").write_text("no image")
    with open_stream(tmp_path) as stream:
        assert list(stream) == [(n / 10, tmp_path / name) for n, name in enumerate(("a.png", "b.png", "c.png"))]


def test_frames_of_ones_own_come_as_they_are_and_only_when_asked_for() -> None:
    asked: list[int] = []

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        for number in range(3):
            asked.append(number)
            yield np.float32(number), noise_image(number)

    with open_stream(frames()) as stream:
        iterator = iter(stream)
        assert asked == [] and next(iterator)[0] == 0.0 and asked == [0]
        assert len(list(iterator)) == 2 and stream.name is None


def test_what_frames_of_ones_own_raise_comes_through() -> None:
    def frames() -> Iterator[tuple[float, bytes]]:
        yield 0.0, b""
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError), own_frames(frames()) as stream:
        list(stream)


@pytest.mark.parametrize("frame", [noise_image(), (noise_image(), 0.0), (0.0,), "photo.jpg"])
def test_a_frame_without_a_time_is_an_error(frame: object) -> None:
    with pytest.raises(UsageError, match="capture time"), open_stream([frame]) as stream:  # type: ignore[list-item]
        list(stream)


@pytest.mark.parametrize("source", [noise_image(), b"bytes", None, 1.5])
def test_what_is_no_stream_is_an_error(source: object) -> None:
    with pytest.raises(UsageError, match="is not a stream"):
        open_stream(source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("photo.jpg", b"\xff\xd8", "is one image"),
        ("clip.mp4", b"nothing", "is not a video"),
        ("empty.avi", b"", "is not a video"),
        (None, b"", "holds no image"),
        ("absent", None, "no camera, video file or folder"),
        ("frames_%03d.png", None, "no camera, video file or folder"),
        ("rtsp://camera/stream", None, "no camera, video file or folder"),
    ],
)
def test_a_source_that_cannot_be_opened_is_named(tmp_path: Path, name: str | None, content: bytes, said: str) -> None:
    path = tmp_path if name is None else tmp_path / name
    if name is not None and content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        open_stream(str(path) if name is None or "://" not in name else name)


@pytest.mark.parametrize("as_folder", [True, False], ids=["folder", "file"])
def test_a_recording_that_is_called_like_a_camera_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_folder: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    video(tmp_path / "clip.avi", 5, rate=10.0).rename(tmp_path / "987")
    if as_folder:
        (tmp_path / "987").unlink()
        (tmp_path / "987").mkdir()
        cv2.imwrite(str(tmp_path / "987" / "a.png"), np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="Camera 987 cannot be opened"):
        open_stream("987")
    with open_stream("./987") as stream:
        assert len(list(stream)) == (1 if as_folder else 5)

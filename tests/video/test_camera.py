"""A camera that is played: one slot in which the newest frame wins, and what ends when it disappears."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from faceauth.errors import CameraLost, UsageError
from faceauth.results import Reason
from faceauth.stages import Image
from faceauth.video import PresentationSession, camera, follow, open_stream
from faceauth.video.camera import Camera, deliver, list_cameras, open_camera

from .scenes import BACKGROUND, Scene, growing


class Played:
    """A capture that gives numbered frames when it is told to, and then fails, hangs or raises."""

    def __init__(self, frames: int, *, rate: float = 200.0, then: Callable[[], bool] = lambda: False) -> None:
        self.given = 0
        self.released = threading.Event()
        self._frames, self._rate, self._then = frames, rate, then

    def grab(self) -> bool:
        if self.given == self._frames:
            return self._then()
        time.sleep(1 / self._rate)
        self.given += 1
        return True

    def retrieve(self) -> tuple[bool, Image]:
        image = BACKGROUND.copy()
        image[0, 0] = self.given - 1, 0, 0
        return True, image

    def release(self) -> None:
        self.released.set()


def test_the_newest_frame_wins_and_what_was_dropped_is_counted() -> None:
    with Camera(Played(50), "toy") as stream:
        frames = iter(stream)
        first = int(next(frames)[1][0, 0, 0])  # type: ignore[index, call-overload]
        time.sleep(0.1)
        later = int(next(frames)[1][0, 0, 0])  # type: ignore[index, call-overload]
        assert later - first > 5
        assert stream.dropped >= later - first - 1


def test_a_reader_that_keeps_up_loses_nothing_and_the_times_are_those_of_arrival() -> None:
    with Camera(Played(10, rate=50.0), "toy") as stream:
        before = time.monotonic()
        times = [next(iter(stream))[0] for _ in range(10)]
        assert stream.dropped == 0
    assert times == sorted(times) and before <= times[0] and times[-1] <= time.monotonic()


def _hang() -> bool:
    time.sleep(60)
    return False


def _raise() -> bool:
    raise cv2.error("the driver fell over")


@pytest.mark.parametrize(
    ("then", "said"), [(lambda: False, "reading failed"), (_raise, "fell over"), (_hang, "no frame came in")]
)
def test_a_camera_that_disappears_is_uncertain_and_never_an_acceptance(
    then: Callable[[], bool], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "SILENCE_S", 0.3)
    scene = Scene(growing(2.0))
    *_, last = follow(PresentationSession(scene.pipeline), Camera(Played(5, then=then), "toy"))
    assert last.result is not None and last.result.reason is Reason.CAMERA_LOST
    assert "The camera toy stopped giving frames" in last.message and said in last.message


def test_silence_ends_a_camera_after_five_seconds_and_doctor_measures_for_two() -> None:
    assert (camera.SILENCE_S, camera.MEASURED_S) == (5.0, 2.0)


def test_a_closed_camera_lets_go_of_its_device() -> None:
    capture = Played(10**6, rate=10.0)
    with Camera(capture, "toy") as stream:
        next(iter(stream))
    assert capture.released.is_set()  # at once: the device may be opened again
    with pytest.raises(CameraLost, match="it was closed"):
        list(stream)


def test_what_a_camera_delivers_is_measured() -> None:
    with Camera(Played(10**6, rate=50.0), "toy") as stream:
        found = deliver(stream, seconds=0.5)
    assert found.size_wh == (320, 240) and found.repeated == 0
    assert 0 < found.frames_per_s < 51 and found.longest_gap_s > 0.01  # a busy machine delivers less


def test_frames_that_a_camera_repeats_are_counted() -> None:
    class Doubling(Played):
        def retrieve(self) -> tuple[bool, Image]:
            return True, np.full((48, 64, 3), self.given // 2, np.uint8)

    with Camera(Doubling(200, rate=100.0), "toy") as stream:
        assert deliver(stream, seconds=0.3).repeated > 5


class Devices:
    """What the system lists, and which of it opens."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, names: dict[int, str], opens: set[int]) -> None:
        self.asked: list[int] = []
        for number, name in names.items():
            (folder / f"video{number}").mkdir()
            (folder / f"video{number}" / "name").write_text(f"{name}\n")
        monkeypatch.setattr(camera, "LISTED", folder)
        monkeypatch.setattr(camera.sys, "platform", "linux")
        monkeypatch.setattr(cv2, "VideoCapture", self._open)
        self._opens = opens

    def _open(self, number: int) -> object:
        self.asked.append(number)
        facts = {cv2.CAP_PROP_FRAME_WIDTH: 640.0, cv2.CAP_PROP_FRAME_HEIGHT: 480.0, cv2.CAP_PROP_FPS: 30.0}
        played = Played(10**6)
        return SimpleNamespace(
            isOpened=lambda: number in self._opens,
            get=facts.__getitem__,
            grab=played.grab,
            retrieve=played.retrieve,
            release=played.release,
        )


def test_the_cameras_listed_are_those_that_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Devices(tmp_path, monkeypatch, {0: "Front", 1: "Front", 10: "Rear"}, {0, 10})
    assert [tuple(one) for one in list_cameras()] == [(0, "Front", (640, 480), 30.0), (10, "Rear", (640, 480), 30.0)]


@pytest.mark.parametrize(("device", "number"), [(10, 10), ("10", 10), ("/dev/video10", 10), ("Rear", 10), ("Front", 0)])
def test_a_camera_goes_by_number_device_or_name(
    device: int | str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = Devices(tmp_path, monkeypatch, {0: "Front", 1: "Front", 10: "Rear"}, {0, 10})
    with open_stream(device) as stream:
        assert (devices.asked, stream.name) == ([number], str(device))


def test_a_camera_that_does_not_open_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Devices(tmp_path, monkeypatch, {0: "Front"}, set())
    for device in (0, "0", "Front", "Nobody"):
        with pytest.raises(UsageError, match="faceauth cameras"):
            open_camera(device)


@pytest.mark.parametrize("number", [-1, 100, 200, 2**31])
def test_a_number_that_opencv_takes_for_another_camera_opens_none(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = Devices(tmp_path, monkeypatch, {0: "Front"}, {0, number})
    with pytest.raises(UsageError, match="cannot be opened"):
        open_stream(number)
    assert devices.asked == []


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_an_empty_text_is_no_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    devices = Devices(tmp_path, monkeypatch, {0: ""}, {0})
    monkeypatch.setattr(camera.sys, "platform", platform)
    for opened in (open_stream, open_camera):
        with pytest.raises(UsageError, match="There is no camera"):
            opened("")
    assert devices.asked == []


def test_where_the_system_lists_no_cameras_eight_numbers_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = Devices(tmp_path, monkeypatch, {}, {3})
    monkeypatch.setattr(camera.sys, "platform", "darwin")
    assert [one.number for one in list_cameras()] == [3] and devices.asked == list(range(8))

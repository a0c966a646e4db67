"""Cameras: which there are, and their frames with one slot, in which the newest frame wins.

A thread reads the camera all the time, so that no frame waits in the driver; what is not asked for in time is dropped
and counted.
"""

import itertools
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import cv2
import numpy as np

from faceauth.errors import CameraLost, UsageError
from faceauth.imaging.sources import shown
from faceauth.stages import Image
from faceauth.video.streams import Stream
from faceauth.video.track import digest

SILENCE_S = 5.0
"""Seconds without a frame after which a camera counts as lost; some need two to start. Chosen, not measured."""

MEASURED_S = 2.0
"""Seconds for which a camera's frames are measured. Chosen, not measured."""

PROBED = 8
"""Camera numbers that are tried where the system lists none. Chosen, not measured."""

NUMBERS = range(100)
"""Which OpenCV takes as they are: it opens camera 0 for 200, and any camera for -1."""

CLOSING_S = 1.0
"""Seconds that closing waits for a frame, after which the device is let go of. Chosen, not measured."""

LISTED = Path("/sys/class/video4linux")
"""Where Linux lists cameras and their names."""


class Capture(Protocol):
    """What a camera needs of ``cv2.VideoCapture``."""

    def grab(self) -> bool:
        """Wait for the next frame."""
        ...

    def retrieve(self) -> tuple[bool, Image]:
        """Decode the frame that was grabbed."""
        ...

    def release(self) -> None:
        """Let go of the device."""
        ...


class Camera(Stream):
    """The frames of a camera as they come, each with the time at which it arrived (``time.monotonic``)."""

    def __init__(self, capture: Capture, name: str) -> None:
        super().__init__(self._arriving(), name)
        self._capture = capture
        self._changed = threading.Condition()
        self._slot: tuple[float, Image] | None = None
        self._dropped = 0
        self._ended: str | None = None
        self._reader = threading.Thread(target=self._read, name="faceauth-camera", daemon=True)
        self._reader.start()

    @property
    def dropped(self) -> int:
        """Frames that were lost so far, because newer ones came before they were asked for."""
        return self._dropped

    def close(self) -> None:
        """Stop reading, and let go of the device, so that it can be opened again; one that hangs is left behind."""
        self._end("it was closed")
        self._reader.join(CLOSING_S)

    def _arriving(self) -> Iterator[tuple[float, Image]]:
        while True:
            with self._changed:
                came = self._changed.wait_for(lambda: self._slot is not None or self._ended is not None, SILENCE_S)
                frame, self._slot = self._slot, None
            if frame is None:
                why = self._ended if came else f"no frame came in {SILENCE_S:g} s"
                raise CameraLost(f"The camera {self.name} stopped giving frames: {why}. Connect it, and start again.")
            yield frame

    def _read(self) -> None:
        try:
            while self._ended is None:
                if not self._capture.grab():
                    return self._end("reading failed")
                time_s = time.monotonic()
                arrived, image = self._capture.retrieve()
                if not arrived:
                    return self._end("a frame could not be decoded")
                with self._changed:
                    self._dropped += self._slot is not None
                    self._slot = time_s, image
                    self._changed.notify()
        except Exception as error:  # whatever the driver raises, the camera is gone
            self._end(f"reading failed ({error})")
        finally:
            self._capture.release()

    def _end(self, why: str) -> None:
        with self._changed:
            self._ended = self._ended or why
            self._changed.notify()


class CameraFacts(NamedTuple):
    """A camera that can be opened.

    Attributes:
        number: what OpenCV and ``faceauth watch`` call it.
        name: as the system tells it; "" where it tells none.
        size_wh: of its frames, in pixels.
        frames_per_s: as its driver states; 0 where it does not.
    """

    number: int
    name: str
    size_wh: tuple[int, int]
    frames_per_s: float


class Delivery(NamedTuple):
    """What a camera really delivers.

    Attributes:
        size_wh: of its frames, in pixels.
        frames_per_s: over the whole time.
        longest_gap_s: between two frames.
        repeated: frames that were the same as the one before; :mod:`faceauth.video` refuses them.
    """

    size_wh: tuple[int, int]
    frames_per_s: float
    longest_gap_s: float
    repeated: int


def deliver(camera: Camera, *, seconds: float = MEASURED_S) -> Delivery:
    """What a camera delivers in that time, from its first frame on.

    Raises:
        CameraLost: it gives no frames, or stops.
    """
    times: list[float] = []
    digests: list[bytes] = []
    for time_s, frame in camera:
        image = np.asarray(frame, np.uint8)
        times.append(time_s)
        digests.append(digest(image))
        if time_s - times[0] >= seconds:
            break
    height, width = image.shape[:2]
    return Delivery(
        size_wh=(width, height),
        frames_per_s=(len(times) - 1 + camera.dropped) / (times[-1] - times[0]),
        longest_gap_s=max(later - earlier for earlier, later in itertools.pairwise(times)),
        repeated=sum(earlier == later for earlier, later in itertools.pairwise(digests)),
    )


def list_cameras() -> list[CameraFacts]:
    """Every camera that can be opened now; one in use by another program often cannot."""
    found = []
    for number, name in _listed().items():
        if (capture := _opened(number)) is not None:
            size_wh = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
            found.append(CameraFacts(number, name, size_wh, capture.get(cv2.CAP_PROP_FPS)))
            capture.release()
    return found


def open_camera(device: int | str) -> Camera:
    """A camera by its number, its number as text, its device path on Linux, or its name.

    Raises:
        UsageError: the camera does not exist, or it cannot be opened.
    """
    capture = _opened(device if isinstance(device, int) else _number(device))
    if capture is None:
        raise UsageError(
            f"Camera {shown(str(device))} cannot be opened. Is it connected and free, and may you use it? "
            "`faceauth cameras` lists those that can be opened."
        )
    return Camera(cast(Capture, capture), str(device))


def is_camera(device: str) -> bool:
    """Whether a text names a camera rather than a file: a number, a device, or a listed name."""
    return device.isdecimal() or device.startswith("/dev/video") or bool(_named(device))


def _opened(number: int) -> cv2.VideoCapture | None:
    if number not in NUMBERS:
        return None
    with _quiet_opencv():
        capture = cv2.VideoCapture(number)
    if capture.isOpened():
        return capture
    capture.release()
    return None


def _number(device: str) -> int:
    text = device.removeprefix("/dev/video")
    if text.isdecimal():
        return int(text)
    numbers = _named(device)
    if not numbers:
        raise UsageError(f"There is no camera {shown(device)}. `faceauth cameras` lists those that can be opened.")
    return numbers[0]  # Linux lists a camera's second device, for its metadata, under the same name


def _named(device: str) -> list[int]:
    """The cameras of that name; none for "", which stands for an unknown one."""
    return [number for number, name in _listed().items() if name == device and name]


def _listed() -> dict[int, str]:
    """Number -> name of every camera that the system lists; every number worth trying, without a name, elsewhere."""
    if not sys.platform.startswith("linux"):
        return dict.fromkeys(range(PROBED), "")
    folders = LISTED.glob("video*") if os.path.isdir(LISTED) else ()
    return {
        int(folder.name.removeprefix("video")): (folder / "name").read_text(encoding="utf-8", errors="replace").strip()
        for folder in sorted(folders, key=lambda folder: int(folder.name.removeprefix("video")))
    }


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV writes lines to stderr about a missing camera."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)

"""Frames and capture times of a video file, a folder of images or an iterable; none are dropped.

So the same file gives the same frames, however slow the machine is.
"""

import os
from collections.abc import Iterable, Iterator
from numbers import Real
from pathlib import Path
from typing import Self, TypeAlias

import cv2

from faceauth.errors import UsageError
from faceauth.imaging.decoding import ImageSource
from faceauth.imaging.folders import SUFFIXES, images_below
from faceauth.imaging.sources import shown, source_name

FOLDER_FRAMES_PER_S = 10.0
"""A folder tells no times, so its images count as taken at this rate. Chosen, not measured."""

TimedImage: TypeAlias = tuple[float, ImageSource]
"""When a frame was captured, in seconds on a clock that never goes back, and the frame."""


class Stream:
    """Frames in the order in which they were captured; to be used in a ``with`` block.

    Attributes:
        name: for results; None for frames of the caller's own.
    """

    def __init__(self, frames: Iterator[TimedImage], name: str | None = None) -> None:
        self.name = name
        self._frames = frames

    @property
    def dropped(self) -> int:
        """Frames that were lost so far, because newer ones came before they were asked for."""
        return 0

    def __iter__(self) -> Iterator[TimedImage]:
        return self._frames

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file or the device."""
        if hasattr(self._frames, "close"):
            self._frames.close()


def own_frames(frames: Iterable[TimedImage]) -> Stream:
    """Frames of the caller's own. What the iterable raises comes through.

    Raises:
        UsageError: while iterating, for what is not a pair of a time and an image.
    """
    return Stream(_pairs(frames))


def video_file(path: str | os.PathLike[str]) -> Stream:
    """The frames of a video file, at the times that it states.

    Raises:
        UsageError: it is an image, or OpenCV cannot read it.
    """
    name = os.fsdecode(path)
    if name.lower().endswith(SUFFIXES):  # OpenCV would look for a series of numbered images beside it
        raise UsageError(f"{shown(name)} is one image, and a video is needed: use `faceauth verify`, or a folder.")
    capture = cv2.VideoCapture(name)
    if not capture.isOpened():
        raise UsageError(f"{shown(name)} is not a video that OpenCV can read: convert it, for example to MP4.")
    return Stream(_decoded(capture), source_name(name))


def image_folder(path: str | os.PathLike[str]) -> Stream:
    """The images of a folder and its subfolders, sorted by name, as if taken ``FOLDER_FRAMES_PER_S`` times a second.

    Raises:
        UsageError: it holds no image, or cannot be read.
    """
    images = list(images_below(Path(path)))
    if not images:
        raise UsageError(f"{shown(os.fsdecode(path))} holds no image ({', '.join(SUFFIXES)}).")
    return Stream(
        ((number / FOLDER_FRAMES_PER_S, image) for number, image in enumerate(images)), source_name(os.fsdecode(path))
    )


def _decoded(capture: cv2.VideoCapture) -> Iterator[TimedImage]:
    try:
        while capture.grab():
            time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            arrived, image = capture.retrieve()
            if not arrived:
                return
            yield time_s, image
    finally:
        capture.release()


def _pairs(frames: Iterable[TimedImage]) -> Iterator[TimedImage]:
    for frame in frames:
        if not isinstance(frame, tuple) or len(frame) != 2 or not isinstance(frame[0], Real):
            raise UsageError(
                f"Found {type(frame).__name__}, expected a frame: the tuple of its capture time in seconds and its "
                "image. Yield `(time.monotonic(), image)`."
            )
        yield frame

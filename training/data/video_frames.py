"""Frames of videos: image records in place of video records.

A video of a few seconds is one presentation seen many times: a few evenly spaced frames say nearly everything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from faceauth.errors import UsageError
from faceauth.stages import Image
from training.data.files import VIDEO_SUFFIXES, whole
from training.data.manifests import Record
from training.data.progress import Progress
from training.data.shards import encode


def sample_videos(records: Sequence[Record], into: Path, *, per_video: int = 8, progress: Progress) -> list[Record]:
    """Replace every record of a video by records of frames from its middle parts, written as JPEG below ``into``.

    The video is cut into ``per_video`` equal parts and the middle frame of each is kept; a shorter one gives all its
    frames. Frames are counted by decoding, because many containers state a wrong number. Frames that exist are not
    made again. Records of images pass through.

    Args:
        records: as a reader gives them; a video needs a ``recording``.
        into: frames are written to ``into/DOMAIN/RECORDING-PER_VIDEO/NUMBER.jpg``.
        per_video: frames of each video.
        progress: called with "frames", records done and records in all.

    Raises:
        UsageError: a video has no ``recording`` or that of another of its domain, cannot be opened or holds no frame.
    """
    expanded: list[Record] = []
    videos: dict[Path, Path] = {}
    for done, record in enumerate(records, start=1):
        if record.path.suffix.lower() in VIDEO_SUFFIXES:
            if record.recording is None:
                raise UsageError(
                    f"{record.path} is a video without a name of its recording: give it one in the manifest."
                )
            folder = into / record.domain / f"{record.recording}-{per_video}"
            if videos.setdefault(folder, record.path) != record.path:
                raise UsageError(
                    f"{videos[folder]} and {record.path} are both called {record.recording} in {record.domain}: give "
                    "each video its own recording in the manifest."
                )
            expanded += [replace(record, path=frame) for frame in _frames(record.path, folder, per_video)]
        else:
            expanded.append(record)
        progress("frames", done, len(records))
    return expanded


def _frames(video: Path, folder: Path, count: int) -> list[Path]:
    if not folder.is_dir():
        with whole(folder) as part:
            part.mkdir(parents=True, exist_ok=True)
            length = _length(video)
            for number, image in _decoded(video, sorted({int((k + 0.5) * length / count) for k in range(count)})):
                (part / f"{number:05d}.jpg").write_bytes(encode(image))
    return sorted(folder.glob("*.jpg"))


def _decoded(video: Path, numbers: Sequence[int]) -> Iterator[tuple[int, Image]]:
    reader = cv2.VideoCapture(str(video))
    for number in range(numbers[-1] + 1):
        reader.grab()
        if number in numbers:
            decoded, image = reader.retrieve()
            if not decoded:
                raise UsageError(f"Frame {number} of {video} cannot be decoded: take the video out of the collection.")
            yield number, np.asarray(image, np.uint8)
    reader.release()


def _length(video: Path) -> int:
    reader = cv2.VideoCapture(str(video))
    length = 0
    while reader.grab():
        length += 1
    reader.release()
    if length == 0:
        raise UsageError(f"{video} is not a video that OpenCV can read: replace it, or take it out of the collection.")
    return length

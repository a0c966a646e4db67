"""Watch a camera, a video file, a folder or your own frames until there is one decision."""

import os
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from faceauth.errors import CameraLost, UsageError
from faceauth.imaging.decoding import ImageSource
from faceauth.imaging.sources import shown
from faceauth.pipeline import NOT_GIVEN, MaybeReference, Pipeline
from faceauth.results import Reason
from faceauth.video.camera import is_camera, open_camera
from faceauth.video.session import PresentationSession, State
from faceauth.video.streams import Stream, TimedImage, image_folder, own_frames, video_file

StreamSource: TypeAlias = "int | str | os.PathLike[str] | Iterable[TimedImage] | Stream"
"""A camera by number or name, a video file or a folder by its path, or frames with their capture times.

A text that names a camera is one, whatever lies in the working folder: write ``./0`` for a file that is called so.
"""


class Ending(Protocol):
    """What a session says after a frame."""

    @property
    def result(self) -> object | None:
        """None until it has ended."""


StateT = TypeVar("StateT", bound=Ending, covariant=True)


class Session(Protocol[StateT]):
    """What frames are fed to: a presentation, or a challenge."""

    def feed(self, image: ImageSource, time_s: float, *, dropped: int = ...) -> StateT:
        """Judge the next frame."""

    def finish(self) -> StateT:
        """No more frames come."""

    def close(self, reason: Reason, message: str = ...) -> StateT:
        """End it for a reason that does not accept."""


def watch(pipeline: Pipeline, source: StreamSource, reference: MaybeReference = NOT_GIVEN) -> Iterator[State]:
    """Yields a state after every frame, saying what to do next. The last state always holds the result.

    ::

        for state in watch(pipeline, 0, reference=template):
            print(state.message)
        if state.result.accepted: ...

    Args:
        pipeline: judges the frames, by its own policy and thresholds.
        source: see :data:`StreamSource`. A camera drops what comes too fast; everything else drops nothing.
        reference: whom every kept frame must match; see :meth:`faceauth.Pipeline.verify`.

    Raises:
        FaceAuthError: as for :meth:`faceauth.Pipeline.verify`, and UsageError for a source that cannot be opened.
    """
    with open_stream(source) as stream:
        yield from follow(PresentationSession(pipeline, reference, source=stream.name), stream)


def follow(session: Session[StateT], stream: Stream) -> Iterator[StateT]:
    """Feed a session until it ends, or the frames do."""
    try:
        for time_s, image in stream:
            state = session.feed(image, time_s, dropped=stream.dropped)
            yield state
            if state.result is not None:
                return
        yield session.finish()
    except CameraLost as lost:
        yield session.close(Reason.CAMERA_LOST, str(lost))


def open_stream(source: StreamSource) -> Stream:
    """The frames of a source, to be used in a ``with`` block.

    Raises:
        UsageError: the camera, file or folder does not exist, or it cannot be opened.
    """
    if isinstance(source, Stream):
        return source
    if isinstance(source, int):
        return open_camera(source)
    if isinstance(source, str | os.PathLike):
        # First, or anybody who can write into the working folder could place a recording there and call it 0.
        if isinstance(source, str) and is_camera(source):
            return open_camera(source)
        path = os.fsdecode(source)
        if os.path.isdir(path):
            return image_folder(path)
        if os.path.isfile(path):
            return video_file(path)
        raise UsageError(
            f"There is no camera, video file or folder {shown(path)}. `faceauth cameras` lists the cameras that can be "
            "opened."
        )
    if isinstance(source, np.ndarray | bytes) or not isinstance(source, Iterable):
        raise UsageError(
            f"A {type(source).__name__} is not a stream: expected a camera, a path, or an iterable of times and "
            "images. Use Pipeline.verify for one image."
        )
    return own_frames(source)

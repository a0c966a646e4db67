"""Pillow's switches of the whole process, held as an image of a face needs them while one is read."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from PIL import ImageFile


class _StrictPillow(AbstractContextManager[None]):
    """While any thread is inside, Pillow refuses truncated files and says nothing about damaged notes.

    A program may have set ``ImageFile.LOAD_TRUNCATED_IMAGES``, but an image that is half grey must not be judged.
    Neither that nor Python's warnings can be set for a single thread, so the first to enter changes them and the last
    to leave changes them back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._undo = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._undo.enter_context(_switched())
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._undo.close()


@contextmanager
def _switched() -> Iterator[None]:
    truncated = ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif\.")
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = truncated


strict_pillow = _StrictPillow()

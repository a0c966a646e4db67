"""How much all threads of a process decode at the same time, so that sixteen uploads cost the memory of a few."""

import threading
from collections.abc import Callable
from typing import TypeVar

from faceauth.imaging.threads import in_thread

MAX_PIXELS_AT_ONCE = 25_000_000
"""Pixels that all threads of a process decode at once; the others wait. Chosen, not measured: two photos of a phone."""

OWN_THREAD_PIXELS = 2**20
"""An image of at least this size is decoded in a thread that ends with it. The C library keeps freed memory for the
thread that asked for it: sixteen threads that took turns at 25 megapixels of WebP kept 1.8 GB, fresh ones 0.4. It
may still keep some 30 MiB for each thread of the process."""

_T = TypeVar("_T")


class _PixelBudget:
    """Lets images of ``MAX_PIXELS_AT_ONCE`` together be decoded; a larger one has to be alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pixels = 0

    def run(self, size_wh: tuple[int, int], decode: Callable[[], _T]) -> _T:
        """What ``decode`` returns or raises, when there is room for an image of ``size_wh``."""
        pixels = size_wh[0] * size_wh[1]
        with self._changed:
            self._changed.wait_for(lambda: self._pixels == 0 or self._pixels + pixels <= MAX_PIXELS_AT_ONCE)
            self._pixels += pixels

        def work() -> _T:
            try:
                return decode()
            finally:
                self._give_back(pixels)

        return work() if pixels < OWN_THREAD_PIXELS else in_thread(work).result()

    def _give_back(self, pixels: int) -> None:
        with self._changed:
            self._pixels -= pixels
            self._changed.notify_all()


pixel_budget = _PixelBudget()
"""Of this process. The images that were decoded, 3 bytes a pixel, belong to the callers and are not counted."""

"""The bounded queue in front of the one pipeline: as many threads as cores, and so much work may wait."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from faceauth.server.problems import Cause, Problem

T = TypeVar("T")

THREADS = os.cpu_count() or 1
WAITING_PER_THREAD = 16
"""Pieces of work that may wait for each thread: at some 100 ms each, nobody waits for two seconds. Chosen, not
measured."""

RETRY_AFTER_S = 2


class WorkQueue:
    """Runs work on threads, and refuses what would wait too long.

    Args:
        threads: that work at once.
        waiting: pieces of work that may wait beside those.
    """

    def __init__(self, threads: int = THREADS, waiting: int = THREADS * WAITING_PER_THREAD) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="faceauth work")
        self._places = threads + waiting
        self._lock = threading.Lock()
        self._accepted = 0

    @property
    def length(self) -> int:
        """Pieces of work that were accepted and are not done."""
        return self._accepted

    def check(self) -> None:
        """Refuse before anything was read for it.

        Raises:
            Problem: 503, the queue is full.
        """
        if self._accepted >= self._places:
            raise _full()

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work()`` returns or raises. What was accepted is done, even if nobody waits for it any more.

        Raises:
            Problem: 503, the queue is full or closed.
        """
        with self._lock:
            self.check()
            try:
                future = self._threads.submit(work)
            except RuntimeError:  # it was shut down
                raise _full() from None
            self._accepted += 1
        future.add_done_callback(self._done)
        return await asyncio.shield(asyncio.wrap_future(future))

    async def close(self) -> None:
        """Finish what was accepted, and accept nothing more."""
        await asyncio.to_thread(self._threads.shutdown)

    def _done(self, _: Future[T]) -> None:
        with self._lock:
            self._accepted -= 1


def _full() -> Problem:
    return Problem(
        503, Cause.BUSY, "The service has too much to do: try again in a moment.", retry_after_s=RETRY_AFTER_S
    )

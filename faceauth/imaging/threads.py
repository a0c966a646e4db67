"""Runs work in a separate thread, so that the caller may stop waiting."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")


def in_thread(work: Callable[[], _T]) -> Future[_T]:
    """Start ``work``; the future holds what it returns or raises. The program may end before the thread does."""
    answer: Future[_T] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # told to whoever waits, whatever it is
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True, name="faceauth imaging").start()
    return answer

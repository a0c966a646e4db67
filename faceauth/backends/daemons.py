"""Daemon threads that do not abort the process when it ends.

A daemon thread that comes back from OpenCV or another native call while the interpreter shuts down ends in the middle
of C++, which aborts the process: exit status -6 in place of 130 or 4. So at exit those that are at work are told to
stop, which they do at their next line of Python, and are waited for. Networks are stopped by
:mod:`faceauth.weights.interruptible`, in the middle of a call.
"""

import atexit
import ctypes
import os
import time
from _thread import get_ident
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_WAIT_S = 2.0
"""Chosen: a native call mostly takes less, and one that takes longer has not come back when the process is gone."""

_at_work: set[int] = set()
"""Identifiers of the threads."""


@contextmanager
def waited_for_at_exit() -> Iterator[None]:
    """The block, in a daemon thread, is ended and waited for when the program ends."""
    thread = get_ident()
    _at_work.add(thread)
    try:
        yield
    finally:
        _at_work.discard(thread)


def _stop_all() -> None:
    for thread in list(_at_work):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(SystemExit))
    deadline = time.monotonic() + LONGEST_WAIT_S
    while _at_work and time.monotonic() < deadline:
        time.sleep(0.001)


atexit.register(_stop_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_at_work.clear)  # a child has none of its parent's threads

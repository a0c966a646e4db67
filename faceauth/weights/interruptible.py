"""Ends the networks that still run when the program ends.

A daemon thread that comes back from onnxruntime while the interpreter shuts down (after Ctrl-C, or after a stage that
missed its time limit) ends in the middle of C++, which aborts the process: exit status -6 in place of 130 or 4. So at
exit the networks that still run are told to stop, which they do at their next node, and are waited for.
"""

import atexit
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

LONGEST_WAIT_S = 5.0
"""Chosen: one node of a network takes milliseconds, so only one that hangs for good is not waited for."""

_running: set[Any] = set()
"""The ``RunOptions`` of every call in progress."""

_ending = threading.Event()


class InterruptibleSession:
    """An onnxruntime session whose calls end with the program."""

    def __init__(self, session: Any) -> None:
        self._run = session.run  # as it is now: insightface's session gets this class's in its place

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, npt.NDArray[Any]]) -> list[Any]:
        """As ``onnxruntime.InferenceSession.run``.

        Raises:
            RuntimeError: the program is ending.
        """
        import onnxruntime

        options = onnxruntime.RunOptions()
        _running.add(options)
        try:
            if _ending.is_set():
                raise RuntimeError("The program is ending, so no network runs any more.")
            outputs: list[Any] = self._run(output_names, input_feed, options)
            return outputs
        finally:
            _running.discard(options)


def _stop_all() -> None:
    _ending.set()
    deadline = time.monotonic() + LONGEST_WAIT_S
    while _running and time.monotonic() < deadline:
        for options in list(_running):
            options.terminate = True
        time.sleep(0.001)


atexit.register(_stop_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # a child has none of its parent's threads

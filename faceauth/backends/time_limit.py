"""Calls a stage within a time limit: an answer, or a ``ScoreError`` that names stage and backend.

The promise ends where a backend holds the interpreter lock: Python cannot leave such a call behind, so nothing else
runs until it returns. Networks in onnxruntime and OpenCV release the lock.

Threads and queues are the interpreter's own and taken at import: gevent replaces those of ``threading`` by ones that
share a single thread, and where it does so after this import, a mixture of both would wait for itself.
"""

import logging
import os
import time
import weakref
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from textwrap import shorten
from typing import Any, TypeVar

from faceauth.backends.answers import ContractBroken
from faceauth.backends.daemons import waited_for_at_exit
from faceauth.errors import ScoreError, StageTimeout
from faceauth.results import StageName

T = TypeVar("T")

logger = logging.getLogger("faceauth")

CALLS_AT_ONCE = max(4, os.cpu_count() or 1)
"""Calls of one stage that run at once, those left behind included; further callers wait. Chosen, not measured."""

LOAD_TIMEOUT_S = 60.0
"""Seconds that a backend may take to be imported and constructed: chosen, not measured."""

ATTRIBUTES_TIMEOUT_S = 5.0
"""Seconds that it may take to tell its attributes, which are values and no work: chosen, not measured."""

MESSAGE_LENGTH = 300
"""Characters of a stage's exception that a result repeats: chosen, not measured."""


class Guard:
    """Runs the calls of one stage on separate threads, so that a hanging call can be left behind.

    A worker thread is reused from call to call; one that misses the limit is abandoned (Python cannot stop it) and
    ends when its call does. Until then it takes one of ``CALLS_AT_ONCE`` places; once all are taken by calls that
    hang, further calls are refused at once.
    """

    def __init__(self, stage: StageName, backend: str, *, timeout_s: float) -> None:
        self.stage = stage
        self._name = f"The {stage} stage ({backend})"
        self._timeout_s = timeout_s
        self._reset()

    def _reset(self) -> None:
        self._process = os.getpid()
        self._places: SimpleQueue[None] = SimpleQueue()
        for _ in range(CALLS_AT_ONCE):
            self._places.put(None)
        self._idle: deque[_Worker] = deque()
        self._hung: set[_Worker] = set()
        weakref.finalize(self, _dismiss, self._idle)

    def call(self, function: Callable[[], T]) -> T:
        """What ``function()`` returns; it calls the stage and checks the answer.

        Raises:
            StageTimeout: it did not answer within the limit, or too many earlier calls still hang.
            ScoreError: it raised; the exception is the cause, and is logged with its traceback. SystemExit is no
                exception to this: a backend must not end the program, least of all with status 0, "accepted".
        """
        if self._process != os.getpid():  # threads do not survive a fork, nor do the places that they held
            self._reset()
        deadline = time.monotonic() + self._timeout_s
        self._take_place()
        worker = self._take_worker()
        try:
            value, error = worker.run(function, timeout_s=max(deadline - time.monotonic(), 0.0))
        except Empty:
            self._hung.add(worker)
            worker.dismiss()
            raise self._timed_out(f"did not answer within {self._timeout_s:g} s") from None
        except BaseException:  # Ctrl-C while waiting: the call may run on, so its worker is not used again
            worker.dismiss()
            raise
        self._idle.append(worker)
        if error is None:
            return value
        if isinstance(error, KeyboardInterrupt):
            raise error
        said = str(error) if isinstance(error, ContractBroken) else f"failed: {type(error).__name__}: {_line(error)}"
        logger.error("%s %s", self._name, said, exc_info=error)
        raise ScoreError(f"{self._name} {said}", stage=self.stage) from error

    def _take_place(self) -> None:
        for worker in list(self._hung):  # a copy, and no new set: other threads may add to it meanwhile
            if not worker.is_alive:
                self._hung.discard(worker)
        try:
            self._places.get(timeout=0.0 if len(self._hung) >= CALLS_AT_ONCE else self._timeout_s)
        except Empty:
            raise self._timed_out(
                f"is busy with {CALLS_AT_ONCE} earlier calls, {len(self._hung)} of which hang"
            ) from None

    def _take_worker(self) -> "_Worker":
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return _Worker(self._places)
        except RuntimeError as error:  # the system has no thread to give
            self._places.put(None)
            raise ScoreError(f"{self._name} cannot run: {error}.", stage=self.stage) from error

    def _timed_out(self, what: str) -> StageTimeout:
        message = f"{self._name} {what}. Find out what blocks it, or raise stage_timeout_s."
        logger.error("%s", message)
        return StageTimeout(message, stage=self.stage)


def in_time(function: Callable[[], T], *, timeout_s: float) -> T:
    """What ``function()``, which loads a backend, returns or raises.

    Raises:
        TimeoutError: it took longer; it is left behind.
    """
    worker = _Worker(SimpleQueue())
    try:
        value, error = worker.run(function, timeout_s=timeout_s)
    except Empty:
        raise TimeoutError(f"it gave no answer within {timeout_s:g} s") from None
    finally:
        worker.dismiss()
    if error is not None:
        raise error
    return value


class _Worker:
    """One daemon thread that runs one call at a time, and gives its place back after each.

    Attributes:
        is_alive: False once the thread has ended.
    """

    def __init__(self, places: "SimpleQueue[None]") -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self.is_alive = True
        start_new_thread(self._work, (places,))

    def run(self, function: Callable[[], T], *, timeout_s: float) -> tuple[T, BaseException | None]:
        """The answer and the error of ``function()``; an answer without an error is valid, with one it is None.

        Raises:
            queue.Empty: no answer within the limit.
        """
        answer: SimpleQueue[Any] = SimpleQueue()  # one a call: a late answer never reaches the next call
        self._tasks.put((function, answer))
        return answer.get(timeout=timeout_s)  # type: ignore[no-any-return]

    def dismiss(self) -> None:
        """Let the thread end after the call it is in."""
        self._tasks.put(None)

    def _work(self, places: "SimpleQueue[None]") -> None:
        while (task := self._tasks.get()) is not None:
            function, answer = task
            result: tuple[object, BaseException | None]
            try:
                with waited_for_at_exit():
                    result = function(), None
            except BaseException as error:
                result = None, error
            places.put(None)
            answer.put(result)
            del task, function, answer, result  # or the images of this call would live until the next one
        self.is_alive = False


_Task = tuple[Callable[[], object], "SimpleQueue[Any]"]


def _dismiss(idle: "deque[_Worker]") -> None:
    for worker in idle:
        worker.dismiss()


def _line(error: BaseException) -> str:
    """What the error says, as one line that fits a message; the log has all of it."""
    return shorten(str(error), MESSAGE_LENGTH, placeholder=" ...")

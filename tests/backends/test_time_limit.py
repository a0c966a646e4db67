"""Calls of a stage within a time limit, on threads that come back, or are left behind."""

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable

import numpy as np
import pytest

from faceauth.backends.answers import ContractBroken
from faceauth.backends.time_limit import CALLS_AT_ONCE, Guard, in_time
from faceauth.errors import ScoreError, StageTimeout


def test_returns_what_the_call_returns() -> None:
    assert Guard("liveness", "fake", timeout_s=5).call(lambda: 42) == 42


def test_a_late_answer_never_reaches_the_next_call() -> None:
    guard, release = Guard("liveness", "fake", timeout_s=0.5), threading.Event()
    with pytest.raises(StageTimeout):
        guard.call(lambda: release.wait(10) and "late")
    release.set()
    assert guard.call(lambda: "fresh") == "fresh"


def test_reuses_its_thread() -> None:
    guard = Guard("liveness", "fake", timeout_s=5)
    assert guard.call(threading.get_ident) == guard.call(threading.get_ident) != threading.get_ident()


def test_lets_several_threads_call_at_once() -> None:
    guard, together = Guard("liveness", "fake", timeout_s=10), threading.Barrier(3, timeout=10)
    callers = [threading.Thread(target=guard.call, args=(together.wait,)) for _ in range(2)]
    for caller in callers:
        caller.start()
    together.wait()  # passes only when both calls run at the same time
    for caller in callers:
        caller.join()


def test_no_more_calls_hang_than_have_a_place_however_many_come_at_once() -> None:
    guard, release = Guard("liveness", "fake", timeout_s=1.0), threading.Event()
    running = threading.Semaphore(0)

    def hang() -> None:
        running.release()
        release.wait(30)

    def call() -> None:
        with pytest.raises(StageTimeout):
            guard.call(hang)

    callers = [threading.Thread(target=call) for _ in range(4 * CALLS_AT_ONCE)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sum(running.acquire(blocking=False) for _ in callers) == CALLS_AT_ONCE
    start = time.monotonic()
    with pytest.raises(StageTimeout, match=f"{CALLS_AT_ONCE} of which hang"):
        guard.call(lambda: "not run")
    assert time.monotonic() - start < 0.5  # refused at once, not after the time limit
    release.set()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert guard.call(lambda: "runs again") == "runs again"
            assert_a_further_caller_waits(guard)
            return
        except StageTimeout:
            time.sleep(0.01)
    pytest.fail("the guard did not recover")


def assert_a_further_caller_waits(guard: Guard) -> None:
    """With all places taken by calls that end soon."""
    busy, done = threading.Semaphore(0), threading.Event()

    def work() -> None:
        busy.release()
        done.wait(30)

    callers = [threading.Thread(target=guard.call, args=(work,)) for _ in range(CALLS_AT_ONCE)]
    for caller in callers:
        caller.start()
    for _ in callers:
        assert busy.acquire(timeout=30)
    threading.Timer(0.2, done.set).start()
    try:
        assert guard.call(lambda: "after the others") == "after the others"
    except StageTimeout:
        pytest.fail("it did not wait for a place")
    finally:
        for caller in callers:
            caller.join()


def test_one_caller_more_than_there_are_places_waits_for_one() -> None:
    assert_a_further_caller_waits(Guard("liveness", "fake", timeout_s=30))


def test_a_call_that_begins_to_hang_while_another_one_starts_breaks_neither() -> None:
    guard = Guard("liveness", "fake", timeout_s=5)

    class Hung:
        """A worker left behind; looking at it, as another thread may do at that moment, leaves a second one behind."""

        @property
        def is_alive(self) -> bool:
            guard._hung.add(Second())  # type: ignore[arg-type]
            return False

    class Second:
        is_alive = True

    guard._hung.add(Hung())  # type: ignore[arg-type]
    try:
        assert guard.call(lambda: 42) == 42
    except RuntimeError as error:
        pytest.fail(f"the other thread broke it: {error}")
    assert [type(worker) for worker in guard._hung] == [Second]


def test_a_system_without_threads_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    guard = Guard("liveness", "fake", timeout_s=5)
    monkeypatch.setattr("faceauth.backends.time_limit.start_new_thread", refuse)
    for _ in range(2 * CALLS_AT_ONCE):  # and it keeps no place
        with pytest.raises(ScoreError) as refused:
            guard.call(lambda: 42)
        assert str(refused.value) == "The liveness stage (fake) cannot run: can't start new thread."
        assert refused.value.stage == "liveness"


def test_keeps_nothing_of_a_call_alive() -> None:
    def use(array: np.ndarray) -> weakref.ref[np.ndarray]:
        guard.call(lambda: float(array.sum()))
        return weakref.ref(array)

    guard = Guard("liveness", "fake", timeout_s=5)
    gone = use(np.zeros(3))
    guard.call(lambda: None)  # the worker has put the first call down before it takes the second
    assert gone() is None


def test_its_threads_end_with_it() -> None:
    guard = Guard("liveness", "fake", timeout_s=5)
    thread = guard.call(threading.get_ident)
    del guard
    deadline = time.monotonic() + 10
    while thread in sys._current_frames() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert thread not in sys._current_frames()


def test_takes_nothing_that_gevent_replaces_after_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """gevent's threads share one: a lock or queue of the interpreter would stop them all, for good."""

    def replaced(*_: object, **__: object) -> None:
        pytest.fail("taken from threading or queue at the time of the call")

    for name in ("Thread", "Lock", "RLock", "Condition", "Event", "Semaphore", "BoundedSemaphore", "_start_new_thread"):
        monkeypatch.setattr(threading, name, replaced)
    monkeypatch.setattr("queue.SimpleQueue", replaced)
    guard = Guard("liveness", "fake", timeout_s=5)
    assert guard.call(lambda: 42) == guard.call(lambda: 42) == in_time(lambda: 42, timeout_s=5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_works_in_a_forked_child() -> None:
    guard = Guard("liveness", "fake", timeout_s=10)
    guard.call(lambda: None)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if guard.call(lambda: 42) == 42 else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_call_waits_no_longer_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def run(_: object, function: Callable[[], object], *, timeout_s: float) -> tuple[object, None]:
        limits.append(timeout_s)
        return function(), None

    monkeypatch.setattr("faceauth.backends.time_limit._Worker.run", run)
    assert Guard("liveness", "fake", timeout_s=0.05).call(lambda: 42) == 42
    assert in_time(lambda: 42, timeout_s=0.5) == 42
    assert 0.0 <= limits[0] <= 0.05 and limits[1] == 0.5


def failing(error: Exception) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ContractBroken("returned nothing"), "The liveness stage (fake) returned nothing"),
        (ZeroDivisionError("by zero"), "The liveness stage (fake) failed: ZeroDivisionError: by zero"),
        (
            RuntimeError("word " * 100),
            f"The liveness stage (fake) failed: RuntimeError: {' '.join(['word'] * 59)} ...",
        ),
    ],
)
def test_a_failure_says_stage_backend_and_cause_and_is_logged(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ScoreError) as refused:
        Guard("liveness", "fake", timeout_s=5).call(failing(error))
    assert (str(refused.value), refused.value.stage, refused.value.__cause__) == (said, "liveness", error)
    (record,) = caplog.records
    assert record.getMessage() == said and record.exc_info is not None and record.exc_info[1] is error


def test_a_time_out_says_what_to_do_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()
    with pytest.raises(StageTimeout) as refused:
        Guard("liveness", "fake", timeout_s=0.05).call(lambda: release.wait(10))
    release.set()
    said = "The liveness stage (fake) did not answer within 0.05 s. Find out what blocks it, or raise stage_timeout_s."
    assert (str(refused.value), refused.value.stage) == (said, "liveness")
    assert [record.getMessage() for record in caplog.records] == [said]


def test_loading_that_hangs_raises_and_what_it_raises_comes_through() -> None:
    release = threading.Event()
    with pytest.raises(TimeoutError, match=r"^it gave no answer within 0\.05 s$"):
        in_time(lambda: release.wait(10), timeout_s=0.05)
    release.set()
    with pytest.raises(ZeroDivisionError, match="by zero"):
        in_time(failing(ZeroDivisionError("by zero")), timeout_s=5)


def test_the_thread_of_loading_ends_with_it() -> None:
    thread = in_time(threading.get_ident, timeout_s=5)
    deadline = time.monotonic() + 10
    while thread in sys._current_frames() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert thread not in sys._current_frames()

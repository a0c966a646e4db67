"""Calls of a stage within a time limit, on threads that come back, or are left behind."""

import os
import threading
import time
import weakref

import numpy as np
import pytest

from faceauth.backends.answers import LANDMARKS_WITHIN, ContractBroken, check_faces
from faceauth.backends.time_limit import HUNG_CALLS_ALLOWED, Guard
from faceauth.errors import ScoreError, StageTimeout
from faceauth.results import Face
from faceauth.testing import face_in


def test_returns_what_the_call_returns() -> None:
    assert Guard("liveness", "fake", timeout_s=5).call(lambda: 42) == 42


def test_a_late_answer_never_reaches_the_next_call() -> None:
    guard, release = Guard("liveness", "fake", timeout_s=0.05), threading.Event()
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


def test_refuses_further_calls_while_too_many_hang_and_recovers() -> None:
    guard, release = Guard("liveness", "fake", timeout_s=0.02), threading.Event()
    for _ in range(HUNG_CALLS_ALLOWED):
        with pytest.raises(StageTimeout, match="did not answer"):
            guard.call(lambda: release.wait(30))
    with pytest.raises(StageTimeout, match="still hangs"):
        guard.call(lambda: "not run")
    release.set()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert guard.call(lambda: "runs again") == "runs again"
            return
        except ScoreError:
            time.sleep(0.01)
    pytest.fail("the guard did not recover")


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
    thread = guard.call(threading.current_thread)
    del guard
    thread.join(10)
    assert not thread.is_alive()


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


def shifted(face: Face, x_px: float, y_px: float) -> Face:
    points = tuple((x + x_px, y + y_px) for x, y in face.landmarks_px)
    return face.model_copy(update={"landmarks_px": points})


@pytest.mark.parametrize("direction", [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_landmarks_belong_to_the_box_that_they_come_with(direction: tuple[int, int]) -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    face = face_in(image, share=0.25)  # its landmarks are centred a tenth of its height below its middle
    to_limit = LANDMARKS_WITHIN * face.box_xyxy.width / 2
    inside, outside = (
        shifted(face, direction[0] * reach, direction[1] * reach - 0.1 * face.box_xyxy.height)
        for reach in (to_limit - 2, to_limit + 2)
    )
    assert check_faces([inside], image) == [inside]
    with pytest.raises(ContractBroken, match="landmarks around"):
        check_faces([face, outside], image)

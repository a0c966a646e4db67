"""The bounded queue: what does not fit is refused at once, and what was accepted is done, even if nobody waits."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from faceauth.server.problems import Problem
from faceauth.server.work_queue import WorkQueue

from .conftest import Running, Serve, jpeg
from .test_requests import FORM, asgi, is_problem


class Gate:
    """Work that ends when it is told to, and who has passed."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.passed: list[int] = []

    def work(self, number: int) -> Callable[[], int]:
        def pass_through() -> int:
            self.open.wait()
            self.passed.append(number)
            return number

        return pass_through


def run(test: Callable[[WorkQueue, Gate], Awaitable[None]], *, waiting: int) -> Gate:
    """``test`` with a queue of one thread; whatever it finds, the gate opens at last."""

    async def opened_at_last() -> None:
        queue = WorkQueue(threads=1, waiting=waiting)
        try:
            await test(queue, gate)
        finally:
            gate.open.set()
            await queue.close()

    gate = Gate()
    asyncio.run(opened_at_last())
    return gate


def test_what_does_not_fit_is_refused_at_once_with_a_time_and_the_rest_is_done() -> None:
    async def test(queue: WorkQueue, gate: Gate) -> None:
        tasks = [asyncio.create_task(queue.run(gate.work(number))) for number in range(5)]
        await asyncio.sleep(0)  # every task runs until it waits
        assert [task.done() for task in tasks] == [False, False, False, True, True] and queue.length == 3
        for task in tasks[3:]:
            refused = task.exception()
            assert isinstance(refused, Problem) and refused.status == 503
            assert int(refused.headers.get("Retry-After", 0)) >= 1
        gate.open.set()
        assert await asyncio.gather(*tasks[:3]) == [0, 1, 2] and queue.length == 0
        assert await queue.run(gate.work(5)) == 5

    assert run(test, waiting=2).passed == [0, 1, 2, 5]


def test_work_that_nobody_waits_for_any_more_is_done_all_the_same() -> None:
    """Whether it had begun or not."""

    async def test(queue: WorkQueue, gate: Gate) -> None:
        tasks = [asyncio.create_task(queue.run(gate.work(number))) for number in range(2)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert queue.length == 2

    assert run(test, waiting=8).passed == [0, 1]


def test_what_was_accepted_is_finished_when_the_queue_closes_and_nothing_more_is_accepted() -> None:
    async def test(queue: WorkQueue, gate: Gate) -> None:
        tasks = [asyncio.create_task(queue.run(gate.work(number))) for number in range(5)]
        await asyncio.sleep(0)
        gate.open.set()
        await queue.close()
        assert gate.passed == [0, 1, 2, 3, 4]
        await asyncio.gather(*tasks)
        with pytest.raises(Problem) as refused:
            await queue.run(gate.work(5))
        assert refused.value.status == 503 and queue.length == 0

    run(test, waiting=8)


# Over HTTP.


@pytest.fixture
def full(serve: Serve) -> Iterator[tuple[Running, Callable[[], None]]]:
    """A service that knows Ada and whose queue is full, and what empties it."""
    running, gate = serve(queue=WorkQueue(threads=1, waiting=1)), Gate()
    running.enrol("ada", 1)
    tasks: list[asyncio.Task[int]] = []

    async def fill() -> None:
        tasks.extend(asyncio.create_task(running.service.queue.run(gate.work(number))) for number in range(2))
        await asyncio.sleep(0)

    async def wait() -> None:
        await asyncio.gather(*tasks)

    def empty() -> None:
        gate.open.set()
        running.on_loop(wait)

    running.on_loop(fill)
    assert running.service.queue.length == 2
    yield running, empty
    empty()


def test_what_the_queue_cannot_take_is_503_with_a_time_before_it_is_read(
    full: tuple[Running, Callable[[], None]],
) -> None:
    running, empty = full
    headers = [(key.lower().encode(), value.encode()) for key, value in running.auth(**{"Content-Type": FORM}).items()]
    answer = asgi(running, "POST", "/v1/subjects/ada/verify", headers, [b"x"])
    assert (answer["status"], answer["read"]) == (503, 0)
    refused = running.verify("ada", jpeg(1))
    assert is_problem(refused, 503, "busy") and int(refused.headers.get("Retry-After", 0)) >= 1
    assert "faceauth_queue_length 2.0" in running.http.get("/metrics").text
    empty()
    assert running.verify("ada", jpeg(1)).json()["verdict"] == "accept"

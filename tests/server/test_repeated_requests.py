"""Requests with an Idempotency-Key: done once, answered as often as they are asked."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from faceauth.server import repeated_requests
from faceauth.server.problems import Problem
from faceauth.server.repeated_requests import REMEMBERED_S, RepeatedRequests

from .conftest import Ticking


class Counting:
    """Work that counts how often it is done, and waits until it may end.

    Attributes:
        error: what it raises, if anything.
    """

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.times = 0
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.times += 1
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return self.times


Requests = RepeatedRequests[int]


def run(test: Callable[[Requests, Counting, Ticking], Awaitable[None]]) -> None:
    async def made() -> None:
        clock = Ticking()
        await test(RepeatedRequests(clock), Counting(), clock)

    asyncio.run(made())


async def asked(requests: Requests, work: Counting, key: str = "k", fingerprint: bytes = b"one") -> "asyncio.Task[int]":
    """A request that has got as far as it gets by itself."""
    task = asyncio.create_task(requests.once("owner", key, fingerprint, work))
    await asyncio.sleep(0)
    return task


def test_a_request_sent_again_too_early_waits_for_the_first() -> None:
    async def test(requests: Requests, work: Counting, _: Ticking) -> None:
        tasks = [await asked(requests, work) for _ in range(3)]
        work.may_end.set()
        assert await asyncio.gather(*tasks) == [1, 1, 1] and work.times == 1

    run(test)


def test_who_hangs_up_finds_the_answer_later() -> None:
    async def test(requests: Requests, work: Counting, _: Ticking) -> None:
        gone = await asked(requests, work)
        await asyncio.sleep(0)
        assert work.times == 1  # it has begun
        gone.cancel()
        await asyncio.wait([gone])
        again = await asked(requests, work)
        work.may_end.set()
        assert await again == 1 and work.times == 1

    run(test)


def test_a_key_of_another_request_is_refused_from_the_first_moment_on() -> None:
    async def test(requests: Requests, work: Counting, _: Ticking) -> None:
        first = await asked(requests, work)
        other = await asked(requests, work, fingerprint=b"two")
        assert other.done()
        refused = other.exception()
        assert isinstance(refused, Problem) and (refused.status, refused.cause) == (422, "idempotency_key_reused")
        work.may_end.set()
        assert await first == 1

    run(test)


def test_what_failed_is_not_remembered() -> None:
    async def test(requests: Requests, work: Counting, _: Ticking) -> None:
        work.error = ValueError("once")
        work.may_end.set()
        with pytest.raises(ValueError, match="once"):
            await requests.once("owner", "k", b"one", work)
        work.error = None
        assert await requests.once("owner", "k", b"two", work) == 2

    run(test)


def test_answers_are_forgotten_after_a_day_and_the_oldest_when_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(requests: Requests, work: Counting, clock: Ticking) -> None:
        work.may_end.set()
        for key in ("a", "b", "c"):
            await requests.once("owner", key, b"one", work)
        assert await requests.once("owner", "b", b"one", work) == 2
        assert await requests.once("owner", "a", b"one", work) == 4
        clock.now_s += REMEMBERED_S + 1
        assert await requests.once("owner", "b", b"one", work) == 5

    monkeypatch.setattr(repeated_requests, "MOST_REMEMBERED", 3)
    run(test)

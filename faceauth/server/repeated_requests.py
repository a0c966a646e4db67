"""Requests with an Idempotency-Key: sent again, they get the answer that they got, and nothing is done twice.

Remembered in memory for a day. After a restart an enrolment that is sent again is refused, as one of a person who is
there already.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from faceauth.server.problems import Cause, Problem

T = TypeVar("T")

REMEMBERED_S = 24 * 3600.0
MOST_REMEMBERED = 10_000
LONGEST_KEY = 255


@dataclass(eq=False)
class _Request(Generic[T]):
    fingerprint: bytes
    since_s: float
    answer: T | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RepeatedRequests(Generic[T]):
    """Answers by owner and key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._requests: dict[tuple[str, str], _Request[T]] = {}

    async def once(self, owner: str, key: str | None, fingerprint: bytes, work: Callable[[], Awaitable[T]]) -> T:
        """What ``work`` returns, now or when it was asked for first. What raises is not remembered.

        Args:
            owner: keys of two owners have nothing to do with each other.
            key: of the header; None to do it in any case.
            fingerprint: of everything in the request that matters.
            work: what is to be done.

        Raises:
            Problem: 422, the key was used for another request.
        """
        if key is None:
            return await work()
        self._forget()
        request = self._requests.setdefault((owner, key), _Request(fingerprint, self._clock()))
        if request.fingerprint != fingerprint:
            raise Problem(422, Cause.KEY_REUSED, "This Idempotency-Key belongs to another request: make a new one.")
        async with request.lock:  # the same request, sent again too early, waits for the first
            if request.answer is None:
                try:
                    request.answer = await work()
                except BaseException:
                    self._requests.pop((owner, key), None)
                    raise
            return request.answer

    def _forget(self) -> None:
        """The oldest ones; a dictionary keeps the order in which they came."""
        for place, request in list(self._requests.items()):
            old = self._clock() - request.since_s > REMEMBERED_S or len(self._requests) >= MOST_REMEMBERED
            if not old:
                break
            if not request.lock.locked():
                del self._requests[place]

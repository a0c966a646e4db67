"""Requests with an Idempotency-Key: sent again, they get the answer that they got, and nothing is done twice.

Remembered in memory for a day. After a restart an enrolment that is sent again is refused, as one of a person who is
there already.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from faceauth.server.problems import Cause, Problem

T = TypeVar("T")

REMEMBERED_S = 24 * 3600.0
MOST_REMEMBERED = 10_000


@dataclass(eq=False)
class _Request(Generic[T]):
    fingerprint: bytes
    since_s: float
    answer: asyncio.Task[T]


class RepeatedRequests(Generic[T]):
    """Answers by owner and key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._requests: dict[tuple[str, str], _Request[T]] = {}

    async def once(
        self, owner: str, key: str | None, fingerprint: bytes, work: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """What ``work`` returns, now or when it was asked for first. What raises is not remembered.

        Args:
            owner: keys of two owners have nothing to do with each other.
            key: of the header; None to do it in any case.
            fingerprint: of everything in the request that matters.
            work: what is to be done; it is done, even if nobody waits for it any more.

        Raises:
            Problem: 422, the key was used for another request.
        """
        if key is None:
            return await work()
        self._forget()
        place = owner, key
        request = self._requests.get(place)
        if request is None:
            request = self._requests[place] = _Request(fingerprint, self._clock(), asyncio.create_task(work()))
            request.answer.add_done_callback(partial(self._forget_failed, place))
        elif request.fingerprint != fingerprint:
            raise Problem(422, Cause.KEY_REUSED, "This Idempotency-Key belongs to another request: make a new one.")
        return await asyncio.shield(request.answer)  # sent again too early, it waits for the first

    def _forget_failed(self, place: tuple[str, str], answer: asyncio.Task[T]) -> None:
        if answer.cancelled() or answer.exception() is not None:
            del self._requests[place]

    def _forget(self) -> None:
        """The oldest ones; a dictionary keeps the order in which they came."""
        for place, request in list(self._requests.items()):
            old = self._clock() - request.since_s > REMEMBERED_S or len(self._requests) >= MOST_REMEMBERED
            if not old:
                break
            if request.answer.done():
                del self._requests[place]

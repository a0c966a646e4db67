"""What is checked of a request before its body is read, and while it is read: size, encoding, time, how many at once.

Bodies stay in memory, and are read by whoever handles the request, after the key was checked.
"""

import asyncio
import re
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faceauth.server.problems import Cause, Problem
from faceauth.server.work_queue import RETRY_AFTER_S

JSON_BYTES = 64 * 2**10
CHUNK_BYTES = 8 * 2**20
UPLOAD_BYTES = 32 * 2**20
"""Largest bodies: of JSON, of a chunk of frames, and of photos. Chosen, not measured."""

BODY_S = 30.0
"""Seconds in which a body has to arrive: chosen, not measured."""

BODIES_AT_ONCE = 64
"""Bodies that are read at once, so that they take a bounded part of the memory. Chosen, not measured."""

_CHUNK = re.compile(r"/v1/sessions/[^/]+/chunks/[^/]+")


class BodyGuard:
    """Stands before the whole application.

    Args:
        app: what answers.
        check_queue: raises where there is no use in reading, since nothing could be done with it.
        bodies_at_once: that are read at once.
    """

    def __init__(self, app: ASGIApp, *, check_queue: Callable[[], None], bodies_at_once: int = BODIES_AT_ONCE) -> None:
        self._app = app
        self._check_queue = check_queue
        self._places = bodies_at_once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers itself what it refuses."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._app(scope, receive, send)
            return
        try:
            most_bytes = _check_headers(scope["path"], Headers(scope=scope))
            self._check_queue()
        except Problem as problem:
            # the body was not read, so nothing else can come over this connection
            problem.headers["Connection"] = "close"
            await problem.response()(scope, receive, send)
            return
        body = _Body(self, receive, most_bytes)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.close()

    def take_place(self) -> None:
        """Raises: Problem: 503, too many bodies are read already."""
        if self._places == 0:
            raise Problem(503, Cause.BUSY, "Too many uploads at once: try again.", retry_after_s=RETRY_AFTER_S)
        self._places -= 1

    def give_place(self) -> None:
        """A body was read."""
        self._places += 1


class _Body:
    """A body on its way in."""

    def __init__(self, guard: BodyGuard, receive: Receive, most_bytes: int) -> None:
        self._guard, self._receive, self._most_bytes = guard, receive, most_bytes
        self._bytes = 0
        self._begun = self._ended = False
        self._deadline_s = 0.0

    async def receive(self) -> Message:
        """The next part; takes a place with the first, which is asked for after the key was checked."""
        if self._ended:
            return await self._receive()
        loop = asyncio.get_running_loop()
        if not self._begun:
            self._guard.take_place()
            self._begun, self._deadline_s = True, loop.time() + BODY_S
        try:
            async with asyncio.timeout_at(self._deadline_s):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                408, Cause.TOO_SLOW, f"The body did not arrive within {BODY_S:g} s.", headers=_CLOSE
            ) from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._most_bytes:
            raise _too_large(self._most_bytes)
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._ended = True
        return message

    def close(self) -> None:
        """The request was answered. Its body took a place until now, since what was read is held until now."""
        if self._begun:
            self._guard.give_place()


_CLOSE = {"Connection": "close"}


def _check_headers(path: str, headers: Headers) -> int:
    """How many bytes may come."""
    most_bytes = UPLOAD_BYTES
    if path.rstrip("/") == "/v1/sessions":
        most_bytes = JSON_BYTES
    elif _CHUNK.fullmatch(path):
        most_bytes = CHUNK_BYTES
    length = headers.get("content-length")
    if length is not None and not (length.isascii() and length.isdigit()):
        raise Problem(400, Cause.MALFORMED, "Content-Length is no number.")
    if length is not None and int(length) > most_bytes:
        raise _too_large(most_bytes)
    if headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, Cause.MEDIA_TYPE, "Send the body without a content encoding.")
    return most_bytes


def _too_large(most_bytes: int) -> Problem:
    return Problem(413, Cause.TOO_LARGE, f"At most {most_bytes:,} bytes are read.", headers=_CLOSE)

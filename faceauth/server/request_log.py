"""The log: one JSON object a line. No pixels, no scores, no keys, no names of people, no ids of sessions."""

import json
import logging
import time
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faceauth.server.counters import Counters
from faceauth.server.problems import METHODS

logger = logging.getLogger("faceauth.server.requests")

QUIET = ("/healthz", "/readyz", "/metrics")
"""Asked every few seconds: they count, and are not logged."""


class JsonLines(logging.Formatter):
    """A record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger and message, the facts of a request, and the traceback of an error."""
        told = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": told, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        facts = getattr(record, "facts", None)
        if isinstance(facts, dict):
            line.update(facts)
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


class RequestLog:
    """Notes every request when it was answered.

    Args:
        app: what answers.
        counters: of the service.
    """

    def __init__(self, app: ASGIApp, *, counters: Counters) -> None:
        self._app = app
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s, status = time.perf_counter(), 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            self._note(scope, status, time.perf_counter() - started_s)

    def _note(self, scope: Scope, status: int, elapsed_s: float) -> None:
        # the route with its parameters unfilled: they hold names and nonces
        route = getattr(scope.get("route"), "path", "other")
        # whoever calls can invent methods, and every label takes memory
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._counters.note_request(route, method, status, elapsed_s)
        if route not in QUIET:
            facts = {
                "route": route,
                "method": method,
                "status": status,
                "elapsed_ms": round(elapsed_s * 1000, 1),
                "key": scope.get("state", {}).get("key_name"),
            }
            logger.info("request", extra={"facts": facts})

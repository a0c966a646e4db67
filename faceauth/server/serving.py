"""Runs the application under uvicorn: one process, JSON lines on stderr, and an end that loses nothing."""

import logging
import sys

import uvicorn

from faceauth.server.asgi import application
from faceauth.server.request_log import JsonLines
from faceauth.server.service import Service

SHUTDOWN_S = 30
"""Seconds in which what was accepted has to be answered after SIGTERM: chosen, not measured. Longer than any judging
takes, and as long as Kubernetes waits."""


def serve(service: Service, *, host: str, port: int) -> None:
    """Answer requests until the process is told to end.

    Args:
        service: is closed at the end.
        host: address to listen on.
        port: 0 to 65535; 0 for a free one, which the log names.
    """
    _log_json_lines()
    uvicorn.run(
        application(service),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # clients are told by a header of their own, which a key has to be allowed
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


def _log_json_lines() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    library = logging.getLogger("faceauth")  # the command line shows its warnings to people
    library.handlers.clear()
    library.propagate = True
    for name in ("faceauth.server", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.INFO)

"""Runs the application under uvicorn: one process, JSON lines on stderr, and an end that loses nothing."""

import logging
import socket
import sys

import uvicorn

from faceauth.errors import UsageError
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

    Raises:
        UsageError: nobody can listen there.
    """
    listening = _listening(host, port)
    _log_json_lines()
    at, number = listening.getsockname()[:2]
    logging.getLogger("faceauth.server").info("listening", extra={"facts": {"host": at, "port": number}})
    config = uvicorn.Config(
        application(service),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # clients are told by a header of their own, which a key has to be allowed
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """Here, since uvicorn would end the process with 1, which says that somebody was rejected."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(
            f"Nobody can listen on {host}, port {port} ({error.strerror}): choose another --host or --port."
        ) from None


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

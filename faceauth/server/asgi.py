"""The ASGI application: routes, what stands before them, and how errors are answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from faceauth.errors import FaceAuthError
from faceauth.server.body_guard import BodyGuard
from faceauth.server.operation_routes import operation_router
from faceauth.server.problems import ProblemDocument, answer_error, answer_http_error, answer_invalid
from faceauth.server.request_log import RequestLog
from faceauth.server.service import Service
from faceauth.server.session_routes import session_router
from faceauth.server.subject_routes import photo_router, subject_router
from faceauth.version import __version__


def application(service: Service) -> FastAPI:
    """The application of a service, which is closed with it.

    Sessions live in the process: run one process, or send each session to the machine that opened it.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(service.sessions.keep_sweeping())
        yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        await service.close()

    app = _WithProblems(
        title="faceauth",
        version=__version__,
        summary="Is this a live person, and the right one?",
        lifespan=lifespan,
        docs_url=None,  # these pages would load their scripts from elsewhere
        redoc_url=None,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for router in (session_router(service), subject_router(service), photo_router(service), operation_router(service)):
        app.include_router(router)
    app.add_exception_handler(FaceAuthError, answer_error)
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(Exception, answer_error)
    app.add_middleware(BodyGuard, check_queue=service.queue.check)
    app.add_middleware(RequestLog, counters=service.counters)  # the outermost: it sees what the guard refuses, too
    return app


class _WithProblems(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The framework's own, with the schema that every error refers to."""
        if self.openapi_schema is None:
            found = super().openapi()
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            document = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(document.pop("$defs", {}))
            schemas["ProblemDocument"] = document
        return super().openapi()

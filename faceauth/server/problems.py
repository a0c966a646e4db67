"""Errors as RFC 9457 problem documents: a status, a reason for machines and a sentence for people.

What concerns the inside of the service, such as a path or a database, is logged and not told.
"""

import logging
import math
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from faceauth.errors import (
    AlreadyEnrolled,
    EnrolmentRefused,
    FaceAuthError,
    GalleryError,
    LockedOut,
    NotEnrolled,
    SessionClosed,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

logger = logging.getLogger("faceauth.server")


class Cause(StrEnum):
    """Why a request was not answered, for machines. Nobody is let in by any of them.

    Attributes:
        MALFORMED: 400: the request or its body cannot be read. Correct it.
        NOT_FOUND: 404: nothing is at this path.
        METHOD_NOT_ALLOWED: 405: the path takes other methods, which the header `Allow` names.
        KEY_REFUSED: 401: no key, or none that is known. `faceauth keys add` makes one.
        SCOPE_MISSING: 403: the key may not do this. Make one with the scope.
        TOO_LARGE: 413: the body is larger than is read. Send less.
        TOO_SLOW: 408: the body did not arrive in time. Send it again, or send less.
        MEDIA_TYPE: 415: the body or one of its parts is of a type that is not read.
        INVALID: 422: a parameter, a field or a part does not fit; `detail` says which. Correct it.
        BUSY: 503: there is more to do than fits into the queue. Come again after `Retry-After` seconds.
        RATE_LIMITED: 429: too many attempts of this client. Come again after `Retry-After` seconds.
        LOCKED_OUT: 423: too many attempts to be this person failed. Wait `Retry-After` seconds; without that header
            another factor is needed, and then `faceauth subjects unlock`.
        NOT_ENROLLED: 404: nobody of that name is enrolled, or none with templates that can be used.
        ALREADY_ENROLLED: 409: there is a person of that name. Choose another, or enrol them again with `replace`.
        ENROLMENT_REFUSED: 422: no photo can be used, or they show several people; `detail` says why. Take others.
        SESSION_UNKNOWN: 404: the session is unknown, or another key opened it. Open a new one.
        SESSION_USED: 409: the session has ended, has expired or failed. Open a new one.
        SESSION_RUNNING: 409: there is no result yet. Send more frames.
        CHUNK_CHANGED: 409: this chunk was sent before, with other frames. Send the same, or the next.
        CHUNK_MISSING: 409: an earlier chunk is due; `detail` says which.
        KEY_REUSED: 422: the Idempotency-Key belongs to another request. Make a new one.
        UNAVAILABLE: 503: the gallery or the API keys cannot be used. The log says why.
        BROKEN: 500: the service failed. The log says why.
    """

    MALFORMED = "malformed"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    KEY_REFUSED = "key_refused"
    SCOPE_MISSING = "scope_missing"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    MEDIA_TYPE = "media_type"
    INVALID = "invalid"
    BUSY = "busy"
    RATE_LIMITED = "rate_limited"
    LOCKED_OUT = "locked_out"
    NOT_ENROLLED = "not_enrolled"
    ALREADY_ENROLLED = "already_enrolled"
    ENROLMENT_REFUSED = "enrolment_refused"
    SESSION_UNKNOWN = "session_unknown"
    SESSION_USED = "session_used"
    SESSION_RUNNING = "session_running"
    CHUNK_CHANGED = "chunk_changed"
    CHUNK_MISSING = "chunk_missing"
    KEY_REUSED = "idempotency_key_reused"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"


class ProblemDocument(BaseModel):
    """The body of every error: RFC 9457, with a reason for machines."""

    type: str = Field(default="about:blank", description="Always about:blank: the reason says more.")
    title: str = Field(description="The name of the status.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="One sentence for people.")
    reason: Cause = Field(description="For machines.")


class Problem(FaceAuthError):
    """A request that is answered by a problem document.

    Attributes:
        status: of HTTP.
        cause: for machines.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        cause: Cause,
        detail: str,
        *,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.cause = cause
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))

    def response(self) -> JSONResponse:
        """The document, as an answer."""
        document = ProblemDocument(
            title=HTTPStatus(self.status).phrase, status=self.status, detail=str(self), reason=self.cause
        )
        headers = {"Cache-Control": "no-store", **self.headers}
        return JSONResponse(document.model_dump(mode="json"), self.status, headers, media_type=MEDIA_TYPE)


def invalid(detail: str) -> Problem:
    """422: what was sent does not fit."""
    return Problem(422, Cause.INVALID, detail)


def problem_of(error: Exception) -> Problem:
    """The problem that an error is for who called the service. A bug is logged by who runs the application."""
    match error:
        case Problem():
            return error
        case LockedOut(client=str()):
            return Problem(429, Cause.RATE_LIMITED, "Too many attempts: wait.", retry_after_s=error.retry_after_s)
        case LockedOut():
            return Problem(423, Cause.LOCKED_OUT, _locked(error.retry_after_s), retry_after_s=error.retry_after_s)
        case NotEnrolled():
            return Problem(404, Cause.NOT_ENROLLED, "Nobody of that name can be compared with.")
        case AlreadyEnrolled():
            return Problem(409, Cause.ALREADY_ENROLLED, str(error))
        case EnrolmentRefused():
            return Problem(422, Cause.ENROLMENT_REFUSED, error.for_anybody)
        case SessionClosed():
            return Problem(409, Cause.SESSION_USED, "The session was used or has expired: open another one.")
        case UsageError():
            return invalid(str(error))
        case GalleryError():
            logger.error("the gallery cannot be used", exc_info=error)
            return Problem(503, Cause.UNAVAILABLE, "The gallery cannot be used: nobody is let in.", retry_after_s=30)
        case FaceAuthError():
            logger.error("a request failed", exc_info=error)
    return Problem(500, Cause.BROKEN, "The service failed: nobody is let in.")


def _locked(retry_after_s: float | None) -> str:
    if retry_after_s is None:
        return "Too many attempts failed: the face opens nothing until another factor was used."
    return f"Too many attempts failed: wait {retry_after_s:.0f} s."


async def answer_error(_: Request, error: Exception) -> JSONResponse:
    """The answer to a request that raised."""
    return problem_of(error).response()


_OF_STATUS = {404: Cause.NOT_FOUND, 405: Cause.METHOD_NOT_ALLOWED}


async def answer_http_error(request: Request, error: Exception) -> JSONResponse:
    """The answer where the framework itself refuses: no such path, or no such method."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(method for method in METHODS if _is_answered(request, method))
    cause = _OF_STATUS.get(error.status_code, Cause.MALFORMED)
    return Problem(error.status_code, cause, str(error.detail), headers=headers).response()


def _is_answered(request: Request, method: str) -> bool:
    """Whether any route of this path takes the method; the framework names those of the first route alone."""
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


async def answer_invalid(_: Request, error: Exception) -> JSONResponse:
    """The answer to parameters that do not fit; what was sent is not repeated."""
    found: Any = getattr(error, "errors", list)()
    told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
    return invalid(told or "The request does not fit.").response()


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of an operation that may answer with these statuses."""
    schema = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}}
        for status in sorted(statuses)
    }

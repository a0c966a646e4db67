"""The faceauth service as the site sees it: requests out, checked answers in. It alone holds the key.

Whatever does not look exactly like an answer of the service is refused, so nothing unclear can let somebody in.
"""

from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from examples.web_login.refusals import SiteRefusal

Kind = Literal["passive", "turn", "light"]

PASSED_ON = frozenset({400, 404, 409, 410, 413, 415, 422, 423, 429, 503})
"""Refusals that the visitor can act on. Any other, such as a key that is not accepted, is the site's own business."""

UNAVAILABLE = "The check cannot be made now. Sign in another way."

AnswerT = TypeVar("AnswerT", bound=BaseModel)


class Opened(BaseModel):
    """A session that was opened."""

    id: str
    kind: Kind
    expires_in_s: float
    prompt: dict[str, Any]


class Progress(BaseModel):
    """Where a session stands after a chunk."""

    state: Literal["running", "ended"]
    prompt: dict[str, Any]


class Result(BaseModel):
    """The one answer of a session."""

    verdict: Literal["accept", "reject", "uncertain"]
    reason: str
    message: str
    subject: str | None


class Enrolled(BaseModel):
    """What became of the photos of an enrolment."""

    name: str
    templates: int


class Service:
    """The faceauth service.

    Args:
        client: whose base URL is that of the service, or whose transport is the service itself.
        key: of the API, with the scopes ``sessions``, ``subjects`` and ``forward``.
    """

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}

    async def open_session(self, kind: Kind, subject: str, address: str) -> Opened:
        """Open a session for somebody who claims to be ``subject``; attempts are counted by their address, too."""
        wanted = {"kind": kind, "subject": subject}
        answer = await self._ask("POST", "/v1/sessions", json=wanted, headers={"Faceauth-Client": address})
        return _read(Opened, answer, 201)

    async def send_chunk(self, session_id: str, number: int, body: bytes, content_type: str) -> Progress:
        """Pass on frames, byte for byte."""
        path = f"/v1/sessions/{quote(session_id, safe='')}/chunks/{number}"
        answer = await self._ask("PUT", path, content=body, headers={"Content-Type": content_type})
        return _read(Progress, answer, 200)

    async def result(self, session_id: str) -> Result:
        """The answer of a session that has ended."""
        answer = await self._ask("GET", f"/v1/sessions/{quote(session_id, safe='')}/result")
        return _read(Result, answer, 200)

    async def leave(self, session_id: str) -> None:
        """End a session that nobody waits for, so that who showed no face is not charged."""
        await self._ask("DELETE", f"/v1/sessions/{quote(session_id, safe='')}")

    async def enrol(self, name: str, photos: list[bytes], consent: str, request_key: str) -> Enrolled:
        """Enrol somebody; the same ``request_key`` enrols once, however often it is sent."""
        answer = await self._ask(
            "POST",
            f"/v1/subjects/{quote(name, safe='')}/templates",
            data={"consent": consent},
            files=[("photos", (f"{number}.jpg", photo, "image/jpeg")) for number, photo in enumerate(photos)],
            headers={"Idempotency-Key": request_key},
        )
        return _read(Enrolled, answer, 201)

    async def _ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        try:
            return await self._client.request(method, path, headers={**self._headers, **(headers or {})}, **body)
        except httpx.HTTPError as error:
            raise SiteRefusal(502, "service_unreachable", UNAVAILABLE) from error


def _read(answer: type[AnswerT], response: httpx.Response, status: int) -> AnswerT:
    """The answer, if it is one.

    Raises:
        SiteRefusal: the service refused, or said something else than was agreed.
    """
    if response.status_code != status:
        raise _refusal(response)
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        raise SiteRefusal(502, "service_unclear", UNAVAILABLE) from error


def _refusal(response: httpx.Response) -> SiteRefusal:
    try:
        problem = _Problem.model_validate_json(response.content)
    except ValidationError:
        return SiteRefusal(502, "service_unclear", UNAVAILABLE)
    if response.status_code not in PASSED_ON:
        return SiteRefusal(502, "service_refused", UNAVAILABLE)
    return SiteRefusal(
        response.status_code, problem.reason, problem.detail, retry_after=response.headers.get("Retry-After")
    )


class _Problem(BaseModel):
    reason: str
    detail: str

"""The site: pages, and a small API for them.

A browser sends frames and learns what to do next. It never sees the key of the service, and what it says about verdicts
is not read: only the service's own ``accept`` signs anybody in.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Cookie, FastAPI, Form, Header, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from examples.web_login.passkeys import Passkeys, Place
from examples.web_login.refusals import SiteRefusal, problem
from examples.web_login.service import Kind, Opened, Progress, Service
from examples.web_login.visitors import SIGNED_IN_S, TOKEN_BYTES, Enrolment, OneTimeCode, Visitors

PAGE = Path(__file__).with_name("page")
INSIDE = Path(__file__).with_name("inside") / "welcome.html"
"""Apart from what everybody may read."""

CONSENT = "Web page, text 1: my face is kept as encrypted templates to sign me in here, until I ask to delete them."
"""What the page shows beside its check box, and what the service records."""

MOST_BYTES = 8 * 2**20
"""Of a request: some 60 frames of 640 x 480. Chosen, not measured."""

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that may be reached without TLS: browsers open cameras there, too."""

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Permissions-Policy": "camera=(self), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class WantedCheck(BaseModel):
    """What a visitor asks for."""

    kind: Kind
    name: str = Field(min_length=1, max_length=128)
    passkey: str | None = Field(default=None, max_length=10_000)


class WantedPasskey(BaseModel):
    """For whom a passkey is to be made or shown; it is made only for who has the code."""

    name: str = Field(min_length=1, max_length=128)
    code: str = Field(default="", max_length=32)


class Offer(BaseModel):
    """What the page has to know at first."""

    kinds: list[Kind]
    passkeys: bool
    consent: str
    signed_in: str | None


class Answer(BaseModel):
    """How a check ended."""

    signed_in: bool
    message: str


def make_site(
    service: Service,
    code: OneTimeCode,
    kinds: Sequence[Kind],
    visitors: Visitors,
    passkeys: Passkeys | None = None,
) -> FastAPI:
    """The site as an ASGI application.

    Args:
        service: judges everybody.
        code: has to be given to enrol.
        kinds: of sessions that let people in. Whoever attacks chooses the weakest of them.
        visitors: who is on the way, and who is in.
        passkeys: of which everybody has to show one before their face; None to ask for the face alone.
    """
    site = FastAPI(title="Sign in with your face", docs_url=None, redoc_url=None, openapi_url=None)
    site.add_exception_handler(SiteRefusal, problem)
    site.add_exception_handler(RequestValidationError, _does_not_fit)
    site.middleware("http")(_guard)
    _add_pages(site, visitors)
    _add_checks(site, service, kinds, visitors, passkeys)
    _add_enrolment(site, service, code, passkeys)
    if passkeys is not None:
        _add_passkeys(site, code, passkeys)

    @site.get("/api/offer")
    async def offer(login: Annotated[str | None, Cookie()] = None) -> Offer:
        return Offer(kinds=list(kinds), passkeys=passkeys is not None, consent=CONSENT, signed_in=visitors.who(login))

    return site


def _add_enrolment(site: FastAPI, service: Service, code: OneTimeCode, passkeys: Passkeys | None) -> None:
    """New people, by photos and, where they are asked for, a passkey."""

    @site.post("/api/enrolments", status_code=201)
    async def enrol(
        request: Request,
        name: Annotated[str, Form(min_length=1, max_length=128)],
        given: Annotated[str, Form(alias="code", max_length=32)],
        agreed: Annotated[bool, Form()],
        photos: list[UploadFile],
        idempotency_key: Annotated[str, Header(min_length=16, max_length=64)],
        passkey: Annotated[str, Form(max_length=10_000)] = "",
        visitor: Annotated[str, Cookie()] = "",
    ) -> Answer:
        with code.spent_on(Enrolment(name, idempotency_key), given):
            if not agreed:
                raise SiteRefusal(422, "no_consent", "Nobody is enrolled without their consent.")
            made = None if passkeys is None else passkeys.created(visitor, name, passkey, _place(request))
            enrolled = await service.enrol(name, [await photo.read() for photo in photos], CONSENT, idempotency_key)
            if passkeys is not None and made is not None:
                passkeys.keep(*made)
        used = f"{enrolled.templates} of {len(photos)} photos"
        return Answer(signed_in=False, message=f"{name} is enrolled with {used}, and can sign in now.")


def _add_passkeys(site: FastAPI, code: OneTimeCode, passkeys: Passkeys) -> None:
    """What the browser has to ask the device for."""

    @site.post("/api/passkeys/creation")
    async def creation(
        wanted: WantedPasskey, request: Request, response: Response, visitor: Annotated[str | None, Cookie()] = None
    ) -> dict[str, Any]:
        code.check(wanted.code)
        return passkeys.creation_options(_visitor(visitor, request, response), wanted.name, _place(request))

    @site.post("/api/passkeys/request")
    async def ask(
        wanted: WantedPasskey, request: Request, response: Response, visitor: Annotated[str | None, Cookie()] = None
    ) -> dict[str, Any]:
        return passkeys.request_options(_visitor(visitor, request, response), wanted.name, _place(request))


def _add_checks(
    site: FastAPI, service: Service, kinds: Sequence[Kind], visitors: Visitors, passkeys: Passkeys | None
) -> None:
    """Sessions of the service, each for the browser that opened it alone."""

    @site.post("/api/sessions", status_code=201)
    async def open_session(
        wanted: WantedCheck, request: Request, response: Response, visitor: Annotated[str | None, Cookie()] = None
    ) -> Opened:
        if wanted.kind not in kinds:
            raise SiteRefusal(422, "kind_not_offered", "This kind of check lets nobody in here. Choose another one.")
        if passkeys is not None:
            passkeys.prove(visitor or "", wanted.name, wanted.passkey or "", _place(request))
        address = request.client.host if request.client is not None else "unknown"
        opened = await service.open_session(wanted.kind, wanted.name, address)
        if opened.kind != wanted.kind:
            raise SiteRefusal(502, "service_unclear", "The check cannot be made now. Sign in another way.")
        visitors.note_check(opened.id, _visitor(visitor, request, response), wanted.name)
        return opened

    @site.put("/api/sessions/{session_id}/chunks/{number}")
    async def send_chunk(
        session_id: str,
        number: int,
        request: Request,
        content_type: Annotated[str, Header()],
        visitor: Annotated[str | None, Cookie()] = None,
    ) -> Progress:
        visitors.check_of(session_id, visitor)
        return await service.send_chunk(session_id, number, await request.body(), content_type)

    @site.delete("/api/sessions/{session_id}", status_code=204)
    async def leave(session_id: str, visitor: Annotated[str | None, Cookie()] = None) -> None:
        visitors.check_of(session_id, visitor)
        visitors.end_check(session_id)
        await service.leave(session_id)

    @site.post("/api/sessions/{session_id}/sign-in")
    async def sign_in(
        session_id: str, request: Request, response: Response, visitor: Annotated[str | None, Cookie()] = None
    ) -> Answer:
        subject = visitors.check_of(session_id, visitor).subject
        result = await service.result(session_id)
        visitors.end_check(session_id)
        if result.verdict != "accept" or result.subject != subject:
            return Answer(signed_in=False, message=result.message)
        _set_cookie(response, request, "login", visitors.sign_in(subject), max_age_s=SIGNED_IN_S)
        return Answer(signed_in=True, message=result.message)


def _add_pages(site: FastAPI, visitors: Visitors) -> None:
    @site.get("/")
    async def start() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @site.get("/welcome", response_model=None)
    async def welcome(login: Annotated[str | None, Cookie()] = None) -> Response:
        if visitors.who(login) is None:
            return RedirectResponse("/", status_code=303)
        return FileResponse(INSIDE, headers={"Cache-Control": "no-store"})

    @site.post("/api/sign-out", status_code=204)
    async def sign_out(response: Response, login: Annotated[str | None, Cookie()] = None) -> None:
        visitors.sign_out(login)
        response.delete_cookie("login")

    site.mount("/page", StaticFiles(directory=PAGE))


async def _does_not_fit(request: Request, _: Exception) -> Response:
    return await problem(request, SiteRefusal(422, "invalid", "Something is missing, too long or no plain text."))


async def _guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """No request that changes anything comes from another site, and none is larger than is read."""
    refusal = _refused(request)
    response = await call_next(request) if refusal is None else await problem(request, refusal)
    response.headers.update(HEADERS)
    return response


def _refused(request: Request) -> SiteRefusal | None:
    if request.method in ("GET", "HEAD"):
        return None
    if urlsplit(request.headers.get("Origin", "")).netloc != request.headers.get("Host"):
        return SiteRefusal(403, "another_site", "This request came from another site. Open the page itself.")
    if request.method == "DELETE":
        return None
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal():
        return SiteRefusal(411, "no_length", "A request has to say how long it is.")
    if int(length) > MOST_BYTES:
        return SiteRefusal(413, "too_large", "This is more than a check needs. Start again.")
    return None


def _visitor(known: str | None, request: Request, response: Response) -> str:
    """The token of this browser, which gets one if it has none."""
    token = known or secrets.token_urlsafe(TOKEN_BYTES)
    _set_cookie(response, request, "visitor", token)
    return token


def _place(request: Request) -> Place:
    """Where a passkey counts: the guard has compared the origin with the host."""
    return Place(request.url.hostname or "", request.headers["Origin"])


def _set_cookie(response: Response, request: Request, name: str, token: str, *, max_age_s: float | None = None) -> None:
    response.set_cookie(
        name,
        token,
        max_age=None if max_age_s is None else int(max_age_s),
        httponly=True,
        samesite="strict",
        secure=request.url.hostname not in LOCAL,  # a browser reaches no other host without TLS and has a camera
    )

"""A faceauth service that judges nothing: it answers as it is told, and notes what it was asked."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, UploadFile
from fastapi.responses import JSONResponse

KEY = "fa_000000000000_a-key-that-no-browser-may-see"
LOOK = {"action": "look", "message": "Look into the camera.", "progress": 0.0, "obstacle": None}
ACCEPTED = {"verdict": "accept", "reason": "live_and_matched", "message": "A live person, and the right one."}
REFUSED = {"verdict": "reject", "reason": "attack_suspected", "message": "This looks like a photo or a screen."}


@dataclass
class Script:
    """What the service says, and what it was told.

    Attributes:
        ends_after: chunks until a session ends.
        result: of every session that has ended; the subject is added.
        prompts: of chunk after chunk; the last one stays.
        problem: status, reason, detail and headers of the answer to everything, for as many requests as are left.
        while_enrolling: what happens while it enrols somebody.
        frames: capture times of each chunk, in the order in which the chunks came.
    """

    ends_after: int = 2
    result: Any = field(default_factory=lambda: dict(ACCEPTED))
    prompts: list[dict[str, Any]] = field(default_factory=lambda: [LOOK])
    problem: tuple[int, str, str, dict[str, str]] | None = None
    problems_left: int = 10**6
    kinds: list[str] = field(default_factory=list)
    subjects: dict[str, str] = field(default_factory=dict)
    frames: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    enrolled: list[tuple[str, str, str, list[bytes]]] = field(default_factory=list)
    while_enrolling: Callable[[], Awaitable[None]] | None = None
    left: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)


def scripted_service(script: Script) -> FastAPI:
    """The service of a script."""
    service = FastAPI()

    @service.middleware("http")
    async def as_told(request: Request, call_next: Any) -> Any:
        script.keys.add(request.headers.get("Authorization", ""))
        if script.problem is None or script.problems_left <= 0:
            return await call_next(request)
        script.problems_left -= 1
        status, reason, detail, headers = script.problem
        body = {"title": "Refused", "status": status, "reason": reason, "detail": detail}
        return JSONResponse(body, status, headers, media_type="application/problem+json")

    @service.post("/v1/sessions", status_code=201)
    async def open_session(wanted: dict[str, str], request: Request) -> dict[str, Any]:
        script.clients.add(request.headers.get("Faceauth-Client", ""))
        session_id = secrets.token_urlsafe(16)
        script.kinds.append(wanted["kind"])
        script.subjects[session_id], script.frames[session_id] = wanted["subject"], {}
        return {"id": session_id, "kind": wanted["kind"], "expires_in_s": 120.0, "prompt": script.prompts[0]}

    @service.put("/v1/sessions/{session_id}/chunks/{number}")
    async def take_chunk(session_id: str, number: int, frames: list[UploadFile]) -> dict[str, Any]:
        for frame in frames:
            assert (await frame.read())[:2] == b"\xff\xd8", "no JPEG"
        script.frames[session_id][number] = [float(frame.filename or "nan") for frame in frames]
        ended = len(script.frames[session_id]) >= script.ends_after
        prompt = script.prompts[min(number + 1, len(script.prompts) - 1)]
        return {"state": "ended" if ended else "running", "prompt": prompt}

    @service.delete("/v1/sessions/{session_id}", status_code=204)
    async def leave(session_id: str) -> None:
        script.left.append(session_id)

    @service.get("/v1/sessions/{session_id}/result")
    async def result(session_id: str) -> Any:
        if len(script.frames[session_id]) < script.ends_after:
            body = {"title": "Conflict", "detail": "The session has not ended.", "reason": "session_running"}
            return JSONResponse(body, 409, media_type="application/problem+json")
        if not isinstance(script.result, dict):
            return JSONResponse(script.result)
        return JSONResponse({"subject": script.subjects[session_id], **script.result})

    @service.post("/v1/subjects/{name}/templates", status_code=201)
    async def enrol(name: str, request: Request) -> dict[str, Any]:
        form = await request.form()
        photos = [await photo.read() for photo in form.getlist("photos") if not isinstance(photo, str)]
        request_key = request.headers["Idempotency-Key"]
        if script.while_enrolling is not None:
            await script.while_enrolling()
        if request_key not in {one[2] for one in script.enrolled}:
            script.enrolled.append((name, str(form["consent"]), request_key, photos))
        return {"name": name, "templates": len(photos), "refused": []}

    return service

"""``/v1/subjects`` and ``/v1/identify``: who is enrolled, enrolment, and what one photo says."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from faceauth.gallery import delete_subject, find_subject, list_subjects
from faceauth.gallery.subjects import LONGEST_NAME
from faceauth.server.access import Caller, idempotency_key, needs, not_kept
from faceauth.server.api_keys import Scope
from faceauth.server.problems import documented, invalid
from faceauth.server.replies import EnrolledReply, ResultReply, SubjectReply, SubjectsReply, subject_reply
from faceauth.server.service import Service
from faceauth.server.uploads import MOST_PHOTOS, PHOTO_TYPES, read_photos, take_fields

SubjectName = Annotated[str, Path(min_length=1, max_length=LONGEST_NAME, description="The name of the person.")]
MaybeKey = Annotated[str | None, Depends(idempotency_key)]

UPLOAD = (400, 408, 413, 415)


def _body(
    image: str, *, several: bool, fields: Mapping[str, object] | None = None, required: Sequence[str] = ()
) -> dict[str, Any]:
    photo = {"type": "string", "format": "binary"}
    images = {"type": "array", "minItems": 1, "maxItems": MOST_PHOTOS, "items": photo} if several else photo
    properties = {image: images, **(fields or {})}
    schema = {
        "type": "object",
        "required": [image, *required],
        "properties": properties,
        "additionalProperties": False,
    }
    form = {"schema": schema, "encoding": {image: {"contentType": ", ".join(PHOTO_TYPES)}}}
    return {"requestBody": {"content": {"multipart/form-data": form}, "required": True}}


_FIELDS: dict[str, object] = {
    "consent": {"type": "string", "minLength": 1, "description": "What the person agreed to: a form and its date."},
    "keep_days": {"type": "number", "exclusiveMinimum": 0, "description": "Use the templates for so many days only."},
}
_NAME: dict[str, object] = {"name": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": "^[^/]+$"}}
_REPLACE: dict[str, object] = {
    "replace": {"type": "string", "enum": ["true", "false"], "description": "Renew the enrolment."}
}

ONE_PHOTO = _body("photo", several=False)
NEW_SUBJECT = _body("photos", several=True, fields=_NAME | _FIELDS, required=("name", "consent"))
TEMPLATES = _body("photos", several=True, fields=_FIELDS | _REPLACE, required=("consent",))


def subject_router(service: Service) -> APIRouter:
    """The routes of one service."""
    router = APIRouter(
        tags=["subjects"], responses=documented(401, 403, 422, 500, 503), dependencies=[Depends(not_kept)]
    )
    Admin = Annotated[Caller, Depends(needs(service, Scope.SUBJECTS))]
    run, gallery = service.queue.run, service.gallery

    @router.get("/v1/subjects")
    async def all_subjects(caller: Admin) -> SubjectsReply:
        """Everybody who is enrolled."""
        return SubjectsReply(subjects=[subject_reply(one) for one in await run(partial(list_subjects, gallery))])

    @router.post("/v1/subjects", status_code=201, responses=documented(*UPLOAD, 409), openapi_extra=NEW_SUBJECT)
    async def new_subject(request: Request, caller: Admin, key: MaybeKey) -> EnrolledReply:
        """Enrol a person from photos, each of which has to be accepted as live."""
        return await _enrol(service, request, caller, key, None)

    @router.get("/v1/subjects/{name}", responses=documented(404))
    async def one_subject(name: SubjectName, caller: Admin) -> SubjectReply:
        """What is kept about a person."""
        return subject_reply(await run(partial(find_subject, gallery, name)))

    @router.delete("/v1/subjects/{name}", status_code=204, responses=documented(404))
    async def remove_subject(name: SubjectName, caller: Admin) -> Response:
        """Delete a person for good. Backups keep them until they are deleted too."""
        await run(partial(delete_subject, gallery, name))
        return Response(status_code=204)

    @router.post(
        "/v1/subjects/{name}/templates",
        status_code=201,
        responses=documented(*UPLOAD, 404, 409),
        openapi_extra=TEMPLATES,
    )
    async def add_templates(name: SubjectName, request: Request, caller: Admin, key: MaybeKey) -> EnrolledReply:
        """Enrol the person of that name; with `replace` somebody who is there already."""
        return await _enrol(service, request, caller, key, name)

    return router


def photo_router(service: Service) -> APIRouter:
    """The routes that judge one photo."""
    router = APIRouter(
        tags=["photos"],
        responses=documented(*UPLOAD, 401, 403, 404, 422, 429, 500, 503),
        dependencies=[Depends(not_kept)],
    )
    MayLogIn = Annotated[Caller, Depends(needs(service, Scope.SESSIONS))]
    MaySearch = Annotated[Caller, Depends(needs(service, Scope.IDENTIFY))]

    @router.post("/v1/subjects/{name}/verify", responses=documented(423), openapi_extra=ONE_PHOTO)
    async def verify(name: SubjectName, request: Request, caller: MayLogIn) -> ResultReply:
        """Whether one photo shows that person, live. A session is harder to fool than one photo."""
        photo = await _one_photo(request)
        return await service.queue.run(partial(service.verify, name, photo, client=caller.client))

    @router.post("/v1/identify", responses=documented(423), openapi_extra=ONE_PHOTO)
    async def identify(request: Request, caller: MaySearch) -> ResultReply:
        """Whose face it is. To name the person is safer: a stranger is then compared with one and not with all."""
        photo = await _one_photo(request)
        return await service.queue.run(partial(service.identify, photo, client=caller.client))

    return router


async def _one_photo(request: Request) -> bytes:
    photos, fields = await read_photos(request, "photo", most=1)
    take_fields(fields, ())
    return photos[0]


async def _enrol(
    service: Service, request: Request, caller: Caller, key: str | None, named: str | None
) -> EnrolledReply:
    """``named`` by the path, or else by a field."""
    photos, fields = await read_photos(request, "photos", most=MOST_PHOTOS)
    take_fields(fields, ("consent", "keep_days", "name" if named is None else "replace"))
    name = _name(fields.get("name", "")) if named is None else named
    replace = fields.get("replace", "false")
    if replace not in ("true", "false"):
        raise invalid("'replace' is either true or false.")
    work = partial(
        service.enrol,
        name,
        photos,
        consent=fields.get("consent", ""),
        keep_days=_days(fields.get("keep_days")),
        replace=replace == "true",
    )
    fingerprint = _fingerprint(request.url.path, photos, fields)
    return await service.enrolments.once(caller.key.key_id, key, fingerprint, lambda: service.queue.run(work))


def _name(text: str) -> str:
    if not text or "/" in text:
        raise invalid("'name' is missing or holds a slash, with which nobody could be addressed.")
    return text


def _days(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 < days < 1e5:
        raise invalid("'keep_days' is no number of days above 0.")
    return days


def _fingerprint(path: str, photos: Sequence[bytes], fields: Mapping[str, str]) -> bytes:
    digests = [hashlib.sha256(photo).hexdigest() for photo in photos]
    return hashlib.sha256(repr((path, digests, sorted(fields.items()))).encode()).digest()

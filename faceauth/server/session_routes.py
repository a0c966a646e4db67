"""``/v1/sessions``: opened, fed, asked for the result, or left."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import ValidationError

from faceauth.server.access import Caller, needs, not_kept
from faceauth.server.api_keys import Scope
from faceauth.server.live_sessions import MOST_CHUNKS
from faceauth.server.problems import documented, invalid
from faceauth.server.replies import ChunkReply, OpenRequest, ResultReply, SessionReply
from faceauth.server.service import Service
from faceauth.server.uploads import check_media_type, read_frames

SessionId = Annotated[str, Path(description="The id of the session.")]
ChunkNumber = Annotated[int, Path(ge=0, lt=MOST_CHUNKS, description="Counted from 0, without a gap.")]

_OPEN_SCHEMA = OpenRequest.model_json_schema(ref_template="#/components/schemas/{model}")
del _OPEN_SCHEMA["$defs"]  # the same kinds are among the components, since an answer names them
_OPEN_BODY = {"content": {"application/json": {"schema": _OPEN_SCHEMA}}, "required": True}
_LINKS = {
    operation: {"operationId": operation, "parameters": {"session_id": "$response.body#/id"}}
    for operation in ("take_chunk", "read_result", "abandon_session")
}
_CHUNK_BODY = {
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["frames"],
                "additionalProperties": False,
                "properties": {
                    "frames": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "format": "binary"},
                        "description": "JPEGs, in the order of their capture. The file name of each is the time of its "
                        "capture in milliseconds, such as 1234.5, on a clock that never goes back.",
                    }
                },
            },
            "encoding": {"frames": {"contentType": "image/jpeg"}},
        }
    },
    "required": True,
}


def session_router(service: Service) -> APIRouter:
    """The routes of one service."""
    router = APIRouter(
        prefix="/v1/sessions",
        tags=["sessions"],
        responses=documented(401, 403, 404, 422, 500, 503),
        dependencies=[Depends(not_kept)],
    )
    Allowed = Annotated[Caller, Depends(needs(service, Scope.SESSIONS))]
    sessions = service.sessions

    @router.post(
        "",
        status_code=201,
        responses={**documented(400, 408, 413, 415, 423, 429), 201: {"description": "Created", "links": _LINKS}},
        openapi_extra={"requestBody": _OPEN_BODY},
    )
    async def open_session(request: Request, caller: Allowed) -> SessionReply:
        """Open a session, which serves once, for 120 s.

        With a subject it is a login of that person; without one it says whether the face is live.
        """
        check_media_type(request, "application/json")
        try:
            wanted = OpenRequest.model_validate_json(await request.body())
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise invalid(told) from None
        return await sessions.open(wanted.kind, wanted.subject, client=caller.client, key_id=caller.key.key_id)

    @router.put(
        "/{session_id}/chunks/{number}",
        responses=documented(400, 408, 409, 413, 415, 423),
        openapi_extra={"requestBody": _CHUNK_BODY},
    )
    async def take_chunk(session_id: SessionId, number: ChunkNumber, request: Request, caller: Allowed) -> ChunkReply:
        """Judge the next frames, and say what the person has to do now.

        The same chunk sent again gets the same answer, so it may be sent again after a lost connection. The first one
        charges an attempt to the person. Send one every 300 ms or sooner: the answer says what to ask or to paint.
        """
        live = sessions.find(session_id, caller.key.key_id)
        return await sessions.take(live, number, await read_frames(request))

    @router.get("/{session_id}/result", responses=documented(409))
    async def read_result(session_id: SessionId, caller: Allowed) -> ResultReply:
        """The one result, once the state is `ended`; it can be read for four minutes from the opening on."""
        return sessions.result(sessions.find(session_id, caller.key.key_id))

    @router.delete("/{session_id}", status_code=204, responses=documented())
    async def abandon_session(session_id: SessionId, caller: Allowed) -> Response:
        """Leave a session. What was judged of it stays charged."""
        await sessions.abandon(sessions.find(session_id, caller.key.key_id))
        return Response(status_code=204)

    return router

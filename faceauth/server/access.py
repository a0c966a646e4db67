"""Who calls: the key in the header ``Authorization``, its scopes, and the client whose attempts are counted."""

from collections.abc import Awaitable, Callable
from typing import Annotated, NamedTuple

from fastapi import Header, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from faceauth.errors import UsageError
from faceauth.server.api_keys import Scope, StoredKey
from faceauth.server.problems import Cause, Problem, logger
from faceauth.server.service import Service

CHALLENGE = {"WWW-Authenticate": "Bearer"}

_BEARER = HTTPBearer(auto_error=False, description="An API key: `faceauth keys add` makes one.")


class Caller(NamedTuple):
    """Whose request it is.

    Attributes:
        key: that was shown.
        client: whose attempts are counted: the key's name, and whom it asks for.
    """

    key: StoredKey
    client: str


CallerOf = Callable[..., Awaitable[Caller]]


def needs(service: Service, scope: Scope) -> CallerOf:
    """The dependency of a route that only keys with that scope may use."""

    async def caller(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None,
        faceauth_client: Annotated[
            str | None,
            Header(
                description="For which client of its own the key asks: at most 64 printable ASCII characters. Needs "
                "the scope `forward`.",
                pattern=r"^[!-~]{1,64}$",
            ),
        ] = None,
    ) -> Caller:
        key = await _key(service, None if credentials is None else credentials.credentials)
        request.state.key_name = key.name
        if scope not in key.scopes:
            raise Problem(403, Cause.SCOPE_MISSING, f"This key lacks the scope {scope}.")
        if faceauth_client is None:
            return Caller(key, key.name)
        if Scope.FORWARD not in key.scopes:
            raise Problem(403, Cause.SCOPE_MISSING, f"To name a client, a key needs the scope {Scope.FORWARD}.")
        return Caller(key, f"{key.name}/{faceauth_client}")

    return caller


def not_kept(response: Response) -> None:
    """Answers about people are not for caches."""
    response.headers["Cache-Control"] = "no-store"


async def _key(service: Service, text: str | None) -> StoredKey:
    try:
        service.keys.refresh()
    except UsageError as error:
        logger.error("the API keys cannot be read", exc_info=error)
        raise Problem(503, Cause.UNAVAILABLE, "The keys cannot be read.", retry_after_s=30) from None
    key = None
    if text is not None:
        key = service.keys.known(text)
        if key is None and service.keys.has(text):
            key = await service.proofs.run(lambda: service.keys.proved(text))
    if key is None:
        raise Problem(401, Cause.KEY_REFUSED, "Send a valid key: `Authorization: Bearer KEY`.", headers=CHALLENGE)
    return key


def idempotency_key(
    value: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Sent again with the same key, a request gets the same answer for a day.",
            pattern=r"^[!-~]{1,255}$",
        ),
    ] = None,
) -> str | None:
    """The header, where it was sent."""
    return value

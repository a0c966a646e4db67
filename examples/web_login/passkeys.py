"""Passkeys beside the face: what a device signs before a session is opened for a name. A file keeps the public keys.

The device verifies its user, by a PIN or by what it has; faceauth stands for no part of that.
"""

import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from examples.web_login.refusals import SiteRefusal

CHALLENGE_S = 600.0
"""Seconds in which a device may answer: photos are taken meanwhile. Chosen, not measured."""

MOST_QUESTIONS = 10_000
"""Of all visitors together, who need no code to be asked: a bound for the memory. Chosen, not measured."""

REFUSED = "This passkey does not open this name. Use the one that was made for it, or sign in another way."


class StoredPasskey(BaseModel):
    """What is kept of a passkey.

    Attributes:
        name: of the person to whom it belongs.
        public_key: base64url, as the device gave it.
        sign_count: how often the device says that it signed; 0 where it does not count.
    """

    name: str
    public_key: str
    sign_count: int


class Place(NamedTuple):
    """The site that a passkey is bound to: its host, and its origin."""

    host: str
    origin: str


class _Asked(NamedTuple):
    challenge: bytes
    until_s: float


class _Shown(BaseModel):
    id: str


_STORED = TypeAdapter(dict[str, StoredPasskey])
"""Credential id -> passkey."""


class Questions:
    """What devices were asked to sign: random, for one visitor and one name, and for a while.

    Args:
        clock: seconds, which never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asked: dict[tuple[str, str], _Asked] = {}

    def ask(self, visitor: str, name: str) -> bytes:
        """A new question. The one before it counts no longer, and where there are too many, nor does the oldest."""
        self._asked.pop((visitor, name), None)
        self._asked[visitor, name] = asked = _Asked(secrets.token_bytes(32), self._clock() + CHALLENGE_S)
        if len(self._asked) > MOST_QUESTIONS:
            del self._asked[next(iter(self._asked))]
        return asked.challenge

    def asked(self, visitor: str, name: str) -> bytes | None:
        """What may still be answered."""
        found = self._asked.get((visitor, name))
        return found.challenge if found is not None and found.until_s > self._clock() else None

    def take(self, visitor: str, name: str) -> bytes | None:
        """What may still be answered, once."""
        challenge = self.asked(visitor, name)
        self._asked.pop((visitor, name), None)
        return challenge


class Passkeys:
    """The passkeys of everybody who may sign in.

    Args:
        path: of the file, which need not exist.
        clock: seconds, which never go back.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._stored = _STORED.validate_json(path.read_bytes()) if path.exists() else {}
        self._creations, self._requests = Questions(clock), Questions(clock)

    def creation_options(self, visitor: str, name: str, place: Place) -> dict[str, Any]:
        """What the browser asks the device for, to make a passkey for ``name``."""
        options = generate_registration_options(
            rp_id=place.host,
            rp_name="Sign in with your face",
            user_name=name,
            challenge=self._creations.ask(visitor, name),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
        )
        return _as_json(options_to_json(options))

    def created(self, visitor: str, name: str, answer: str, place: Place) -> tuple[str, StoredPasskey]:
        """The passkey that a device made, to be kept when everything else is in order.

        Raises:
            SiteRefusal: the device did not verify its user, or answers another question.
        """
        challenge = self._creations.asked(visitor, name)
        if challenge is None:
            raise _refused("The passkey was not asked for, or too long ago. Start again.")
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=place.host,
                expected_origin=place.origin,
                require_user_verification=True,
            )
        except WebAuthnException as error:
            raise _refused("The device did not verify you. Start again.") from error
        credential_id = bytes_to_base64url(made.credential_id)
        passkey = StoredPasskey(
            name=name, public_key=bytes_to_base64url(made.credential_public_key), sign_count=made.sign_count
        )
        known = self._stored.get(credential_id, passkey)  # whoever makes one chooses its id
        if (known.name, known.public_key) != (passkey.name, passkey.public_key):
            raise _refused("There is a passkey of that id already. Start again.")
        return credential_id, known

    def keep(self, credential_id: str, passkey: StoredPasskey) -> None:
        """It opens sessions from now on."""
        self._write({**self._stored, credential_id: passkey})

    def request_options(self, visitor: str, name: str, place: Place) -> dict[str, Any]:
        """What the browser asks the device for, to show a passkey. It does not tell who has one."""
        options = generate_authentication_options(
            rp_id=place.host,
            challenge=self._requests.ask(visitor, name),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _as_json(options_to_json(options))

    def prove(self, visitor: str, name: str, answer: str, place: Place) -> None:
        """Whether a device with a passkey for ``name`` answered. A question serves once.

        Raises:
            SiteRefusal: it did not, or did not verify its user.
        """
        challenge = self._requests.take(visitor, name)
        try:
            credential_id = _Shown.model_validate_json(answer).id
        except ValidationError:
            raise _refused(REFUSED) from None
        known = self._stored.get(credential_id)
        if challenge is None or known is None or known.name != name:
            raise _refused(REFUSED)
        try:
            shown = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=place.host,
                expected_origin=place.origin,
                credential_public_key=base64url_to_bytes(known.public_key),
                credential_current_sign_count=known.sign_count,
                require_user_verification=True,
            )
        except WebAuthnException as error:
            raise _refused(REFUSED) from error
        self._write({**self._stored, credential_id: known.model_copy(update={"sign_count": shown.new_sign_count})})

    def _write(self, stored: dict[str, StoredPasskey]) -> None:
        part = self._path.with_name(self._path.name + ".part")
        with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            file.write(_STORED.dump_json(stored))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        self._stored = stored


def _refused(detail: str) -> SiteRefusal:
    return SiteRefusal(403, "passkey_refused", detail)


def _as_json(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found

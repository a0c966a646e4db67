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

from pydantic import BaseModel, TypeAdapter
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


class _Pending(NamedTuple):
    challenge: bytes
    until_s: float


_STORED = TypeAdapter(dict[str, StoredPasskey])
"""Credential id -> passkey."""


class Passkeys:
    """The passkeys of everybody who may sign in.

    Args:
        path: of the file, which need not exist.
        clock: seconds, which never go back.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._stored = _STORED.validate_json(path.read_bytes()) if path.exists() else {}
        self._pending: dict[tuple[str, str], _Pending] = {}

    def creation_options(self, visitor: str, name: str, place: Place) -> dict[str, Any]:
        """What the browser asks the device for, to make a passkey for ``name``."""
        options = generate_registration_options(
            rp_id=place.host,
            rp_name="Sign in with your face",
            user_name=name,
            challenge=self._challenge(visitor, name),
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
        pending = self._pending.get((visitor, name))
        if pending is None or pending.until_s <= self._clock():
            raise SiteRefusal(403, "passkey_refused", "The passkey was not asked for, or too long ago. Start again.")
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=pending.challenge,
                expected_rp_id=place.host,
                expected_origin=place.origin,
                require_user_verification=True,
            )
        except WebAuthnException as error:
            raise SiteRefusal(403, "passkey_refused", "The device did not verify you. Start again.") from error
        public_key = bytes_to_base64url(made.credential_public_key)
        return bytes_to_base64url(made.credential_id), StoredPasskey(
            name=name, public_key=public_key, sign_count=made.sign_count
        )

    def keep(self, credential_id: str, passkey: StoredPasskey) -> None:
        """It opens sessions from now on."""
        self._write({**self._stored, credential_id: passkey})

    def request_options(self, visitor: str, name: str, place: Place) -> dict[str, Any]:
        """What the browser asks the device for, to show a passkey. It does not tell who has one."""
        options = generate_authentication_options(
            rp_id=place.host,
            challenge=self._challenge(visitor, name),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _as_json(options_to_json(options))

    def prove(self, visitor: str, name: str, answer: str, place: Place) -> None:
        """Whether a device with a passkey for ``name`` answered. A question serves once.

        Raises:
            SiteRefusal: it did not, or did not verify its user.
        """
        pending = self._pending.pop((visitor, name), None)
        try:
            credential_id = str(json.loads(answer)["id"])
        except (ValueError, TypeError, KeyError):
            raise SiteRefusal(403, "passkey_refused", REFUSED) from None
        known = self._stored.get(credential_id)
        if pending is None or pending.until_s <= self._clock() or known is None or known.name != name:
            raise SiteRefusal(403, "passkey_refused", REFUSED)
        try:
            shown = verify_authentication_response(
                credential=answer,
                expected_challenge=pending.challenge,
                expected_rp_id=place.host,
                expected_origin=place.origin,
                credential_public_key=base64url_to_bytes(known.public_key),
                credential_current_sign_count=known.sign_count,
                require_user_verification=True,
            )
        except WebAuthnException as error:
            raise SiteRefusal(403, "passkey_refused", REFUSED) from error
        self._write({**self._stored, credential_id: known.model_copy(update={"sign_count": shown.new_sign_count})})

    def _challenge(self, visitor: str, name: str) -> bytes:
        now = self._clock()
        self._pending = {key: pending for key, pending in self._pending.items() if pending.until_s > now}
        pending = _Pending(secrets.token_bytes(32), now + CHALLENGE_S)
        self._pending[visitor, name] = pending
        return pending.challenge

    def _write(self, stored: dict[str, StoredPasskey]) -> None:
        part = self._path.with_name(self._path.name + ".part")
        with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            file.write(_STORED.dump_json(stored))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        self._stored = stored


def _as_json(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found

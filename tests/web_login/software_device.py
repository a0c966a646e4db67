"""A device that makes and shows passkeys, in software: what a browser would hand on, and lies where told to."""

import json
import os
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url

PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40


class SoftwareDevice:
    """One passkey.

    Attributes:
        credential_id: which it chooses itself.
        verifies: whether it verifies its user.
        count: how often it signed.
    """

    def __init__(self, credential_id: bytes | None = None) -> None:
        self.credential_id = credential_id or os.urandom(16)
        self.verifies, self.count = True, 0
        self._key = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: dict[str, Any], origin: str) -> str:
        """The answer to :meth:`Passkeys.creation_options`."""
        point = self._key.public_key().public_numbers()
        key = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
        made = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + key
        data = self._data(options["rp"]["id"], HAS_KEY) + made
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = _client_data("webauthn.create", options, origin)
        return self._answer(clientDataJSON=client, attestationObject=attestation)

    def show(self, options: dict[str, Any], origin: str) -> str:
        """The answer to :meth:`Passkeys.request_options`."""
        self.count += 1
        data, client = self._data(options["rpId"], 0), _client_data("webauthn.get", options, origin)
        signature = self._key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signature)

    def _data(self, host: str, more: int) -> bytes:
        flags = PRESENT | more | (VERIFIED if self.verifies else 0)
        return sha256(host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _answer(self, **response: bytes) -> str:
        own = bytes_to_base64url(self.credential_id)
        parts = {name: bytes_to_base64url(value) for name, value in response.items()}
        return json.dumps({"id": own, "rawId": own, "type": "public-key", "response": parts})


def _client_data(kind: str, options: dict[str, Any], origin: str) -> bytes:
    return json.dumps({"type": kind, "challenge": options["challenge"], "origin": origin}).encode()

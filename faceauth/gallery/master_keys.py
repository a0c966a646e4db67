"""The master key: it wraps the data keys of a gallery, and lies anywhere but beside it."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from faceauth.errors import KeyRefused
from faceauth.trusted_files import open_regular, refuse_writable_by_others

KEY_BYTES = 32
NONCE_BYTES = 12
VARIABLE = "FACEAUTH_MASTER_KEY"


class MasterKey(Protocol):
    """What wraps data keys: :class:`LocalKey`, or a class of your own that asks a KMS, a TPM or a keystore."""

    @property
    def key_id(self) -> str:
        """Names the key, without giving anything of it away; at most 128 characters."""
        ...

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """``data_key``, encrypted; ``context`` has to be given again to unwrap it."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """What was wrapped.

        Raises:
            KeyRefused: this is another key, or ``wrapped`` or ``context`` is not what it was.
        """
        ...


class LocalKey:
    """A master key of 32 bytes that this process holds; AES-256-GCM."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise KeyRefused(f"A master key has {KEY_BYTES} bytes, not {len(secret)}.")
        self._cipher = AESGCM(secret)
        self.key_id = hmac.new(secret, b"faceauth master key", hashlib.sha256).hexdigest()[:16]

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """The key in a file of mode 0600 that holds 32 bytes in base64.

        Raises:
            KeyRefused: the file does not exist, others may read it, or it holds no key.
        """
        try:
            refuse_writable_by_others(Path(path), called="master key")
            with open_regular(path) as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(1024)
        except OSError as error:
            raise KeyRefused(
                f"The master key {os.fspath(path)} cannot be read ({error.strerror}). Without it nobody can log in and "
                "no template can be read; a new one does not open the gallery."
            ) from None
        if os.name == "posix" and mode & 0o077:
            raise KeyRefused(
                f"Others than its owner may read the master key {os.fspath(path)} (mode {stat.S_IMODE(mode):o}): "
                "chmod 600 it, and rekey the gallery if they may have read it."
            )
        return cls(_decoded(text, os.fspath(path)))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The key in the variable ``FACEAUTH_MASTER_KEY``, base64.

        Raises:
            KeyRefused: it is not set, or holds no key.
        """
        if VARIABLE not in environ:
            raise KeyRefused(f"The variable {VARIABLE} is not set: it holds the master key, 32 bytes in base64.")
        return cls(_decoded(environ[VARIABLE].encode(), f"the variable {VARIABLE}"))

    @classmethod
    def create_file(cls, path: str | os.PathLike[str]) -> Self:
        """A new key in a new file, which the owner alone may read.

        Raises:
            KeyRefused: the file is there already, or cannot be written.
        """
        secret = secrets.token_bytes(KEY_BYTES)
        place = Path(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64encode(secret) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise KeyRefused(f"The master key {place} cannot be made ({error.strerror}).") from None
        return cls(secret)

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """As :meth:`MasterKey.wrap`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data_key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """As :meth:`MasterKey.unwrap`."""
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise KeyRefused(f"The master key {self.key_id} does not open this data key.") from None


def _decoded(text: bytes, where: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise KeyRefused(f"{where} holds no master key: expected {KEY_BYTES} bytes in base64.") from None

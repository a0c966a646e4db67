"""The master key: it wraps the data keys of a gallery, and is kept anywhere but beside it."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, Self, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from faceauth.errors import FaceAuthError, GalleryUnavailable, KeyRefused
from faceauth.trusted_files import open_trusted

KEY_BYTES = 32
NONCE_BYTES = 12
VARIABLE = "FACEAUTH_MASTER_KEY"
LONGEST_ID = 128

AnswerT = TypeVar("AnswerT")


class MasterKey(Protocol):
    """What wraps data keys: :class:`LocalKey`, or a class of your own that asks a KMS, a TPM or a keystore.

    It is used when a gallery is opened and when keys change, within a transaction: answer within seconds, or raise.
    Any exception except ``KeyRefused`` counts as "does not answer now": nobody is let in, and nothing is changed.
    ``faceauth.gallery.master_key_testing`` has these rules as tests.
    """

    @property
    def key_id(self) -> str:
        """Names the key without revealing anything about it: 1 to 128 printable characters, always the same."""
        ...

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """``data_key``, 32 bytes, encrypted; ``context``, UTF-8, has to be given again to unwrap it."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """What was wrapped, 32 bytes.

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
            UsageError: this is root, and others may change it.
        """
        try:
            with open_trusted(path, called="master key") as file:
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
        return cls(_decoded(environ[VARIABLE].encode(errors="replace"), f"the variable {VARIABLE}"))

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
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(base64.b64encode(secret) + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError:
                place.unlink()  # half a key would be taken for the gallery's own
                raise
        except OSError as error:
            raise KeyRefused(f"The master key {place} cannot be created ({error.strerror}).") from None
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


def id_of(key: MasterKey) -> str:
    """The key's id.

    Raises:
        KeyRefused: it is none.
        GalleryUnavailable: the key does not answer.
    """
    found = _asked(lambda: key.key_id)
    if not isinstance(found, str) or not 1 <= len(found) <= LONGEST_ID or not found.isprintable():
        raise KeyRefused(f"The id of a {type(key).__name__} is not 1 to {LONGEST_ID} printable characters.")
    return found


def wrap_with(key: MasterKey, data_key: bytes, context: bytes) -> bytes:
    """``data_key`` wrapped, and shown to open again: a KMS may let this program wrap and not unwrap.

    Raises:
        KeyRefused: the key does not open what it closed, or gives it away.
        GalleryUnavailable: the key does not answer.
    """
    wrapped = _asked(lambda: key.wrap(data_key, context))
    if not isinstance(wrapped, bytes) or data_key in wrapped or unwrap_with(key, wrapped, context) != data_key:
        raise KeyRefused(f"The master key {id_of(key)} cannot decrypt what it encrypted, so it is not used.")
    return wrapped


def unwrap_with(key: MasterKey, wrapped: bytes, context: bytes) -> bytes:
    """The data key.

    Raises:
        KeyRefused: it is another key, or what comes is not a data key.
        GalleryUnavailable: the key does not answer.
    """
    data_key = _asked(lambda: key.unwrap(wrapped, context))
    if not isinstance(data_key, bytes) or len(data_key) != KEY_BYTES:
        raise KeyRefused(f"What the master key {id_of(key)} unwraps is not a data key of {KEY_BYTES} bytes.")
    return data_key


def _asked(ask: Callable[[], AnswerT]) -> AnswerT:
    """What a key answers that may be somebody else's program, behind a network."""
    try:
        return ask()
    except FaceAuthError:
        raise
    except Exception as error:
        raise GalleryUnavailable(
            f"The master key does not answer ({type(error).__name__}: {error}). Nobody is let in and nothing is lost: "
            "try again when it does."
        ) from error


def _decoded(text: bytes, where: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise KeyRefused(f"{where} holds no master key: expected {KEY_BYTES} bytes in base64.") from None

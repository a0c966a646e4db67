"""API keys: who may call the service, and what for. A file of mode 0600 keeps their argon2 hashes, never a key.

A key is ``fa_ID_SECRET``. The ID finds the hash and is no secret; the secret has 256 random bits.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from pydantic import TypeAdapter, ValidationError

from faceauth.errors import UsageError
from faceauth.thresholds import Frozen
from faceauth.trusted_files import open_regular, refuse_writable_by_others

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
"""Names of keys: they are part of a client's name, so they hold no slash."""

MOST_BYTES = 2**20
PREFIX = "fa"


class Scope(StrEnum):
    """What a key may do.

    Attributes:
        SESSIONS: open sessions, and verify one photo of a named person.
        SUBJECTS: enrol people, list and delete them.
        IDENTIFY: ask whose face it is.
        FORWARD: say for which of its own clients it asks, so that their attempts are counted apart.
    """

    SESSIONS = "sessions"
    SUBJECTS = "subjects"
    IDENTIFY = "identify"
    FORWARD = "forward"


class StoredKey(Frozen):
    """What is kept of a key.

    Attributes:
        name: attempts are counted by it.
        key_id: the part of the key that finds it.
        hashed: argon2id, with its salt and its parameters.
    """

    name: str
    key_id: str
    scopes: tuple[Scope, ...]
    hashed: str
    created: datetime


_STORED = TypeAdapter(tuple[StoredKey, ...])


class KeyFile:
    """The keys in a JSON file that its owner alone may read.

    Args:
        path: of the file; it need not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def read(self) -> tuple[StoredKey, ...]:
        """Every key; none where there is no file.

        Raises:
            UsageError: others may read the file, or it holds no keys.
        """
        try:
            with open_regular(self.path) as file:
                mode, content = os.fstat(file.fileno()).st_mode, file.read(MOST_BYTES)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise UsageError(f"The API keys {self.path} cannot be read ({error.strerror}).") from None
        refuse_writable_by_others(self.path, called="file of API keys")
        if os.name == "posix" and mode & 0o077:
            raise UsageError(
                f"Others than its owner may read the API keys {self.path} (mode {stat.S_IMODE(mode):o}): chmod 600 it."
            )
        try:
            return _STORED.validate_json(content)
        except ValidationError:
            raise UsageError(f"{self.path} holds no API keys: `faceauth keys add` writes such a file.") from None

    def add(self, name: str, scopes: Collection[Scope]) -> str:
        """Make a key, and return it: it is kept nowhere.

        Raises:
            UsageError: the name is taken or none that a key can have, no scope is given, or the file cannot be written.
        """
        known = self.read()
        if not NAME.fullmatch(name):
            raise UsageError(f"{name[:64]!r} cannot be the name of a key: letters, digits, dot, dash and underscore.")
        if any(key.name == name for key in known):
            raise UsageError(f"There is a key {name} already: remove it first, or choose another name.")
        if not scopes:
            raise UsageError(f"A key without a scope opens nothing: name one of {', '.join(Scope)}.")
        key_id, text = _new_key()
        key = StoredKey(
            name=name,
            key_id=key_id,
            scopes=tuple(scope for scope in Scope if scope in scopes),
            hashed=PasswordHasher().hash(text),
            created=datetime.now(UTC),
        )
        self._write([*known, key])
        return text

    def remove(self, name: str) -> None:
        """Forget a key: a running service refuses it from then on.

        Raises:
            UsageError: there is none of that name, or the file cannot be written.
        """
        known = self.read()
        kept = [key for key in known if key.name != name]
        if len(kept) == len(known):
            raise UsageError(f"There is no key {name[:64]!r}. `faceauth keys list` shows the names.")
        self._write(kept)

    def _write(self, keys: Sequence[StoredKey]) -> None:
        part = self.path.with_name(self.path.name + ".part")
        content = json.dumps(_STORED.dump_python(tuple(keys), mode="json"), indent=1) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # O_EXCL: of two commands that change the file at once, the second is refused
            with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        except FileExistsError:
            raise UsageError(f"{part} is there: another command writes the keys, or was killed: delete it.") from None
        except OSError as error:
            raise UsageError(f"The API keys {self.path} cannot be written ({error.strerror}).") from None


class KeyRing:
    """Says whose key was shown. Changes of the file count at once.

    argon2 takes tens of milliseconds, so a key that was found right is known by its SHA-256 from then on: of 256 random
    bits nobody finds the preimage.
    """

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._read: tuple[object, ...] | None = None
        self._keys: dict[str, StoredKey] = {}
        self._proved: dict[StoredKey, bytes] = {}

    def refresh(self) -> None:
        """Read the file where it changed.

        Raises:
            UsageError: it cannot be used; nobody is let in then.
        """
        try:
            found = self._file.path.stat()
            state: tuple[object, ...] = (found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode)
        except OSError as error:
            state = (error.errno,)
        if state != self._read:
            try:
                keys = {key.key_id: key for key in self._file.read()}
            except BaseException:
                self._keys, self._read = {}, None
                raise
            # at once, and nothing is taken out of what was proved: several threads ask meanwhile
            self._keys, self._read = keys, state

    def known(self, text: str) -> StoredKey | None:
        """The key, if it was proved before; no argon2 is needed."""
        key = self._keys.get(_key_id(text))
        proved = None if key is None else self._proved.get(key)
        return key if proved is not None and hmac.compare_digest(proved, _digest(text)) else None

    def has(self, text: str) -> bool:
        """Whether there is a key of that ID, so that a proof is worth its time."""
        return _key_id(text) in self._keys

    def proved(self, text: str) -> StoredKey | None:
        """The key, by argon2, which compares in constant time; None for what is no key."""
        key = self._keys.get(_key_id(text))
        if key is None:
            return None
        try:
            PasswordHasher().verify(key.hashed, text)
        except (Argon2Error, InvalidHashError):
            return None
        self._proved[key] = _digest(text)
        return key


def _new_key() -> tuple[str, str]:
    key_id = secrets.token_hex(6)
    return key_id, f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"


def _key_id(text: str) -> str:
    return text.split("_", 2)[1] if text.count("_") >= 2 else ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()

"""The data keys of a gallery: each seals records with AES-256-GCM, and lies in the database wrapped by the master key.

A sealed record says which key it needs, and opens only under the facts that it was sealed with.
"""

import json
import secrets
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, insert, select, update

from faceauth.errors import GalleryTampered, KeyRefused
from faceauth.gallery import tables
from faceauth.gallery.master_keys import KEY_BYTES, NONCE_BYTES, MasterKey, id_of, unwrap_with, wrap_with
from faceauth.gallery.row_values import content

Facts = tuple[str | int, ...]
"""What a record is of: it is sealed together with them and opens under no others."""


class DataKeys:
    """The keys of the gallery ``gallery_id``, unwrapped on first use."""

    def __init__(self, master: MasterKey, gallery_id: str) -> None:
        self.master = master
        self._gallery_id = gallery_id
        self._opened: dict[str, AESGCM] = {}

    def create(self, connection: Connection, created_s: float) -> str:
        """A new key, which seals from now on; earlier keys only open."""
        key_id = str(uuid.uuid4())
        wrapped = wrap_with(self.master, secrets.token_bytes(KEY_BYTES), self._context(key_id))
        connection.execute(update(tables.data_keys).values(active=False))
        connection.execute(
            insert(tables.data_keys).values(
                key_id=key_id, master_key_id=id_of(self.master), wrapped=wrapped, active=True, created_s=created_s
            )
        )
        return key_id

    def active(self, connection: Connection) -> str:
        """Id of the key that seals."""
        return str(connection.execute(select(tables.data_keys.c.key_id).where(tables.data_keys.c.active)).scalar_one())

    def seal(self, connection: Connection, plain: bytes, facts: Facts) -> tuple[str, bytes]:
        """``plain`` sealed with the active key, and that key's id."""
        key_id, nonce = self.active(connection), secrets.token_bytes(NONCE_BYTES)
        return key_id, nonce + self._cipher(connection, key_id).encrypt(nonce, plain, self._associated(key_id, facts))

    def unseal(self, connection: Connection, key_id: str, sealed: bytes, facts: Facts) -> bytes:
        """What was sealed under these ``facts``.

        Raises:
            GalleryTampered: the record or one of its facts is not what it was.
            KeyRefused: the master key is the wrong one.
        """
        cipher, sealed = self._cipher(connection, key_id), content(sealed, "a sealed record")
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._associated(key_id, facts))
        except (InvalidTag, ValueError):
            raise GalleryTampered(
                f"The record {' '.join(map(str, facts))} does not open under its own name: it was changed, moved from "
                "another person, or damaged. Nobody is let in with it; enrol the person again."
            ) from None

    def rewrap(self, connection: Connection, new: MasterKey) -> None:
        """Wrap every data key with another master key, which takes the place of the present one."""
        for row in connection.execute(select(tables.data_keys)).all():
            context = self._context(row.key_id)
            wrapped = wrap_with(new, self._unwrapped(row.master_key_id, row.wrapped, context), context)
            connection.execute(
                update(tables.data_keys)
                .where(tables.data_keys.c.key_id == row.key_id)
                .values(wrapped=wrapped, master_key_id=id_of(new))
            )

    def check(self, connection: Connection) -> None:
        """Refuse a master key that is not the gallery's.

        Raises:
            KeyRefused: it is the wrong one.
        """
        self._cipher(connection, self.active(connection))

    def _cipher(self, connection: Connection, key_id: str) -> AESGCM:
        if key_id not in self._opened:
            row = connection.execute(select(tables.data_keys).where(tables.data_keys.c.key_id == key_id)).one_or_none()
            if row is None:
                raise GalleryTampered(f"The data key {key_id} is gone, and with it every record that it sealed.")
            data_key = self._unwrapped(row.master_key_id, row.wrapped, self._context(key_id))
            self._opened[key_id] = AESGCM(data_key)
        return self._opened[key_id]

    def _unwrapped(self, master_key_id: str, wrapped: bytes, context: bytes) -> bytes:
        if master_key_id != id_of(self.master):
            raise KeyRefused(
                f"The gallery belongs to the master key {master_key_id}, but {id_of(self.master)} was given. "
                "Nobody is let in and nothing is lost: name the right key."
            )
        return unwrap_with(self.master, content(wrapped, "a data key"), context)

    def _context(self, key_id: str) -> bytes:
        return json.dumps(["faceauth data key", self._gallery_id, key_id]).encode()

    def _associated(self, key_id: str, facts: Facts) -> bytes:
        return json.dumps([self._gallery_id, key_id, *facts]).encode()

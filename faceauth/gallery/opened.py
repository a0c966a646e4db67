"""A gallery of enrolled people: its database, its keys and its audit log, and one change at a time to all of them."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from faceauth.errors import GalleryRestored, GalleryTampered, GalleryUnavailable, UsageError
from faceauth.gallery import tables
from faceauth.gallery.audit_log import AuditLog, Line
from faceauth.gallery.data_keys import DataKeys
from faceauth.gallery.database import Database, checked_path
from faceauth.gallery.master_keys import MasterKey
from faceauth.gallery.migrating import migrate, newest_version, version_of
from faceauth.gallery.row_values import count, seconds


@dataclass
class Change:
    """What is done in one transaction, and what the audit log will say about it.

    Attributes:
        before: number of the last change that the database knew.
        sequence: number of this change.
        clock_at: the gallery's own clock in seconds. It stands still where the machine's jumps back.
        wall_s: seconds since 1970, for people.
    """

    connection: Connection
    before: int
    sequence: int
    clock_at: float
    wall_s: float
    lines: list[Line] = field(default_factory=list)

    def record(self, event: str, **facts: Any) -> None:
        """Put a line into the audit log, once the change is on disk."""
        told = datetime.fromtimestamp(self.wall_s, UTC).isoformat(timespec="milliseconds")
        self.lines.append({"time": told, "sequence": self.sequence, "event": event, **facts})

    def templates_changed(self) -> None:
        """Tell the searches in memory.

        The number of a change never comes again, not even after a restored backup; a count would.
        """
        self.connection.execute(update(tables.gallery_state).values(revision=self.sequence))


class Gallery:
    """Enrolled people, in a database that holds no unencrypted template.

    Args:
        where: path of a SQLite file, or a URL: ``sqlite:///...``, ``postgresql://user@host/name``.
        master_key: wraps the data keys; :class:`LocalKey`, or one of a KMS.
        audit_log: file of JSON lines; by default beside the SQLite file. Best kept where it is not restored together
            with the database.
        create: make a gallery if there is none.
        wall: the clock, for tests.

    Raises:
        GalleryUnavailable: there is no gallery, it cannot be reached, a newer faceauth wrote it, or the KMS of the
            master key does not answer.
        GalleryTampered: it was edited or damaged.
        KeyRefused: the master key is not the gallery's.
        UsageError: a path is not valid, or this process is root and others may change the gallery.
    """

    def __init__(
        self,
        where: str | os.PathLike[str],
        master_key: MasterKey,
        *,
        audit_log: str | os.PathLike[str] | None = None,
        create: bool = False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.database = Database(where, wall=wall)
        self.audit = AuditLog(_audit_path(self.database, audit_log))
        if create:
            self._refuse_a_lost_gallery()
            self.database.create_file()
        with self.database.transaction() as connection:
            new = version_of(connection) is None
            if new and not create:
                raise GalleryUnavailable("There is no gallery in this database. `faceauth enroll` makes one.")
            if version_of(connection) != newest_version():
                migrate(connection)
            self.keys = self._keys(connection, master_key, new=new)
            self.keys.check(connection)

    @contextmanager
    def change(self, *, restoring: bool = False) -> Iterator[Change]:
        """A single change: on disk, with its lines in the audit log, at the end of the block; or not made at all.

        If the audit log cannot be written, this raises after the change was made: the caller gets no answer.

        Raises:
            GalleryRestored: the database is older than the audit log; ``restoring`` is for what repairs that.
            GalleryUnavailable: database or audit log cannot be used.
        """
        with self.database.transaction() as connection:
            state = connection.execute(select(tables.gallery_state).with_for_update()).one()
            before = count(state.sequence, "the number of the last change")
            told = self.audit.last_sequence()
            if told > before and not restoring:
                raise GalleryRestored(
                    f"The database is at change {before}, but the audit log is at change {told}: a "
                    "backup was restored, and attempts and deleted people would come back. Nobody is let in. "
                    "`faceauth subjects accept-restored` brings it up to date."
                )
            wall_s = self.database.wall_s(connection)
            change = Change(
                connection=connection,
                before=before,
                sequence=max(before, told) + 1,
                clock_at=seconds(state.clock_at, "its clock") + max(0.0, wall_s - seconds(state.wall_s, "the time")),
                wall_s=wall_s,
            )
            connection.execute(
                update(tables.gallery_state).values(
                    sequence=change.sequence, clock_at=change.clock_at, wall_s=change.wall_s
                )
            )
            yield change
        self.audit.append(change.lines)

    def revision(self, connection: Connection) -> int:
        """Number of the last change of the templates."""
        found = connection.execute(select(tables.gallery_state.c.revision)).scalar_one()
        return count(found, "the number of a change")

    def _refuse_a_lost_gallery(self) -> None:
        """Make no new gallery where there was one: everybody in it would be gone, and every lock with them."""
        path = self.database.path
        if path is not None and not path.exists() and self.audit.last_sequence():
            raise GalleryUnavailable(
                f"There is no gallery at {path}, but its audit log {self.audit.path} mentions one. Restore it from a "
                "backup; to start afresh, move the audit log away."
            )

    def _keys(self, connection: Connection, master_key: MasterKey, *, new: bool) -> DataKeys:
        """The keys of the gallery, whose identity and first key are made where it is new."""
        state = connection.execute(select(tables.gallery_state)).one_or_none()
        if state is not None:
            return DataKeys(master_key, state.gallery_id)
        if not new:
            raise GalleryTampered("The gallery has lost its own record, without which nothing opens: restore a backup.")
        gallery_id, wall_s = str(uuid.uuid4()), self.database.wall_s(connection)
        connection.execute(
            insert(tables.gallery_state).values(
                id=1, gallery_id=gallery_id, sequence=0, revision=0, wall_s=wall_s, clock_at=0.0
            )
        )
        keys = DataKeys(master_key, gallery_id)
        keys.create(connection, wall_s)
        return keys


def _audit_path(database: Database, given: str | os.PathLike[str] | None) -> Path:
    if given is not None:
        return checked_path(given)
    if database.path is None:
        raise UsageError("A gallery in PostgreSQL needs the path of an audit log.")
    return database.path.with_name(database.path.name + ".audit.jsonl")

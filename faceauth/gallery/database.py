"""The database of a gallery: where it is, and one transaction at a time to write in it.

SQLite waits for the disk at every commit (WAL, synchronous FULL), overwrites what is deleted, and uses a file that only
its owner may read. The file is opened again for each transaction, so that a removed or swapped file is noticed. Errors
never contain values that are written or searched for: a traceback may end up in anybody's log.
"""

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from faceauth.errors import FaceAuthError, GalleryUnavailable, UsageError
from faceauth.trusted_files import refuse_writable_by_others

PRAGMAS = {
    "busy_timeout": "20000",
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "secure_delete": "ON",
    "foreign_keys": "ON",
}


class Database:
    """SQLite in a file, or PostgreSQL.

    Args:
        where: path of a SQLite file, or a URL: ``sqlite:///...``, ``postgresql://user@host/name``.
        wall: the clock, where the database has none.

    Attributes:
        path: of the SQLite file; None for PostgreSQL.

    Raises:
        UsageError: the place is none of these, or the driver is missing.
    """

    def __init__(self, where: str | os.PathLike[str], *, wall: Callable[[], float] = time.time) -> None:
        self.path = _sqlite_path(os.fspath(where))
        self._wall = wall
        if self.path is not None:
            self.engine = create_engine("sqlite://", creator=self._connected, poolclass=NullPool, hide_parameters=True)
            event.listen(self.engine, "begin", _begin_immediate)
        else:
            self.engine = _postgresql(os.fspath(where))

    def create_file(self) -> None:
        """Create the SQLite file, for its owner alone, if there is none."""
        if self.path is None:
            return
        try:
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise GalleryUnavailable(f"The gallery {self.path} cannot be created ({error.strerror}).") from None

    def check_file(self) -> None:
        """Refuse a SQLite file that does not exist, is not a regular file, or that others may read.

        Raises:
            GalleryUnavailable: it is so.
            UsageError: this is root, and somebody else may change the file: attempts could be forgiven.
        """
        if self.path is None:
            return
        try:
            found = self.path.stat()
        except OSError as error:
            raise GalleryUnavailable(
                f"There is no gallery at {self.path} ({error.strerror}). `faceauth enroll` makes one."
            ) from None
        if not stat.S_ISREG(found.st_mode):
            raise GalleryUnavailable(f"{self.path} is not a regular file, so it is not a gallery.")
        if os.name == "posix" and found.st_mode & 0o077:
            raise GalleryUnavailable(
                f"Others than its owner may read {self.path} (mode {stat.S_IMODE(found.st_mode):o}): chmod 600 it, and "
                "rekey the gallery if they may have read it."
            )
        refuse_writable_by_others(self.path, called="gallery")

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction, committed at the end of the block, or undone by any exception.

        Raises:
            GalleryUnavailable: the database cannot be reached or written.
        """
        self.check_file()
        with _errors_said(), self.engine.begin() as connection:
            yield connection

    def wall_s(self, connection: Connection) -> float:
        """Seconds since 1970: PostgreSQL's own clock, since several machines may write there."""
        if self.path is not None:
            return self._wall()
        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def forget_deleted(self) -> None:
        """Empty SQLite's write-ahead log, which holds pages from before a deletion.

        Raises:
            GalleryUnavailable: it cannot be emptied; the deletion itself is committed.
        """
        if self.path is None:
            return
        with _errors_said(), closing(self._connected()) as connection:
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise GalleryUnavailable(
                f"It is done, but another program is reading {self.path}, so its files still hold what was deleted. "
                "Once that program has ended, `faceauth subjects purge` overwrites it."
            )

    def _connected(self) -> sqlite3.Connection:
        # mode=rw: a file that has gone must not come back empty
        place = f"file:{quote(os.fsencode(str(self.path)))}?mode=rw"
        connection = sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False)
        for name, value in PRAGMAS.items():
            connection.execute(f"PRAGMA {name} = {value}")
        return connection


@contextmanager
def _errors_said() -> Iterator[None]:
    """Turns whatever the database raises into a sentence.

    Raises:
        GalleryUnavailable: it cannot be reached or written.
    """
    try:
        yield
    except FaceAuthError:
        raise
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise GalleryUnavailable(
            f"The gallery's database cannot be used ({' '.join(str(cause).split())}). Nobody is let in until it can."
        ) from error


def checked_path(where: str | os.PathLike[str]) -> Path:
    """The whole path of a file, if ``where`` can be one.

    Raises:
        UsageError: it holds a NUL or a lone surrogate.
    """
    try:
        possible = b"\0" not in os.fsencode(where)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise UsageError(f"{os.fspath(where)!r} cannot be the path of a file.")
    return Path(where).absolute()


def _sqlite_path(where: str) -> Path | None:
    if "://" not in where:
        return checked_path(where)
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        raise UsageError("The gallery's URL is not one: expected sqlite:///FILE or postgresql://...") from None
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise UsageError("A gallery in memory would forget lock-outs: name a file.")
        return checked_path(url.database)
    if url.get_backend_name() != "postgresql":
        raise UsageError(f"A gallery is kept in SQLite or PostgreSQL, not in {url.get_backend_name()}.")
    return None


def _begin_immediate(connection: Connection) -> None:
    """Take the right to write at once: what was read before a wait for it could be out of date."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _postgresql(where: str) -> Engine:
    url = make_url(where).set(drivername="postgresql+psycopg")
    options: dict[str, Any] = {
        "pool_pre_ping": True,
        "connect_args": {"connect_timeout": 5},
        "hide_parameters": True,
    }
    try:
        return create_engine(url, **options)
    except ModuleNotFoundError:
        raise UsageError("PostgreSQL needs psycopg: `pip install 'psycopg[binary]'`.") from None

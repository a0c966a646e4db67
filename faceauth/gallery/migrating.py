"""Brings the database of a gallery to the version that this program knows."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from faceauth.errors import GalleryUnavailable

_ONE_AT_A_TIME = 0x66616365
"""Key of PostgreSQL's advisory lock: two programs may start at once. Any number that nobody else uses."""


def migrate(connection: Connection) -> None:
    """Run the versions that are missing, within the transaction of ``connection``: all of them or none.

    Raises:
        GalleryUnavailable: a newer program than this one wrote the database.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
    config = _config(connection)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise GalleryUnavailable(
            f"The gallery has the version {version_of(connection)}, which this faceauth does not know ({error}). A "
            "newer faceauth wrote it: update this one."
        ) from None


def version_of(connection: Connection) -> str | None:
    """The version of the database; None where there is no gallery in it."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_version() -> str | None:
    """The version that this program knows."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def _config(connection: Connection | None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config

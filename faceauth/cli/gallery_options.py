"""The options that say where the gallery, its master key and its audit log are."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from faceauth.cli import output
from faceauth.errors import GalleryUnavailable

if TYPE_CHECKING:
    from faceauth.gallery import Gallery, LocalKey

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def gallery_options(command: CommandT) -> CommandT:
    """Adds ``--gallery``, ``--master-key`` and ``--audit-log``, which reach the command as keywords."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_gallery(
    gallery: str | None, master_key: Path | None, audit_log: Path | None, *, create: bool = False
) -> "Gallery":
    """The gallery that the options name.

    Args:
        gallery: path or URL; None for the default.
        master_key: file; None for ``FACEAUTH_MASTER_KEY``, and else the default file.
        audit_log: file; None for the default.
        create: make a gallery and a key where there is neither.

    Raises:
        UsageError: the extra ``login`` is not installed.
        GalleryError: the gallery or the key cannot be used.
    """
    from faceauth.gallery import Gallery

    where = gallery or str(_default_gallery())
    new = create and not _is_there(where)
    return Gallery(where, _master_key(master_key, create=new), audit_log=audit_log, create=create)


def folder_of(gallery: "Gallery") -> Path:
    """Where files that belong to the gallery lie: beside its audit log, since a database has no folder.

    Raises:
        GalleryUnavailable: it cannot be made.
    """
    folder = gallery.audit.path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise GalleryUnavailable(f"{folder} cannot be created ({error.strerror}).") from None
    return folder


def _master_key(path: Path | None, *, create: bool) -> "LocalKey":
    from faceauth.gallery.master_keys import VARIABLE, LocalKey

    if path is None and VARIABLE in os.environ:
        return LocalKey.from_environment()
    place = path or Path(click.get_app_dir("faceauth")) / "master.key"
    if create and not place.exists():
        key = LocalKey.create_file(place)
        output.note(f"A new master key is in {place}: keep a copy elsewhere. Without it every enrolment is lost.")
        return key
    return LocalKey.from_file(place)


def _is_there(where: str) -> bool:
    """Whether there is a gallery already: then no new key would open it."""
    from faceauth.gallery.database import Database
    from faceauth.gallery.migrating import version_of

    database = Database(where)
    if database.path is not None:
        return database.path.exists()
    with database.transaction() as connection:
        return version_of(connection) is not None


def _default_gallery() -> Path:
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "faceauth" / "gallery.sqlite"


_OPTIONS = (
    click.option(
        "--gallery",
        metavar="FILE|URL",
        envvar="FACEAUTH_GALLERY",
        help="Gallery of enrolled people: a SQLite file, or postgresql://... [default: in the user's data folder]",
    ),
    click.option(
        "--master-key",
        metavar="FILE",
        envvar="FACEAUTH_MASTER_KEY_FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File of mode 0600 with the master key; else FACEAUTH_MASTER_KEY holds it. [default: in the user's "
        "configuration folder]",
    ),
    click.option(
        "--audit-log",
        metavar="FILE",
        envvar="FACEAUTH_AUDIT_LOG",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Audit log, JSON lines. [default: beside a SQLite gallery]",
    ),
)

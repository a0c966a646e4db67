"""Reads the files that decide who gets in: configuration, weights, points and profiles.

A pipe, a device or a folder is refused at once, where reading could hang. PAM and sudo run this library as root; then
a file that others than root may change is refused too. Access control lists are not looked at.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from faceauth.errors import UsageError

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """The file, open for reading, if it is a regular one.

    Raises:
        OSError: it cannot be opened, or is not a regular file; ``strerror`` says what it is.
    """
    # A pipe without a writer would otherwise be waited for; O_BINARY is Windows', where files are text by default.
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a NUL or a lone surrogate in the path
        raise OSError(errno.EINVAL, str(error), os.fspath(path)) from None
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)  # of what is open, whatever lies under that name by now
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"it is {KINDS.get(kind, 'something else')}, not a regular file", os.fspath(path))
    return os.fdopen(descriptor, "rb")


def open_trusted(path: str | os.PathLike[str], *, called: str) -> BinaryIO:
    """:func:`open_regular`, if root may rely on the very file that is open.

    Raises:
        OSError: it cannot be opened, is not a regular file, or was swapped meanwhile; ``strerror`` says why.
        UsageError: this is root, and somebody else may change it.
    """
    file = open_regular(path)
    try:
        refuse_writable_by_others(Path(path), called=called)
        if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):  # the one that was asked about lies there now
            raise OSError(errno.ESTALE, "it was swapped while it was opened", os.fspath(path))
    except BaseException:
        file.close()
        raise
    return file


def read_trusted(path: str | os.PathLike[str], *, called: str, limit: int) -> bytes:
    """The content of a small file that decides who gets in.

    Args:
        path: of a regular file.
        called: what an error calls it, such as "configuration".
        limit: largest number of bytes.

    Raises:
        OSError: it cannot be opened, is not a regular file, or is larger than ``limit``; ``strerror`` says why.
        UsageError: this is root, and somebody else may change it.
    """
    with open_trusted(path, called=called) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", os.fspath(path))
    return content


def refuse_writable_by_others(path: Path, *, called: str) -> None:
    """With root's rights, a file or folder that is not root's alone is an error; without them nothing is asked.

    Args:
        path: file or folder; need not exist: opening it raises its own error.
        called: what an error calls it, such as "configuration".

    Raises:
        UsageError: the effective user is root, and somebody else may change ``path`` or a folder on the way to it.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    found = writable_by_others(path)
    if found is not None:
        raise UsageError(
            f"The {called} {path} decides who gets in, but others than root may change {found}. As root it is not "
            f"used: give it to root (chown root) and take the others' right to write (chmod go-w)."
        )


def writable_by_others(path: Path) -> Path | None:
    """The first of ``path`` and the folders on the way to it that somebody else than root may write; None for none.

    A link is followed: the way to the link counts, and the way to its target. In a folder with the sticky bit, such as
    ``/tmp``, no other user can replace what is root's, so it passes.
    """
    given, real = Path(os.path.abspath(path)), Path(os.path.realpath(path))
    for place in dict.fromkeys((real, *real.parents, given, *given.parents)):
        try:
            status = place.lstat()
        except OSError:
            continue
        if status.st_uid != 0 or _others_may_write(status):
            return place
    return None


def _others_may_write(status: os.stat_result) -> bool:
    mode = status.st_mode
    if stat.S_ISLNK(mode) or (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):  # a link's mode is meaningless
        return False
    return bool(mode & stat.S_IWOTH) or (bool(mode & stat.S_IWGRP) and status.st_gid != 0)

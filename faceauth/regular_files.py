"""Opens regular files and nothing else: a pipe, a device or a folder is refused at once, where reading could hang.

Also says whether a process with root's rights may trust a path.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

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
        OSError: it cannot be opened, or is no regular file; ``strerror`` says what it is.
    """
    # A pipe without a writer would otherwise be waited for; O_BINARY is Windows', where files are text by default.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)  # of what is open, whatever lies under that name by now
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"it is {KINDS.get(kind, 'something else')}, not a regular file", os.fspath(path))
    return os.fdopen(descriptor, "rb")


def changeable_by_others(path: Path) -> Path | None:
    """What a process with root's rights must not trust: the first of ``path`` and its folders that others may change.

    None where only root may, where the process has not root's rights, and on Windows.

    Raises:
        OSError: ``path`` is not there.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    place = path.resolve(strict=True)
    return next((one for one in (place, *place.parents) if _changeable(one.stat())), None)


def _changeable(facts: os.stat_result) -> bool:
    if facts.st_uid != 0:
        return True
    if stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX:
        return False  # as /tmp: others may add to it, but neither remove nor rename what is root's
    by_group = facts.st_mode & stat.S_IWGRP and facts.st_gid != 0
    return bool(by_group or facts.st_mode & stat.S_IWOTH)

"""A path in, whoever else than root may change what lies there out: asked only by a process with root's rights.

PAM and sudo run this library as root, and a configuration or a folder of weights decides who gets in. Access control
lists are not looked at.
"""

import os
import stat
from pathlib import Path

from faceauth.errors import UsageError


def refuse_writable_by_others(path: Path, *, called: str) -> None:
    """With root's rights, a file or folder that is not root's alone is an error; without them nothing is asked.

    Args:
        path: file or folder; need not exist, since whoever opens it says so in words of its own.
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
    ``/tmp``, nobody can replace what is root's, so it passes.
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

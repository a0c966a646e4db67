"""The images below a folder, found by their suffix; opens none of them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from faceauth.errors import UsageError

SUFFIXES = (".bmp", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".webp")
"""Which files of a folder are taken for images, in any case."""


def images_below(folder: Path) -> Iterator[Path]:
    """The images of a folder and its subfolders, sorted within each, without hidden ones or links to folders.

    Raises:
        UsageError: a folder cannot be read.
    """
    for path, subfolders, files in os.walk(folder, onerror=_refuse):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield Path(path, name)


def _refuse(error: OSError) -> NoReturn:
    raise UsageError(f"The folder {error.filename} cannot be read ({error.strerror}).") from error

"""Files that are written whole or not at all, and the videos of a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VIDEO_SUFFIXES = frozenset({".avi", ".mov", ".mp4", ".mkv"})


def video_files(folder: Path) -> Iterator[Path]:
    """AVI, MOV, MP4 and MKV files below ``folder``, sorted."""
    yield from sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write what becomes ``path``, a file or a folder, once the block ends without an error."""
    part = path.with_name(f"{path.name}.part")
    yield part
    os.replace(part, path)


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader never sees half of one."""
    with whole(path) as part:
        part.write_text(text)

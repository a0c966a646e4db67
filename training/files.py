"""Files that are there whole or not at all: a path in, its place to write to out."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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

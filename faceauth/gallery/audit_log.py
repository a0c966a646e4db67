"""The audit log: who did what when, one JSON object a line, appended and never changed.

It holds no pixels, no embeddings and no scores. Every line carries the number of the change it belongs to, so the log
also remembers what a restored database has forgotten. The same lines go to the logger ``faceauth.audit``.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from faceauth.errors import GalleryUnavailable

TAIL_BYTES = 65536
"""How much of the end is read for the last number; a line is far shorter."""

logger = logging.getLogger("faceauth.audit")

Line = Mapping[str, Any]


class AuditLog:
    """A file of JSON lines that its owner alone may read. Lines are on the disk before anybody gets an answer."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, lines: Sequence[Line]) -> None:
        """Write ``lines`` at the end, at once: other processes append to the same file.

        Raises:
            GalleryUnavailable: the file cannot be written.
        """
        if not lines:
            return
        texts = [json.dumps(line, ensure_ascii=True, sort_keys=False) for line in lines]
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
            try:
                torn = "" if self._ends_whole(descriptor) else "\n"  # a full disk cut the line before
                content = (torn + "".join(f"{text}\n" for text in texts)).encode()
                if os.write(descriptor, content) != len(content):
                    raise OSError(28, "the disk is full")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise GalleryUnavailable(
                f"The audit log {self.path} cannot be written ({error.strerror}). Nobody is let in until it can."
            ) from error
        for text in texts:
            logger.info("%s", text)

    def last_sequence(self) -> int:
        """Number of the last change it tells of; 0 for an empty or absent log.

        Raises:
            GalleryUnavailable: the file is there and cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(max(os.fstat(file.fileno()).st_size - TAIL_BYTES, 0))
                found = [line.get("sequence", 0) for line in _parsed(file.read())]
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise GalleryUnavailable(
                f"The audit log {self.path} cannot be read ({error.strerror}). Nobody is let in until it can."
            ) from error
        return max(found, default=0)

    def lines(self) -> list[Line]:
        """Every line, oldest first; what a full disk cut is left out."""
        try:
            return list(_parsed(self.path.read_bytes()))
        except FileNotFoundError:
            return []

    @staticmethod
    def _ends_whole(descriptor: int) -> bool:
        size = os.fstat(descriptor).st_size
        if size == 0:
            return True
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        return os.read(descriptor, 1) == b"\n"


def _parsed(content: bytes) -> Iterator[Line]:
    for text in content.splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("sequence"), int):
            yield line

"""The audit log: who did what when, one JSON object a line, appended and never changed.

It holds no pixels, no embeddings and no scores. Every line carries the number of the change it belongs to, so the log
also remembers what a restored database has forgotten. The same lines go to the logger ``faceauth.audit``.
"""

import errno
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from faceauth.errors import GalleryUnavailable

TAIL_BYTES = 65536
"""How much of the end is read for the last number; a line is far shorter."""

HIGHEST_SEQUENCE = 2**62
"""More than any gallery changes, and less than a database can count."""

logger = logging.getLogger("faceauth.audit")

Line = Mapping[str, Any]


class AuditLog:
    """A file of JSON lines that only its owner may read. Lines are on disk before anybody gets an answer."""

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
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
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
        """Number of the last change it records; 0 for an empty or absent log.

        Raises:
            GalleryUnavailable: the file is there and cannot be read, or was edited.
        """
        return max((line["sequence"] for line in self._parsed(self._content(TAIL_BYTES))), default=0)

    def lines(self) -> list[Line]:
        """Every line, by the number of its change: of two processes the later one may be quicker to write.

        What a full disk cut is left out.

        Raises:
            GalleryUnavailable: the file is there and cannot be read, or was edited.
        """
        return sorted(self._parsed(self._content()), key=lambda line: line["sequence"])

    def _content(self, tail_bytes: int | None = None) -> bytes:
        """The file, or the end of it; empty where there is none."""
        try:
            with self.path.open("rb") as file:
                if tail_bytes is not None:
                    file.seek(max(os.fstat(file.fileno()).st_size - tail_bytes, 0))
                return file.read()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise GalleryUnavailable(
                f"The audit log {self.path} cannot be read ({error.strerror}). Nobody is let in until it can."
            ) from error

    def _parsed(self, content: bytes) -> Iterator[Line]:
        """The lines. One cut short by a full disk is not JSON; JSON that faceauth never writes was put there."""
        for text in content.splitlines():
            try:
                line = json.loads(text)
            except RecursionError:
                line = None
            except ValueError:
                continue
            if not _is_ours(line):
                raise GalleryUnavailable(
                    f"The audit log {self.path} holds a line that faceauth never writes: it was edited or damaged. "
                    "Nobody is let in until it is whole: restore it from a backup, or take that line out."
                )
            yield line

    @staticmethod
    def _ends_whole(descriptor: int) -> bool:
        size = os.fstat(descriptor).st_size
        if size == 0:
            return True
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        return os.read(descriptor, 1) == b"\n"


def _is_ours(line: Any) -> bool:
    """Whether a line has the form of those that :meth:`AuditLog.append` writes, as far as anybody relies on it."""
    if not isinstance(line, dict) or type(line.get("sequence")) is not int or not isinstance(line.get("event"), str):
        return False
    failures = line.get("failures")
    named = [line[key] for key in ("subject", "model_id") if line.get(key) is not None]
    whole = {"enrolled": {"subject", "model_id"}, "deleted": {"subject"}, "purged": {"subject"}}
    return (
        0 < line["sequence"] < HIGHEST_SEQUENCE
        and all(isinstance(name, str) for name in named)
        and (failures is None or (type(failures) is int and failures >= 0 and "subject" in line))
        and whole.get(line["event"], set()) <= line.keys()
    )

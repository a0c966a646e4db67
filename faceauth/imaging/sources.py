"""Reads the bytes of a path or a binary file, within limits and in time, and names the source for messages.

A path must be a regular file, a file object may be anything: it gets ``READ_SECONDS`` in a separate thread. What no
program can interrupt is the operating system waiting for a regular file on a drive that hangs.
"""

import io
import os
import re
import stat
import threading
import time
from collections.abc import Callable
from typing import BinaryIO, TypeVar

from faceauth.errors import ImageUnreadable, printable
from faceauth.imaging.limits import ImageLimits, check_bytes
from faceauth.imaging.threads import in_thread

UNNAMED = "The image"
READ_SECONDS = 5.0
"""For the whole of a file object, or of a PIL image of a file. Chosen, not measured: an upload is in memory by then."""

MAX_READERS = 16
"""File objects that are read at the same time, the hanging ones included, whose threads cannot be ended."""

MAX_NAME_LENGTH = 200
"""Characters of a name in a message; longer ones lose their middle."""

_READ_BYTES = 2**18
"""Asked of a file at once: Python sets the memory aside before it reads, so asking for 32 MiB each time costs time."""
_LONGEST_PATH, _LONGEST_PART = 4096, 255  # of Linux, and more than elsewhere
_BASE64_OF_IMAGE = ("/9j/", "iVBORw0KGgo", "UklGR")  # how the base64 of a JPEG, a PNG and a WebP begins
_BASE64 = re.compile(r"[A-Za-z0-9+/=_\s-]{256,}")

_T = TypeVar("_T")
_readers = threading.BoundedSemaphore(MAX_READERS)


def source_name(source: object) -> str | None:
    """What to call a source in messages and results: a path that any terminal and JSON can show, None for other kinds.

    Text that cannot be a path, such as base64 or JSON, is told by its length and never repeated.
    """
    if not isinstance(source, str | os.PathLike):
        return None
    path = os.fsdecode(source)
    return f"A text of {len(path):,} characters" if _is_no_path(path) else _shown(path, _LONGEST_PATH)


def shown(text: str) -> str:
    """``text`` in a message: one line, printable, at most ``MAX_NAME_LENGTH`` characters."""
    return _shown(text, MAX_NAME_LENGTH)


def read_bytes(data: bytes | bytearray | memoryview, limits: ImageLimits) -> bytes:
    """The same bytes, immutable.

    Raises:
        ImageTooLarge: more than ``max_bytes``; nothing was copied.
    """
    check_bytes(data.nbytes if isinstance(data, memoryview) else len(data), UNNAMED, limits)
    return bytes(data)


def read_path(source: str | os.PathLike[str], limits: ImageLimits) -> tuple[bytes, str]:
    """The bytes of a regular file, and what to call it in messages.

    Raises:
        ImageUnreadable: a missing file, a folder, a pipe, a device, no permission, or text that is not a path.
        ImageTooLarge: more than ``max_bytes``.
    """
    path = os.fsdecode(source)
    name = shown(path)
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            facts = os.fstat(file.fileno())  # of what is open, whatever lies under that name by now
            if not stat.S_ISREG(facts.st_mode):
                raise ImageUnreadable(f"{name} is not a regular file: expected an image file. Give one image's path.")
            check_bytes(facts.st_size, name, limits)
            return _read_all(file, name, limits, deadline=None), name
    except (OSError, ValueError) as error:  # ValueError: a NUL or a lone surrogate in the path
        raise ImageUnreadable(_why_not_opened(path, error)) from None


def _why_not_opened(path: str, error: OSError | ValueError) -> str:
    if _is_no_path(path):
        return (
            f"A text of {len(path):,} characters is not an image's path: expected a path, or the bytes of an image "
            "file. Decode base64 with base64.b64decode, and a template with Template.model_validate_json."
        )
    name = shown(path)
    if isinstance(error, IsADirectoryError):
        return f"{name} is a folder: expected an image file. Give the path of one image."
    if isinstance(error, FileNotFoundError):
        return f"{name} does not exist: expected an image file. Check the path."
    reason = getattr(error, "strerror", None) or error
    return f"{name} cannot be opened ({reason}): expected a readable image file. Check its name and its permissions."


def read_file(file: BinaryIO, limits: ImageLimits) -> bytes:
    """All that a binary file object gives from where it stands.

    Raises:
        ImageUnreadable: it fails, gives no bytes, or has not come to its end within ``READ_SECONDS``.
        ImageTooLarge: more than ``max_bytes``; an endless one is read to one byte more.
    """
    if type(file) is io.BytesIO:
        return _read_all(file, UNNAMED, limits, deadline=None)
    deadline = time.monotonic() + READ_SECONDS
    return in_time(lambda: _read_all(file, UNNAMED, limits, deadline=deadline))


def in_time(read: Callable[[], _T]) -> _T:
    """What ``read`` returns or raises, within ``READ_SECONDS``; a thread that hangs is left behind.

    Raises:
        ImageUnreadable: it did neither in time, or ``MAX_READERS`` others hang.
    """
    readers = _readers

    def work() -> _T:
        try:
            return read()
        finally:
            readers.release()

    if not readers.acquire(timeout=READ_SECONDS):
        raise _too_slow()
    answer = in_thread(work)
    try:
        return answer.result(READ_SECONDS)
    except TimeoutError:
        if answer.done():  # the reader's own, of a socket
            raise
        raise _too_slow() from None


def _too_slow() -> ImageUnreadable:
    return ImageUnreadable(
        f"{UNNAMED} could not be read within {READ_SECONDS:g} seconds: expected a file that can be read at once. Read "
        "it yourself, and pass its bytes."
    )


def _read_all(file: BinaryIO, name: str, limits: ImageLimits, *, deadline: float | None) -> bytes:
    """At most ``max_bytes + 1`` bytes, so that an endless stream ends here."""
    parts: list[bytes] = []
    length = 0
    while length <= limits.max_bytes:
        if deadline is not None and time.monotonic() > deadline:
            raise _too_slow()
        try:
            part = file.read(min(limits.max_bytes + 1 - length, _READ_BYTES))
        except Exception as error:  # a closed file, a broken archive or whatever the caller's own reader raises
            raise ImageUnreadable(
                f"{name} cannot be read ({shown(str(error))}): expected an open binary file. Open it again."
            ) from error
        if not isinstance(part, bytes | bytearray):
            raise ImageUnreadable(
                f"{name}: reading gave {type(part).__name__}, expected bytes. Open the file in binary mode ('rb')."
            )
        if not part:
            return b"".join(parts)
        parts.append(bytes(part))
        length += len(part)
    check_bytes(length, name, limits)
    raise AssertionError("unreachable: the loop ends above max_bytes")


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe without a writer would otherwise be waited for; a regular file is read as usual."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_no_path(text: str) -> bool:
    """Whether a text is content rather than the name of a file, which is asked of what cannot be opened only."""
    ends = text.strip()[:1] + text.strip()[-1:]
    return (
        len(text) > _LONGEST_PATH
        or text.startswith(("data:", *_BASE64_OF_IMAGE))
        or ends in ("{}", "[]")
        or _BASE64.fullmatch(text) is not None
        or any(len(part) > _LONGEST_PART for part in re.split(r"[/\\]", text))
    )


def _shown(text: str, longest: int) -> str:
    if len(text) > longest:
        half = (longest - 3) // 2
        text = f"{text[:half]}...{text[-half:]}"
    return printable(text)

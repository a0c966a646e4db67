"""The only place of the command line that prints and writes files. Results go to stdout, everything else to stderr.

A stdout that cannot be written ends the command, because results would be lost; a stderr that cannot be written is left
alone, because the exit code says enough. rich honours NO_COLOR, and writes no colour to what is not a terminal.
"""

import errno
import json
import logging
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from faceauth.errors import FaceAuthError, UsageError
from faceauth.metrics.formatting import readable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDTH_OF_FILES = 120
"""Columns of what is written to a file or a pipe, where no terminal says how wide it is; chosen, not measured."""

NARROWEST = 40
"""Columns: in fewer a table says nothing; chosen, not measured."""

HEIGHT = 50
"""Lines, of which nothing here asks: rich would fail on a LINES that is not a number."""

LONGEST_ERROR = 1000
"""Characters of an error that are shown: an argument may be a photo in base64."""

MARKED_BYTES = 4096
"""How much of a file's start and end is searched for the mark of the command that wrote it."""


def line(text: str) -> None:
    """Write one line to stdout unchanged and at once: for machines, and for texts that must not be wrapped.

    Raises:
        BrokenPipeError: the reader of stdout has gone.
        FaceAuthError: stdout cannot be written.
    """
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as failed:  # ValueError: it is closed
        reason = getattr(failed, "strerror", None) or failed
        raise FaceAuthError(f"Results cannot be written to stdout ({reason}): write them to another place.") from failed


def json_line(facts: Mapping[str, object]) -> None:
    """Write one JSON object to stdout, in ASCII, so that it is valid in any encoding of stdout.

    Half a character, such as a byte of a file name that is not UTF-8, is written as the six characters of its escape.
    """
    line(json.dumps(_unicode(facts), separators=(",", ":")))


def show(content: "RenderableType") -> None:
    """Write a rich text or table to stdout, wrapped to the terminal, without rich's trailing spaces."""
    for rendered in _rendered(content, sys.stdout, soft_wrap=False).splitlines():
        line(rendered.rstrip())


def show_line(content: "RenderableType") -> None:
    """Write a rich text to stdout as one line, however narrow the terminal."""
    line(_rendered(content, sys.stdout, soft_wrap=True).removesuffix("\n"))


def note(text: str) -> None:
    """Write a remark to stderr: wrapped on a terminal, one line elsewhere."""
    from rich.text import Text

    _STDERR.write(_rendered(Text(text), sys.stderr, soft_wrap=not sys.stderr.isatty()))


def error(message: str) -> None:
    """Write what went wrong to stderr, as one line."""
    from rich.text import Text

    text = " ".join(message.split())
    if len(text) > LONGEST_ERROR:
        text = f"{text[: LONGEST_ERROR // 2]} ... {text[-LONGEST_ERROR // 2 :]}"
    content = Text.assemble(("Error: ", "bold red"), readable(text))
    _STDERR.write(_rendered(content, sys.stderr, soft_wrap=True))


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while the block runs, if that is a terminal; yields what to call with the number done."""
    if not sys.stderr.isatty() or total < 2:
        yield lambda done: None
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
    )
    # Only a stdout on the same terminal is routed around the bar: a redirected one keeps its lines.
    with bars.Progress(
        *columns, console=_console(sys.stderr, like=sys.stderr), transient=True, redirect_stdout=sys.stdout.isatty()
    ) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


def write(path: Path, content: bytes, *, mark: bytes) -> None:
    """Write a file, whole or not at all; its folder is created if it does not exist.

    Args:
        path: of the file.
        content: holds ``mark`` in its first or last 4,096 bytes.
        mark: by which a later run knows what this command wrote: nothing else that exists is overwritten.

    Raises:
        UsageError: as :func:`check_writable`.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(path, mark)
        part = path.with_name(f".faceauth-{os.getpid()}.part")
        try:
            with part.open("xb") as file:
                file.write(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def check_writable(path: Path, mark: bytes) -> None:
    """Refuse what :func:`write` would refuse, before the work starts whose result is to be written.

    Raises:
        UsageError: ``path`` cannot be written; it is a link or no regular file, which may lead anywhere; or it
            exists and an earlier run of the same command did not write it.
    """
    with writing(path):
        _refuse_foreign(path, mark)
        folder = path.parent
        while not os.path.lexists(folder):
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _refuse_foreign(path: Path, mark: bytes) -> None:
    if not os.path.lexists(path):
        return
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise UsageError(f"{path} is a link, a folder or a device: name a new file.")
    with path.open("rb") as file:
        start = file.read(MARKED_BYTES)
        file.seek(max(found.st_size - MARKED_BYTES, 0))
        if found.st_size and mark not in start and mark not in file.read():
            raise UsageError(f"{path} was not written by this command, so it is not overwritten: name another place.")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns whatever prevents writing ``path`` into a sentence.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        yield
    except OSError as failed:
        raise UsageError(f"{path} cannot be written ({failed.strerror}): name another place.") from failed


def show_library_warnings() -> None:
    """Warnings of the library, such as a model's licence, as lines on stderr.

    Its errors are left out: they come back in the results, and their tracebacks are for :func:`show_library_errors`.
    """
    handler = logging.StreamHandler(_STDERR)
    handler.setFormatter(logging.Formatter("Note: %(message)s"))
    handler.addFilter(lambda record: record.levelno < logging.ERROR)
    logger = logging.getLogger("faceauth")
    logger.addHandler(handler)
    logger.propagate = False


def show_library_errors() -> None:
    """Errors of the library with their tracebacks on stderr: what a stage raised."""
    handler = logging.StreamHandler(_STDERR)
    handler.setLevel(logging.ERROR)
    logging.getLogger("faceauth").addHandler(handler)


class _Stderr:
    """stderr as it is at the time of writing, since a progress bar replaces it; what it refuses is dropped."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()

    def flush(self) -> None:
        """Done by :meth:`write`."""


_STDERR = _Stderr()


def _unicode(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_unicode(key): _unicode(inner) for key, inner in value.items()}
    return [_unicode(inner) for inner in value] if isinstance(value, list | tuple) else value


def _rendered(content: "RenderableType", stream: TextIO, *, soft_wrap: bool) -> str:
    """As text with the colours that ``stream`` takes. rich itself would write past a progress bar, and end with 1."""
    text = StringIO()
    _console(text, like=stream).print(content, soft_wrap=soft_wrap)
    return text.getvalue()


def _console(file: TextIO, *, like: TextIO) -> "Console":
    from rich.console import Console

    shown = True if like.isatty() else None  # None: FORCE_COLOR decides
    return Console(
        file=file, force_terminal=shown, highlight=False, markup=False, emoji=False, width=_width(like), height=HEIGHT
    )


def _width(stream: TextIO) -> int:
    """COLUMNS where that is a width, else the terminal's; some wrappers of terminals set COLUMNS=0."""
    with suppress(ValueError):
        asked = int(os.environ.get("COLUMNS", ""))
        if asked > 0:
            return max(asked, NARROWEST)
    with suppress(OSError, ValueError):
        return max(os.get_terminal_size(stream.fileno()).columns, NARROWEST) if stream.isatty() else WIDTH_OF_FILES
    return WIDTH_OF_FILES

"""Texts, tables and pictures in, bytes on stdout, stderr or disk out: the only place of the CLI that prints.

Results go to stdout, everything else to stderr. Knows no command. rich honours NO_COLOR, and writes no colour to what
is no terminal.
"""

import errno
import logging
import os
import stat
import sys
import traceback as python_traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceauth.errors import UsageError
from faceauth.metrics.formatting import readable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDTH_OF_FILES = 120
"""Columns of what is written to a file or a pipe, where no terminal says how wide it is; chosen, not measured."""

MARKED_BYTES = 4096
"""How much of a file's start and end is searched for the mark of the command that wrote it."""


def line(text: str) -> None:
    """One line to stdout as it is, at once: for machines, and for texts that must not be wrapped."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show(content: "RenderableType") -> None:
    """A rich text or table to stdout, wrapped to the terminal, without the spaces that rich fills lines with."""
    for rendered in _rendered(content, soft_wrap=False).splitlines():
        line(rendered.rstrip())


def show_line(content: "RenderableType") -> None:
    """A rich text to stdout as one line, however narrow the terminal."""
    line(_rendered(content, soft_wrap=True).removesuffix("\n"))


def note(text: str) -> None:
    """A remark to stderr."""
    click.echo(text, err=True)


def error(message: str) -> None:
    """What went wrong, as one line on stderr."""
    from rich.text import Text

    content = Text.assemble(("Error: ", "bold red"), readable(" ".join(message.split())))
    _console(stderr=True).print(content, soft_wrap=True)


def traceback() -> None:
    """The exception being handled, in full, on stderr: for bugs of ours only."""
    note(python_traceback.format_exc())
    error("This is a bug of faceauth: please report it with the lines above.")


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
        *columns, console=_console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    ) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


def write(path: Path, content: bytes, *, mark: bytes) -> None:
    """A file, whole or not at all; its folder is made where it is not there.

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
        UsageError: ``path`` cannot be written; it is a link or no regular file, which leads nobody knows where; or it
            is there and an earlier run of the same command did not write it.
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
    """Makes a sentence of what stands in the way of writing ``path``.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        yield
    except OSError as failed:
        raise UsageError(f"{path} cannot be written ({failed.strerror}): name another place.") from failed


def show_library_warnings() -> None:
    """Warnings of the library, such as a model's licence, as lines on stderr.

    Its errors are left out: they come back in the results, and their tracebacks are for programs that log.
    """
    handler = logging.StreamHandler(_Stderr())
    handler.setFormatter(logging.Formatter("Note: %(message)s"))
    handler.addFilter(lambda record: record.levelno < logging.ERROR)
    logger = logging.getLogger("faceauth")
    logger.addHandler(handler)
    logger.propagate = False


class _Stderr:
    """stderr as it is at the time of writing: a progress bar replaces it while it runs."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _rendered(content: "RenderableType", *, soft_wrap: bool) -> str:
    """As text with colours, and not printed by rich: it would write past a progress bar instead of above it."""
    console = _console(stderr=False)
    with console.capture() as captured:
        console.print(content, soft_wrap=soft_wrap)
    return captured.get()


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH_OF_FILES
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)

"""Starts the command line, and ends the process with its exit code and never with another.

This module stands beside the package because ``import faceauth`` fails where OpenCV cannot be loaded. Python itself
would end with 1, which means that somebody was judged and rejected.
"""

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from types import FrameType
from typing import Literal, NoReturn, TextIO

BROKEN = 4
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""

SYSTEM_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
}
"""Shared library that OpenCV or onnxruntime needs -> package of Debian and Ubuntu; slim containers lack them."""

_MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file")


def main() -> NoReturn:
    """The console script ``faceauth``."""
    code = BROKEN
    try:
        _open_missing_streams()
        code = _exit_code()
    finally:
        # Not sys.exit: a stage that was left behind may still compute in a thread of its own, and a network whose
        # interpreter is taken down under it aborts the process.
        os._exit(code)


def what_to_install(error: ImportError) -> str:
    """One sentence about a library that cannot be imported."""
    found = " ".join(str(error).split())
    library = _MISSING_LIBRARY.search(found)
    if library is None:
        again = "pip install --force-reinstall"
        return f"A library cannot be imported ({found}): install faceauth again, with all it needs (`{again}`)."
    package = SYSTEM_PACKAGES.get(library[1])
    where = f" (Debian and Ubuntu: `apt install {package}`)" if package else ""
    return f"The system library {library[1]} is missing: install the package that holds it{where}."


def _exit_code() -> int:
    was_interrupted = _watch_interrupts()
    try:
        from faceauth.cli import main as run_command_line

        code = run_command_line()
        with suppress(OSError, ValueError):  # what was written is flushed already, unless that failed
            sys.stdout.flush()
        return code
    except BaseException as error:
        if was_interrupted() or isinstance(error, KeyboardInterrupt):
            _say("Error: Interrupted.")
            return INTERRUPTED
        if isinstance(error, ImportError):
            _say(f"Error: {what_to_install(error)}")
        else:
            _say(f"{traceback.format_exc()}Error: This is a bug in faceauth. Please report it with the lines above.")
        return BROKEN


def _watch_interrupts() -> Callable[[], bool]:
    """Whether Ctrl-C was pressed: native code that it interrupts may raise another error in its place."""
    seen = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else the caller wants it to be ignored
        signal.signal(signal.SIGINT, interrupt)
    return lambda: bool(seen)


def _open_missing_streams() -> None:
    """Daemons and windowed programs start without streams; a file opened later must not become one of them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    sys.stdin = sys.stdin or _nothing("r")
    sys.stdout = sys.stdout or _nothing("w")
    sys.stderr = sys.stderr or _nothing("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the encoding lacks is shown all the same


def _nothing(mode: Literal["r", "w"]) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")


def _say(text: str) -> None:
    """A line to stderr; where nobody can read it, the exit code says enough."""
    with suppress(OSError, ValueError):
        sys.stderr.write("".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text))
        sys.stderr.write("\n")
        sys.stderr.flush()

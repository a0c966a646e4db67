"""What reaches the terminal, and what does not."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from faceauth.cli import output
from faceauth.errors import UsageError

Process = Callable[..., "CompletedProcess[str]"]


def test_warnings_of_the_library_are_notes_and_its_errors_stay_in_the_results(process: Process) -> None:
    noisy = """
import logging
def noisy():
    logging.getLogger("faceauth").warning("a licence")
    logging.getLogger("faceauth").error("a failed stage")
faceauth.cli.program.add_command(click.Command("noisy", callback=noisy))
"""
    ran = process("noisy", before=noisy)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "Note: a licence\n")


def test_error_of_several_lines_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    output.error("found\n  this\x1b[2J, [bold]expected[/bold]\nthat")
    assert capsys.readouterr() == ("", "Error: found this\\x1b[2J, [bold]expected[/bold] that\n")


def test_file_is_written_with_its_folder(tmp_path: Path) -> None:
    output.write(tmp_path / "new" / "a.bin", b"abc")
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"abc"


def test_file_that_cannot_be_written_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name another place"):
        output.write(tmp_path, b"abc")


def test_wide_text_is_one_line_only_where_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.text import Text

    output.show_line(Text("word " * 60))
    assert capsys.readouterr().out.count("\n") == 1
    output.show(Text("word " * 60))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1 and all(line == line.rstrip() for line in lines)

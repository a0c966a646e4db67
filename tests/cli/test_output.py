"""What reaches the terminal, and what does not."""

import json
import os
from functools import partial
from pathlib import Path

import pytest

from faceauth.cli import output
from faceauth.errors import UsageError

from .conftest import Process


def test_warnings_of_the_library_are_notes_and_its_errors_stay_in_the_results(process: Process) -> None:
    noisy = """
import click, faceauth.cli, logging
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


def test_error_that_repeats_a_whole_photo_is_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    output.error(f"data:{'A' * 100_000} does not exist: name a photo.")
    said = capsys.readouterr().err
    assert len(said) < 1100 and said.startswith("Error: data:") and said.endswith("name a photo.\n")


def test_json_with_half_a_character_is_still_unicode(capsys: pytest.CaptureFixture[str]) -> None:
    output.json_line({"name": "\udcff", "paths": ["\udc80", 1, None], "inner": {"\udcff": True}})
    expected = {"name": r"\udcff", "paths": [r"\udc80", 1, None], "inner": {r"\udcff": True}}
    assert json.loads(capsys.readouterr().out) == expected


MARK = b"written by a test"


def test_file_is_written_with_its_folder_and_leaves_no_other(tmp_path: Path) -> None:
    output.write(tmp_path / "new" / "a.bin", b"abc" + MARK, mark=MARK)
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"abc" + MARK
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.bin"]


def test_file_that_cannot_be_written_is_an_error_of_the_caller_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path, tmp_path / "file" / "below"):
        for attempt in (partial(output.write, content=MARK), output.check_writable):
            with pytest.raises(UsageError, match=r"name another place|name a new file"):
                attempt(place, mark=MARK)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_folder_without_permission_is_found_beforehand(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        output.check_writable(tmp_path / "new" / "a.bin", MARK)


@pytest.mark.parametrize("filler", [b"", b"x" * 10_000])
def test_own_file_is_written_again_by_its_mark_at_either_end(tmp_path: Path, filler: bytes) -> None:
    path = tmp_path / "a.bin"
    for content in (MARK + filler, filler + MARK, MARK):
        output.check_writable(path, MARK)
        output.write(path, content, mark=MARK)
        assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"precious", b"x" * 5000 + MARK + b"x" * 5000])
def test_foreign_file_is_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    for attempt in (partial(output.write, content=MARK), output.check_writable):
        with pytest.raises(UsageError, match="not overwritten"):
            attempt(path, mark=MARK)
    assert path.read_bytes() == content


def test_empty_file_holds_nothing_to_lose(tmp_path: Path) -> None:
    (tmp_path / "a.bin").touch()
    output.write(tmp_path / "a.bin", MARK, mark=MARK)


def test_links_and_devices_are_never_written_through(tmp_path: Path) -> None:
    ours, link, hard, fifo = (tmp_path / name for name in ("ours", "link", "hard", "fifo"))
    ours.write_bytes(MARK)
    link.symlink_to(tmp_path / "elsewhere")
    os.link(ours, hard)
    os.mkfifo(fifo)
    for place in (link, hard, fifo, Path("/dev/null")):
        for attempt in (partial(output.write, content=MARK + b"new"), output.check_writable):
            with pytest.raises(UsageError, match="link"):
                attempt(place, mark=MARK)
    assert ours.read_bytes() == MARK and not (tmp_path / "elsewhere").exists()


def test_wide_text_is_one_line_only_where_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.text import Text

    output.show_line(Text("word " * 60))
    assert capsys.readouterr().out.count("\n") == 1
    output.show(Text("word " * 60))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1 and all(line == line.rstrip() for line in lines)

"""How the process ends: 1 says that somebody was rejected, so nothing else may end with 1."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faceauth.cli.exit_codes import Exit
from faceauth_command import what_to_install

from .conftest import ATTACK, LIVE, Photo, Process

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


@pytest.fixture(autouse=True)
def interruptions_are_heard() -> Iterator[None]:
    """Also where a script runs the tests in the background: its children would inherit that Ctrl-C is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


ADD_COMMAND = "import click, faceauth.cli\nfaceauth.cli.program.add_command(click.Command('added', callback=added))"


@pytest.mark.parametrize(
    ("brightness", "code", "redirect"),
    [(LIVE, 0, "2>&-"), (LIVE, 0, ">&-"), (LIVE, 0, "<&- >&- 2>&-"), (LIVE, 0, "2>/dev/full"), (ATTACK, 1, ">&- 2>&-")],
)
def test_streams_that_nobody_reads_do_not_change_the_verdict(
    process: Process, photo: Photo, brightness: tuple[int, int], code: int, redirect: str
) -> None:
    assert process("verify", photo("a.png", brightness), redirect=redirect).returncode == code


@pytest.mark.parametrize("redirect", ["2>/dev/full", ">&- 2>&-"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("verify", "nobody.jpg"), 2), (("verify", "--nonsense"), 2), (("plugins", "check", "absent"), 4)],
)
def test_errors_that_nobody_can_read_keep_their_exit_code(
    process: Process, arguments: tuple[str, ...], code: int, redirect: str
) -> None:
    assert process(*arguments, redirect=redirect).returncode == code


@pytest.mark.parametrize("arguments", [("verify", "nobody.jpg"), ("plugins", "check", "absent")])
def test_an_error_is_not_a_verdict_when_the_reader_of_stderr_has_gone(
    process: Process, arguments: tuple[str, ...]
) -> None:
    gone = "import os\nreader, writer = os.pipe()\nos.close(reader)\nos.dup2(writer, 2)"
    assert process(*arguments, before=gone).returncode in (2, 4)


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--explain",)])
def test_results_that_do_not_fit_on_the_disk_are_an_error(
    process: Process, photo: Photo, arguments: tuple[str, ...]
) -> None:
    ran = process("verify", photo("a.png"), *arguments, redirect=">/dev/full")
    assert ran.returncode == Exit.BROKEN
    assert ran.stderr.count("\n") == 1 and "stdout" in ran.stderr and "No space left" in ran.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("verify", "--help"), ("--version",)])
def test_help_that_does_not_fit_on_the_disk_is_an_error(process: Process, arguments: tuple[str, ...]) -> None:
    ran = process(*arguments, redirect=">/dev/full")
    assert ran.returncode == Exit.BROKEN and ran.stderr.count("\n") == 1 and "No space left" in ran.stderr


def test_a_reader_of_results_that_has_gone_never_reads_as_a_verdict(process: Process, photo: Photo) -> None:
    gone = "import os\nreader, writer = os.pipe()\nos.close(reader)\nos.dup2(writer, 1)"
    for arguments in (("verify", photo("a.png")), ("--help",)):
        ran = process(*arguments, before=gone)
        assert (ran.returncode, ran.stderr) == (Exit.BROKEN, "")


def test_quiet_needs_no_stdout_at_all(process: Process, photo: Photo) -> None:
    assert process("verify", "--quiet", photo("a.png"), redirect=">/dev/full").returncode == Exit.ACCEPTED


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_name_that_the_encoding_lacks_is_shown_all_the_same(process: Process, photo: Photo, encoding: str) -> None:
    ran = process("verify", photo("\u0444.png"), PYTHONIOENCODING=encoding)
    assert ran.returncode == Exit.ACCEPTED and ran.stderr == ""
    assert r"\u0444.png" in ran.stdout or "\u0444.png" in ran.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_valid_whatever_the_encoding_of_stdout(process: Process, photo: Photo, encoding: str) -> None:
    path = photo("caf\u00e9 \u0444.png")
    ran = process("verify", "--json", path, PYTHONIOENCODING=encoding)
    assert ran.returncode == Exit.ACCEPTED and json.loads(ran.stdout)["source"] == str(path)


@pytest.mark.parametrize("columns", ["0", "-5", "wide", "\u00b2"])
def test_columns_that_are_no_width_change_nothing(process: Process, photo: Photo, columns: str) -> None:
    ran = process("verify", "-v", photo("a.png"), "--explain", COLUMNS=columns, LINES=columns)
    assert ran.returncode == Exit.ACCEPTED and ran.stdout.startswith("ACCEPT") and ran.stderr == ""
    assert max(map(len, ran.stdout.splitlines())) > 70


def test_columns_of_any_width_show_the_verdict(process: Process, photo: Photo) -> None:
    paths = (photo("a.png"), photo("b.png"))
    for columns in ("1", "9" * 12):
        ran = process("verify", *paths, "--explain", COLUMNS=columns)
        assert ran.returncode == Exit.ACCEPTED and "ACCEPT" in ran.stdout and ran.stderr == ""


@pytest.mark.parametrize("command", ["verify a.jpg", "doctor", "--version"])
def test_opencv_that_cannot_be_imported_is_one_sentence(process: Process, tmp_path: Path, command: str) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file: No such file')")
    ran = process(*command.split(), PYTHONPATH=str(tmp_path))
    assert (ran.returncode, ran.stdout) == (Exit.BROKEN, "")
    assert ran.stderr.count("\n") == 1 and "`apt install libgl1`" in ran.stderr


def test_the_module_ends_as_the_command_does_where_opencv_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file: No such file')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))}
    ran = subprocess.run([sys.executable, "-m", "faceauth", "doctor"], env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (Exit.BROKEN, "")
    assert ran.stderr.count("\n") == 1 and "`apt install libgl1`" in ran.stderr


def test_a_library_that_a_command_cannot_import_is_one_sentence(process: Process, photo: Photo, tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("")
    ran = process("verify", photo("a.png"), PYTHONPATH=str(tmp_path))
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (Exit.BROKEN, "", 1)
    assert "rich" in ran.stderr and "install faceauth again" in ran.stderr


def test_what_to_install_names_the_package_only_where_it_is_known() -> None:
    known = ImportError("libgthread-2.0.so.0: cannot open shared object file: No such file or directory")
    assert "`apt install libglib2.0-0`" in what_to_install(known)
    unknown = ImportError("libfoo.so.3: cannot open shared object file: No such file or directory")
    assert "libfoo.so.3" in what_to_install(unknown) and "apt" not in what_to_install(unknown)


def test_a_bug_never_reads_as_a_verdict(process: Process) -> None:
    ran = process("added", before=f"def added(): 1 / 0\n{ADD_COMMAND}")
    assert ran.returncode == Exit.BROKEN
    assert "ZeroDivisionError" in ran.stderr and "report" in ran.stderr.splitlines()[-1]


@pytest.mark.parametrize("code", ["", "0", "1", "'text'"])
def test_a_plugin_does_not_choose_the_exit_code(process: Process, code: str) -> None:
    ran = process("added", before=f"def added(): raise SystemExit({code})\n{ADD_COMMAND}")
    assert ran.returncode == Exit.BROKEN


def test_a_click_error_of_any_kind_is_a_usage_error(process: Process) -> None:
    ran = process("added", before=f"import click\ndef added(): raise click.FileError('a.txt', 'gone')\n{ADD_COMMAND}")
    assert ran.returncode == Exit.USAGE and ran.stderr.count("\n") == 1


def test_an_interruption_never_reads_as_a_verdict(process: Process) -> None:
    ran = process("added", before=f"def added(): raise KeyboardInterrupt\n{ADD_COMMAND}")
    assert (ran.returncode, ran.stdout, ran.stderr) == (Exit.INTERRUPTED, "", "Error: Interrupted.\n")


def test_an_interruption_that_an_import_turns_into_another_error_is_still_one(process: Process) -> None:
    interrupted = """
import os, signal, sys, time

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(10)
            except KeyboardInterrupt:
                raise ImportError("initialization failed")

sys.meta_path.insert(0, Interrupted())
"""
    ran = process("--version", before=interrupted)
    assert (ran.returncode, ran.stderr) == (Exit.INTERRUPTED, "Error: Interrupted.\n")
    assert process("--version", before=interrupted, redirect="2>/dev/full").returncode == Exit.INTERRUPTED


def test_ctrl_c_ends_with_130_while_a_stage_computes(command_line: Callable[..., Any], photo: Photo) -> None:
    command, environment = command_line("verify", photo("a.png"), "--liveness", "hanging")
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None and running.stderr.readline() == "hanging\n"
    time.sleep(0.5)  # until the main thread waits for the stage: Python may miss a signal just before
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (Exit.INTERRUPTED, "", "Error: Interrupted.\n")


TEARDOWN = "import atexit\natexit.register(print, 'the interpreter is taken down')"
"""Threads of onnxruntime that still compute abort the process while the interpreter is taken down."""


def test_a_time_out_ends_with_4_under_the_stage_that_still_computes(process: Process, photo: Photo) -> None:
    arguments = ("verify", photo("a.png"), "--liveness", "hanging", "--set", "stage_timeout_s=0.1")
    ran = process(*arguments, before=TEARDOWN)
    assert ran.returncode == Exit.BROKEN and "did not answer within 0.1 s" in ran.stdout
    assert "taken down" not in ran.stdout


def test_python_m_faceauth_is_the_same_command(environment: dict[str, str], photo: Photo) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "faceauth", "plugins", "check", "nobody"]
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    ran = subprocess.run(command, env={**environment, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60)
    assert ran.returncode == Exit.USAGE and "nobody" in ran.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_shells_get_a_completion_script(process: Process, shell: str) -> None:
    ran = process(_FACEAUTH_COMPLETE=f"{shell}_source")
    assert ran.returncode == Exit.ACCEPTED and "_FACEAUTH_COMPLETE" in ran.stdout


def test_completion_for_an_unknown_shell_is_not_a_verdict(process: Process) -> None:
    assert process(_FACEAUTH_COMPLETE="cmd_source").returncode == Exit.USAGE

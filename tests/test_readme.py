"""What the README prints is what the commands print, and the code it shows runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n\$ (faceauth [^\n]+)\n(.*?)```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
WIDTH = "100"
MAIN = "from faceauth_command import main; main()"


def without_time(text: str) -> list[str]:
    """Lines without trailing blanks, and without the one that says how long it took."""
    return [line.rstrip() for line in text.strip().splitlines() if not line.startswith("time ")]


def test_the_readme_shows_output_and_code() -> None:
    assert CONSOLE and PYTHON


@pytest.mark.parametrize(("command", "printed"), CONSOLE, ids=[command for command, _ in CONSOLE])
def test_commands_print_what_the_readme_shows(command: str, printed: str) -> None:
    environment = {**os.environ, "COLUMNS": WIDTH, "NO_COLOR": "1"}
    arguments = [sys.executable, "-c", MAIN, *command.split()[1:]]
    ran = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert without_time(ran.stdout) == without_time(printed)


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_code_of_the_readme_runs(code: str) -> None:
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr

"""Writes what the commands in README and docs print: ``python -m docs.write_output``.

A block of the language ``console`` is one command behind ``$`` and its output below.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
BLOCK = re.compile(r"(?<=^```console\n)\$ (faceauth [^\n]+)\n(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
COLUMNS = "100"


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Each command of a page and the output shown below it."""
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield found[1], found[2]


def output_of(command: str) -> str:
    """What the command prints for people in a clone's root, without settings of this machine."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FACEAUTH_")}
    ran = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=ROOT,
        env={**environment, "COLUMNS": COLUMNS, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return "".join(f"{line.rstrip()}\n" for line in ran.stdout.splitlines())


def main() -> None:
    """Run every command, and write its output below it."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(BLOCK.sub(lambda found: f"$ {found[1]}\n{output_of(found[1])}", text), encoding="utf-8")


if __name__ == "__main__":
    main()

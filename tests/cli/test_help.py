"""What ``--help`` and ``docs/cli.md`` say of every command and option, and what ``--help`` loads."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from faceauth.cli import program
from faceauth.cli.exit_codes import MEANING

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def commands(command: click.Command = program, path: str = "faceauth") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, f"{path} {name}")


COMMANDS = dict(commands())
OPTIONS = {
    f"{path} {option.opts[0]}": option
    for path, command in COMMANDS.items()
    for option in command.params
    if isinstance(option, click.Option)
}


def test_the_walk_finds_the_commands() -> None:
    assert {"faceauth verify", "faceauth plugins check", "faceauth models verify", "faceauth doctor"} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_a_sentence_and_prints_its_help(path: str) -> None:
    assert (COMMANDS[path].help or "").strip().split("\n\n")[0].rstrip().endswith((".", "?"))
    shown = CliRunner().invoke(program, [*path.split()[1:], "--help"], prog_name="faceauth")
    assert shown.exit_code == 0 and shown.stdout.startswith(f"Usage: {path}")


@pytest.mark.parametrize("path", OPTIONS)
def test_every_option_has_a_sentence(path: str) -> None:
    text = (OPTIONS[path].help or "").split(" [default")[0]
    assert text[:1].isupper() and text.rstrip().endswith(".")


@pytest.mark.parametrize("path", COMMANDS)
def test_list_of_commands_shows_whole_sentences(path: str) -> None:
    shown = CliRunner().invoke(program, [*path.split()[1:], "--help"], prog_name="faceauth").stdout
    listed = shown.partition("\nCommands:")[2].partition("Exit codes")[0]
    assert "..." not in listed


@pytest.mark.parametrize("path", COMMANDS)
def test_docs_mention_every_command(path: str) -> None:
    assert path in DOCS


@pytest.mark.parametrize("path", OPTIONS)
def test_docs_mention_every_option(path: str) -> None:
    assert OPTIONS[path].opts[-1 if OPTIONS[path].opts[-1].startswith("--") else 0] in DOCS


def test_docs_and_help_hold_the_table_of_exit_codes() -> None:
    shown = CliRunner().invoke(program, ["verify", "--help"]).stdout
    for code, meaning in MEANING.items():
        assert f"{int(code)}  {meaning}" in shown
        assert f"| {int(code)} | {meaning} |" in DOCS


def test_every_option_named_in_the_docs_exists() -> None:
    named = set(re.findall(r"`(?:-\w`, `)?(--[a-z-]+)", DOCS)) - {"--help", "--version"}
    assert named <= {spelling for option in OPTIONS.values() for spelling in option.opts}


def test_choosing_insightface_says_what_its_packs_are_for() -> None:
    for option in ("--detector", "--embedder"):
        assert "non-commercial research" in (OPTIONS[f"faceauth verify {option}"].help or "")


def test_version_is_shown() -> None:
    shown = CliRunner().invoke(program, ["--version"])
    assert shown.exit_code == 0 and shown.stdout.startswith("faceauth")


def test_a_group_without_a_command_shows_its_help() -> None:
    shown = CliRunner().invoke(program, [])
    assert shown.exit_code in (0, 2) and "verify" in shown.output and "Error" not in shown.output


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom faceauth.cli import program\n"
        "try: program(['verify', '--help'])\n"
        "except SystemExit: print(*sorted(name.split('.')[0] for name in sys.modules), sep='\\n', file=sys.stderr)"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert "Usage:" in ran.stdout
    assert not set(ran.stderr.split()) & {"onnxruntime", "matplotlib", "rich", "torch", "insightface", "sklearn"}

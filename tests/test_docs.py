"""What the docs point to is there: files, tests, modules, and words that select a test."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = sorted(path for folder in (ROOT, ROOT / "docs", ROOT / "benchmarks") for path in folder.glob("*.md"))
CODE = re.compile(r"`([^`\n]+)`")


def quoted(page: Path) -> list[str]:
    """Everything in back quotes."""
    return CODE.findall(page.read_text(encoding="utf-8"))


def _names(path: Path) -> list[str]:
    return re.findall(r"^ *def (test_\w+)", path.read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_test_file_that_is_named_exists(page: Path) -> None:
    named = [part for code in quoted(page) for part in code.split() if part.startswith("tests/")]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = {code for code in quoted(ROOT / "docs" / "threat_model.md") if re.fullmatch(r"test_\w+", code)}
    everywhere = {name for path in (ROOT / "tests").rglob("test_*.py") for name in _names(path)}
    assert named and named <= everywhere


def test_every_selection_of_tests_selects_some() -> None:
    commands = [code for code in quoted(ROOT / "docs" / "verify.md") if code.startswith("pytest ") and " -k " in code]
    assert commands
    for command in commands:
        found = re.fullmatch(r'pytest (\S+) -k "?([\w ]+?)"?', command)
        assert found is not None, command
        path, words = found.groups()
        for word in words.split(" or "):
            assert any(word in name for name in _names(ROOT / path)), f"{command}: {word} selects nothing"


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_module_that_is_to_be_run_exists(page: Path) -> None:
    modules = {found for code in quoted(page) for found in re.findall(r"python -m ([\w.]+)", code)}
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def test_every_answer_of_the_threat_model_names_what_holds_it() -> None:
    """A test, a file of measurements, the caller's program, or plainly nothing."""
    page = (ROOT / "docs" / "threat_model.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ") and " | " in line]
    answers = [row[-1] for row in rows if len(row) == 4 and row[0] != "attacker"]
    assert len(answers) > 8
    for held_by in answers:
        named = CODE.findall(held_by)
        assert held_by in ("your program", "-") or named, held_by
        for name in named:
            there = name.startswith("test_") or name == "card.json" or (ROOT / name).exists()
            assert there, f"{name} is not there"

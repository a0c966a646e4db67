"""The docs: every code block works, what they point to is there, generated pages are fresh, and the site builds.

Blocks of the language ``python`` are run, page by page; of ``console`` run and compared; of ``toml`` read as settings;
of ``sh`` only checked for commands and options that exist, since they install packages and open cameras. No other
language may be used.
"""

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs import write_output, write_reference
from faceauth import load_config
from faceauth.cli import program
from faceauth.server.problems import Cause

ROOT = Path(__file__).parents[1]
SITE_PAGES = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *SITE_PAGES]
DOCS = [*PAGES, *(ROOT / folder / "README.md" for folder in ("benchmarks", "tests"))]
GUIDE = ROOT / "docs" / "plugins.md"  # its files are installed and run by tests/plugins/test_guide.py
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")


def of(folder_page: Path) -> str:
    """The page as the name of a test."""
    return str(folder_page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in that language."""
    return [code for found, code in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def with_blocks(language: str) -> list[Path]:
    """The pages that have any."""
    return [page for page in PAGES if page != GUIDE and blocks(page, language)]


def quoted(page: Path) -> list[str]:
    """Everything in back quotes."""
    return CODE.findall(page.read_text(encoding="utf-8"))


# Code blocks.


@pytest.mark.parametrize("page", PAGES, ids=of)
def test_every_code_block_is_of_a_language_that_is_tested(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert {language for language, _ in BLOCK.findall(text)} <= {"python", "console", "toml", "sh"}
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(BLOCK.findall(text))
    assert re.findall(r"(?<![-*\d.] )(?<=[.:!]\n\n) {4}\S[^\n]*", text) == [], "fence this block"


@pytest.mark.slow
@pytest.mark.parametrize("page", with_blocks("python"), ids=of)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    code = "\n".join(blocks(page, "python"))
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "printed"), [block for page in write_output.PAGES for block in write_output.blocks(page)]
)
def test_a_command_prints_what_the_docs_show(command: str, printed: str) -> None:
    assert write_output.output_of(command) == printed, "run `python -m docs.write_output`"


@pytest.mark.parametrize("page", with_blocks("toml"), ids=of)
def test_the_toml_of_a_page_is_settings(page: Path) -> None:
    for code in blocks(page, "toml"):
        load_config(arguments=tomllib.loads(code), environ={})


@pytest.mark.parametrize("page", PAGES, ids=of)
def test_every_command_and_option_in_the_docs_exists(page: Path) -> None:
    for line in _lines_with_faceauth(page):
        _resolve(shlex.split(line, comments=True)[1:], line)


def _lines_with_faceauth(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    for code in blocks(page, "sh"):
        yield from (line for line in code.splitlines() if line.startswith("faceauth "))
    yield from (code for code in CODE.findall(BLOCK.sub("", text)) if code.startswith("faceauth "))


def _resolve(words: list[str], line: str) -> None:
    command: click.Command = program
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    known = {name for one in command.get_params(click.Context(command)) for name in one.opts}
    assert [word for word in words if word.startswith("-") and word not in known | {"-", "&&"}] == [], line
    assert command is not program or not words or words[0].startswith("-") or words[0].isupper(), line


# What the docs point to.


@pytest.mark.parametrize("page", DOCS, ids=of)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    made_by_the_build = {"model_card.md", "data_card.md", "security_policy.md"} if page in SITE_PAGES else set()
    assert [link for link in links if not (page.parent / link).exists() and link not in made_by_the_build] == []


@pytest.mark.parametrize("page", DOCS, ids=of)
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


def _names(path: Path) -> list[str]:
    return re.findall(r"^ *def (test_\w+)", path.read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("page", DOCS, ids=of)
def test_every_module_that_is_to_be_run_exists(page: Path) -> None:
    code = [*quoted(page), *blocks(page, "sh")]
    modules = {found for one in code for found in re.findall(r"python -m ([\w.]+)", one)} - {"venv"}
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "benchmarks" / "README.md"], ids=of)
def test_no_page_for_users_names_a_folder_that_they_cannot_have(page: Path) -> None:
    assert re.findall(r"FACEAUTH_SHARED|\$SHARED|\.\./shared", page.read_text(encoding="utf-8")) == []


# What the code writes.


@pytest.mark.parametrize("name", write_reference.PAGES)
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    stored = (write_reference.FOLDER / name).read_text(encoding="utf-8")
    assert stored == write_reference.PAGES[name](), "run `python -m docs.write_reference`"


def test_every_problem_is_answered_with_the_status_that_its_page_names() -> None:
    page = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", write_reference.problems_page(), re.M))
    assert set(page) == {str(cause) for cause in Cause}
    found: set[tuple[str, str]] = set()
    for path in (ROOT / "faceauth" / "server").glob("*.py"):
        code = path.read_text(encoding="utf-8")
        found |= {(Cause[name], status) for status, name in re.findall(r"Problem\(\s*(\d+), Cause\.(\w+)", code)}
        found |= {(Cause[name], status) for status, name in re.findall(r"(\d+): Cause\.(\w+)", code)}
    assert found == set(page.items())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material", reason="needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.mark.slow
def test_a_page_of_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        elsewhere = r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(?:https?:)?//[^"]+'
        assert re.findall(elsewhere, page.read_text(encoding="utf-8")) == [], page.name


def test_every_picture_of_the_site_has_an_alternative_text(site: Path) -> None:
    for page in site.rglob("*.html"):
        images = re.findall(r"<img[^>]*>", page.read_text(encoding="utf-8"))
        assert [image for image in images if not re.search(r'alt="[^"]', image)] == [], page.name


def test_the_site_shows_no_role_of_sphinx(site: Path) -> None:
    assert [page.name for page in site.rglob("*.html") if re.search(r":(class|func|meth):", page.read_text())] == []


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

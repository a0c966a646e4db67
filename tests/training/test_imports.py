"""Which way the imports of training point, and that names say what they hold."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "training"

ROOMS = ("cli", "release", "evaluate", "train", "simulate", "data")
"""Each imports only what stands after it."""

EVERY_MODULE = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imported(path: Path) -> set[str]:
    """Full names that a file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively: write the full name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    parts = [name.split(".") for name in imported(path) if name.split(".")[0] == "training"]
    return {part[1] for part in parts} - {name_of(path).split(".")[0]}


def test_every_module_is_in_a_room() -> None:
    assert {name_of(path).split(".")[0] for path in EVERY_MODULE} == {*ROOMS, "__init__", "__main__"}


def test_the_arrows_are_seen_at_all() -> None:
    """Or the test below would prove nothing."""
    assert {"evaluate", "train", "data"} <= {
        room for path in (PACKAGE / "cli").glob("*.py") for room in rooms_imported(path)
    }
    assert "simulate" in rooms_imported(PACKAGE / "train" / "recaptures.py")


@pytest.mark.parametrize("path", [path for path in EVERY_MODULE if name_of(path).split(".")[0] in ROOMS], ids=name_of)
def test_a_room_imports_only_what_stands_after_it(path: Path) -> None:
    place = ROOMS.index(name_of(path).split(".")[0])
    assert rooms_imported(path) <= set(ROOMS[place + 1 :])


@pytest.mark.parametrize("room", ["data", "simulate"])
def test_torch_is_imported_by_training_and_what_uses_it_only(room: str) -> None:
    names = {name.split(".")[0] for path in (PACKAGE / room).rglob("*.py") for name in imported(path)}
    assert not names & {"torch", "lightning_fabric", "safetensors"}


def test_no_two_modules_of_library_and_training_share_a_name() -> None:
    modules = [*(ROOT / "faceauth").rglob("*.py"), *EVERY_MODULE]
    names = Counter(path.stem for path in modules if path.parent.name != "cli" and not path.stem.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", [path for path in EVERY_MODULE if path.parent.name != "cli"], ids=name_of)
def test_no_module_is_named_like_a_function_in_it(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert path.stem not in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_command_has_a_file_of_its_own() -> None:
    from training.cli import COMMANDS

    files = {path.stem for path in (PACKAGE / "cli").glob("*.py")} - {"__init__", "options"}
    assert files == {str(command.name).replace("-", "_") for command in COMMANDS}


def test_no_test_lies_in_another_room_than_what_it_tests() -> None:
    tests = Path(__file__).parent
    rooms = {path.parent.relative_to(tests).parts for path in tests.rglob("test_*.py")}
    assert rooms <= {(), *((room,) for room in ROOMS)}

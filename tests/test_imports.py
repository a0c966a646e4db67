"""Which way the imports point, that names are not used twice, and what `import faceauth` leaves alone."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "faceauth"

OUTER_TO_INNER = (
    "__main__",
    "cli",
    "evaluation",
    "server",
    "gallery",
    "__init__",
    "challenge",
    "video",
    "pipeline",
    "steps",
    "testing",
    "policy",
    "backends",
    "config",
    "settings",
    "detection",
    "embedding",
    "liveness",
    "weights",
    "calibration",
    "metrics",
    "presentation",
    "templates",
    "gate",
    "cropping",
    "imaging",
    "stages",
    "results",
    "thresholds",
    "trusted_files",
    "errors",
    "version",
)
"""The rooms and root modules of the library. Each imports only what stands after it."""

BACKENDS = ("detection", "embedding", "liveness")
"""Rooms of stage implementations: reached by name through the registry, imported by nobody but the tests."""

FOREIGN = (
    "torch",
    "torchvision",
    "faiss",
    "insightface",
    "sklearn",
    "skimage",
    "scipy",
    "matplotlib",
    "training",
    "plugins",
)
LOGIN = ("sqlalchemy", "alembic", "cryptography")
"""Packages of the extra ``login``, which the gallery alone imports."""

SERVER = ("argon2", "fastapi", "prometheus_client", "python_multipart", "starlette", "uvicorn")
"""Packages of the extra ``server``, and what they bring, which the server alone imports."""

EVERY_MODULE = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imported(path: Path, *, at_import: bool = False) -> set[str]:
    """Full names that a file imports; with ``at_import`` only those outside functions and ``TYPE_CHECKING``."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively: write the full name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        if not (at_import and lazy):
            pending += ast.iter_child_nodes(node)
    return found


def rooms_imported(path: Path) -> set[str]:
    """Rooms and root modules of the library that a file imports, its own apart."""
    parts = [name.split(".") for name in imported(path) if name.split(".")[0] == "faceauth"]
    rooms = {part[1] if part[1] in OUTER_TO_INNER else "__init__" for part in parts if len(part) > 1}
    return rooms - {name_of(path).split(".")[0]}


def test_every_room_has_its_place() -> None:
    assert {name_of(path).split(".")[0] for path in EVERY_MODULE} == set(OUTER_TO_INNER)


def test_the_arrows_are_seen_at_all() -> None:
    """Or the tests below would prove nothing."""
    assert {"policy", "gate", "imaging", "config", "errors"} <= rooms_imported(PACKAGE / "pipeline.py")


@pytest.mark.parametrize("path", EVERY_MODULE, ids=name_of)
def test_imports_point_inward(path: Path) -> None:
    place = OUTER_TO_INNER.index(name_of(path).split(".")[0])
    assert not rooms_imported(path) & set(OUTER_TO_INNER[:place])


@pytest.mark.parametrize("path", EVERY_MODULE, ids=name_of)
def test_nobody_imports_a_backend(path: Path) -> None:
    assert not rooms_imported(path) & set(BACKENDS)


@pytest.mark.parametrize("path", EVERY_MODULE, ids=name_of)
def test_only_the_gallery_needs_the_extra_login(path: Path) -> None:
    tops = {one.split(".")[0] for one in imported(path)}
    gallery = {one for one in imported(path, at_import=True) if one.startswith("faceauth.gallery")}
    if not name_of(path).startswith("gallery"):
        assert not tops & set(LOGIN)
    if not name_of(path).startswith(("gallery", "server")):  # the server's extra brings that of the gallery
        assert not gallery


@pytest.mark.parametrize("path", EVERY_MODULE, ids=name_of)
def test_only_the_server_needs_the_extra_server(path: Path) -> None:
    tops = {one.split(".")[0] for one in imported(path)}
    server = {one for one in imported(path, at_import=True) if one.startswith("faceauth.server")}
    if not name_of(path).startswith("server"):
        assert not tops & set(SERVER) and not server


@pytest.mark.parametrize("path", EVERY_MODULE, ids=name_of)
def test_no_module_imports_training_or_a_heavy_package_at_import(path: Path) -> None:
    tops = {one.split(".")[0] for one in imported(path, at_import=True)}
    assert not tops & {*FOREIGN, "onnxruntime"}
    assert not {one.split(".")[0] for one in imported(path)} & {"torch", "torchvision", "training"}


def modules_of_both_packages() -> list[Path]:
    files = [*EVERY_MODULE, *sorted((ROOT / "training").rglob("*.py"))]
    return [path for path in files if path.parent.name != "cli" and not path.stem.startswith("__")]


def test_no_two_modules_share_a_name() -> None:
    """Commands apart: a module of ``cli`` is named for its command."""
    assert [name for name, n in Counter(path.stem for path in modules_of_both_packages()).items() if n > 1] == []


@pytest.mark.parametrize("path", modules_of_both_packages(), ids=lambda path: path.stem)
def test_no_module_is_named_like_its_function(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert path.stem not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def loaded_by_import_faceauth() -> set[str]:
    code = "import sys; from faceauth import *; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_import_faceauth_loads_no_network_no_torch_no_backend_and_no_plugin() -> None:
    loaded = loaded_by_import_faceauth()
    tops = {name.split(".")[0] for name in loaded}
    assert "faceauth.pipeline" in loaded
    assert not tops & {*FOREIGN, "onnxruntime", "click", "rich", "pydantic_settings"}
    assert not {name for name in tops if name.startswith("faceauth_")}
    assert not [name for name in loaded if name.startswith("faceauth.") and name.split(".")[1] in BACKENDS]

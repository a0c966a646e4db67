"""Which way the imports point, and what `import faceauth` leaves alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "faceauth"

BACKENDS = {"detection", "embedding", "liveness"}
"""Folders of stage implementations: reached by name, imported by nobody further in."""

OUTWARD = {"cli", "evaluation", "server", "testing"}
"""Those who use the pipeline or its parts: nothing on the way of a decision knows of them."""

JUDGING = frozenset({"gate", "guard", "presentation"})
"""Those who check and note what a stage answers."""

STEERING = frozenset({"policy", "config", "registry", "backends", "pipeline"})
"""Those who know what is required and who fills which stage, from the inside out."""

NEVER_REACHES = {
    **dict.fromkeys(("crop", "gate", "alignment", "match", "guard", "contracts", "presentation"), STEERING),
    **dict.fromkeys(("imaging", "headers", "sessions", "weights"), STEERING | JUDGING),
    **dict.fromkeys(sorted(BACKENDS), (STEERING | JUDGING) - {"registry"}),
    "policy": STEERING - {"policy"},
    "registry": {*STEERING, "gate", "imaging", "alignment"} - {"registry"},
    "config": {"registry", "backends", "pipeline"},
    "backends": {"pipeline"},
    "metrics": {*STEERING, "imaging", "stages"},
}
"""Module or folder -> what it imports neither itself nor through others."""

FOREIGN = ("torch", "torchvision", "insightface", "sklearn", "skimage", "scipy", "matplotlib", "training", "plugins")


def modules() -> dict[str, Path]:
    """Dotted name below ``faceauth`` -> file."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in sorted(PACKAGE.rglob("*.py"))
        if "__pycache__" not in path.parts
    }


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


def siblings(path: Path) -> set[str]:
    """Names of the modules and folders directly below ``faceauth`` that a file imports."""
    parts = [name.split(".") for name in imported(path) if name.split(".")[0] == "faceauth"]
    tops = {name.split(".")[0] for name in modules()}
    return {part[1] if part[1] in tops else "__init__" for part in parts if len(part) > 1}


def reached(start: str) -> set[str]:
    """Everything of ours that ``start`` imports, itself or through others."""
    found: set[str] = set()
    pending = [start]
    while pending:
        new = EDGES[pending.pop()] - found
        found |= new
        pending += new
    return found - {start}


def edges() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for name, path in modules().items():
        graph.setdefault(name.split(".")[0], set()).update(siblings(path))
    return graph


EDGES = edges()


def test_the_arrows_are_seen_at_all() -> None:
    """Or the tests below would prove nothing."""
    assert {"policy", "gate", "imaging", "registry", "config", "errors"} <= reached("pipeline")
    assert "pipeline" in EDGES["__init__"] and "crop" in EDGES["alignment"]


@pytest.mark.parametrize("start", NEVER_REACHES)
def test_imports_point_inward(start: str) -> None:
    assert not reached(start) & NEVER_REACHES[start]


def test_the_pipeline_knows_no_backend_and_nobody_who_uses_it() -> None:
    assert not reached("__init__") & {*OUTWARD, *BACKENDS}


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_a_backend_knows_no_other_stage_and_nobody_further_out(backend: str) -> None:
    assert not reached(backend) & ((BACKENDS - {backend}) | OUTWARD)


def test_results_import_nothing_of_ours_but_errors() -> None:
    assert siblings(PACKAGE / "results.py") <= {"errors"}


def test_a_stage_protocol_imports_results_alone() -> None:
    assert siblings(PACKAGE / "stages.py") <= {"results"}


@pytest.mark.parametrize("name", list(modules()))
def test_no_module_imports_training_or_a_heavy_package_at_import(name: str) -> None:
    tops = {one.split(".")[0] for one in imported(modules()[name], at_import=True)}
    assert not tops & {*FOREIGN, "onnxruntime"}
    assert not {one.split(".")[0] for one in imported(modules()[name])} & {"torch", "torchvision", "training"}


def test_no_two_modules_import_each_other() -> None:
    waiting = {name: targets - {name} for name, targets in EDGES.items()}
    while ready := {name for name, targets in waiting.items() if not targets}:
        waiting = {name: targets - ready for name, targets in waiting.items() if name not in ready}
    assert waiting == {}


def test_import_faceauth_loads_no_network_no_torch_and_no_plugin() -> None:
    code = "import sys, faceauth; print(*sorted({name.split('.')[0] for name in sys.modules}), sep='\\n')"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
        ).stdout.split()
    )
    assert "faceauth" in loaded
    assert not loaded & {*FOREIGN, "onnxruntime", "click", "rich", "PIL"}
    assert not {name for name in loaded if name.startswith("faceauth_")}


def test_import_faceauth_imports_no_backend() -> None:
    code = "import sys, faceauth; print(*[name for name in sys.modules if name.startswith('faceauth.')], sep='\\n')"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    ).stdout.split()
    assert "faceauth.pipeline" in loaded
    assert not [name for name in loaded if name.split(".")[1] in BACKENDS]

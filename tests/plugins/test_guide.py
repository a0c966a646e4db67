"""The plugin in docs/plugins.md is complete: its files, taken from the page, install, load and pass their own test."""

import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceauth.backends.registry import load_backend
from faceauth.errors import UsageError
from faceauth.testing import check_detector, check_embedder, check_liveness_backend

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "plugins.md"


@pytest.fixture
def files(tmp_path: Path) -> Iterator[dict[str, str]]:
    """File name -> content, written to tmp_path; what is imported from there is forgotten afterwards."""
    blocks = re.findall(r"^`([\w.]+)`\n\n```\w+\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.S | re.M)
    for name, content in blocks:
        (tmp_path / name).write_text(content)
    yield dict(blocks)
    for name in blocks:
        sys.modules.pop(name[0].removesuffix(".py"), None)


@pytest.fixture
def installed(files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Installs the plugin as a wheel would: its modules, and metadata made from its pyproject."""
    project = tomllib.loads(files["pyproject.toml"])["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    (name,) = project["entry-points"]["faceauth.liveness"]
    return str(name)


def test_plugin_of_the_guide_is_short(files: dict[str, str]) -> None:
    plugin = {"pyproject.toml", "faceauth_sharpness.py", "test_sharpness.py"}
    assert set(files) == plugin | {"faceauth_booth.py", "faceauth_thumbnail.py"}
    assert sum(files[name].count("\n") for name in plugin) < 70


def test_plugin_of_the_guide_loads_by_name_and_keeps_every_rule(installed: str) -> None:
    loaded = load_backend("liveness", installed)
    assert loaded.provenance.distribution == "faceauth-sharpness"
    assert [finding for finding in check_liveness_backend(loaded.backend) if not finding.passed] == []


def test_plugin_of_the_guide_does_what_the_guide_says(installed: str) -> None:
    backend = load_backend("liveness", installed).backend
    sharp = np.zeros((1, 96, 96, 3), np.uint8)
    sharp[:, :, ::2] = 255
    assert backend.score([sharp])[0] > 0.9 > 0.1 > backend.score([np.zeros_like(sharp)])[0]
    with pytest.raises(UsageError, match="above 0"):
        load_backend("liveness", installed, options={"typical_step": 0.0})


@pytest.mark.usefixtures("files")
def test_detector_and_embedder_of_the_guide_keep_every_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    detector = importlib.import_module("faceauth_booth").MiddleFace()
    embedder = importlib.import_module("faceauth_thumbnail").Thumbnail()
    findings = [*check_detector(detector), *check_embedder(embedder)]
    assert findings and [finding for finding in findings if not finding.passed] == []


@pytest.mark.usefixtures("files")
def test_test_of_the_guide_passes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "test_sharpness.py")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert run.returncode == 0, run.stdout + run.stderr
    assert "10 passed" in run.stdout

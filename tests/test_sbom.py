"""The bill of materials is valid, and names every weight file with its licence and the digest of its bytes."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cyclonedx_py", reason="needs cyclonedx-bom: pip install -e '.[dev]'")

from docs import write_sbom
from faceauth.weights.store import pinned_weights

KEPT = {"faceauth", "numpy", "onnxruntime"}
"""Of the installed packages, so that validating does not take minutes."""

real_output = write_sbom._output


def few(*command: str) -> str:
    """What the commands print, with few packages."""
    text = real_output(*command)
    if command[1:-1] != write_sbom.PACKAGES:
        return text
    listed = json.loads(text)
    listed["components"] = [one for one in listed["components"] if one["name"] in KEPT]
    refs = {one["bom-ref"] for one in listed["components"]}
    listed["dependencies"] = [
        {**one, "dependsOn": sorted(refs & set(one.get("dependsOn", [])))}
        for one in listed["dependencies"]
        if one["ref"] in refs
    ]
    return json.dumps(listed)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Runs the command with few packages; the file that it was to write."""
    monkeypatch.setattr(write_sbom, "_output", few)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # this very tree
    monkeypatch.setenv("FACEAUTH_WEIGHTS", "/nowhere")  # the shipped weights are meant
    monkeypatch.setattr(sys, "argv", ["write_sbom", "--out", str(tmp_path / "sbom.json")])

    def write() -> Path:
        write_sbom.main()
        return tmp_path / "sbom.json"

    return write


@pytest.mark.slow
def test_it_is_valid_and_lists_packages_and_every_weight_file_with_licence_and_digest(
    write: Callable[[], Path],
) -> None:
    written = json.loads(write().read_text())
    assert (written["bomFormat"], written["specVersion"]) == ("CycloneDX", "1.6")
    assert written["metadata"]["component"]["name"] == "faceauth"
    kinds: dict[str, list[dict[str, Any]]] = {"library": [], "machine-learning-model": []}
    for one in written["components"]:
        kinds[one["type"]].append(one)
    assert {one["name"] for one in kinds["library"]} == KEPT - {"faceauth"}
    for file in pinned_weights():
        (model,) = [one for one in kinds["machine-learning-model"] if one["name"] == file.name]
        assert model["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(file.path.read_bytes()).hexdigest()}]
        (licence,) = model["licenses"]
        assert file.licence in (licence.get("expression"), *licence.get("license", {}).values())
        assert file.use in model["description"]
    assert len(kinds["machine-learning-model"]) == len(list(pinned_weights()))
    (needs,) = [one for one in written["dependencies"] if one["ref"] == written["metadata"]["component"]["bom-ref"]]
    assert {one["bom-ref"] for one in kinds["machine-learning-model"]} <= set(needs["dependsOn"])


def test_a_weight_file_that_is_not_the_pinned_one_is_not_listed(
    write: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(shutil.copytree(Path(__file__).parents[1] / "faceauth", tmp_path / "copy" / "faceauth"))
    (package / "weights" / "yunet" / "yunet_2023mar.onnx").write_bytes(b"another")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    with pytest.raises(SystemExit, match=r"yunet_2023mar\.onnx is not the pinned file"):
        write()
    assert not (tmp_path / "sbom.json").exists()


def test_what_is_no_valid_bill_is_not_written(
    write: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        write_sbom, "bill_of", lambda python: '{"bomFormat": "CycloneDX", "specVersion": "1.6", "a": 1}'
    )
    with pytest.raises(SystemExit, match="not valid CycloneDX"):
        write()
    assert not (tmp_path / "sbom.json").exists()


def test_an_environment_without_faceauth_is_refused(write: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--python", "/nowhere/python"])
    with pytest.raises(SystemExit):
        write()

"""``faceauth models``: every file with its terms, and whether it is the pinned one."""

import hashlib
import json
from pathlib import Path

import pytest

from .conftest import Run

CONTENT = b"a network"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A weights folder of the user's own with one model."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "net.onnx").write_bytes(CONTENT)
    card = {
        "licence": "MIT", "origin": "made here", "use": "tests and nothing else",
        "files": {"network": {"name": "net.onnx", **pin(CONTENT)}},
    }  # fmt: skip
    (tmp_path / "own" / "card.json").write_text(json.dumps(card))
    (tmp_path / "manifest.json").write_text(json.dumps({"cards": {"own": pin(json.dumps(card).encode())}}))
    return tmp_path


def pin(content: bytes) -> dict[str, object]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_list_shows_size_digest_licence_and_use_of_every_file(run: Run, folder: Path) -> None:
    said = run("models", "list", FACEAUTH_WEIGHTS=str(folder)).stdout
    for fact in ("own/net.onnx", "9 bytes", hashlib.sha256(CONTENT).hexdigest(), "MIT", "tests and nothing else"):
        assert fact in said
    assert "yunet_2023mar.onnx" in said and "sface_2021dec.onnx" in said


def test_verify_passes_the_pinned_file(run: Run, folder: Path) -> None:
    ran = run("models", "verify", "own/net.onnx", FACEAUTH_WEIGHTS=str(folder))
    assert ran.exit_code == 0 and ran.stdout.startswith("ok      own/net.onnx  9 bytes")


@pytest.mark.parametrize("content", [b"a netw0rk", b"", None], ids=["swapped", "empty", "missing"])
def test_verify_of_another_file_is_a_broken_installation(run: Run, folder: Path, content: bytes | None) -> None:
    (folder / "own" / "net.onnx").unlink() if content is None else (folder / "own" / "net.onnx").write_bytes(content)
    ran = run("models", "verify", "own/net.onnx", FACEAUTH_WEIGHTS=str(folder))
    assert ran.exit_code == 4 and ran.stdout.startswith("broken  own/net.onnx") and "own/net.onnx" in ran.stderr


def test_verify_reads_every_file_even_after_a_broken_one(run: Run, folder: Path) -> None:
    (folder / "own" / "net.onnx").write_bytes(b"swapped!!")
    said = run("models", "verify", FACEAUTH_WEIGHTS=str(folder)).stdout
    assert said.startswith("broken  own/net.onnx") and "sface_2021dec.onnx" in said


def test_verify_of_an_unknown_name_never_passes(run: Run, folder: Path) -> None:
    ran = run("models", "verify", "misspelt.onnx", FACEAUTH_WEIGHTS=str(folder))
    assert ran.exit_code != 0 and ran.stdout == ""


def test_folder_without_a_manifest_is_one_line_of_error(run: Run, tmp_path: Path) -> None:
    ran = run("models", "list", FACEAUTH_WEIGHTS=str(tmp_path / "nowhere"))
    assert ran.exit_code == 4 and "manifest.json" in ran.stderr


def test_list_and_verify_say_the_same_in_json(run: Run, folder: Path) -> None:
    ran = run("models", "list", "--json", FACEAUTH_WEIGHTS=str(folder))
    listed = [json.loads(line) for line in ran.stdout.splitlines()]
    facts = {"name": "own/net.onnx", "licence": "MIT", "path": str(folder / "own" / "net.onnx")}
    assert facts.items() <= listed[0].items() and ran.stderr == ""
    (folder / "own" / "net.onnx").write_bytes(b"swapped!!")
    ran = run("models", "verify", "own/net.onnx", "--json", FACEAUTH_WEIGHTS=str(folder))
    (checked,) = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.exit_code == 4 and checked["works"] is False and "net.onnx" in checked["message"]

"""No byte reaches a network that is not the pinned one."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from faceauth.errors import WeightsMismatch, WeightsMissing
from faceauth.weights.store import Card, Weights, WeightStore

TERMS = {"licence": "MIT", "origin": "a test", "use": "testing"}
CONTENT = b"weights"


def pin(content: bytes = CONTENT) -> dict[str, Any]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one's own with one pinned file and one card that pins another."""
    (tmp_path / "net").mkdir()
    (tmp_path / "mine.onnx").write_bytes(CONTENT)
    (tmp_path / "net" / "small.onnx").write_bytes(CONTENT)
    card = {**TERMS, "files": {"fp32": {"name": "small.onnx", **pin()}}, "other": "facts"}
    (tmp_path / "net" / "card.json").write_text(json.dumps(card))
    write_manifest(
        tmp_path,
        files={"mine.onnx": {**pin(), **TERMS}},
        cards={"net/card.json": pin((tmp_path / "net" / "card.json").read_bytes())},
    )
    return tmp_path


def write_manifest(folder: Path, **content: object) -> None:
    (folder / "manifest.json").write_text(json.dumps(content))


def mine(folder: Path) -> Weights:
    return WeightStore(folder).find("mine.onnx")


@pytest.mark.parametrize("name", ["yunet_2023mar.onnx", "sface_2021dec.onnx"])
def test_built_in_file_is_the_pinned_one(name: str) -> None:
    weights = WeightStore().find(name)
    assert hashlib.sha256(weights.read()).hexdigest() == weights.sha256
    assert weights.licence in ("MIT", "Apache-2.0")


def test_every_file_of_the_package_is_the_pinned_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEAUTH_WEIGHTS", raising=False)
    listed = tuple(WeightStore().every_file())
    assert {"yunet_2023mar.onnx", "sface_2021dec.onnx", "spoofnet/spoofnet.onnx"} <= {file.name for file in listed}
    assert all(len(file.read()) == file.size for file in listed)


@pytest.mark.parametrize("content", [b"weightS", b"weight", b"weights!", b"", b"x" * 1000])
def test_changed_file_is_refused(folder: Path, content: bytes) -> None:
    (folder / "mine.onnx").write_bytes(content)
    with pytest.raises(WeightsMismatch, match=r"pin its digest in the manifest\.json") as caught:
        mine(folder).read()
    assert caught.value.expected == pin()["sha256"]
    assert caught.value.path == folder / "mine.onnx"


def test_file_swapped_after_it_was_found_is_refused(folder: Path) -> None:
    weights = mine(folder)
    (folder / "mine.onnx").write_bytes(b"WEIGHTS")
    with pytest.raises(WeightsMismatch):
        weights.read()


def test_bytes_that_were_checked_are_the_bytes_returned(folder: Path) -> None:
    content = mine(folder).read()
    (folder / "mine.onnx").write_bytes(b"WEIGHTS")
    assert content == CONTENT


def test_missing_file_says_what_to_do(folder: Path) -> None:
    (folder / "mine.onnx").unlink()
    with pytest.raises(WeightsMissing, match="Reinstall faceauth, or correct FACEAUTH_WEIGHTS"):
        mine(folder).read()


def test_unknown_name_is_an_error(folder: Path) -> None:
    with pytest.raises(WeightsMissing):
        WeightStore(folder).find("other.onnx")


def test_file_without_a_pin_is_refused_not_ignored(folder: Path) -> None:
    (folder / "yunet_2023mar.onnx").write_bytes(CONTENT)
    with pytest.raises(WeightsMismatch, match="no digest pins it"):
        WeightStore(folder).find("yunet_2023mar.onnx")


def test_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"needs a manifest\.json"):
        WeightStore(tmp_path)


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({**pin(), **TERMS, "sha256": "abc"}, "sha256"),
        ({**pin(), **TERMS, "size": 0}, "size"),
        ({"size": 7, **TERMS}, "sha256"),
        ({**pin(), **TERMS, "colour": "red"}, "colour"),
    ],
)
def test_bad_manifest_names_the_field(tmp_path: Path, entry: dict[str, Any], field: str) -> None:
    write_manifest(tmp_path, files={"mine.onnx": entry})
    with pytest.raises(WeightsMismatch, match=rf"manifest\.json is not a valid Manifest: files\.mine\.onnx\.{field}"):
        WeightStore(tmp_path)


def test_manifest_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(WeightsMismatch, match="not a valid Manifest: the document"):
        WeightStore(tmp_path)


@pytest.mark.parametrize("name", ["../mine.onnx", "/mine.onnx", "net/../../mine.onnx", ".hidden", "", "a//b"])
def test_manifest_cannot_point_out_of_its_folder(tmp_path: Path, name: str) -> None:
    write_manifest(tmp_path, files={name: {**pin(), **TERMS}})
    with pytest.raises(WeightsMismatch):
        WeightStore(tmp_path)


def test_file_of_ones_own_takes_the_place_of_the_built_in_one(folder: Path) -> None:
    (folder / "yunet_2023mar.onnx").write_bytes(CONTENT)
    write_manifest(folder, files={"yunet_2023mar.onnx": {**pin(), **TERMS}})
    store = WeightStore(folder)
    assert store.find("yunet_2023mar.onnx").path == folder / "yunet_2023mar.onnx"
    assert store.find("sface_2021dec.onnx").path.parent != folder


def test_card_of_ones_own_replaces_the_built_in_card_with_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "spoofnet").mkdir()
    card = {**TERMS, "files": {"fp32": {"name": "only.onnx", **pin()}}}
    (tmp_path / "spoofnet" / "card.json").write_text(json.dumps(card))
    write_manifest(tmp_path, cards={"spoofnet/card.json": pin(json.dumps(card).encode())})
    assert [file.name for file in WeightStore(tmp_path).every_file()] == [
        "spoofnet/only.onnx",
        "yunet_2023mar.onnx",
        "sface_2021dec.onnx",
    ]


def test_a_file_of_ones_own_that_the_built_in_card_would_pass_over_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spoofnet").mkdir()
    (tmp_path / "spoofnet" / "spoofnet.int8.onnx").write_bytes(CONTENT)
    write_manifest(tmp_path, files={"spoofnet/spoofnet.int8.onnx": {**pin(), **TERMS}})
    with pytest.raises(WeightsMismatch, match="put a card of your own"):
        WeightStore(tmp_path).card(Card, "spoofnet/card.json")


def test_environment_names_the_folder_and_an_argument_beats_it(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEAUTH_WEIGHTS", str(folder))
    assert WeightStore().find("mine.onnx").path == folder / "mine.onnx"
    empty = tmp_path_factory.mktemp("empty")
    write_manifest(empty)
    with pytest.raises(WeightsMissing):
        WeightStore(empty).find("mine.onnx")


def test_card_pins_the_files_beside_it(folder: Path) -> None:
    placed = WeightStore(folder).card(Card, "net/card.json")
    weights = placed.weights("fp32")
    assert (weights.name, weights.licence, weights.read()) == ("net/small.onnx", "MIT", CONTENT)
    (folder / "net" / "small.onnx").write_bytes(b"WEIGHTS")
    with pytest.raises(WeightsMismatch):
        weights.read()


def test_file_of_a_card_is_found_by_its_path(folder: Path) -> None:
    assert WeightStore(folder).find("net/small.onnx") == WeightStore(folder).card(Card, "net/card.json").weights("fp32")


def test_card_that_no_manifest_names_is_refused(folder: Path) -> None:
    write_manifest(folder)
    with pytest.raises(WeightsMismatch, match="no digest pins it"):
        WeightStore(folder).card(Card, "net/card.json")
    with pytest.raises(WeightsMissing, match="No manifest names the card"):
        WeightStore(folder).card(Card, "net/other.json")


def test_missing_card_is_an_error(folder: Path) -> None:
    (folder / "net" / "card.json").unlink()
    with pytest.raises(WeightsMissing, match="card"):
        WeightStore(folder).card(Card, "net/card.json")


def test_bad_card_names_the_field(folder: Path) -> None:
    (folder / "net" / "card.json").write_text(json.dumps(TERMS))
    write_manifest(folder, cards={"net/card.json": pin(json.dumps(TERMS).encode())})
    with pytest.raises(WeightsMismatch, match="not a valid Card: files"):
        WeightStore(folder).card(Card, "net/card.json")


def test_a_changed_card_is_refused(folder: Path) -> None:
    """It holds thresholds and calibration: a changed one would change who is let in."""
    card = folder / "net" / "card.json"
    card.write_text(card.read_text().replace("facts", "facte"))
    with pytest.raises(WeightsMismatch, match=r"card\.json is not the pinned file"):
        WeightStore(folder).card(Card, "net/card.json")
    with pytest.raises(WeightsMismatch, match=r"card\.json is not the pinned file"):
        list(WeightStore(folder).every_file())

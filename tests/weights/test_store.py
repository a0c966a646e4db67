"""No byte reaches a network that is not the pinned one."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from faceauth.errors import WeightsMismatch, WeightsMissing
from faceauth.weights.cards import ModelCard, SpoofNetCard
from faceauth.weights.store import BUILT_IN, PinnedModel, Weights, pinned_weights, write_card

TERMS = {"licence": "MIT", "origin": "a test", "use": "testing"}
CONTENT = b"weights"


def pin(content: bytes = CONTENT) -> dict[str, Any]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def make_card(folder: Path, model: str, **changes: object) -> bytes:
    """A card of one's own with one file, whose content it writes too."""
    card = {**TERMS, "files": {"network": {"name": "own.onnx", **pin()}}, "other": "facts", **changes}
    (folder / model).mkdir(exist_ok=True)
    (folder / model / "own.onnx").write_bytes(CONTENT)
    (folder / model / "card.json").write_text(json.dumps(card))
    return (folder / model / "card.json").read_bytes()


def write_manifest(folder: Path, **cards: dict[str, Any]) -> None:
    (folder / "manifest.json").write_text(json.dumps({"cards": cards}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one's own with one model."""
    write_manifest(tmp_path, mine=pin(make_card(tmp_path, "mine")))
    return tmp_path


def mine(folder: Path) -> PinnedModel[ModelCard]:
    return PinnedModel("mine", ModelCard, folder)


@pytest.mark.parametrize("name", ["yunet", "sface", "spoofnet", "mesh"])
def test_every_built_in_model_has_a_card_that_pins_its_files(name: str) -> None:
    model = PinnedModel(name, ModelCard)
    for variant in model.card.files:
        weights = model.weights(variant)
        assert hashlib.sha256(weights.read()).hexdigest() == weights.sha256
        assert weights.licence in ("MIT", "Apache-2.0", "LicenseRef-research-only")


def test_every_file_of_the_package_is_listed_and_the_pinned_one() -> None:
    listed = tuple(pinned_weights())
    names = {
        "yunet/yunet_2023mar.onnx",
        "sface/sface_2021dec.onnx",
        "spoofnet/spoofnet.onnx",
        "spoofnet/spoofnet.int8.onnx",
        "mesh/face_landmark.tflite",
    }
    assert {file.name for file in listed} == names
    assert all(len(file.read()) == file.size for file in listed)


def test_no_network_of_the_package_is_without_a_pin() -> None:
    assert {*BUILT_IN.rglob("*.onnx"), *BUILT_IN.rglob("*.tflite")} == {file.path for file in pinned_weights()}


def test_the_environment_has_no_say(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEAUTH_WEIGHTS", str(folder))
    with pytest.raises(WeightsMissing, match="No model 'mine' is pinned; there are: yunet, sface, spoofnet, mesh"):
        PinnedModel("mine", ModelCard)


@pytest.mark.parametrize("content", [b"weightS", b"weight", b"weights!", b"", b"x" * 1000])
def test_a_changed_file_is_refused(folder: Path, content: bytes) -> None:
    (folder / "mine" / "own.onnx").write_bytes(content)
    with pytest.raises(WeightsMismatch, match="is not the pinned file") as caught:
        mine(folder).weights("network").read()
    assert caught.value.expected == pin()["sha256"]
    assert caught.value.path == folder / "mine" / "own.onnx"


def test_a_changed_card_is_refused(folder: Path) -> None:
    """It holds thresholds and calibration: a changed one would change who is let in."""
    card = folder / "mine" / "card.json"
    card.write_text(card.read_text().replace("facts", "facte"))
    with pytest.raises(WeightsMismatch, match=r"card\.json is not the pinned file"):
        mine(folder)
    with pytest.raises(WeightsMismatch, match=r"card\.json is not the pinned file"):
        list(pinned_weights(folder))


def test_a_file_and_its_card_are_not_replaced_without_the_manifest(folder: Path) -> None:
    make_card(folder, "mine", files={"network": {"name": "own.onnx", **pin(b"WEIGHTS")}})
    (folder / "mine" / "own.onnx").write_bytes(b"WEIGHTS")
    with pytest.raises(WeightsMismatch, match=r"card\.json is not the pinned file"):
        mine(folder)


def test_a_file_swapped_after_its_card_was_read_is_refused(folder: Path) -> None:
    weights = mine(folder).weights("network")
    (folder / "mine" / "own.onnx").write_bytes(b"WEIGHTS")
    with pytest.raises(WeightsMismatch):
        weights.read()


def test_the_bytes_that_were_checked_are_the_bytes_that_are_returned(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is swapped while its digest is taken: whoever read it a second time would return the other content."""
    weights, honest = mine(folder).weights("network"), hashlib.sha256

    def swap(content: bytes) -> Any:
        taken = honest(content)
        weights.path.write_bytes(b"WEIGHTS")
        return taken

    monkeypatch.setattr("faceauth.weights.store.hashlib.sha256", swap)
    assert weights.read() == CONTENT


def test_a_missing_file_a_missing_card_and_a_missing_manifest_say_what_is_missing(folder: Path) -> None:
    weights = mine(folder).weights("network")
    weights.path.unlink()
    with pytest.raises(WeightsMissing, match=r"own\.onnx cannot be read .* Reinstall faceauth, or correct the folder"):
        weights.read()
    (folder / "mine" / "card.json").unlink()
    with pytest.raises(WeightsMissing, match=r"card\.json cannot be read"):
        mine(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(WeightsMissing, match=r"needs a manifest\.json"):
        mine(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["manifest.json", "mine/card.json", "mine/own.onnx"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(folder: Path, name: str, kind: str) -> None:
    path = folder / name
    path.unlink()
    {"pipe": os.mkfifo, "device": lambda place: place.symlink_to("/dev/zero"), "folder": Path.mkdir}[kind](path)
    with pytest.raises(WeightsMissing, match=f"it is a {kind}|Is a directory"):
        mine(folder).weights("network").read()


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({**pin(), "sha256": "abc"}, "sha256"),
        ({**pin(), "size": 0}, "size"),
        ({"size": 7}, "sha256"),
        ({**pin(), "colour": "red"}, "colour"),
    ],
)
def test_a_bad_manifest_names_the_field(tmp_path: Path, entry: dict[str, Any], field: str) -> None:
    write_manifest(tmp_path, mine=entry)
    with pytest.raises(WeightsMismatch, match=rf"manifest\.json is not a valid Manifest: cards\.mine\.{field}"):
        mine(tmp_path)


def test_a_manifest_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(WeightsMismatch, match="not a valid Manifest: the document"):
        mine(tmp_path)


@pytest.mark.parametrize("name", ["../mine", "/mine", "mine/../../mine", ".hidden", "", "a/b", "a\\b"])
def test_neither_manifest_nor_card_can_point_out_of_its_folder(tmp_path: Path, name: str) -> None:
    write_manifest(tmp_path, **{name: pin()})
    with pytest.raises(WeightsMismatch, match="not a valid Manifest"):
        mine(tmp_path)
    write_manifest(tmp_path, mine=pin(make_card(tmp_path, "mine", files={"network": {"name": name, **pin()}})))
    with pytest.raises(WeightsMismatch, match="not a valid ModelCard"):
        mine(tmp_path)


def test_a_bad_card_names_the_field(folder: Path) -> None:
    (folder / "mine" / "card.json").write_text(json.dumps(TERMS))
    write_manifest(folder, mine=pin(json.dumps(TERMS).encode()))
    with pytest.raises(WeightsMismatch, match="not a valid ModelCard: files"):
        mine(folder)


def test_a_model_of_ones_own_takes_the_place_of_the_built_in_one_with_all_its_files(tmp_path: Path) -> None:
    write_manifest(tmp_path, spoofnet=pin(make_card(tmp_path, "spoofnet")))
    assert [file.name for file in pinned_weights(tmp_path)] == [
        "spoofnet/own.onnx",
        "yunet/yunet_2023mar.onnx",
        "sface/sface_2021dec.onnx",
        "mesh/face_landmark.tflite",
    ]


def test_a_card_has_to_be_one_of_its_model(tmp_path: Path) -> None:
    write_manifest(tmp_path, spoofnet=pin(make_card(tmp_path, "spoofnet")))
    with pytest.raises(WeightsMismatch, match="not a valid SpoofNetCard"):
        PinnedModel("spoofnet", SpoofNetCard, tmp_path)


@pytest.mark.parametrize("place", ["yunet", "spoofnet/spoofnet.int8.onnx", "yunet_2023mar.onnx"])
def test_what_nobody_would_use_is_refused_and_not_passed_over(folder: Path, place: str) -> None:
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_bytes(CONTENT)
    with pytest.raises(WeightsMismatch, match="exists, but nothing pins it"):
        PinnedModel("yunet", ModelCard, folder)


def test_digests_hold_the_file_and_the_card(folder: Path) -> None:
    card = (folder / "mine" / "card.json").read_bytes()
    assert mine(folder).digests("network") == {
        "mine/own.onnx": pin()["sha256"],
        "mine/card.json": pin(card)["sha256"],
    }


def test_weights_carry_the_terms_of_their_card(folder: Path) -> None:
    path = folder / "mine" / "own.onnx"
    assert mine(folder).weights("network") == Weights("mine/own.onnx", path, **pin(), **TERMS)


def test_a_card_that_was_written_is_pinned_beside_the_others(folder: Path) -> None:
    card = mine(folder).card.model_copy(update={"use": "something else"})
    (folder / "new").mkdir()
    for name in ("mine", "new"):
        write_card(folder, name, card)
        assert PinnedModel(name, ModelCard, folder).card == card


def test_the_first_card_that_is_written_brings_its_manifest(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("empty")
    (empty / "mine").mkdir()
    write_card(empty, "mine", mine(folder).card)
    assert mine(empty).card == mine(folder).card

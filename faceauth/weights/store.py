"""Hands out weight files, checked against their pins.

A file without a pinned digest is never handed out, and the bytes that were checked are
the bytes that are returned: the path is not opened a second time.

Each model has a folder of its name with a ``card.json``, which pins the weight files beside it; ``manifest.json`` of
the folder above pins the cards. So whoever replaces a file, a card or the manifest without the others is refused. A
folder of your own has the same form: a model that its manifest names replaces the built-in model of that name, card
and files together, and all others stay built in.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from faceauth.errors import WeightsMismatch, WeightsMissing
from faceauth.trusted_files import open_regular, open_trusted
from faceauth.weights.cards import FileName, ModelCard, Pin

BUILT_IN = Path(__file__).parent
MANIFEST = "manifest.json"
CARD = "card.json"
LARGEST_MANIFEST = 1 << 20
"""Bytes: chosen, not measured; thousands of models fit."""

FactsT = TypeVar("FactsT", bound=BaseModel)
CardT = TypeVar("CardT", bound=ModelCard)


class Manifest(BaseModel, frozen=True, extra="forbid"):
    """``manifest.json``: model -> pin of its card."""

    cards: dict[FileName, Pin] = {}


@dataclass(frozen=True)
class Weights:
    """One weight file as it is pinned. Nothing was read yet; :meth:`read` checks.

    Attributes:
        name: path inside the weights folder, ``/`` between its parts.
        path: where the file lies.
        size: pinned number of bytes.
        sha256: pinned digest.
        licence: SPDX expression.
        origin: whose they are and how they came here.
        use: what the model is for and what its terms allow.
    """

    name: str
    path: Path
    size: int
    sha256: str
    licence: str
    origin: str
    use: str

    def read(self) -> bytes:
        """The content of the file, read once and checked; pass these bytes on, never the path.

        Raises:
            WeightsMissing: the file does not exist.
            WeightsMismatch: size or digest is not the pinned one.
        """
        return _checked(self.path, Pin(size=self.size, sha256=self.sha256))


class PinnedModel(Generic[CardT]):
    """A model's card, read and checked, and through it the model's weight files.

    Args:
        name: of the model, which is that of its folder: ``"spoofnet"``.
        kind: what the card is read as.
        folder: folder with weights of your own; None for the built-in weights alone.

    Attributes:
        card: what the card says.

    Raises:
        WeightsMissing: the folder has no manifest, no manifest names the model, or its card does not exist.
        WeightsMismatch: a manifest or card is not the pinned one or not valid; or your own folder holds
            something that its manifest does not name, so that it would never be used.
    """

    def __init__(self, name: str, kind: type[CardT], folder: Path | str | None = None) -> None:
        places = _places(folder)
        if name not in places:
            raise WeightsMissing(f"No model {name!r} is pinned; there are: {', '.join(places)}.", path=Path(name))
        self._place, pin = places[name]
        path = self._place / CARD
        self.card = _parsed(kind, _checked(path, pin), path)
        self._name = name
        self._sha256 = pin.sha256

    def weights(self, variant: str) -> Weights:
        """The file that the card lists as ``variant``, with the card's pin and terms."""
        file = self.card.files[variant]
        return Weights(
            name=f"{self._name}/{file.name}",
            path=self._place / file.name,
            size=file.size,
            sha256=file.sha256,
            licence=self.card.licence,
            origin=self.card.origin,
            use=self.card.use,
        )

    def digests(self, variant: str) -> dict[str, str]:
        """File name -> digest of all that a backend takes from here: a changed card changes who is let in, too."""
        weights = self.weights(variant)
        return {weights.name: weights.sha256, f"{self._name}/{CARD}": self._sha256}


def pinned_weights(folder: Path | str | None = None) -> Iterator[Weights]:
    """Every weight file in use, those of ``folder`` first; what they replace is not listed.

    Raises:
        WeightsMissing, WeightsMismatch: as :class:`PinnedModel`.
    """
    for name in _places(folder):
        model = PinnedModel(name, ModelCard, folder)
        yield from (model.weights(variant) for variant in model.card.files)


def write_card(folder: Path, name: str, card: ModelCard) -> None:
    """Write the card of a model, and its pin into the manifest of ``folder``, which is created if there is none."""
    content = (card.model_dump_json(indent=2) + "\n").encode()
    (folder / name / CARD).write_bytes(content)
    known = _read_manifest(folder).cards if (folder / MANIFEST).exists() else {}
    manifest = Manifest(cards={**known, name: Pin(size=len(content), sha256=hashlib.sha256(content).hexdigest())})
    (folder / MANIFEST).write_bytes((manifest.model_dump_json(indent=2) + "\n").encode())


def _places(folder: Path | str | None) -> dict[str, tuple[Path, Pin]]:
    """Model -> its folder and the pin of its card; those of your own folder first."""
    places: dict[str, tuple[Path, Pin]] = {}
    if folder is not None:
        places |= _own_places(Path(folder))
    for name, pin in _read_manifest(BUILT_IN).cards.items():
        places.setdefault(name, (BUILT_IN / name, pin))
    return places


def _own_places(folder: Path) -> dict[str, tuple[Path, Pin]]:
    manifest = _read_manifest(folder, open_manifest=lambda path: open_trusted(path, called="manifest of weights"))
    built_in = _read_manifest(BUILT_IN).cards
    unnamed = [folder / name for name in built_in if name not in manifest.cards and (folder / name).exists()]
    for path in (*unnamed, *sorted(folder.glob("*.onnx"))):
        raise WeightsMismatch(
            f"{path} exists, but nothing pins it, so it would not be used. Put a file into the folder of its model, "
            f"pin it in the {CARD} there, and pin that card in {folder / MANIFEST}; or remove it.",
            path=path,
            found="no pinned digest",
            expected=f"a {CARD} that {MANIFEST} names",
        )
    return {name: (folder / name, pin) for name, pin in manifest.cards.items()}


def _read_manifest(place: Path, *, open_manifest: Callable[[Path], BinaryIO] = open_regular) -> Manifest:
    path = place / MANIFEST
    try:
        with open_manifest(path) as file:
            content = file.read(LARGEST_MANIFEST)
    except OSError as error:
        raise WeightsMissing(
            f"{path} cannot be read ({error.strerror}). A folder of weights needs a {MANIFEST} that pins the "
            f"{CARD} of every model in it.",
            path=path,
        ) from None
    return _parsed(Manifest, content, path)


def _checked(path: Path, pin: Pin) -> bytes:
    """The content of a file, read once and compared with its pin."""
    try:
        with open_regular(path) as file:
            content = file.read(pin.size + 1)
    except OSError as error:
        raise WeightsMissing(
            f"The weight file {path} cannot be read ({error.strerror}). Reinstall faceauth, or correct the folder of "
            "weights if it lies there.",
            path=path,
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if len(content) == pin.size and found == pin.sha256:
        return content
    if len(content) != pin.size:
        found = f"{'more than ' if len(content) > pin.size else ''}{min(len(content), pin.size)} bytes"
    raise WeightsMismatch(
        f"{path} is not the pinned file: found {found}, expected {pin.size} bytes with sha256 {pin.sha256}. Reinstall "
        f"faceauth; to use a file of your own, make a folder of weights in which {CARD} pins it and {MANIFEST} pins "
        f"{CARD}.",
        path=path,
        found=found,
        expected=pin.sha256,
    )


def _parsed(kind: type[FactsT], content: bytes, path: Path) -> FactsT:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise WeightsMismatch(
            f"{path} is not a valid {kind.__name__}: {where}: {first['msg']}. Correct or reinstall it.",
            path=path,
            found=f"{where}: {first['msg']}",
            expected=kind.__name__,
        ) from None

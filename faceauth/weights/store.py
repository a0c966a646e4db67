"""The weight store: a file name in, its pinned facts and its checked bytes out.

Knows no network and no session. A file without a pinned digest is never handed out, and the bytes that were checked are
the bytes that are returned: nobody opens the path a second time.

Pins live in ``manifest.json`` (one entry per file) and in the cards that it names and pins (a card describes one model,
holds its thresholds, and pins the files beside it). ``FACEAUTH_WEIGHTS`` names a folder with a manifest of its own; a
file or card that this manifest names takes the place of the built-in one of the same name, all others stay built in.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from faceauth.errors import WeightsMismatch, WeightsMissing

FOLDER_VARIABLE = "FACEAUTH_WEIGHTS"
BUILT_IN = Path(__file__).parent
MANIFEST = "manifest.json"

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)*$")]
"""A relative path with ``/`` between its parts and no part that starts with a dot."""


class Pin(BaseModel):
    """Size in bytes and sha256 (hexadecimal, lower case) of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ManifestEntry(Pin):
    """A pinned file with what one must know before using it.

    Attributes:
        licence: SPDX expression of the weights themselves.
        origin: whose they are and how they came here.
        use: what the model is for and what its terms allow.
    """

    licence: str
    origin: str
    use: str


class Manifest(BaseModel):
    """``manifest.json``: pinned files, and pinned cards that pin files of their own folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[FileName, ManifestEntry] = {}
    cards: dict[FileName, Pin] = {}


class PinnedFile(Pin):
    """A file beside a card."""

    name: FileName


class Card(BaseModel):
    """What every model card holds for the store: terms, and the digests of the files beside it.

    A backend's own card adds its facts by inheriting from this class.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    licence: str
    origin: str
    use: str
    files: dict[str, PinnedFile]


FactsT = TypeVar("FactsT", bound=BaseModel)
CardT = TypeVar("CardT", bound=Card)


@dataclass(frozen=True)
class Weights:
    """One weight file as the manifest or a card pins it. Nothing was read yet; :meth:`read` checks.

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
        """The content of the file, read once and checked; give these bytes on, never the path.

        Raises:
            WeightsMissing: there is no such file.
            WeightsMismatch: size or digest is not the pinned one.
        """
        return _checked(self.path, self.size, self.sha256)


@dataclass(frozen=True)
class PlacedCard(Generic[CardT]):
    """A card with the place it was read from, so that its files come from that very folder.

    Attributes:
        name: the card's path inside the weights folder.
        path: where the card lies.
        sha256: pinned digest of the card.
        facts: its content.
    """

    name: str
    path: Path
    sha256: str
    facts: CardT

    def weights(self, key: str) -> Weights:
        """The file that the card lists under ``key``, with the card's pin and terms."""
        file = self.facts.files[key]
        return Weights(
            name=str(PurePosixPath(self.name).parent / file.name),
            path=self.path.parent / file.name,
            size=file.size,
            sha256=file.sha256,
            licence=self.facts.licence,
            origin=self.facts.origin,
            use=self.facts.use,
        )


class WeightStore:
    """Finds weight files by name.

    Args:
        folder: folder with files of one's own and a ``manifest.json`` that pins them; by default the one that the
            environment variable ``FACEAUTH_WEIGHTS`` names, and without it only the built-in files.

    Raises:
        WeightsMissing: the folder has no manifest.
        WeightsMismatch: its manifest is not valid.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        named = folder if folder is not None else os.environ.get(FOLDER_VARIABLE) or None
        self._manifests = [(BUILT_IN, _read_manifest(BUILT_IN))]
        if named is not None:
            own = _read_manifest(Path(named))
            self._manifests = [(Path(named), own), (BUILT_IN, _without(self._manifests[0][1], own))]

    def find(self, name: str) -> Weights:
        """The file of that name, for example ``"yunet_2023mar.onnx"`` or ``"spoofnet/spoofnet.onnx"``.

        Raises:
            WeightsMissing: nothing of that name is pinned, or its card is not there.
            WeightsMismatch: the file lies in the folder of one's own, but nothing pins it; or a card is not valid.
        """
        for place, manifest in self._manifests:
            for weights in _pinned(place, manifest):
                if weights.name == name:
                    return weights
            self._refuse_unpinned(place / name)
        raise WeightsMissing(f"No weight file {name!r} is pinned; `faceauth models list` shows them.", path=Path(name))

    def card(self, kind: type[CardT], name: str) -> PlacedCard[CardT]:
        """A card, for example ``"spoofnet/card.json"``, read as ``kind``.

        Raises:
            WeightsMissing: no manifest names that card, or it is not there.
            WeightsMismatch: the card is not the pinned one or not valid, or it lies in the folder of one's own without
                being named there, or that folder pins a file of the built-in card but no card of its own: nobody would
                use that file.
        """
        passed: set[str] = set()
        for place, manifest in self._manifests:
            if name in manifest.cards:
                card = _read_card(kind, place, name, manifest.cards[name])
                _refuse_unused(card, passed)
                return card
            self._refuse_unpinned(place / name)
            passed |= manifest.files.keys()
        raise WeightsMissing(f"No manifest names the card {name!r}.", path=Path(name))

    def every_file(self) -> Iterator[Weights]:
        """Every file in use, those of one's own folder first; what they replace is not listed."""
        for place, manifest in self._manifests:
            yield from _pinned(place, manifest)

    @staticmethod
    def _refuse_unpinned(path: Path) -> None:
        if path.exists():
            raise WeightsMismatch(
                f"{path} is there, but no digest pins it, so it is not used. Add its size and sha256 to "
                f"{MANIFEST} in the weights folder, or remove it.",
                path=path,
                found="no pinned digest",
                expected="an entry in the manifest or in a card",
            )


def _refuse_unused(card: PlacedCard[CardT], pinned: set[str]) -> None:
    """A file of one's own, ``pinned``, where the built-in card has its own would be passed over in silence."""
    for key in card.facts.files:
        name = card.weights(key).name
        if name in pinned:
            raise WeightsMismatch(
                f"The {MANIFEST} of your own pins {name}, but the built-in card {card.name} does not use it: put a "
                "card of your own beside the file and name it in the manifest.",
                path=Path(name),
                found="a pinned file without a card",
                expected=f"{card.name} in the folder that {FOLDER_VARIABLE} names",
            )


def _without(manifest: Manifest, replaced_by: Manifest) -> Manifest:
    files = {name: entry for name, entry in manifest.files.items() if name not in replaced_by.files}
    return Manifest(
        files=files, cards={name: pin for name, pin in manifest.cards.items() if name not in replaced_by.cards}
    )


def _pinned(place: Path, manifest: Manifest) -> Iterator[Weights]:
    for name, entry in manifest.files.items():
        yield Weights(name=name, path=place / name, **entry.model_dump())
    for name, pin in manifest.cards.items():
        card = _read_card(Card, place, name, pin)
        yield from (card.weights(key) for key in card.facts.files)


def _read_card(kind: type[CardT], place: Path, name: str, pin: Pin) -> PlacedCard[CardT]:
    path = place / name
    return PlacedCard(name, path, pin.sha256, _parsed(kind, _checked(path, pin.size, pin.sha256), path))


def _read_manifest(place: Path) -> Manifest:
    path = place / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsMissing(
            f"{path} cannot be read ({error}). A folder of weights needs a {MANIFEST} that pins every file in it.",
            path=path,
        ) from None
    return _parsed(Manifest, content, path)


def _checked(path: Path, size: int, sha256: str) -> bytes:
    """The content of a file, read once and compared with its pin."""
    try:
        with path.open("rb") as file:
            content = file.read(size + 1)
    except OSError as error:
        raise WeightsMissing(
            f"The weight file {path} cannot be read ({error.strerror}). Reinstall faceauth, or correct "
            f"{FOLDER_VARIABLE} if it points there.",
            path=path,
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if len(content) == size and found == sha256:
        return content
    if len(content) != size:
        found = f"{path.stat().st_size} bytes"
    raise WeightsMismatch(
        f"{path} is not the pinned file: found {found}, expected {size} bytes with sha256 {sha256}. "
        f"Reinstall faceauth; to use a file of your own, pin its digest in the {MANIFEST} of a folder that "
        f"{FOLDER_VARIABLE} names.",
        path=path,
        found=found,
        expected=sha256,
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

"""Labelled images as records, from a manifest (a CSV file) or from two folders; no image is opened."""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from faceauth.errors import UsageError
from faceauth.imaging.folders import SUFFIXES, images_below
from faceauth.metrics.error_rates import LIVE, SPOOF

COLUMNS = ("path", "label", "attack", "domain", "split")
"""Columns that every manifest has."""
BOX_COLUMNS = ("box_x", "box_y", "box_w", "box_h")
"""Face box in pixels; optional as a whole, and each row may leave it empty."""
SIZE_COLUMNS = ("width", "height")

NO_ATTACK = "none"
"""The species of a live image."""
UNKNOWN_SPECIES = "unknown"
"""Of an attack that lies in no subfolder."""
FOLDERS_DOMAIN, FOLDERS_SPLIT = "folders", "all"
"""Domain and split of every record that comes from a folder: what it was taken with is not known."""

_LABELS = {"live": LIVE, "spoof": SPOOF}


@dataclass(frozen=True)
class Record:
    """One labelled image.

    Attributes:
        path: of the image; relative paths of the manifest are resolved against its folder.
        label: 0 = live (bona fide), 1 = spoof (attack).
        species: kind of attack, "none" for a live image.
        domain: what is left out, resampled and averaged over: one camera, one collection.
        split: train, val, test, or what else the manifest calls it.
        recording: the video or session that the image comes from; None where the manifest does not say.
        box_xyxy: face box in pixels of the file, also where it is decoded smaller; None where the manifest has none.
        size_wh: size of the file's image in pixels; None where the manifest has none.
        reference: another image of the person who is there or whom the attack shows, to be matched with; None where
            the manifest has none.
    """

    path: Path
    label: int
    species: str
    domain: str
    split: str
    recording: str | None = None
    box_xyxy: tuple[float, float, float, float] | None = None
    size_wh: tuple[int, int] | None = None
    reference: Path | None = None

    @property
    def is_live(self) -> bool:
        """Whether a living person stood in front of the camera."""
        return self.label == LIVE


def read_manifest(path: Path, *, splits: Collection[str] | None = None) -> list[Record]:
    """The records of a manifest, or those of some splits.

    Args:
        path: CSV with a header and the columns ``COLUMNS``: ``label`` is live or spoof; ``attack`` is the species,
            none for a live image. Optional: ``recording``, ``reference``, ``BOX_COLUMNS``, ``SIZE_COLUMNS``; others
            are ignored.
        splits: the splits to keep; None for all.

    Raises:
        UsageError: the file or a column is missing, a value makes no sense, an image or a reference does not exist,
            or no record is left. The message names the line.
    """
    records = [record for record in _records(path) if splits is None or record.split in splits]
    if not records:
        wanted = "" if splits is None else f" of the splits {', '.join(sorted(splits))}"
        raise UsageError(f"{path} holds no record{wanted}.")
    images = [record.path for record in records] + [one.reference for one in records if one.reference is not None]
    missing = [image for image in images if not image.is_file()]
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(images)} images of {path} do not exist; the first is {missing[0]}. "
            "Paths are relative to the manifest's folder."
        )
    return records


def records_of_folders(live: Path | None, attacks: Path | None) -> list[Record]:
    """A record for each image of two folders, all of one domain; either folder may be None.

    Args:
        live: folder of bona fide images, subfolders included.
        attacks: folder of attacks; its subfolders are named after their species, and an image directly in it is of
            the species ``UNKNOWN_SPECIES``.

    Raises:
        UsageError: a folder does not exist or holds no image, an image is in both, or a species is called none.
    """
    records: list[Record] = []
    if live is not None:
        records += [_of_folder(path, LIVE, NO_ATTACK) for path in _images(live)]
    if attacks is not None:
        records += [_of_folder(path, SPOOF, _species(path.relative_to(attacks))) for path in _images(attacks)]
    labels: dict[Path, int] = {}
    for record in records:
        if labels.setdefault(record.path.resolve(), record.label) != record.label:
            raise UsageError(f"{record.path} is both live and an attack: name two folders that share no image.")
    return records


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}: name a folder of images.")
    images = list(images_below(folder))
    if not images:
        raise UsageError(f"{folder} holds no image ({', '.join(SUFFIXES)}).")
    return images


def _species(path: Path) -> str:
    """The species of an attack by its path below the folder of attacks."""
    species = path.parts[0] if len(path.parts) > 1 else UNKNOWN_SPECIES
    if species == NO_ATTACK:
        raise UsageError(f"An attack cannot be of the species {NO_ATTACK}, which means live: rename its folder.")
    return species


def _of_folder(path: Path, label: int, species: str) -> Record:
    return Record(path, label, species, domain=FOLDERS_DOMAIN, split=FOLDERS_SPLIT)


def _records(path: Path) -> list[Record]:
    if not path.is_file():
        raise UsageError(f"There is no manifest {path}: name a CSV file with the columns {', '.join(COLUMNS)}.")
    with path.open(newline="", encoding="utf-8-sig") as file:  # as spreadsheets write it, with a mark in front
        reader = csv.DictReader(file)
        try:
            absent = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if absent:
                raise UsageError(
                    f"{path} has no column {', '.join(absent)}: its first line must name {', '.join(COLUMNS)}."
                )
            return [_record(path, reader.line_num, row) for row in reader]
        except (UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"{path} is not a CSV file in UTF-8: {error}.") from error


def _record(manifest: Path, line: int, row: dict[str, str | None]) -> Record:
    value = {name: (text or "").strip() for name, text in row.items() if name is not None and isinstance(text, str)}
    where = f"{manifest}, line {line}"
    for name in COLUMNS:
        if not value.get(name):
            raise UsageError(f"{where}: the column {name} is empty.")
    if value["label"] not in _LABELS:
        raise UsageError(f"{where}: the label {value['label']!r} is neither live nor spoof.")
    if (value["label"] == "live") != (value["attack"] == NO_ATTACK):
        raise UsageError(
            f"{where}: the label {value['label']} does not go with the attack {value['attack']!r}: "
            "a live image has the attack none, a spoof names its species."
        )
    box, size = _numbers(value, BOX_COLUMNS, where), _numbers(value, SIZE_COLUMNS, where)
    if box is not None and (box[2] <= 0 or box[3] <= 0):
        raise UsageError(f"{where}: a face box of {box[2]:g} x {box[3]:g} pixels.")
    image = manifest.parent / value["path"]
    reference = manifest.parent / value["reference"] if value.get("reference") else None
    if reference is not None and reference.resolve() == image.resolve():
        raise UsageError(f"{where}: an image matches itself: name another one of the person as its reference.")
    return Record(
        path=image,
        label=_LABELS[value["label"]],
        species=value["attack"],
        domain=value["domain"],
        split=value["split"],
        recording=value.get("recording") or None,
        box_xyxy=None if box is None else (box[0], box[1], box[0] + box[2], box[1] + box[3]),
        size_wh=None if size is None else (int(size[0]), int(size[1])),
        reference=reference,
    )


def _numbers(value: dict[str, str], columns: tuple[str, ...], where: str) -> tuple[float, ...] | None:
    """The numbers of some columns; None where all of them are empty or absent."""
    texts = [value.get(name, "") for name in columns]
    if not any(texts):
        return None
    try:
        numbers = tuple(float(text) for text in texts)
    except ValueError:
        raise UsageError(f"{where}: {', '.join(columns)} must be numbers, found {', '.join(texts)}.") from None
    if not all(isfinite(number) for number in numbers):
        raise UsageError(f"{where}: {', '.join(columns)} must be finite, found {', '.join(texts)}.")
    return numbers

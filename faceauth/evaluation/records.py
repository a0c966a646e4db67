"""A manifest of labelled pictures: a CSV file in, one checked row a picture out.

Knows no model, and opens no picture: it only looks whether each file is there.
"""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from faceauth.errors import UsageError
from faceauth.metrics.error_rates import LIVE, SPOOF

COLUMNS = ("path", "label", "attack", "domain", "split")
"""Columns that every manifest has."""
BOX_COLUMNS = ("box_x", "box_y", "box_w", "box_h")
"""Face box in pixels; optional as a whole, and each row may leave it empty."""
SIZE_COLUMNS = ("width", "height")

_LABELS = {"live": LIVE, "spoof": SPOOF}


@dataclass(frozen=True)
class Row:
    """One labelled picture.

    Attributes:
        path: of the picture; relative paths of the manifest are resolved against its folder.
        label: 0 = live (bona fide), 1 = spoof (attack).
        species: kind of attack, "none" for a live picture.
        domain: what is left out, resampled and averaged over: one camera, one collection.
        split: train, val, test, or what else the manifest calls it.
        recording: the video or session that the picture comes from; None where the manifest does not say.
        box_xyxy: face box in pixels; None where the manifest has none.
        size_wh: size of the picture in pixels; None where the manifest has none.
        reference: another picture of the person who is there or whom the attack shows, to be matched with; None where
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
        """Whether a living person stood before the camera."""
        return self.label == LIVE


def read_manifest(path: Path, *, splits: Collection[str] | None = None) -> list[Row]:
    """All rows of a manifest, or those of some splits.

    Args:
        path: CSV with a header and the columns ``COLUMNS``: ``label`` is live or spoof; ``attack`` is the species,
            none for a live picture. Optional: ``recording``, ``reference``, ``BOX_COLUMNS``, ``SIZE_COLUMNS``; others
            are ignored.
        splits: the splits to keep; None for all.

    Raises:
        UsageError: the file or a column is missing, a value makes no sense, a picture or a reference is not there,
            or no row is left. The message names the line.
    """
    rows = [row for row in _rows(path) if splits is None or row.split in splits]
    if not rows:
        wanted = "" if splits is None else f" of the splits {', '.join(sorted(splits))}"
        raise UsageError(f"{path} holds no row{wanted}.")
    pictures = [row.path for row in rows] + [row.reference for row in rows if row.reference is not None]
    missing = [picture for picture in pictures if not picture.is_file()]
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(pictures)} pictures of {path} are not there; the first is {missing[0]}. "
            "Paths are relative to the manifest's folder."
        )
    return rows


def _rows(path: Path) -> list[Row]:
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
            return [_row(path, reader.line_num, record) for record in reader]
        except (UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"{path} is not a CSV file in UTF-8: {error}.") from error


def _row(manifest: Path, line: int, record: dict[str, str | None]) -> Row:
    value = {name: (text or "").strip() for name, text in record.items() if name is not None and isinstance(text, str)}
    where = f"{manifest}, line {line}"
    for name in COLUMNS:
        if not value.get(name):
            raise UsageError(f"{where}: the column {name} is empty.")
    if value["label"] not in _LABELS:
        raise UsageError(f"{where}: the label {value['label']!r} is neither live nor spoof.")
    if (value["label"] == "live") != (value["attack"] == "none"):
        raise UsageError(
            f"{where}: the label {value['label']} does not go with the attack {value['attack']!r}: "
            "a live picture has the attack none, a spoof names its species."
        )
    box, size = _numbers(value, BOX_COLUMNS, where), _numbers(value, SIZE_COLUMNS, where)
    if box is not None and (box[2] <= 0 or box[3] <= 0):
        raise UsageError(f"{where}: a face box of {box[2]:g} x {box[3]:g} pixels.")
    picture = manifest.parent / value["path"]
    reference = manifest.parent / value["reference"] if value.get("reference") else None
    if reference is not None and reference.resolve() == picture.resolve():
        raise UsageError(f"{where}: a picture matches itself: name another one of the person as its reference.")
    return Row(
        path=picture,
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

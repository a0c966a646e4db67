"""A manifest: records of any collection in, one CSV with a face box for each out, as all other commands read it."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from faceauth.errors import UsageError
from faceauth.evaluation.records import BOX_COLUMNS, COLUMNS
from faceauth.imaging.decoding import load_image
from faceauth.stages import Detector
from training.crops import largest_box
from training.files import whole
from training.progress import Progress
from training.records import LIVE, Record


def write_manifest(records: Sequence[Record], detector: Detector, out: Path, *, progress: Progress) -> int:
    """Write ``out`` with paths relative to its folder; a record with a box is taken at its word.

    Args:
        records: of pictures (``training.frames`` makes them from videos).
        detector: for records without a box; of several faces the largest is taken.
        out: CSV file to write.
        progress: called with "faces", pictures done and pictures in all.

    Raises:
        UsageError: no picture shows a face.
        ImageError: a picture cannot be used.

    Returns:
        How many pictures were left out because no face was found in them.
    """
    rows = []
    for done, record in enumerate(records, start=1):
        box = record.box_xyxy or largest_box(load_image(record.path), detector)
        if box is not None:
            rows.append(_row(record, box, out.parent))
        progress("faces", done, len(records))
    if not rows:
        raise UsageError("No picture shows a face: look whether the folder is the right one.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole(out) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "recording", *BOX_COLUMNS])
        writer.writerows(rows)
    return len(records) - len(rows)


def _row(record: Record, box: tuple[float, float, float, float], folder: Path) -> list[str]:
    left, top, right, bottom = box
    return [
        os.path.relpath(record.path, folder),
        "live" if record.label == LIVE else "spoof",
        record.species,
        record.domain,
        record.split,
        record.recording or "",
        *(f"{value:.1f}" for value in (left, top, right - left, bottom - top)),
    ]

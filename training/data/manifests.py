"""Manifests: the CSV files that name labelled images, read for training and written with a face box in each row."""

import csv
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from faceauth.errors import UsageError
from faceauth.evaluation.records import BOX_COLUMNS, COLUMNS, Record, read_manifest
from faceauth.imaging.decoding import load_image
from faceauth.metrics.error_rates import LIVE, SPOOF
from faceauth.stages import Detector
from training.data.face_boxes import largest_box
from training.data.files import whole
from training.data.progress import Progress

__all__ = ["LIVE", "SPLITS", "SPOOF", "Record", "records_of_splits", "write_manifest"]

SPLITS = ("train", "val", "test")


def records_of_splits(manifest: Path, splits: Collection[str] = SPLITS) -> list[Record]:
    """Records of a manifest's ``splits``.

    Raises:
        UsageError: as ``faceauth.evaluation.records.read_manifest``, or a record's split is none of ``SPLITS``:
            training would never draw it, and nobody would notice.
    """
    records = read_manifest(manifest)
    strange = sorted({record.split for record in records} - set(SPLITS))
    if strange:
        raise UsageError(f"{manifest} has the splits {', '.join(strange)}; training knows {', '.join(SPLITS)}.")
    return [record for record in records if record.split in splits]


def write_manifest(records: Sequence[Record], detector: Detector, out: Path, *, progress: Progress) -> int:
    """Write ``out`` with paths relative to its folder; a record with a box is taken at its word.

    Args:
        records: of images (``training.data.video_frames`` makes them from videos).
        detector: for records without a box; of several faces the largest is taken.
        out: CSV file to write.
        progress: called with "faces", images done and images in all.

    Raises:
        UsageError: no image shows a face.
        ImageError: an image cannot be used.

    Returns:
        How many images were left out because no face was found in them.
    """
    rows = []
    for done, record in enumerate(records, start=1):
        box = record.box_xyxy or largest_box(load_image(record.path), detector)
        if box is not None:
            rows.append(_row(record, box, out.parent))
        progress("faces", done, len(records))
    if not rows:
        raise UsageError("No image shows a face: look whether the folder is the right one.")
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

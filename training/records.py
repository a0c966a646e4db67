"""Records: the one type for a labelled picture of a face, whatever collection it came from. Knows no crop.

A record is a row of the library's own manifest, so that training and ``faceauth evaluate`` read the same files alike.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from faceauth.errors import UsageError
from faceauth.evaluation.records import Record, read_manifest
from faceauth.metrics.error_rates import LIVE, SPOOF

__all__ = ["LIVE", "SPLITS", "SPOOF", "VIDEO_SUFFIXES", "Record", "manifest_records", "pictures", "videos"]

SPLITS = ("train", "val", "test")
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
VIDEO_SUFFIXES = frozenset({".avi", ".mov", ".mp4", ".mkv"})


def manifest_records(manifest: Path, splits: Collection[str] = SPLITS) -> list[Record]:
    """Records of a manifest's ``splits``.

    Raises:
        UsageError: as ``faceauth.evaluation.records.read_manifest``, or a row's split is none of ``SPLITS``:
            training would never draw it, and nobody would notice.
    """
    records = read_manifest(manifest)
    strange = sorted({record.split for record in records} - set(SPLITS))
    if strange:
        raise UsageError(f"{manifest} has the splits {', '.join(strange)}; training knows {', '.join(SPLITS)}.")
    return [record for record in records if record.split in splits]


def pictures(folder: Path) -> Iterator[Path]:
    """JPEG, PNG, WebP and BMP files below ``folder``, sorted, so that runs are repeatable."""
    yield from _files(folder, PICTURE_SUFFIXES)


def videos(folder: Path) -> Iterator[Path]:
    """AVI, MOV, MP4 and MKV files below ``folder``, sorted."""
    yield from _files(folder, VIDEO_SUFFIXES)


def _files(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())

"""Plain folders ``real/`` and ``spoof/`` of images and videos; opens none of them.

Layout: ``real/`` and ``spoof/``, either directly or below ``train/``, ``val/`` and ``test/`` (any of them). A folder
inside ``spoof/`` names the species (``spoof/print/...``), else it is ``unknown``. The root's name is the domain.
"""

from pathlib import Path

from faceauth.imaging.folders import images_below
from training.data.files import VIDEO_SUFFIXES, video_files
from training.data.manifests import LIVE, SPLITS, SPOOF, Record
from training.data.readers.published import folders_in


def read(root: Path) -> list[Record]:
    """Records of the split folders that exist, or of ``root`` itself as training data.

    Raises:
        UsageError: no ``real/`` or no ``spoof/`` where one is expected.
    """
    parts = {split: root / split for split in SPLITS if (root / split).is_dir()} or {"train": root}
    return [record for split, part in parts.items() for record in _part(part, root, split)]


def _part(part: Path, root: Path, split: str) -> list[Record]:
    live, spoof = folders_in(part, ("real", "spoof"))
    return [_record(file, LIVE, "none", root, split) for file in _shown(live)] + [
        _record(file, SPOOF, _species(file, spoof), root, split) for file in _shown(spoof)
    ]


def _shown(folder: Path) -> list[Path]:
    return sorted([*images_below(folder), *video_files(folder)])


def _record(file: Path, label: int, species: str, root: Path, split: str) -> Record:
    is_video = file.suffix.lower() in VIDEO_SUFFIXES
    recording = "-".join(file.relative_to(root).with_suffix("").parts) if is_video else None
    return Record(file, label, species, root.resolve().name, split, recording=recording)


def _species(file: Path, spoof: Path) -> str:
    below = file.relative_to(spoof).parts
    return below[0] if len(below) > 1 else "unknown"

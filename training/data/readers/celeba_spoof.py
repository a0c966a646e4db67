"""CelebA-Spoof (Zhang et al., ECCV 2020), images; opens none of them.

Layout: ``metas/intra_test/{train,test}_label.json`` maps ``Data/train/1/live/000001.jpg`` to 44 numbers, of which the
41st is the kind of attack and the 44th live (0) or spoof (1). Checked against public loaders of the set; not run on
the set itself. The ``*_BB.txt`` boxes are not read: the library crops around its own detector's boxes.
"""

import json
from pathlib import Path

from training.data.manifests import LIVE, SPOOF, Record
from training.data.readers.published import not_of_layout

DOMAIN = "celeba_spoof"
KIND, ANSWER = 40, 43
SPECIES = {
    **dict.fromkeys((1, 2, 3), "print"),  # photo, poster, A4
    **dict.fromkeys((4, 5, 6), "paper_mask"),  # face, upper body, region
    **dict.fromkeys((7, 8, 9), "replay"),  # PC, tablet, phone
    10: "mask",  # 3D
}


def read(root: Path) -> list[Record]:
    """Records of the official train and test lists; the person is the recording.

    Raises:
        UsageError: a list is missing, or an entry contradicts itself.
    """
    return [record for split in ("train", "test") for record in _list(root, split)]


def _list(root: Path, split: str) -> list[Record]:
    path = root / "metas" / "intra_test" / f"{split}_label.json"
    if not path.is_file():
        raise not_of_layout(path, "metas/intra_test/train_label.json and test_label.json")
    entries: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8"))
    return [_record(root, split, name, numbers) for name, numbers in sorted(entries.items())]


def _record(root: Path, split: str, name: str, numbers: list[int]) -> Record:
    image = root / name
    live = image.parent.name == "live"
    if len(numbers) <= ANSWER or (numbers[ANSWER] == 0) != live or (numbers[KIND] == 0) != live:
        raise not_of_layout(image, "the folder live or spoof and 44 numbers that agree with it")
    return Record(
        path=image,
        label=LIVE if live else SPOOF,
        species="none" if live else SPECIES[numbers[KIND]],
        domain=DOMAIN,
        split=split,
        recording=f"{DOMAIN}-{image.parent.parent.name}",
    )

"""LCC-FASD (Timoshenko et al., 2019), images; opens none of them.

Layout: ``LCC_FASD_{training,development,evaluation}/{real,spoof}/*.png``. Checked against public descriptions; not run
on the set itself. Its attacks are photos of screens of many devices: species ``replay``.
"""

import re
from pathlib import Path

from faceauth.imaging.folders import images_below
from training.data.manifests import LIVE, SPOOF, Record
from training.data.readers.published import folders_in

DOMAIN = "lcc_fasd"
SPLIT_OF = {"LCC_FASD_training": "train", "LCC_FASD_development": "val", "LCC_FASD_evaluation": "test"}
SESSION = re.compile(r"(.*id\d+_s\d+)_\d+")
"""``YOUTUBE_id99_s2_15``: source, person, session, frame."""


def read(root: Path) -> list[Record]:
    """Records of the three official parts.

    Raises:
        UsageError: a folder is missing.
    """
    return [record for part in folders_in(root, tuple(SPLIT_OF)) for record in _part(part)]


def _part(part: Path) -> list[Record]:
    live, spoof = folders_in(part, ("real", "spoof"))
    split = SPLIT_OF[part.name]
    return [Record(p, LIVE, "none", DOMAIN, split, recording=_session(p)) for p in images_below(live)] + [
        Record(p, SPOOF, "replay", DOMAIN, split, recording=_session(p)) for p in images_below(spoof)
    ]


def _session(image: Path) -> str | None:
    named = SESSION.fullmatch(image.stem)
    return None if named is None else f"{image.parent.name}-{named[1]}"

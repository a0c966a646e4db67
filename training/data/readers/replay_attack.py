"""Replay-Attack (Chingovska et al., 2012), videos; opens none of them.

Layout: ``{train,devel,test}/real/*.mov`` and ``{train,devel,test}/attack/{fixed,hand}/attack_DEVICE_*.mov``, DEVICE
being print, mobile or highdef. Checked against Idiap's database interface and public file lists; not run on the set.
Everything was filmed by one laptop: one domain. ``enroll/`` and ``face-locations/`` are not read.
"""

import re
from pathlib import Path

from training.data.files import video_files
from training.data.manifests import LIVE, SPOOF, Record
from training.data.readers.published import folders_in, not_of_layout

DOMAIN = "replay_attack"
SPLIT_OF = {"train": "train", "devel": "val", "test": "test"}
ATTACK = re.compile(r"attack_(print|mobile|highdef)_client\d+_.*")


def read(root: Path) -> list[Record]:
    """Records of the three official parts, one a video.

    Raises:
        UsageError: a folder is missing, or an attack's name is not of the layout.
    """
    return [record for part in folders_in(root, tuple(SPLIT_OF)) for record in _part(part)]


def _part(part: Path) -> list[Record]:
    live, attacks = folders_in(part, ("real", "attack"))
    split = SPLIT_OF[part.name]
    return [Record(v, LIVE, "none", DOMAIN, split, recording=f"{part.name}-{v.stem}") for v in video_files(live)] + [
        Record(v, SPOOF, _species(v), DOMAIN, split, recording=f"{part.name}-{v.parent.name}-{v.stem}")
        for v in video_files(attacks)
    ]


def _species(video: Path) -> str:
    named = ATTACK.fullmatch(video.stem)
    if named is None:
        raise not_of_layout(video, "attack_print_client001_..., attack_mobile_... or attack_highdef_...")
    return "print" if named[1] == "print" else "replay"

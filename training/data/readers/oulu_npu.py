"""OULU-NPU (Boulkenafet et al., 2017), videos; opens none of them.

Layout: ``{Train,Dev,Test}_files/PHONE_SESSION_USER_FILE.avi``; FILE 1 is live, 2 and 3 are prints, 4 and 5 replays.
Checked against public descriptions and loaders; not run on the set itself. Each of the six phones is a domain.
"""

import re
from pathlib import Path

from training.data.files import video_files
from training.data.manifests import LIVE, SPOOF, Record
from training.data.readers.published import folders_in, not_of_layout

SPLIT_OF = {"Train_files": "train", "Dev_files": "val", "Test_files": "test"}
NAME = re.compile(r"([1-6])_([1-3])_(\d+)_([1-5])")
SPECIES = {"1": "none", "2": "print", "3": "print", "4": "replay", "5": "replay"}


def read(root: Path) -> list[Record]:
    """Records of the three official parts, one a video.

    Raises:
        UsageError: a folder is missing, or a video's name is not of the layout.
    """
    return [_record(video) for part in folders_in(root, tuple(SPLIT_OF)) for video in video_files(part)]


def _record(video: Path) -> Record:
    named = NAME.fullmatch(video.stem)
    if named is None:
        raise not_of_layout(video, "PHONE_SESSION_USER_FILE.avi, for example 1_1_01_1.avi")
    species = SPECIES[named[4]]
    return Record(
        path=video,
        label=LIVE if species == "none" else SPOOF,
        species=species,
        domain=f"oulu_npu-phone{named[1]}",
        split=SPLIT_OF[_part(video)],
        recording=video.stem,
    )


def _part(video: Path) -> str:
    return next(parent.name for parent in video.parents if parent.name in SPLIT_OF)

"""MSU-MFSD (Wen, Han and Jain, 2015), videos; opens none of them.

Layout: ``scene01/real/real_client001_CAMERA_SD_scene01.*`` and
``scene01/attack/attack_client001_CAMERA_SD_MEDIUM_scene01.*`` (CAMERA laptop or android; MEDIUM ipad_video,
iphone_video or printed_photo); ``train_sub_list.txt`` and ``test_sub_list.txt`` hold the clients' numbers. Checked
against Idiap's interface and public loaders; not run on the set. Each camera is a domain. A few videos lie upside
down: where the detector finds no face in them they fall out.
"""

import re
from pathlib import Path

from training.data.files import video_files
from training.data.manifests import LIVE, SPOOF, Record
from training.data.readers.published import folders_in, not_of_layout

NAME = re.compile(
    r"(real|attack)_client(\d+)_(laptop|android)_SD(?:_(ipad_video|iphone_video|printed_photo))?_scene\d+"
)


def read(root: Path) -> list[Record]:
    """Records of the two official parts, one a video.

    Raises:
        UsageError: a folder or a list is missing, or a video's name is not of the layout.
    """
    split_of = {client: split for split in ("train", "test") for client in _clients(root / f"{split}_sub_list.txt")}
    parts = folders_in(root, ("scene01/real", "scene01/attack"))
    return [_record(video, split_of) for part in parts for video in video_files(part)]


def _clients(path: Path) -> set[int]:
    if not path.is_file():
        raise not_of_layout(path, "train_sub_list.txt and test_sub_list.txt beside scene01/")
    return {int(number) for number in path.read_text(encoding="utf-8").split()}


def _record(video: Path, split_of: dict[int, str]) -> Record:
    named = NAME.fullmatch(video.stem)
    if named is None or (named[1] == "attack") != bool(named[4]) or int(named[2]) not in split_of:
        raise not_of_layout(video, "real_client001_android_SD_scene01 or attack_..., of a client in one of the lists")
    live = named[1] == "real"
    return Record(
        path=video,
        label=LIVE if live else SPOOF,
        species="none" if live else "print" if named[4] == "printed_photo" else "replay",
        domain=f"msu_mfsd-{named[3]}",
        split=split_of[int(named[2])],
        recording=video.stem,
    )

"""CASIA-FASD (Zhang et al., 2012), videos; opens none of them.

Layout: ``{train,test}_release/CLIENT/VIDEO.avi``; VIDEO is 1, 3, 5, 7 (old webcam), 2, 4, 6, 8 (new webcam) or
HR_1 to HR_4 (camera), and shows in this order a person, a warped print, a print with the eyes cut out, a replay.
Checked against Idiap's interface, its tests and public loaders; not run on the set. Each camera is a domain. Some
loaders take HR_4 for live: it is not.
"""

from pathlib import Path

from training.data.files import video_files
from training.data.manifests import LIVE, SPOOF, Record
from training.data.readers.published import folders_in, not_of_layout

SPLIT_OF = {"train_release": "train", "test_release": "test"}
SPECIES = ("none", "print", "cutout", "replay")
CAMERAS = {"low": ("1", "3", "5", "7"), "normal": ("2", "4", "6", "8"), "high": ("HR_1", "HR_2", "HR_3", "HR_4")}
SHOWN = {
    name: (camera, species) for camera, names in CAMERAS.items() for name, species in zip(names, SPECIES, strict=True)
}


def read(root: Path) -> list[Record]:
    """Records of the two official parts, one a video.

    Raises:
        UsageError: a folder is missing, or a video's name is not of the layout.
    """
    return [_record(video) for part in folders_in(root, tuple(SPLIT_OF)) for video in video_files(part)]


def _record(video: Path) -> Record:
    if video.stem not in SHOWN or video.parent.parent.name not in SPLIT_OF:
        raise not_of_layout(video, "train_release/CLIENT/1.avi to 8.avi or HR_1.avi to HR_4.avi")
    camera, species = SHOWN[video.stem]
    part = video.parent.parent.name
    return Record(
        path=video,
        label=LIVE if species == "none" else SPOOF,
        species=species,
        domain=f"casia_fasd-{camera}",
        split=SPLIT_OF[part],
        recording=f"{part}-{video.parent.name}-{video.stem}",
    )

"""Portraits: live photos, each with the face in its middle and the split of its person.

A portrait has no label file: it is live, its face is the one nearest the middle, and its person is in one split only.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from faceauth.errors import ImageError, UsageError
from faceauth.imaging.decoding import load_image
from faceauth.imaging.folders import images_below
from faceauth.results import Face
from faceauth.stages import Detector, Image
from training.data.manifests import LIVE, Record


def portrait_face(image: Image, detector: Detector) -> Face | None:
    """The face nearest the vertical middle line of the image, or None without a face."""
    return min(detector.detect(image), key=lambda face: _off_centre(image, face), default=None)


def person_of(file: Path) -> str:
    """Who is shown: the name of the file without its number."""
    return file.stem.rstrip("0123456789").rstrip("_") or file.stem


def split_of_portrait(file: Path) -> str:
    """``val`` for one person in five, by a hash of their name, else ``train``."""
    return "val" if int(hashlib.sha256(person_of(file).encode()).hexdigest(), 16) % 5 == 0 else "train"


def refuse_one_sided(folders: Sequence[Path]) -> None:
    """Some people are trained on and others held out, which fails where all files seem to show one person.

    Raises:
        UsageError: all portraits are of one split.
    """
    found = {split_of_portrait(file) for folder in folders for file in images_below(folder)}
    if len(found) < 2:
        raise UsageError(
            "The portraits show too few people to hold one in five of them out: add more, named PERSON_NUMBER, or with "
            "one name a person."
        )


def domain_of_portrait(file: Path) -> str:
    """A folder of portraits is a domain."""
    return f"portraits-{file.parent.name}"


def readable_portraits(folders: Sequence[Path]) -> Iterator[Record]:
    """Portraits of both splits that can be read, with a face or without, and without its box."""
    for file in (file for folder in folders for file in images_below(folder)):
        try:
            load_image(file)
        except ImageError:
            continue
        yield Record(file, LIVE, "none", domain_of_portrait(file), split_of_portrait(file))


def held_out_portraits(folders: Sequence[Path], detector: Detector) -> Iterator[Record]:
    """Portraits of people that no training saw, with the face box; those without a face are left out."""
    for file in (file for folder in folders for file in images_below(folder) if split_of_portrait(file) == "val"):
        try:
            face = portrait_face(load_image(file), detector)
        except ImageError:
            continue
        if face is not None:
            domain, person = domain_of_portrait(file), person_of(file)
            yield Record(file, LIVE, "none", domain, "val", recording=person, box_xyxy=face.box_xyxy)


def _off_centre(image: Image, face: Face) -> float:
    return abs(face.box_xyxy[0] + face.box_xyxy[2] - float(image.shape[1]))

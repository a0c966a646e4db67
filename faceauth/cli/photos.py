"""Arguments of the command line in, the photos they mean out, and where each is drawn to.

Opens no picture: whether a file is one shows when it is verified.
"""

import os
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from faceauth.errors import UsageError
from faceauth.imaging.folders import SUFFIXES, images_below


def find_photos(arguments: Sequence[str]) -> list[Path]:
    """Every photo once, in the order of the arguments, and sorted within each.

    A folder means the pictures in it and in its subfolders, without what is hidden and without following links to
    folders. A glob that the shell left alone is expanded here, with ``**`` for any depth.

    Raises:
        UsageError: an argument means no photo, or a folder cannot be read.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        photos = [photo for path in _expanded(argument) for photo in _photos_at(path)]
        if not photos:
            raise UsageError(f"{argument} holds no picture ({', '.join(SUFFIXES)}).")
        for photo in photos:
            found.setdefault(os.path.abspath(photo), photo)
    return list(found.values())


def drawn_paths(photos: Sequence[Path], target: Path, *, keep: Sequence[Path] = ()) -> dict[Path, Path]:
    """Photo -> file to draw it to.

    One photo goes to ``target`` where that has a picture's suffix and is no folder; otherwise ``target`` is a folder,
    and holds every photo at its place below the folder that all photos share.

    Args:
        photos: to be drawn.
        target: the file or folder.
        keep: other pictures that must not be overwritten, such as the reference.

    Raises:
        UsageError: several photos would go into one file, a photo or one of ``keep`` would be overwritten, or OpenCV
            writes no such files.
    """
    import cv2

    is_file = target.suffix.lower() in SUFFIXES and not target.is_dir()
    if is_file and len(photos) > 1:
        raise UsageError(f"--draw {target} names one picture, but there are {len(photos)} photos: name a folder.")
    if not is_file and target.exists() and not target.is_dir():
        raise UsageError(f"--draw {target} is neither a folder nor a picture ({', '.join(SUFFIXES)}).")
    shared = os.path.commonpath([os.path.abspath(photo.parent) for photo in photos])
    drawn = {photo: target if is_file else target / os.path.relpath(os.path.abspath(photo), shared) for photo in photos}
    originals = {photo.resolve() for photo in (*photos, *keep)}
    for path in drawn.values():
        if path.resolve() in originals:
            raise UsageError(f"--draw would overwrite the photo {path}: name another place.")
        if not cv2.haveImageWriter(str(path)):
            raise UsageError(f"OpenCV cannot draw to {path}: name a .png file.")
    return drawn


def _expanded(argument: str) -> list[Path]:
    if os.path.lexists(argument):
        return [Path(argument)]
    if not has_magic(argument):
        raise UsageError(f"{argument} does not exist: name a photo, a folder or a glob.")
    matches = sorted(glob(argument, recursive=True))
    if not matches:
        raise UsageError(f"Nothing matches {argument}.")
    return [Path(match) for match in matches]


def _photos_at(path: Path) -> Iterator[Path]:
    """A file that is named is always taken, whatever its suffix."""
    if path.is_dir():
        yield from images_below(path)
    else:
        yield path

"""Which photos the command line's arguments mean, and where each is drawn to. Opens none of them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from faceauth.errors import UsageError
from faceauth.imaging.folders import SUFFIXES, images_below

STDIN = "-"


@dataclass(frozen=True)
class Photos:
    """The photos to verify, and the other files in their folders that are not taken for images."""

    paths: tuple[Path, ...]
    skipped: tuple[Path, ...] = ()


def find_photos(arguments: Sequence[str]) -> Photos:
    """Every photo once, in the order of the arguments, and sorted within each.

    A folder means the images in it and in its subfolders, without what is hidden and without following links to
    folders. A glob that the shell left alone is expanded here, with ``**`` for any depth.

    Raises:
        UsageError: an argument means no photo, or a folder cannot be read.
    """
    found: dict[str, Path] = {}
    skipped: dict[str, Path] = {}
    for argument in arguments:
        paths = _expanded(argument)
        photos = [photo for path in paths for photo in _photos_at(path)]
        if not photos:
            raise UsageError(f"{argument} holds no image ({', '.join(SUFFIXES)}).")
        _add(found, photos)
        _add(skipped, (path for folder in paths if folder.is_dir() for path in _others_below(folder)))
    return Photos(tuple(found.values()), tuple(path for place, path in skipped.items() if place not in found))


def drawn_paths(photos: Sequence[Path], target: Path, *, keep: Sequence[Path] = ()) -> dict[Path, Path]:
    """Photo -> file to draw it to.

    One photo goes to ``target`` where that has the suffix of an image and is not a folder; otherwise ``target`` is a
    folder, and holds every photo at its place below the folder that all photos share.

    Args:
        photos: to be drawn.
        target: the file or folder.
        keep: other images that are not drawn over, such as the reference.

    Raises:
        UsageError: several photos would go into one file, a photo or one of ``keep`` would be drawn over, even if it
            is a drawing itself, or a file has no suffix of an image.
    """
    is_file = target.suffix.lower() in SUFFIXES and not target.is_dir()
    if is_file and len(photos) > 1:
        raise UsageError(f"--draw {target} names one image, but there are {len(photos)} photos: name a folder.")
    if not is_file and target.exists() and not target.is_dir():
        raise UsageError(f"--draw {target} is neither a folder nor an image ({', '.join(SUFFIXES)}).")
    if not is_file and list(photos) == [Path(STDIN)]:
        raise UsageError(f"--draw {target} is not an image ({', '.join(SUFFIXES)}): name a file for the one photo.")
    shared = os.path.commonpath([os.path.abspath(photo.parent) for photo in photos])
    drawn = {photo: target if is_file else target / os.path.relpath(os.path.abspath(photo), shared) for photo in photos}
    originals = {photo.resolve() for photo in (*photos, *keep)}
    for path in drawn.values():
        if path.resolve() in originals:
            raise UsageError(f"--draw would overwrite the photo {path}: name another place.")
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"{path} cannot be drawn ({', '.join(SUFFIXES)}): name a .png file with --draw.")
    return drawn


def _add(paths: dict[str, Path], new: Iterable[Path]) -> None:
    """By their place in the file system, each once."""
    for path in new:
        paths.setdefault(os.path.abspath(path), path)


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


def _others_below(folder: Path) -> Iterator[Path]:
    """What :func:`images_below` leaves out, except hidden files: files with other suffixes, and links to folders."""
    for path, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield from (Path(path, name) for name in subfolders if os.path.islink(os.path.join(path, name)))
        for name in sorted(files):
            if not name.startswith(".") and not name.lower().endswith(SUFFIXES):
                yield Path(path, name)

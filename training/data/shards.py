"""Shards: labelled images with their face boxes in files that load at once.

Training reads every image dozens of times; a shard keeps a thousand as JPEG bytes in one array, their facts in columns.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.errors import UsageError
from faceauth.stages import Image
from training.data.files import whole, write_whole
from training.data.manifests import Record

JPEG_QUALITY = 95
PARTS = ("prepared", "recaptures")
"""What a folder of shards is made in; a part ends with a list of its files, which says that it is complete."""

Origin = Literal["real", "portrait", "recapture"]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class StoredImage:
    """One image on its way into a shard.

    Attributes:
        record: its facts; ``path`` is its unique name, ``box_xyxy`` the face box in pixels of what is stored.
        origin: a labelled frame of a camera, a live portrait from the web, or a simulated attack.
        jpeg: the encoded image.
        source: name of the live image that a simulated attack shows, else empty.
        background: domain of the image behind the sheet or device of a simulated attack, else empty.
    """

    record: Record
    origin: Origin
    jpeg: bytes
    source: str = ""
    background: str = ""


@dataclass(frozen=True)
class Shards:
    """Columns over N images; ``blob[offsets[i]:offsets[i + 1]]`` is image i as JPEG."""

    name: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]
    origin: npt.NDArray[np.str_]
    label: npt.NDArray[np.int64]
    species: npt.NDArray[np.str_]
    domain: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    recording: npt.NDArray[np.str_]
    box_xyxy: npt.NDArray[np.float64]
    background: npt.NDArray[np.str_]
    offsets: npt.NDArray[np.int64]
    blob: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.name)

    def image(self, index: int) -> Image:
        """Image ``index``: uint8, H x W x 3, BGR."""
        encoded = self.blob[self.offsets[index] : self.offsets[index + 1]]
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)

    def box(self, index: int) -> Box:
        """Face box of image ``index`` in its pixels."""
        left, top, right, bottom = (float(v) for v in self.box_xyxy[index])
        return left, top, right, bottom


COLUMNS = tuple(f.name for f in fields(Shards))


def encode(image: Image, quality: int = JPEG_QUALITY) -> bytes:
    """JPEG bytes of an image."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def in_columns(images: Sequence[StoredImage]) -> Shards:
    """Columns of ``images``."""
    records = [image.record for image in images]
    return Shards(
        name=np.array([record.path.as_posix() for record in records], np.str_),
        source=np.array([image.source for image in images], np.str_),
        origin=np.array([image.origin for image in images], np.str_),
        label=np.array([record.label for record in records], np.int64),
        species=np.array([record.species for record in records], np.str_),
        domain=np.array([record.domain for record in records], np.str_),
        split=np.array([record.split for record in records], np.str_),
        recording=np.array([record.recording or "" for record in records], np.str_),
        box_xyxy=np.array([record.box_xyxy for record in records], np.float64).reshape(-1, 4),
        background=np.array([image.background for image in images], np.str_),
        offsets=np.concatenate([[0], np.cumsum([len(image.jpeg) for image in images])]).astype(np.int64),
        blob=np.frombuffer(b"".join(image.jpeg for image in images), np.uint8),
    )


def digest_of_shards(content: Shards) -> str:
    """SHA-256 of all columns."""
    digest = hashlib.sha256()
    for name in COLUMNS:
        digest.update(np.ascontiguousarray(getattr(content, name)).view(np.uint8).data)
    return digest.hexdigest()


def save_shard(path: Path, content: Shards) -> None:
    """Write a shard so that a reader never sees half of one."""
    with whole(path) as part, part.open("wb") as file:
        np.savez(file, **{name: getattr(content, name) for name in COLUMNS})


def complete(folder: Path, part: str, files: Sequence[Path]) -> None:
    """Note in ``folder`` that these are all shards of one of ``PARTS``."""
    write_whole(folder / f"{part}.txt", "".join(f"{path.name}\n" for path in files))


def files_of(folder: Path, part: str) -> list[Path]:
    """All shards of one of ``PARTS``; none where it was never begun.

    Raises:
        UsageError: it was begun and is not complete, or a file is gone.
    """
    noted, begun = folder / f"{part}.txt", folder / f"{part}.sha256"
    if not noted.exists() and not begun.exists():
        return []
    files = [folder / name for name in noted.read_text().splitlines()] if noted.exists() else []
    if not noted.exists() or not all(file.exists() for file in files):
        command = "prepare" if part == "prepared" else "simulate"
        raise UsageError(f"The {part} shards of {folder} are incomplete: run `python -m training {command}` again.")
    return files


def load_folder(folder: Path) -> Shards:
    """Everything that ``prepare`` and ``simulate`` completed in a folder.

    Raises:
        UsageError: a part is incomplete, or there is no image.
    """
    return load_shards([file for part in PARTS for file in files_of(folder, part)])


def load_shards(paths: Iterable[Path]) -> Shards:
    """All shards of ``paths`` as one.

    Raises:
        UsageError: there is no image in them, or they are of another version of this project.
    """
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            if set(file.files) != set(COLUMNS):
                raise UsageError(f"{path} is of another version: run `python -m training prepare` into a new folder.")
            parts.append({name: file[name] for name in COLUMNS})
    parts = [part for part in parts if len(part["name"])]  # a shard in which no face was found has no shape to join
    if not parts:
        raise UsageError("There is no image in any shard: run `python -m training prepare` first.")
    ends = np.cumsum([0] + [int(p["offsets"][-1]) for p in parts])
    offsets = [p["offsets"][:-1] + end for p, end in zip(parts, ends, strict=False)]
    columns = {name: np.concatenate([p[name] for p in parts]) for name in COLUMNS if name != "offsets"}
    return Shards(**columns, offsets=np.concatenate([*offsets, ends[-1:]]))

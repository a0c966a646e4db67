"""Packs: pictures with labels, boxes and teacher scores in files that load at once. Knows no augmentation.

Training reads every picture dozens of times; a pack keeps them as JPEG bytes in one array, with the facts in columns.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pil

from faceauth.errors import UsageError
from faceauth.stages import Image
from training.files import whole, write_whole

JPEG_QUALITY = 95
FINISHED = "packs.txt"  # names all packs of a folder, and is written when there are that many
WIDE = 1.6  # context from which a picture shows a device, a sheet or a room; between the collections' 1.0 and 1.9


@dataclass(frozen=True)
class Packed:
    """One picture on its way into a pack.

    Attributes:
        key: unique name, for example the path below the collection's folder.
        source: key of the live picture behind a simulated attack, else empty.
        origin: ``real`` (a labelled frame), ``portrait`` (a live web photo) or ``recapture`` (simulated attack).
        jpeg: the encoded picture.
        teacher: teacher logits in the order of ``training.teachers.TEACHERS``; NaN where none were asked.
        behind: domain of the picture behind the sheet or device of a simulated attack, else empty.
    """

    key: str
    source: str
    origin: str
    label: int
    species: str
    domain: str
    split: str
    box_xyxy: tuple[float, float, float, float]
    jpeg: bytes
    teacher: tuple[float, ...]
    behind: str = ""


@dataclass(frozen=True)
class Pack:
    """Columns over N pictures; ``blob[offsets[i]:offsets[i + 1]]`` is picture i as JPEG."""

    key: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]
    origin: npt.NDArray[np.str_]
    label: npt.NDArray[np.int64]
    species: npt.NDArray[np.str_]
    domain: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    box_xyxy: npt.NDArray[np.float64]
    teacher: npt.NDArray[np.float32]
    behind: npt.NDArray[np.str_]
    offsets: npt.NDArray[np.int64]
    blob: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.key)

    def image(self, index: int) -> Image:
        """Picture ``index``: uint8, H x W x 3, BGR."""
        encoded = self.blob[self.offsets[index] : self.offsets[index + 1]]
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)

    def context(self, index: int) -> float:
        """Longer side of picture ``index`` over the longer side of its face box; reads the header only."""
        encoded = self.blob[self.offsets[index] : self.offsets[index + 1]].tobytes()
        left, top, right, bottom = self.box(index)
        return max(Pil.open(io.BytesIO(encoded), formats=["JPEG"]).size) / max(right - left, bottom - top)

    def box(self, index: int) -> tuple[float, float, float, float]:
        """Face box of picture ``index`` in its pixels."""
        left, top, right, bottom = (float(v) for v in self.box_xyxy[index])
        return left, top, right, bottom


COLUMNS = tuple(f.name for f in fields(Pack))


def encode(image: Image, quality: int = JPEG_QUALITY) -> bytes:
    """JPEG bytes of a picture."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def pack(items: Sequence[Packed]) -> Pack:
    """Columns of ``items``."""
    lengths = [len(item.jpeg) for item in items]
    return Pack(
        key=np.array([i.key for i in items], np.str_),
        source=np.array([i.source for i in items], np.str_),
        origin=np.array([i.origin for i in items], np.str_),
        label=np.array([i.label for i in items], np.int64),
        species=np.array([i.species for i in items], np.str_),
        domain=np.array([i.domain for i in items], np.str_),
        split=np.array([i.split for i in items], np.str_),
        box_xyxy=np.array([i.box_xyxy for i in items], np.float64).reshape(-1, 4),
        teacher=np.array([i.teacher for i in items], np.float32),
        behind=np.array([i.behind for i in items], np.str_),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        blob=np.frombuffer(b"".join(i.jpeg for i in items), np.uint8),
    )


def save(path: Path, content: Pack) -> None:
    """Write a pack so that a reader never sees half of one."""
    with whole(path) as part, part.open("wb") as file:
        np.savez(file, **{name: getattr(content, name) for name in COLUMNS})


def finish(folder: Path, packs: Sequence[Path]) -> None:
    """Note in ``folder`` that these are all of its packs."""
    write_whole(folder / FINISHED, "".join(f"{path.name}\n" for path in packs))


def load_all(folder: Path) -> Pack:
    """The packs of a folder that ``prepare`` finished.

    Raises:
        UsageError: it did not, one is gone, or there is no picture in them.
    """
    finished = folder / FINISHED
    packs = [folder / name for name in finished.read_text().splitlines()] if finished.exists() else []
    if not packs or not all(pack.exists() for pack in packs):
        raise UsageError(f"{folder} is not finished: run `python -m training prepare` with it again, it goes on.")
    return load(packs)


def load(paths: Iterable[Path]) -> Pack:
    """All packs of ``paths`` as one.

    Raises:
        UsageError: there is no picture in them, or they are of another version of this project.
    """
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            if set(file.files) != set(COLUMNS):
                raise UsageError(f"{path} is of another version: run `python -m training prepare` into a new folder.")
            parts.append({name: file[name] for name in COLUMNS})
    parts = [part for part in parts if len(part["key"])]  # a pack in which no face was found has no shape to join
    if not parts:
        raise UsageError("There is no picture in any pack: run `python -m training prepare` first.")
    ends = np.cumsum([0] + [int(p["offsets"][-1]) for p in parts])
    offsets = [p["offsets"][:-1] + end for p, end in zip(parts, ends, strict=False)]
    columns = {name: np.concatenate([p[name] for p in parts]) for name in COLUMNS if name != "offsets"}
    return Pack(**columns, offsets=np.concatenate([*offsets, ends[-1:]]))

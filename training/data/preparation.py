"""Makes shards of labelled images and portraits on disk.

Resumable: a shard that exists is not made again. Runs no network but the face detector.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from faceauth.cropping.square import square_around
from faceauth.errors import ImageError, UsageError
from faceauth.imaging.decoding import load_image
from faceauth.imaging.folders import images_below
from faceauth.stages import Detector, Image
from training.data.face_boxes import largest_box
from training.data.manifests import LIVE, Record
from training.data.portraits import domain_of_portrait, person_of, portrait_face, split_of_portrait
from training.data.progress import Progress
from training.data.shards import COLUMNS, Box, StoredImage, complete, encode, in_columns, save_shard

SHARD_SIZE = 1000
MAX_CONTEXT = 2.8  # context kept around a face; nothing is trained beyond it
MAX_FACE_PX = 160  # longer side of the face box after preparation; larger images are shrunk by area

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What to prepare.

    Attributes:
        records: labelled images.
        portraits: folders of live photos; a folder, or each of its subfolders with photos, is a domain.
        out: folder of the shards.
    """

    records: Sequence[Record]
    portraits: Sequence[Path]
    out: Path


def prepare(plan: Plan, open_detector: Callable[[], Detector], progress: Progress) -> list[Path]:
    """Make the shards of ``plan`` that are missing and return all of them.

    An image without a face is left out; a record with a box is taken at its word.

    Args:
        plan: its records are of images (``training.data.video_frames`` makes them from videos).
        open_detector: makes the face detector for portraits and for records without a box; called in each process
            that needs it, so it must be a module's function or class.
        progress: called after each image.

    Raises:
        UsageError: ``plan.out`` holds shards of another plan, or two images have the same name.
        ImageError: a record's image cannot be used. A portrait that cannot is left out.
        FaceAuthError: whatever keeps ``open_detector`` from opening one for the portraits.
    """
    if plan.portraits:
        open_detector()  # what keeps it from opening is said here: in a worker process it would only break the pool
    plan.out.mkdir(parents=True, exist_ok=True)
    files = [file for folder in plan.portraits for file in images_below(folder)]
    _refuse_twins([(name_of(record), record.path) for record in plan.records])
    _refuse_twins([(name_of_portrait(file), file) for file in files])
    facts = [[name_of(r), r.path.stat().st_size, r.label, r.species, r.split, r.box_xyxy] for r in plan.records]
    claim_part(plan.out, "prepared", [facts, [[str(file), file.stat().st_size] for file in files]])
    made = list(make_shards("real", plan.records, partial(_RealJob, open_detector), plan.out, progress))
    made += make_shards("portrait", files, partial(_PortraitJob, open_detector), plan.out, progress)
    complete(plan.out, "prepared", made)
    return made


def name_of(record: Record) -> str:
    """Name of a record in its shard: split, domain, and what of the last three parts of its path does not repeat it.

    With the split, as trees of images call the first of train and the first of val by the same name.
    """
    parts = record.path.parts[-3:]
    if parts[0] != record.domain:
        parts = (record.domain, *parts)
    return "/".join((record.split, *parts))


def name_of_portrait(file: Path) -> str:
    """Name of a portrait in its shard: its folder and its file."""
    return f"{file.parent.name}/{file.name}"


def claim_part(out: Path, part: str, facts: object) -> None:
    """Note in ``out`` what a part of its shards is made of, or compare with what is noted there.

    Raises:
        UsageError: it was made of something else.
    """
    digest = hashlib.sha256(json.dumps([COLUMNS, facts]).encode()).hexdigest()
    note = out / f"{part}.sha256"
    if note.exists() and note.read_text() != digest:
        raise UsageError(f"{out} holds {part} shards of another plan: give another folder, or empty this one.")
    note.write_text(digest)


def make_shards(
    name: str,
    items: Sequence[T],
    open_job: Callable[[], Callable[[T], StoredImage | None]],
    out: Path,
    progress: Progress,
) -> Iterator[Path]:
    """Shards ``NAME-NUMBER.npz`` of what a job makes of each item, in as many processes as there are processors."""
    # Spawned, not forked: a fork copies the locks of OpenCV's and onnxruntime's threads but not the threads, and hangs.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=partial(_install, open_job)) as pool:
        for start in range(0, len(items), SHARD_SIZE):
            path = out / f"{name}-{start // SHARD_SIZE:04d}.npz"
            part = items[start : start + SHARD_SIZE]
            if not path.exists():
                made = []
                for done, item in enumerate(pool.map(_run, part, chunksize=16), start=1):
                    made.append(item)
                    progress(name, start + done, len(items))
                save_shard(path, in_columns([item for item in made if item is not None]))
            progress(name, start + len(part), len(items))
            yield path


def trimmed(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
    """Cut away what no square up to ``MAX_CONTEXT`` shows and shrink to ``MAX_FACE_PX``; image and box together."""
    left, top, right, bottom = box_xyxy
    height, width = image.shape[:2]
    x, y, side = square_around((width, height), box_xyxy, MAX_CONTEXT)
    x0, y0 = max(0, x), max(0, y)
    image = image[y0 : y + side, x0 : x + side]
    ratio = min(1.0, MAX_FACE_PX / max(right - left, bottom - top))
    if ratio < 1:
        image = np.asarray(cv2.resize(image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA), np.uint8)
    return image, ((left - x0) * ratio, (top - y0) * ratio, (right - x0) * ratio, (bottom - y0) * ratio)


def _refuse_twins(named: Sequence[tuple[str, Path]]) -> None:
    """A recapture finds its source by name, so a name must be one image's."""
    seen: dict[str, Path] = {}
    for name, path in named:
        if name in seen:
            raise UsageError(f"{path} and {seen[name]} are both named {name}: rename one of their folders.")
        seen[name] = path


class _RealJob:
    """A labelled record into a stored image, or nothing when no face is found in it."""

    def __init__(self, open_detector: Callable[[], Detector]) -> None:
        self.open_detector = open_detector
        self.detector: Detector | None = None

    def __call__(self, record: Record) -> StoredImage | None:
        image = load_image(record.path)
        box = record.box_xyxy or self._detect(image)
        if box is None:
            return None
        image, box = trimmed(image, box)
        return StoredImage(replace(record, path=Path(name_of(record)), box_xyxy=box), "real", encode(image))

    def _detect(self, image: Image) -> Box | None:
        if self.detector is None:
            self.detector = self.open_detector()
        return largest_box(image, self.detector)


class _PortraitJob:
    """A live portrait, with the face nearest its centre, or nothing when it cannot be read or shows no face."""

    def __init__(self, open_detector: Callable[[], Detector]) -> None:
        self.detector = open_detector()

    def __call__(self, file: Path) -> StoredImage | None:
        try:
            image = load_image(file)
        except ImageError:
            return None
        face = portrait_face(image, self.detector)
        if face is None:
            return None
        image, box = trimmed(image, face.box_xyxy)
        record = Record(
            Path(name_of_portrait(file)),
            LIVE,
            "none",
            domain_of_portrait(file),
            split_of_portrait(file),
            recording=person_of(file),
            box_xyxy=box,
        )
        return StoredImage(record, "portrait", encode(image))


_job: Callable[[Any], StoredImage | None]
"""The job of a worker process; opened once, since opening models is expensive."""


def _install(open_job: Callable[[], Callable[[Any], StoredImage | None]]) -> None:
    cv2.setNumThreads(1)
    global _job
    _job = open_job()


def _run(item: object) -> StoredImage | None:
    return _job(item)

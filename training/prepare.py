"""Preparation: collections on disk in, packs for training out. Resumable: a pack that exists is not made again.

Three kinds of picture: ``real`` labelled frames, live ``portrait`` photos, and ``recapture`` attacks simulated from
live training pictures of both. Knows no network but the teachers'.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from faceauth.cropping.square import square_around
from faceauth.errors import ImageError, UsageError
from faceauth.imaging.decoding import load_image
from faceauth.stages import Detector, Image
from training.crops import largest_box
from training.packs import COLUMNS, Pack, Packed, encode, finish, load, pack, save
from training.portraits import domain_of_portrait, portrait_face, split_of_portrait
from training.progress import Progress
from training.records import LIVE, SPOOF, Record, pictures
from training.sampling import ONE_CLASS_WEIGHT
from training.simulate import Scene, recapture
from training.teachers import TEACHERS, Panel, digests_of, live_logits, refuse_missing_files

PACK_SIZE = 1000
MAX_CONTEXT = 2.8  # context kept around a face; nothing is trained beyond it
MAX_FACE_PX = 160  # longer side of the face box after preparation; larger pictures are shrunk by area

T = TypeVar("T")
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Plan:
    """What to prepare.

    Attributes:
        records: labelled pictures.
        portraits: folders of live photos; a folder, or each of its subfolders with photos, is a domain.
        recaptures: attacks to simulate.
        teachers: folder with the files of ``training.teachers.TEACHERS``; None asks no teacher.
        out: folder of the packs.
        seed: of the draw of recaptures.
    """

    records: Sequence[Record]
    portraits: Sequence[Path]
    recaptures: int
    teachers: Path | None
    out: Path
    seed: int = 0


def prepare(plan: Plan, open_detector: Callable[[], Detector], progress: Progress) -> list[Path]:
    """Make the packs of ``plan`` that are missing and return all of them.

    A picture without a face is left out; a record with a box is taken at its word.

    Args:
        plan: its records are of pictures (``training.frames`` makes them from videos).
        open_detector: makes the face detector for portraits and for records without a box; called in each process
            that needs it, so it must be a module's function or class.
        progress: called after each picture.

    Raises:
        UsageError: ``plan.out`` holds packs of another plan, two pictures have the same name, or a teacher's file is
            missing.
        ImageError: a record's picture cannot be used. A portrait that cannot is left out.
        FaceAuthError: whatever keeps ``open_detector`` from opening one for the portraits.
    """
    if plan.teachers is not None:
        refuse_missing_files(plan.teachers)
        # What keeps it or the detector from opening is said here: in a worker process it would only break the pool.
        Panel(plan.teachers)
    if plan.portraits:
        open_detector()
    plan.out.mkdir(parents=True, exist_ok=True)
    files = [file for folder in plan.portraits for file in pictures(folder)]
    _refuse_twins([(key_of(record), record.path) for record in plan.records])
    _refuse_twins([(key_of_portrait(file), file) for file in files])
    _claim(plan, files)
    made = list(_make("real", plan.records, partial(_RealJob, plan.teachers, open_detector), plan.out, progress))
    made += _make("portrait", files, partial(_PortraitJob, open_detector), plan.out, progress)
    sources = load(made)
    draws = list(_recapture_draws(sources, plan.recaptures, plan.seed))
    made += _make("recapture", draws, partial(_RecaptureJob, tuple(made)), plan.out, progress)
    finish(plan.out, made)
    return made


def key_of(record: Record) -> str:
    """Name of a record in its pack: split, domain, and what of the last three parts of its path does not repeat it.

    With the split, as trees of pictures call the first of train and the first of val by the same name.
    """
    parts = record.path.parts[-3:]
    if parts[0] != record.domain:
        parts = (record.domain, *parts)
    return "/".join((record.split, *parts))


def key_of_portrait(file: Path) -> str:
    """Name of a portrait in its pack: its folder and its file."""
    return f"{file.parent.name}/{file.name}"


def _refuse_twins(named: Sequence[tuple[str, Path]]) -> None:
    """A recapture finds its source by name, so a name must be one picture's."""
    seen: dict[str, Path] = {}
    for key, path in named:
        if key in seen:
            raise UsageError(f"{path} and {seen[key]} are both named {key}: rename one of their folders.")
        seen[key] = path


def _claim(plan: Plan, portraits: Sequence[Path]) -> None:
    """Note in ``plan.out`` what its packs are made of, or compare with what is noted there."""
    facts = [
        COLUMNS,
        [[key_of(r), r.path.stat().st_size, r.label, r.species, r.split, r.box_xyxy] for r in plan.records],
        [[str(file), file.stat().st_size] for file in portraits],
        None if plan.teachers is None else digests_of(plan.teachers),
        plan.recaptures,
        plan.seed,
    ]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    note = plan.out / "plan.sha256"
    if note.exists() and note.read_text() != digest:
        raise UsageError(f"{plan.out} holds packs of another plan: give another folder, or empty this one.")
    note.write_text(digest)


class _RealJob:
    """A labelled record into a packed picture with its teacher scores, or nothing when no face is found in it."""

    def __init__(self, teachers: Path | None, open_detector: Callable[[], Detector]) -> None:
        self.sessions = {} if teachers is None else {name: t.open(teachers) for name, t in TEACHERS.items()}
        self.open_detector = open_detector
        self.detector: Detector | None = None

    def __call__(self, record: Record) -> Packed | None:
        image = load_image(record.path)
        box = record.box_xyxy or self._detect(image)
        if box is None:
            return None
        teacher = self._teach(image, box)
        image, box = _trim(image, box)
        return Packed(
            key=key_of(record),
            source="",
            origin="real",
            label=record.label,
            species=record.species,
            domain=record.domain,
            split=record.split,
            box_xyxy=box,
            jpeg=encode(image),
            teacher=teacher,
        )

    def _detect(self, image: Image) -> Box | None:
        if self.detector is None:
            self.detector = self.open_detector()
        return largest_box(image, self.detector)

    def _teach(self, image: Image, box: Box) -> tuple[float, ...]:
        if not self.sessions:
            return (float("nan"),) * len(TEACHERS)
        logits = []
        for name, teacher in TEACHERS.items():
            session = self.sessions[name]
            outputs = session.run(None, {session.get_inputs()[0].name: teacher.prepare(image, box)[None]})[0]
            logits.append(float(live_logits(outputs, teacher.live)[0]))
        return tuple(logits)


class _PortraitJob:
    """A live portrait, with the face nearest its centre, or nothing when it cannot be read or shows no face."""

    def __init__(self, open_detector: Callable[[], Detector]) -> None:
        self.detector = open_detector()

    def __call__(self, file: Path) -> Packed | None:
        try:
            image = load_image(file)
        except ImageError:
            return None
        face = portrait_face(image, self.detector)
        if face is None:
            return None
        trimmed, box = _trim(image, face.box_xyxy)
        return Packed(
            key=key_of_portrait(file),
            source="",
            origin="portrait",
            label=LIVE,
            species="none",
            domain=domain_of_portrait(file),
            split=split_of_portrait(file),
            box_xyxy=box,
            jpeg=encode(trimmed),
            teacher=(float("nan"),) * len(TEACHERS),
        )


class _RecaptureJob:
    """A drawn (source, background, seed) into a simulated attack."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.sources = load(paths)

    def __call__(self, draw: tuple[int, int, int]) -> Packed:
        index, background, seed = draw
        live = Scene(self.sources.image(index), self.sources.box(index))
        attack, family = recapture(live, self.sources.image(background), np.random.default_rng(seed))
        image, box = _trim(attack.image, attack.box_xyxy)
        return Packed(
            key=f"{self.sources.key[index]}#{seed}",
            source=str(self.sources.key[index]),
            origin="recapture",
            label=SPOOF,
            species=family,
            domain=str(self.sources.domain[index]),
            split="train",
            box_xyxy=box,
            jpeg=encode(image),
            teacher=(float("nan"),) * len(TEACHERS),
            behind=str(self.sources.domain[background]),
        )


def _recapture_draws(sources: Pack, count: int, seed: int) -> Iterator[tuple[int, int, int]]:
    """Live training pictures to recapture with a background each: half of labelled domains, half portraits.

    Within a half a domain weighs as the root of its size.
    """
    rng = np.random.default_rng(seed)
    train = sources.split == "train"
    live = train & (sources.label == LIVE)
    if count == 0:
        return
    if not live.any():
        raise UsageError("There is no live training picture to recapture: add some, or ask for 0 recaptures.")
    weight = np.zeros(len(sources))
    for domain in np.unique(sources.domain[live]):
        mine = live & (sources.domain == domain)
        one_class = bool((sources.label[sources.domain == domain] == LIVE).mean() > 0.9)
        weight[mine] = mine.sum() ** -0.5 * (ONE_CLASS_WEIGHT if one_class else 1)
    for portrait in (False, True):
        half = live & ((sources.origin == "portrait") == portrait)
        if half.any():
            weight[half] /= weight[half].sum()
    backgrounds = np.flatnonzero(train)
    for index in rng.choice(len(sources), count, p=weight / weight.sum()):
        yield int(index), int(rng.choice(backgrounds)), int(rng.integers(2**62))


def _trim(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
    """Cut away what no square up to ``MAX_CONTEXT`` shows and shrink to ``MAX_FACE_PX``; picture and box together."""
    left, top, right, bottom = box_xyxy
    height, width = image.shape[:2]
    x, y, side = square_around((width, height), box_xyxy, MAX_CONTEXT)
    x0, y0 = max(0, x), max(0, y)
    image = image[y0 : y + side, x0 : x + side]
    ratio = min(1.0, MAX_FACE_PX / max(right - left, bottom - top))
    if ratio < 1:
        image = np.asarray(cv2.resize(image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA), np.uint8)
    return image, ((left - x0) * ratio, (top - y0) * ratio, (right - x0) * ratio, (bottom - y0) * ratio)


def _make(
    name: str,
    items: Sequence[T],
    open_job: Callable[[], Callable[[T], Packed | None]],
    out: Path,
    progress: Progress,
) -> Iterator[Path]:
    # Spawned, not forked: a fork copies the locks of OpenCV's and onnxruntime's threads but not the threads, and hangs.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=partial(_install, open_job)) as pool:
        for start in range(0, len(items), PACK_SIZE):
            path = out / f"{name}-{start // PACK_SIZE:04d}.npz"
            part = items[start : start + PACK_SIZE]
            if not path.exists():
                made = []
                for done, item in enumerate(pool.map(_run, part, chunksize=16), start=1):
                    made.append(item)
                    progress(name, start + done, len(items))
                save(path, pack([item for item in made if item is not None]))
            progress(name, start + len(part), len(items))
            yield path


_job: Callable[[Any], Packed | None]
"""The job of a worker process; opened once, since opening models is dear."""


def _install(open_job: Callable[[], Callable[[Any], Packed | None]]) -> None:
    cv2.setNumThreads(1)
    global _job
    _job = open_job()


def _run(item: object) -> Packed | None:
    return _job(item)

"""What the gate and the choice of the face refuse: turned images, references, second faces, grey images.

Prints a table for each question and writes ``results/gate_rules.json``. Images are those of LFW, of ``photos``, and of
the ``val`` and ``test`` splits of ``pad``. ``python -m benchmarks.gate_rules --shared DIR``
"""

import argparse
import csv
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from faceauth import Pipeline
from faceauth.detection.yunet import YuNet
from faceauth.gate import GatePolicy, check, check_upright
from faceauth.results import Box, Face, Reason, Verification
from faceauth.stages import Image
from faceauth.testing import FakeLiveness

QUARTERS_DEG = (0, 90, 180, 270)
BETWEEN_DEG = (30, 45, 60, 135)
COMPOSITES = 1000
SAME = 0.5  # intersection over union of two boxes of one face
RESULT = Path(__file__).parent / "results" / "gate_rules.json"

Counts = dict[str, int]


class Row(NamedTuple):
    path: Path
    split: str
    live: bool
    box: Box


def read(path: Path) -> Image:
    return np.asarray(cv2.imread(str(path)), np.uint8)


def pad_rows(folder: Path) -> list[Row]:
    """The rows of ``val`` and ``test``."""
    with (folder / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] in ("val", "test")]
    found = []
    for row in rows:
        x, y, w, h = (float(row[f"box_{key}"]) for key in "xywh")
        found.append(Row(folder / row["path"], row["split"], row["label"] == "live", Box(x, y, x + w, y + h)))
    return found


def turned(image: Image, degrees: float) -> Image:
    """The image turned about its middle; what comes from outside is mirrored."""
    if degrees % 90 == 0:
        return np.ascontiguousarray(np.rot90(image, round(degrees / 90)))
    height, width = image.shape[:2]
    side = int(np.hypot(height, width))
    rotation = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    rotation[:, 2] += ((side - width) / 2, (side - height) / 2)
    return np.asarray(cv2.warpAffine(image, rotation, (side, side), borderMode=cv2.BORDER_REFLECT), np.uint8)


def reasons(verify: Callable[[Image], Verification], images: Iterable[Image]) -> Counts:
    return dict(Counter(str(verify(image).reason) for image in images).most_common())


def measure_turns(paths: dict[str, list[Path]]) -> dict[str, Counts]:
    """Why images are refused before liveness, by how far they are turned; ``live`` has passed."""
    gate_only = Pipeline(liveness=FakeLiveness(1.0), threshold=0.5, faces="largest")
    found = {}
    for name, files in paths.items():
        for degrees in (*QUARTERS_DEG, *(BETWEEN_DEG if name == "lfw" else ())):
            key = f"{name} turned by {degrees}"
            found[key] = reasons(gate_only.verify, (turned(read(path), degrees) for path in files))
            print(f"{key:28} {found[key]}", flush=True)
    return found


def measure_upright(paths: dict[str, list[Path]]) -> dict[str, Counts]:
    """How many images, upright as they are, :func:`check_upright` refuses that every other criterion passes."""
    gate_only = Pipeline(liveness=FakeLiveness(1.0), threshold=0.5, faces="largest")
    found = {}
    for name, files in paths.items():
        refused = 0
        for path in files:
            image = read(path)
            result = gate_only.verify(image)
            if result.reason is Reason.FACE_TURNED_AWAY and result.face is not None:
                refused += check(image, result.face, GatePolicy()) is None
        found[name] = {"images": len(files), "refused by this rule alone": refused}
    return found


def measure_time(image: Image, calls: int = 200) -> dict[str, float]:
    """CPU milliseconds of one process for the detector and for :func:`check_upright`."""
    detector = YuNet()
    (face,) = detector.detect(image)

    def best_score(crop: Image) -> float:
        return max((one.score for one in detector.detect(crop)), default=0.0)

    spent = {}
    for name, call in (
        ("detect", lambda: detector.detect(image)),
        ("check_upright", lambda: check_upright(image, face, best_score)),
    ):
        call()
        start = time.process_time()
        for _ in range(calls):
            call()
        spent[name] = round((time.process_time() - start) * 1000 / calls, 2)
    return spent


def measure_references(paths: dict[str, list[Path]]) -> dict[str, Counts]:
    """Why an image cannot be a reference, of those in which a face was found; ``passed`` otherwise."""
    gate_only = Pipeline(liveness=FakeLiveness(1.0), threshold=0.5)
    policy = GatePolicy().for_reference()
    found = {}
    for name, files in paths.items():
        counts: Counter[str] = Counter()
        for path in files:
            image = read(path)
            faces = gate_only.verify(image).faces or ()
            if faces:
                rejection = check(image, max(faces, key=lambda face: face.box_xyxy.area), policy)
                counts["passed" if rejection is None else str(rejection.reason)] += 1
        found[name] = dict(counts.most_common())
    return found


class Decoy(NamedTuple):
    """A patch around a face, and where it goes in another image."""

    patch: Image
    left: int
    top: int


def decoy_for(row: Row, image: Image, other: Row, draw: np.random.Generator) -> Decoy | None:
    """The face of ``other``, 0.15 to 1.3 times as large, half of them blurred; None where it would hide ``row``'s."""
    source, box = read(other.path), other.box
    reach = box.longer_side * draw.uniform(0.55, 0.8)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    patch = source[max(0, int(y - reach)) : int(y + reach), max(0, int(x - reach)) : int(x + reach)]
    share = float(np.exp(draw.uniform(np.log(0.15), np.log(1.3))))
    zoom = share * row.box.longer_side / box.longer_side
    patch = cv2.resize(patch, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    if draw.random() < 0.5:
        patch = cv2.GaussianBlur(patch, (0, 0), 0.2 + draw.uniform(0, 0.08) * share * row.box.longer_side)
    height, width = patch.shape[:2]
    left = int(draw.integers(-width // 3, image.shape[1] - 2 * width // 3 + 1))
    top = int(draw.integers(-height // 3, image.shape[0] - 2 * height // 3 + 1))
    beside = (
        left >= row.box.right or top >= row.box.bottom or left + width <= row.box.left or top + height <= row.box.top
    )
    return Decoy(np.asarray(patch, np.uint8), left, top) if beside else None


def pasted(image: Image, decoy: Decoy) -> Image:
    """A copy of the image with the part of the patch that lies inside it."""
    patch, left, top = decoy
    image = image.copy()
    right, bottom = min(left + patch.shape[1], image.shape[1]), min(top + patch.shape[0], image.shape[0])
    image[max(top, 0) : bottom, max(left, 0) : right] = patch[max(-top, 0) : bottom - top, max(-left, 0) : right - left]
    return image


def overlap(a: Face | None, b: Face | None) -> float:
    """Intersection over union of two boxes, 0 without a face."""
    if a is None or b is None:
        return 0.0
    p, q = a.box_xyxy, b.box_xyxy
    inner = max(min(p.right, q.right) - max(p.left, q.left), 0) * max(min(p.bottom, q.bottom) - max(p.top, q.top), 0)
    return inner / (p.area + q.area - inner)


def measure_decoys(rows: Sequence[Row], n: int) -> Counts:
    """Images with one judged face, and again with a decoy beside it: two attacks for each live person."""
    pipeline, draw, counts = Pipeline(), np.random.default_rng(0), Counter[str]()
    kinds = {live: [row for row in rows if row.live == live] for live in (True, False)}
    while counts["composites"] < n:
        live = counts["composites"] % 3 == 0
        row, other = kinds[live][draw.integers(len(kinds[live]))], rows[draw.integers(len(rows))]
        image = read(row.path)
        decoy = decoy_for(row, image, other, draw)
        alone = pipeline.verify(image) if decoy is not None else None
        if decoy is None or alone is None or alone.liveness is None or len(alone.faces or ()) != 1:
            continue
        beside = pipeline.verify(pasted(image, decoy))
        counts["composites"] += 1
        count_decoy(counts, live, alone, beside)
    return dict(sorted(counts.items()))


def count_decoy(counts: Counter[str], live: bool, alone: Verification, beside: Verification) -> None:
    """Add one pair of answers to the counts."""
    who, several = "live" if live else "attack", len(beside.faces or ()) > 1
    found = "decoy found" if several else "decoy not found"
    counts["several faces"] += beside.reason is Reason.SEVERAL_FACES
    if beside.liveness is None:
        return
    counts[f"judged, {found}"] += 1
    kept = any(overlap(alone.face, face) >= SAME for face in beside.faces or ())
    changed = overlap(alone.face, beside.face) < SAME
    counts["another face judged, first one found"] += changed and kept
    counts["another face judged, first one not found"] += changed and not kept
    counts[f"{who}, {found}"] += not changed
    counts[f"{who} accepted alone only, {found}"] += not changed and alone.accepted and not beside.accepted
    counts[f"{who} accepted beside only, {found}"] += not changed and beside.accepted and not alone.accepted


def grey(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def infrared_like(image: Image) -> Image:
    """The red channel, brightened, its contrast equalised: pale skin as in near infrared light."""
    red = ((image[:, :, 2] / 255) ** 0.6 * 255).round().astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.createCLAHE(2.0, (8, 8)).apply(red), cv2.COLOR_GRAY2BGR), np.uint8)


def measure_grey(rows: Sequence[Row]) -> dict[str, Counts]:
    """Accepted of those judged, if grey images were let through, and what the gate refuses as it is."""
    judging, gated = (
        Pipeline(gate=GatePolicy(min_color_spread=0.0)),
        Pipeline(liveness=FakeLiveness(1.0), threshold=0.5),
    )
    found = {}
    for split in ("val", "test"):
        for live in (True, False):
            images = [read(row.path) for row in rows if row.split == split and row.live == live]
            for name, change in (("colour", lambda image: image), ("grey", grey), ("infrared-like", infrared_like)):
                answers = [judging.verify(change(image)) for image in images]
                found[f"{split} {'live' if live else 'attacks'}, {name}"] = {
                    "judged": sum(answer.liveness is not None for answer in answers),
                    "accepted": sum(answer.accepted for answer in answers),
                    "no_color": sum(gated.verify(change(image)).reason is Reason.NO_COLOR for image in images),
                }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder that holds data")
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    data, every = arguments.shared / "data", arguments.every
    rows = pad_rows(data / "pad")
    lfw, photos = (sorted((data / name).rglob("*.jpg"))[::every] for name in ("lfw", "photos"))
    live = {split: [row.path for row in rows if row.live and row.split == split][::every] for split in ("val", "test")}
    gate_only = Pipeline(liveness=FakeLiveness(1.0), threshold=0.5)
    found = {
        "every": every,
        "cpu_ms": measure_time(read(lfw[0])),
        "turns": measure_turns({"lfw": lfw, "photos": photos, **live}),
        "upright": measure_upright({"lfw": lfw, "photos": photos, **live}),
        "references": measure_references({"lfw": lfw, "photos": photos}),
        "presentations": {
            name: reasons(gate_only.verify, map(read, files)) for name, files in (("lfw", lfw), *live.items())
        },
        "decoys": measure_decoys(rows, max(COMPOSITES // every, 3)),
        "grey": measure_grey(rows[:: 3 * every]),
    }
    print(json.dumps({name: found[name] for name in found if name != "turns"}, indent=1))
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""How many faces YuNet misses, by size of the image and by how much of it the face fills: a table and JSON.

Live and spoof images count alike. ``python -m benchmarks.detection_recall --shared DIR``
"""

import argparse
import csv
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from faceauth.detection import yunet
from faceauth.results import Face
from faceauth.stages import Image

PER_DOMAIN = 20
SIDES = (None, 640, 1600)  # None: as stored, 62 to 390 pixels
TIGHT = 1.25  # longer side of the image / longer side of the face box, below which a face "fills the image"
SAME = 0.5  # intersection over union with the manifest's box
RESULT = Path(__file__).parent / "results" / "detection_recall.json"


class Sample(NamedTuple):
    path: Path
    box_xyxy: tuple[float, float, float, float]
    tight: bool


def samples(folder: Path) -> Iterator[Sample]:
    """``PER_DOMAIN`` images of each domain, drawn with seed 0."""
    domains: dict[str, list[dict[str, str]]] = {}
    with (folder / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            domains.setdefault(row["domain"], []).append(row)
    draw = random.Random(0)
    for name in sorted(domains):
        for row in draw.sample(domains[name], min(PER_DOMAIN, len(domains[name]))):
            x, y, w, h = (float(row[f"box_{key}"]) for key in "xywh")
            longer = max(int(row["width"]), int(row["height"]))
            yield Sample(folder / row["path"], (x, y, x + w, y + h), longer < TIGHT * max(w, h))


def one_look(detector: yunet.YuNet, longest_side: int) -> Callable[[Image], list[Face]]:
    """The detector without its second look: what the second look is for can only be seen from inside."""

    def detect(image: Image) -> list[Face]:
        seen = yunet._shrunk(image, longest_side)
        rows = yunet._without_duplicates(detector._look(seen))
        return [yunet._face(row) for row in yunet._rescaled(rows, seen, image)]

    return detect


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    inner = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


def measure(detect: Callable[[Image], list[Face]], chosen: list[Sample], side: int | None) -> dict[str, float]:
    """Images without a face, with another box first, with several faces; median overlap of the first box."""
    missed, several, overlaps = 0, 0, []
    for sample in chosen:
        image = np.asarray(cv2.imread(str(sample.path)), np.uint8)
        zoom = 1.0 if side is None else side / max(image.shape[:2])
        zoomed = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
        faces = detect(np.asarray(zoomed, np.uint8))
        missed += not faces
        several += len(faces) > 1
        overlaps += [overlap(faces[0].box_xyxy, tuple(zoom * value for value in sample.box_xyxy))] if faces else []
    found = np.array(overlaps)
    return {
        "n": len(chosen),
        "missed": missed,
        "elsewhere": int((found < SAME).sum()),
        "several": several,
        "median_overlap": round(float(np.median(found)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder that holds data/pad")
    images = list(samples(parser.parse_args().shared / "data" / "pad"))
    detectors: dict[str, Callable[[Image], list[Face]]] = {
        "default": yunet.YuNet().detect,
        "one look, 640": one_look(yunet.YuNet(), 640),
        "one look, 256": one_look(yunet.YuNet(), 256),
        "default at 0.6": yunet.YuNet(score_threshold=0.6).detect,
        "default at 0.8": yunet.YuNet(score_threshold=0.8).detect,
    }
    rows = []
    print("detector         face     side     n  missed elsewhere several overlap")
    for name, detect in detectors.items():
        for tight in (True, False):
            chosen = [sample for sample in images if sample.tight == tight]
            for side in SIDES:
                face, counts = "tight" if tight else "wide", measure(detect, chosen, side)
                rows.append({"detector": name, "face": face, "side": side, **counts})
                n, missed, elsewhere, several, median = counts.values()
                where = f"{name:16} {face:6} {side or 'stored':>6}"
                print(f"{where} {n:5} {missed:7} {elsewhere:9} {several:7} {median:7}", flush=True)
    RESULT.write_text(json.dumps({"per_domain": PER_DOMAIN, "tight_below": TIGHT, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

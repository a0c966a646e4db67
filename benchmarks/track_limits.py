"""What the limits of a track come to: how much still faces seem to move, and how like two frames in a row are.

``python -m benchmarks.track_limits --shared ../shared``: a table and JSON. Of ``data/light``, 88 presentations of four
images each: in room light and under three lamps.
"""

import argparse
import csv
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from faceauth import Pipeline
from faceauth.presentation import Presentation
from faceauth.results import Face
from faceauth.stages import Image
from faceauth.templates import similarity
from faceauth.video import track

NOISES = (3, 6)
"""Standard deviations of the noise of a good and of a poor webcam, in grey levels, before JPEG at quality 85."""

REPEATS = 12
SHIFTS = (0.1, 0.2, 0.3)
PERCENTILES = (5, 50, 90, 95, 99)
RESULT = Path(__file__).parent / "results" / "track_limits.json"


class Judged(NamedTuple):
    presentation: str
    light: str
    image: Image
    one: Presentation
    face: Face


def judged(pipeline: Pipeline, folder: Path) -> Iterator[Judged]:
    """The images with one face that passes the gate."""
    with (folder / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            image = np.asarray(cv2.imread(str(folder / row["path"])), np.uint8)
            one = Presentation(image)
            pipeline.steps.find_face(one, pipeline.config.gate)
            if one.reason is None and one.face is not None:
                pipeline.steps.embed(one)
                yield Judged(row["presentation"], row["light"], image, one, one.face)


def still_views(pipeline: Pipeline, one: Judged, noise: float) -> list[track.View]:
    """The same image under another noise each time."""
    views = []
    for seed in range(REPEATS):
        noisy = np.clip(one.image + np.random.default_rng(seed).normal(0, noise, one.image.shape), 0, 255)
        coded = cv2.imencode(".jpg", noisy.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
        seen = Presentation(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8))
        pipeline.steps.find_face(seen, pipeline.config.gate)
        if seen.reason is None and seen.image is not None and seen.face is not None:
            views.append(track.view_of(seen.image, seen.face))
    return views


def shifted(one: Judged, share: float) -> Image:
    """The whole image moved by a share of the face's width."""
    matrix = np.float32([[1, 0, share * one.face.box_xyxy.width], [0, 1, 0]])
    moved = cv2.warpAffine(one.image, matrix, one.image.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


def spread(values: Iterable[float]) -> dict[str, float]:
    """How many there are, and their percentiles."""
    found = list(values)
    return {"n": len(found)} | {f"p{p}": round(float(np.percentile(found, p)), 3) for p in PERCENTILES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder that holds data/light")
    pipeline = Pipeline()
    images = list(judged(pipeline, parser.parse_args().shared / "data" / "light"))
    room = [one for one in images if one.light == "room"]
    thumbnails = [track.thumbnail(one.image) for one in room]
    rows: dict[str, dict[str, float]] = {}
    for noise in NOISES:
        pairs = [two for one in room for two in itertools.combinations(still_views(pipeline, one, noise), 2)]
        for field in track.View._fields:
            rows[f"{field} of a still face, noise {noise}"] = spread(
                abs(getattr(a, field) - getattr(b, field)) for a, b in pairs
            )
        differ = [a.differs(b) for a, b in pairs]
        rows[f"still faces that differ, noise {noise}"] = {"n": len(differ), "share": round(float(np.mean(differ)), 3)}
    for share in SHIFTS:
        rows[f"likeness, moved by {share} of the face"] = spread(
            track.likeness(before, track.thumbnail(shifted(one, share)))
            for one, before in zip(room, thumbnails, strict=True)
        )
    rows["likeness of two presentations"] = spread(
        track.likeness(a, b) for a, b in itertools.combinations(thumbnails, 2)
    )
    alike = [track.likeness(a, b) >= track.MIN_LIKENESS for a, b in itertools.combinations(thumbnails, 2)]
    rows["two presentations alike enough"] = {"n": len(alike), "share": round(float(np.mean(alike)), 3)}
    rows["similarity within a presentation"] = spread(
        similarity(a.one.template, b.one.template)
        for a, b in itertools.combinations(images, 2)
        if a.presentation == b.presentation and a.one.template is not None and b.one.template is not None
    )
    for name, figures in rows.items():
        print(f"{name:45} " + "  ".join(f"{key} {value:g}" for key, value in figures.items()))
    RESULT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

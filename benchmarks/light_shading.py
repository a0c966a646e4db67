"""Shading by a lamp from the left and from the right: what a threshold passes, of live faces and of prints.

The `light` data: 88 presentations of one face or print each, four images, a handful of people, one webcam. The
threshold is chosen on every second presentation of each class and measured on the others. The same people are in both
halves, so the figures say nothing about other people, cameras and lamps. Live faces count where the weaker lamp raised
them by ``SHADING_GAIN`` over the background: below, the challenge abstains.

``python -m benchmarks.light_shading --shared ../shared``
"""

import argparse
import csv
import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from faceauth.challenge.face_mesh import FaceMesh
from faceauth.challenge.light import background_of
from faceauth.challenge.light_response import SHADING_GAIN
from faceauth.challenge.shading import MIN_SHADING, light_of, shading_of
from faceauth.detection.yunet import YuNet
from faceauth.metrics.intervals import wilson

RESULTS = Path(__file__).parent / "results"


class Lamps(NamedTuple):
    """One presentation.

    Attributes:
        shading: see :func:`faceauth.challenge.shading.shading_of`.
        gain: by how much the weaker lamp raised the face over the background.
    """

    name: str
    live: bool
    shading: float
    gain: float


def lamps(folder: Path) -> list[Lamps]:
    """Every presentation whose face is found in all images."""
    presentations: dict[str, dict[str, dict[str, str]]] = {}
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            presentations.setdefault(row["presentation"], {})[row["light"]] = row
    detector, mesh = YuNet(), FaceMesh()
    found = []
    for name, rows in presentations.items():
        lights, points, backgrounds = {}, {}, {}
        for light in ("room", "left", "right"):
            image = np.asarray(cv2.imread(str(folder / rows[light]["path"])), np.uint8)
            faces = detector.detect(image)
            mesh_px = mesh.points(image, max(faces, key=lambda face: face.box_xyxy.area)) if faces else None
            if mesh_px is None:
                break
            lights[light], points[light] = light_of(image, mesh_px), mesh_px
            backgrounds[light] = background_of(image, faces[0])
        else:
            face = {light: float(np.nanmean(value)) for light, value in lights.items()}
            behind = {light: float(np.mean(value)) for light, value in backgrounds.items()}
            gains = [face[one] / face["room"] / (behind[one] / behind["room"]) - 1 for one in ("left", "right")]
            # the lamps are named as the person sees them: the left one stands on the right of the image
            value = shading_of(lights["left"].mean(axis=1), lights["right"].mean(axis=1), points["left"])
            found.append(Lamps(name, rows["room"]["label"] == "live", value or 0.0, min(gains)))
    return found


def chosen(rows: list[Lamps]) -> float:
    """The middle between the highest print and the lowest live face that was raised enough."""
    prints = [one.shading for one in rows if not one.live]
    live = [one.shading for one in rows if one.live and one.gain >= SHADING_GAIN]
    return (max(prints) + min(live)) / 2


def rates(rows: list[Lamps], threshold: float) -> dict[str, object]:
    """Prints that pass, and live faces that were raised enough and do not."""
    prints = [one.shading >= threshold for one in rows if not one.live]
    live = [one.shading < threshold for one in rows if one.live and one.gain >= SHADING_GAIN]
    weak = sum(one.live and one.gain < SHADING_GAIN for one in rows)
    intervals = {name: wilson(sum(values), len(values)) for name, values in (("prints", prints), ("live", live))}
    return {
        "prints_passed": sum(prints),
        "prints": len(prints),
        "prints_interval": [intervals["prints"].low, intervals["prints"].high],
        "live_failed": sum(live),
        "live": len(live),
        "live_interval": [intervals["live"].low, intervals["live"].high],
        "live_abstained": weak,
    }


def main() -> None:
    """Print the figures and write ``results/light_shading.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/light/manifest.csv")
    rows = lamps(parser.parse_args().shared / "data" / "light")
    classes = [[one for one in rows if one.live == live] for live in (True, False)]
    choice, rest = ([one for group in classes for one in group[start::2]] for start in (0, 1))
    content = {
        "presentations": len(rows),
        "gain": SHADING_GAIN,
        "chosen": chosen(choice),
        "in_force": MIN_SHADING,
        "people_shared_between_halves": True,
        "on_the_half_of_the_choice": rates(choice, MIN_SHADING),
        "on_the_other_half": rates(rest, MIN_SHADING),
    }
    print(json.dumps(content, indent=1))
    (RESULTS / "light_shading.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

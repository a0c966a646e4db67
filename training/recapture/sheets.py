"""Contact sheets: live pictures over their simulated attacks over real attacks, a PNG a family.

For looking at, with the data's own pictures in them: never write them into the repository.
"""

import csv
from pathlib import Path

import cv2
import numpy as np

from .camera import camera
from .recapture import FAMILIES, recapture
from .scene import Image, Scene

_TILE = 200  # px
_LABEL = (0, 255, 255)


def write_sheets(out: Path, data: Path, *, seed: int = 0, columns: int = 8) -> list[Path]:
    """One sheet a family into ``out``, from the training split of ``data`` (the folder with ``pad/manifest.csv``)."""
    with (data / "pad" / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for number, family in enumerate(FAMILIES.values()):
        rng = np.random.default_rng([seed, number])
        live = _sample([row for row in rows if row["label"] == "live"], 3 * columns, rng)
        real = _sample([row for row in rows if row["attack"] == family.species], 2 * columns, rng)
        sheet = render_sheet(family.name, _scenes(live, data), [scene.image for scene in _scenes(real, data)], rng)
        path = out / f"{family.name}.png"
        if not cv2.imwrite(str(path), sheet):
            raise OSError(f"Could not write {path}. Check that the folder is writable and has space.")
        written.append(path)
    return written


def render_sheet(family: str, live: list[Scene], real: list[Image], rng: np.random.Generator) -> Image:
    """Rows of the live pictures through the camera alone, of their attacks, and of real attacks beside them.

    The last third of ``live`` serves as backgrounds. Returns uint8, BGR.
    """
    columns = max(1, len(live) // 3)
    sources, backgrounds = live[: 2 * columns], live[2 * columns :]
    simulated = [
        recapture(scene, backgrounds[k % len(backgrounds)].image if backgrounds else None, rng, family=family)[0]
        for k, scene in enumerate(sources)
    ]
    rows = []
    for start in range(0, len(sources), columns):
        chosen = slice(start, start + columns)
        rows.append(_row("live, camera only", [camera(scene.image, rng) for scene in sources[chosen]], columns))
        rows.append(_row(f"simulated: {family}", [_boxed(scene) for scene in simulated[chosen]], columns))
        rows.append(_row("real attacks", real[chosen], columns))
    return np.concatenate(rows)


def _sample(rows: list[dict[str, str]], count: int, rng: np.random.Generator) -> list[dict[str, str]]:
    """Rows from as many domains as possible: domains differ in size by 50 times."""
    domains = sorted({row["domain"] for row in rows})
    order = [domains[k] for k in rng.permutation(len(domains))] if domains else []
    chosen = []
    for k in range(count if order else 0):
        pool = [row for row in rows if row["domain"] == order[k % len(order)]]
        chosen.append(pool[int(rng.integers(len(pool)))])
    return chosen


def _scenes(rows: list[dict[str, str]], data: Path) -> list[Scene]:
    scenes = []
    for row in rows:
        image = cv2.imread(str(data / "pad" / row["path"]))
        if image is None:
            raise FileNotFoundError(f"{data / 'pad' / row['path']} is in the manifest but cannot be read.")
        x, y, w, h = (float(row[key]) for key in ("box_x", "box_y", "box_w", "box_h"))
        scenes.append(Scene(np.asarray(image, np.uint8), (x, y, x + w, y + h)))
    return scenes


def _boxed(scene: Scene) -> Image:
    """The face box as small corner marks, so that the picture stays visible."""
    picture = scene.image.copy()
    x0, y0, x1, y1 = (round(v) for v in scene.box_xyxy)
    for x, y, dx, dy in ((x0, y0, 6, 6), (x1, y0, -6, 6), (x0, y1, 6, -6), (x1, y1, -6, -6)):
        cv2.line(picture, (x, y), (x + dx, y), _LABEL, 1)
        cv2.line(picture, (x, y), (x, y + dy), _LABEL, 1)
    return picture


def _row(label: str, pictures: list[Image], columns: int) -> Image:
    row = np.full((_TILE, columns * _TILE, 3), 60, np.uint8)
    for k, picture in enumerate(pictures):
        factor = _TILE / max(picture.shape[:2])
        size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
        row[: size[1], k * _TILE : k * _TILE + size[0]] = small
    cv2.putText(row, label, (4, _TILE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _LABEL, 1, cv2.LINE_AA)
    return row

"""Contact sheets: live images over their simulated attacks over real attacks, one PNG per family.

For looking at, with the data's own images in them: never write them into the repository.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from faceauth.errors import UsageError
from faceauth.imaging.decoding import load_image
from training.data.face_boxes import refuse_without_box
from training.data.manifests import LIVE, Record
from training.simulate.scene import Image, Scene
from training.simulate.sensor import camera
from training.simulate.simulation import FAMILIES, recapture

_TILE = 200  # px
_LABEL = (0, 255, 255)


def write_sheets(out: Path, records: Sequence[Record], *, seed: int = 0, columns: int = 8) -> list[Path]:
    """One sheet per family into ``out``, of live images and attacks among ``records``.

    Raises:
        UsageError: no record is live, or as :func:`training.data.face_boxes.refuse_without_box`.
        ImageError: an image cannot be read.
        OSError: a sheet cannot be written.
    """
    refuse_without_box(records)
    if not any(record.label == LIVE for record in records):
        raise UsageError("There is no live image to make attacks of: give a manifest with some in train.")
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for number, family in enumerate(FAMILIES.values()):
        rng = np.random.default_rng([seed, number])
        live = _sample([record for record in records if record.label == LIVE], 3 * columns, rng)
        named = {record.species for record in records}  # some collections tell cut-outs from other prints
        species = family.name if family.name in named else family.species
        real = _sample([record for record in records if record.species == species], 2 * columns, rng)
        sheet = render_sheet(family.name, _scenes(live), [scene.image for scene in _scenes(real)], rng)
        path = out / f"{family.name}.png"
        if not cv2.imwrite(str(path), sheet):
            raise OSError(f"Could not write {path}. Check that the folder is writable and has space.")
        written.append(path)
    return written


def render_sheet(family: str, live: list[Scene], real: list[Image], rng: np.random.Generator) -> Image:
    """Rows of the live images through the camera alone, of their attacks, and of real attacks beside them.

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


def _sample(records: list[Record], count: int, rng: np.random.Generator) -> list[Record]:
    """Records of as many domains as possible: domains differ in size by 50 times."""
    domains = sorted({record.domain for record in records})
    order = [domains[k] for k in rng.permutation(len(domains))] if domains else []
    chosen = []
    for k in range(count if order else 0):
        pool = [record for record in records if record.domain == order[k % len(order)]]
        chosen.append(pool[int(rng.integers(len(pool)))])
    return chosen


def _scenes(records: list[Record]) -> list[Scene]:
    return [Scene(load_image(record.path), record.box_xyxy) for record in records if record.box_xyxy]


def _boxed(scene: Scene) -> Image:
    """The face box as small corner marks, so that the image stays visible."""
    image = scene.image.copy()
    x0, y0, x1, y1 = (round(v) for v in scene.box_xyxy)
    for x, y, dx, dy in ((x0, y0, 6, 6), (x1, y0, -6, 6), (x0, y1, 6, -6), (x1, y1, -6, -6)):
        cv2.line(image, (x, y), (x + dx, y), _LABEL, 1)
        cv2.line(image, (x, y), (x, y + dy), _LABEL, 1)
    return image


def _row(label: str, images: list[Image], columns: int) -> Image:
    row = np.full((_TILE, columns * _TILE, 3), 60, np.uint8)
    for k, image in enumerate(images):
        factor = _TILE / max(image.shape[:2])
        size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
        row[: size[1], k * _TILE : k * _TILE + size[0]] = small
    cv2.putText(row, label, (4, _TILE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _LABEL, 1, cv2.LINE_AA)
    return row

"""An audit of labels: a contact sheet for each domain, and the domains whose labels a model contradicts.

The model must not have seen the domain: one that has would repeat its labels, wrong ones included. Contact sheets hold
the data's own images: for looking at, never for a repository.
"""

import csv
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.backends.registry import load_backend
from faceauth.errors import UsageError
from faceauth.evaluation.scoring import score_records
from faceauth.imaging.decoding import load_image
from faceauth.metrics.error_rates import auc_by_domain
from faceauth.stages import Image
from training.data.face_boxes import refuse_without_box
from training.data.manifests import LIVE, SPOOF, Record
from training.data.progress import Progress
from training.evaluate.trained_network import TrainedNetwork, crops_beside, load_on_device
from training.train.checkpoint import domains_left_out

TILE = 128  # px
HEADING = 20  # px
CONTRADICTED = 0.4
"""AUC below which a domain's labels are doubted. Chosen, not measured: chance is 0.5, swapped folders lie near 0."""


def write_contact_sheets(
    records: Sequence[Record],
    out: Path,
    *,
    columns: int = 12,
    rows: int = 3,
    seed: int = 0,
    progress: Progress,
) -> list[Path]:
    """A PNG a domain into ``out``: ``rows`` rows of live images over as many of attacks, drawn at random.

    Args:
        records: of images, of any splits.
        out: made where it is missing.
        columns: images in a row.
        rows: rows of each class.
        seed: of the draw.
        progress: called with "sheets", domains done and domains in all.

    Raises:
        UsageError: a sheet cannot be written.
        ImageError: an image cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    by_domain: dict[str, list[Record]] = {}
    for record in records:
        by_domain.setdefault(record.domain, []).append(record)
    written = []
    for done, (domain, members) in enumerate(sorted(by_domain.items()), start=1):
        path = out / f"{domain}.png"
        if not cv2.imwrite(str(path), contact_sheet(members, columns, rows, rng)):
            raise UsageError(f"{path} cannot be written: look for a missing folder, or a domain's name with a slash.")
        written.append(path)
        progress("sheets", done, len(by_domain))
    return written


def contact_sheet(records: Sequence[Record], columns: int, rows: int, rng: np.random.Generator) -> Image:
    """uint8, H x W x 3, BGR: a heading with count and species, then tiles, for each class that is there."""
    bands: list[Image] = []
    for label, name in ((LIVE, "live"), (SPOOF, "spoof")):
        members = [record for record in records if record.label == label]
        if not members:
            continue
        species = ", ".join(sorted({record.species for record in members}))
        bands.append(_heading(f"{members[0].domain}: {len(members)} {name} ({species})", columns * TILE))
        chosen = rng.permutation(len(members))[: columns * rows]
        for start in range(0, len(chosen), columns):
            tiles = [_tile(members[k]) for k in chosen[start : start + columns]]
            tiles += [np.zeros((TILE, TILE, 3), np.uint8)] * (columns - len(tiles))
            bands.append(np.hstack(tiles))
    return np.vstack(bands)


def contradicted_domains(
    p_live: npt.ArrayLike, labels: npt.ArrayLike, domains: npt.NDArray[np.str_], *, below: float = CONTRADICTED
) -> dict[str, float]:
    """Domains whose AUC is under ``below``, worst first: the model finds their attacks more alive than their people.

    Args:
        p_live: float, N, of a model trained without the images' domains.
        labels: int, N: 0 = live, 1 = spoof.
        domains: str, N; a domain of one class cannot be judged.
        below: AUC in [0, 1].

    Raises:
        ScoreError: a score is not in [0, 1].
    """
    by_domain = auc_by_domain(p_live, labels, domains)
    return {name: value for name, value in sorted(by_domain.items(), key=lambda item: item[1]) if value < below}


def score_left_out(
    weights: Path, records: Sequence[Record], *, progress: Progress
) -> tuple[list[Record], npt.NDArray[np.float64]]:
    """The records that a training did not learn from, and P(live) of its weights, float64, N.

    They are those of the domains that it left out and of the splits other than ``train``.

    Args:
        weights: of a training, such as a fold of ``cross-validate``.
        records: of images with face boxes.
        progress: called with "images", images done and images in all.

    Raises:
        UsageError: no recipe lies beside ``weights``, they may have learnt from all of these domains, or as
            :func:`training.data.face_boxes.refuse_without_box`.
    """
    crops, left_out = crops_beside(weights), domains_left_out(weights)
    found = [record for record in records if record.domain in left_out or record.split != "train"]
    if not found:
        raise UsageError(f"{weights} may have learnt from all of these images: give those of a fold of cross-validate.")
    refuse_without_box(found)
    network = TrainedNetwork(load_on_device(weights), crops)
    scored = score_records(found, network, progress=partial(progress, "images"))
    return found, np.array([one.p_live for one in scored], np.float64)


def score_with_backend(liveness: str, records: Sequence[Record], *, progress: Progress) -> npt.NDArray[np.float64]:
    """P(live) of an installed backend, float64, N.

    Raises:
        BackendError: the backend does not exist, or it fails.
    """
    backend = load_backend("liveness", liveness).backend
    scored = score_records(records, backend, progress=partial(progress, "images"))
    return np.array([one.p_live for one in scored], np.float64)


def read_scores(path: Path, records: Sequence[Record]) -> tuple[list[Record], npt.NDArray[np.float64]]:
    """The records that a CSV with the columns path and p_live has a score for, and these scores, float64, N.

    Raises:
        UsageError: no such file, no such columns, no number, or not one of the records is in it.
    """
    if not path.is_file():
        raise UsageError(f"There are no scores {path}: name a CSV file with the columns path and p_live.")
    scores = _scores(path)
    found = [record for record in records if record.path.resolve() in scores]
    if not found:
        raise UsageError(f"{path} scores none of the {len(records)} images: its paths are relative to its folder.")
    return found, np.array([scores[record.path.resolve()] for record in found], np.float64)


def _scores(path: Path) -> Mapping[Path, float]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"path", "p_live"} <= set(reader.fieldnames or ()):
            raise UsageError(f"{path} needs the columns path and p_live, found {reader.fieldnames}.")
        try:
            return {(path.parent / row["path"]).resolve(): float(row["p_live"]) for row in reader}
        except ValueError as error:
            raise UsageError(f"{path}: {error}.") from error


def _tile(record: Record) -> Image:
    image = load_image(record.path)
    ratio = TILE / max(image.shape[:2])
    size_wh = max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio))
    tile = np.zeros((TILE, TILE, 3), np.uint8)
    tile[: size_wh[1], : size_wh[0]] = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    return tile


def _heading(text: str, width: int) -> Image:
    band = np.full((HEADING, width, 3), 255, np.uint8)
    cv2.putText(band, text, (4, HEADING - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return band

"""False matches and false non-matches of the built-in embedder on LFW, by threshold. Prints a table, writes JSON.

Knows no liveness. Protocol: LFW view 2, folds 1 and 2 (600 pairs of one person, 600 of two), built-in detection and
alignment, the face nearest the centre. A pair without a detected face on both sides counts as a non-match response that
was never given: it is reported, not scored. 600 pairs cannot show a false-match rate below 0.6 %, so all pairs of
pictures of different people are counted too; they share people, are no independent sample, and so get no interval.
``python -m benchmarks.lfw_match --shared ../shared``
"""

import argparse
import csv
import json
import math
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.cropping.five_point import FivePointAligner
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.metrics.error_rates import Rate
from faceauth.results import Face
from faceauth.stages import Image

THRESHOLDS = (0.25, 0.28, 0.30, 0.32, 0.34, 0.36, 0.38, 0.40, 0.45)
TARGET_FMR = 1e-3  # the rule behind SFace's default threshold, on all pairs of different people
RESULTS = Path(__file__).parent / "results"


class Pair(NamedTuple):
    first: str
    second: str
    same: bool


def central(faces: list[Face], image: Image) -> Face | None:
    """The face whose box centre is nearest the centre of the picture: LFW's own convention of who is meant."""
    height, width = image.shape[:2]

    def distance(face: Face) -> float:
        left, top, right, bottom = face.box_xyxy
        return math.hypot((left + right - width) / 2, (top + bottom - height) / 2)

    return min(faces, key=distance, default=None)


def embed_all(folder: Path, names: list[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Embedding by file name; a picture without a face has none."""
    detector, aligner, embedder = YuNet(), FivePointAligner(), SFace()
    vectors = {}
    for name in names:
        image = np.asarray(cv2.imread(str(folder / name)), np.uint8)
        face = central(detector.detect(image), image)
        if face is not None:
            vectors[name] = embedder.embed(aligner.align(image, face, embedder.crop).pixels[None])[0]
    return vectors


def default_threshold(crossed: npt.NDArray[np.float32]) -> float:
    """The lowest hundredth at which at most ``TARGET_FMR`` of the pairs of different people match."""
    hundredths = range(0, 101)
    return next(step / 100 for step in hundredths if (crossed >= step / 100).mean() <= TARGET_FMR)


class Row(NamedTuple):
    """Errors where a pair matches at similarity >= threshold."""

    threshold: float
    fmr: Rate
    fnmr: Rate


def at(threshold: float, genuine: npt.NDArray[np.float64], impostor: npt.NDArray[np.float64]) -> Row:
    """False matches among ``impostor`` and false non-matches among ``genuine`` similarities."""
    fmr = Rate(int((impostor >= threshold).sum()), len(impostor))
    return Row(threshold, fmr, Rate(int((genuine < threshold).sum()), len(genuine)))


def different_people(vectors: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Similarities of all pairs of pictures of different people: many, but not independent of each other."""
    people = np.array([name.rsplit("_", 1)[0] for name in vectors])
    matrix = np.stack(list(vectors.values()))
    first, second = np.triu_indices(len(people), 1)
    differ = people[first] != people[second]
    return np.asarray((matrix @ matrix.T)[first[differ], second[differ]], np.float32)


def table(rows: list[Row], crossed: npt.NDArray[np.float32]) -> str:
    """The rows as a markdown table; ``crossed`` are the similarities of all pairs of different people."""

    def words(rate: Rate) -> str:
        return f"{rate.errors} of {rate.n}: {rate.value:.2%} [{rate.wilson.low:.2%}, {rate.wilson.high:.2%}]"

    lines = [
        f"| cosine threshold | FMR | FNMR | FMR over all {len(crossed):,} pairs of different people |",
        "|---|---|---|---|",
    ]
    for row in rows:
        many = f"{int((crossed >= row.threshold).sum()):,}: {(crossed >= row.threshold).mean():.3%}"
        lines.append(f"| {row.threshold:.2f} | {words(row.fmr)} | {words(row.fnmr)} | {many} |")
    return "\n".join(lines)


def as_json(row: Row) -> dict[str, object]:
    """The row as plain values, rates with counts and Wilson interval."""

    def plain(rate: Rate) -> dict[str, float]:
        low, high = rate.wilson.low, rate.wilson.high
        return {"errors": rate.errors, "n": rate.n, "value": rate.value, "low": low, "high": high}

    return {"threshold": row.threshold, "fmr": plain(row.fmr), "fnmr": plain(row.fnmr), "interval": "wilson 95 %"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder that holds data/lfw")
    folder = parser.parse_args().shared / "data" / "lfw"
    with (folder / "pairs.csv").open(newline="") as file:
        pairs = [Pair(row["first"], row["second"], row["same"] == "1") for row in csv.DictReader(file)]
    names = sorted({name for pair in pairs for name in pair[:2]})
    vectors = embed_all(folder / "images", names)
    scored = [pair for pair in pairs if pair.first in vectors and pair.second in vectors]
    genuine, impostor = (
        np.array([np.dot(vectors[p.first], vectors[p.second]) for p in scored if p.same == same], np.float64)
        for same in (True, False)
    )
    crossed = different_people(vectors)
    chosen = default_threshold(crossed)
    rows = [at(threshold, genuine, impostor) for threshold in sorted({*THRESHOLDS, chosen})]
    many = {f"{row.threshold:.2f}": int((crossed >= row.threshold).sum()) for row in rows}
    report = {
        "protocol": "LFW view 2, folds 1 and 2; built-in detection and alignment; the face nearest the centre",
        "weights_sha256": YuNet().weights_sha256 | SFace().weights_sha256,
        "images": len(names),
        "images_without_face": len(names) - len(vectors),
        "pairs_not_scored": len(pairs) - len(scored),
        "impostor": {"mean": float(impostor.mean()), "highest": float(impostor.max())},
        "genuine": {"mean": float(genuine.mean()), "lowest": float(genuine.min())},
        "default": {"rule": f"lowest hundredth with FMR <= {TARGET_FMR} over all pairs of different people"}
        | as_json(at(chosen, genuine, impostor)),
        "rows": [as_json(row) for row in rows],
        "all_pairs_of_different_people": {"n": len(crossed), "note": "not independent", "false_matches": many},
    }
    text = table(rows, crossed)
    RESULTS.joinpath("lfw_match.json").write_text(json.dumps(report, indent=1) + "\n")
    RESULTS.joinpath("lfw_match.md").write_text(text + "\n")
    print(f"{text}\n\ndefault {chosen:.2f}")


if __name__ == "__main__":
    main()

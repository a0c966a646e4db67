"""False matches and false non-matches of the built-in embedder on LFW, by threshold. Prints a table, writes JSON.

Protocol: the images of LFW view 2, folds 1 and 2, in which the built-in detector finds exactly one face and the default
gate passes it. All pairs of images are compared: of different people for the FMR, of one person for the FNMR. Pairs
that share people are not independent, so the intervals resample people (a pair comes as often as its two people are
drawn together) and are never narrower than Wilson's. ``--card`` writes the named points into SFace's card, and the
curve for a search among many people.

``python -m benchmarks.lfw_match --shared DIR [--card]``
"""

import argparse
import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from faceauth.cropping.crops import crop_face
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.gate import GatePolicy, check
from faceauth.imaging.decoding import load_image
from faceauth.metrics.intervals import wilson
from faceauth.thresholds import MatchPoint, MatchPoints, MeasuredRate
from faceauth.weights.cards import SFaceCard
from faceauth.weights.store import BUILT_IN, PinnedModel, pinned_weights, write_card

NAMED = {"convenience": 0.37, "balanced": 0.43, "strict": 0.46}
"""Chosen for an FMR of at most 1e-3, of at most 1e-4 (what NIST SP 800-63B-4 asks for), and of about 1e-5."""

THRESHOLDS = (0.25, 0.30, 0.32, 0.34, *(hundredths / 100 for hundredths in range(36, 51)))

FEWEST_FALSE_MATCHES = 3
"""Where the curve of the card ends: the interval of a rarer event would rest on the pairs being independent, and pairs
that share people are not. Chosen, not measured."""

PROTOCOL = "all pairs of LFW view 2, folds 1 and 2; one face, passed by the gate"
DRAWS = 2000
RESULTS = Path(__file__).parent / "results"

Floats = npt.NDArray[np.float64]


class Similarities(NamedTuple):
    """All pairs of images.

    Attributes:
        first, second: index of the person in each image of a pair, the smaller one first.
        cosine: similarity of the two images.
        people: how many there are.
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    cosine: npt.NDArray[np.float32]
    people: int


def embed_all(folder: Path, names: list[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Embedding by file name, of the images with exactly one face that the gate passes."""
    detector, embedder = YuNet(), SFace()
    vectors = {}
    for name in names:
        image = load_image(folder / name)
        faces = detector.detect(image)
        if len(faces) == 1 and check(image, faces[0], GatePolicy()) is None:
            vectors[name] = embedder.embed(crop_face(image, faces[0], embedder.crop).pixels[None])[0]
    return vectors


def all_pairs(vectors: Mapping[str, npt.NDArray[np.float32]]) -> Similarities:
    """Every image with every other; names are ``PERSON_NUMBER``."""
    names, person_of = np.unique([name.rsplit("_", 1)[0] for name in vectors], return_inverse=True)
    matrix = np.stack(list(vectors.values()))
    one, other = np.triu_indices(len(matrix), 1)
    first, second = np.sort([person_of[one], person_of[other]], axis=0)
    return Similarities(first, second, (matrix @ matrix.T)[one, other], len(names))


def fmr(pairs: Similarities, threshold: float) -> MeasuredRate:
    """Pairs of different people that match, of all such pairs."""
    differ = pairs.first != pairs.second
    return _rate(pairs, differ, differ & (pairs.cosine >= threshold))


def fnmr(pairs: Similarities, threshold: float) -> MeasuredRate:
    """Pairs of one person that do not match, of all such pairs."""
    same = pairs.first == pairs.second
    return _rate(pairs, same, same & (pairs.cosine < threshold))


def _rate(pairs: Similarities, counted: npt.NDArray[np.bool_], wrong: npt.NDArray[np.bool_]) -> MeasuredRate:
    errors, n = int(wrong.sum()), int(counted.sum())
    drawn = np.random.default_rng(0).multinomial(pairs.people, np.full(pairs.people, 1 / pairs.people), size=DRAWS)
    rates = _drawn(_by_people(pairs, wrong), drawn) / _drawn(_by_people(pairs, counted), drawn)
    (low, high), floor = np.quantile(rates, (0.025, 0.975)), wilson(errors, n)
    return MeasuredRate(
        errors=errors,
        n=n,
        value=errors / n,
        low=min(float(low), floor.low),
        high=max(float(high), floor.high),
        interval=f"identity bootstrap 95 %, {DRAWS} draws, seed 0, not narrower than wilson",
    )


def _by_people(pairs: Similarities, which: npt.NDArray[np.bool_]) -> Floats:
    """Person by person, how many of the pairs are theirs; below the diagonal 0."""
    counts = np.zeros((pairs.people, pairs.people))
    np.add.at(counts, (pairs.first[which], pairs.second[which]), 1)
    return counts


def _drawn(counts: Floats, drawn: npt.NDArray[np.int64]) -> Floats:
    """Sum of ``counts`` in each draw: a person who is drawn k times counts k-fold, and is never a stranger to self."""
    times = drawn.astype(np.float64)  # whole numbers have no fast product of matrices
    own = times @ np.diag(counts)
    strangers = counts - np.diag(np.diag(counts))
    return np.asarray(own + ((times @ strangers) * times).sum(axis=1), np.float64)


def point(pairs: Similarities, threshold: float) -> MatchPoint:
    """The threshold with both rates."""
    return MatchPoint(threshold=threshold, fmr=fmr(pairs, threshold), fnmr=fnmr(pairs, threshold), measured_on=PROTOCOL)


def table(points: list[MatchPoint]) -> str:
    """The points as a markdown table."""

    def words(rate: MeasuredRate) -> str:
        return f"{rate.errors:,} of {rate.n:,}: {rate.value:.2g} [{rate.low:.2g}, {rate.high:.2g}]"

    names = {threshold: name for name, threshold in NAMED.items()}
    lines = ["| cosine >= | point | FMR | FNMR |", "|---|---|---|---|"]
    for one in points:
        named = names.get(one.threshold, "")
        lines.append(f"| {one.threshold:.2f} | {named} | {words(one.fmr)} | {words(one.fnmr)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder that holds data/lfw")
    parser.add_argument("--card", action="store_true", help="also write the named points into SFace's card")
    arguments = parser.parse_args()
    folder = arguments.shared / "data" / "lfw"
    with (folder / "pairs.csv").open(newline="") as file:
        names = sorted({row[side] for row in csv.DictReader(file) for side in ("first", "second")})
    vectors = embed_all(folder / "images", names)
    pairs = all_pairs(vectors)
    points = [point(pairs, threshold) for threshold in THRESHOLDS]
    curve = [one for one in points if one.threshold >= min(NAMED.values()) and one.fmr.errors >= FEWEST_FALSE_MATCHES]
    named = MatchPoints.model_validate(
        {**{name: point(pairs, threshold) for name, threshold in NAMED.items()}, "curve": curve}
    )
    report = {
        "protocol": PROTOCOL,
        "weights_sha256": {
            weights.name: weights.sha256
            for weights in pinned_weights()
            if weights.name.startswith(("yunet/", "sface/"))
        },
        "images": len(names),
        "images_used": len(vectors),
        "people": pairs.people,
        "named": named.model_dump(exclude={"curve"}),
        "points": [one.model_dump() for one in points],
    }
    RESULTS.joinpath("lfw_match.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    RESULTS.joinpath("lfw_match.md").write_text(table(points) + "\n", encoding="utf-8")
    if arguments.card:
        card = PinnedModel("sface", SFaceCard).card
        write_card(BUILT_IN, "sface", card.model_copy(update={"match_points": named}))
    print(table(points))


if __name__ == "__main__":
    main()

"""What a camera profile gains on cameras that the network did not learn from: HTER before and after, by domain.

Protocol: the domains of `val` that hold both classes, each a camera, on the manifest's boxes. For each domain and
number of images, 20 draws: recordings are shuffled, live images of the first ones make the profile until there are
enough, and the images of all other recordings are judged. Where the manifest names no recordings, each image is one.
``python -m benchmarks.camera_profile --shared DIR``
"""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from faceauth.calibration.camera_profile import fit_profile
from faceauth.evaluation.records import Record, read_manifest
from faceauth.evaluation.scoring import score_records
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.metrics.error_rates import LIVE, hter
from faceauth.metrics.intervals import bootstrap_mean

IMAGES = (5, 10, 20, 50)
MARGINS = (1.0, 2.0, 2.5, 3.0, 4.0)
DRAWS = 20
RESULTS = Path(__file__).parent / "results"

Floats = npt.NDArray[np.float64]


class Gain(NamedTuple):
    """Mean HTER over the draws."""

    before: float
    after: float


class Domain(NamedTuple):
    """One camera: its images that drew a score."""

    p_live: Floats
    labels: npt.NDArray[np.int64]
    recordings: npt.NDArray[np.str_]


def split(domain: Domain, n: int, rng: np.random.Generator) -> tuple[Floats, npt.NDArray[np.bool_]] | None:
    """P(live) of ``n`` live images for the profile, and which images to judge; None where a class would be missing."""
    names = rng.permutation(np.unique(domain.recordings[domain.labels == LIVE]))
    used = np.zeros(len(domain.labels), np.bool_)
    profile: list[float] = []
    for name in names:
        if len(profile) >= n:
            break
        recording = domain.recordings == name
        used |= recording
        profile += rng.permutation(domain.p_live[recording & (domain.labels == LIVE)]).tolist()
    rest = domain.labels[~used]
    if len(profile) < n or len(np.unique(rest)) < 2:
        return None
    return np.array(profile[:n]), ~used


def gain(domain: Domain, n: int, margin: float, threshold: float, *, may_lower: bool) -> Gain | None:
    """HTER at ``threshold`` and at that of the profile; None where the domain is too small."""
    rng, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        drawn = split(domain, n, rng)
        if drawn is None:
            return None
        live, judged = drawn
        own = fit_profile(live, camera="", weights_sha256={"": {}}, made_by="", margin=margin).threshold
        moved = own if may_lower else max(threshold, own)
        p_live, labels = domain.p_live[judged], domain.labels[judged]
        found.append((hter(p_live, labels, threshold), hter(p_live, labels, moved)))
    before, after = np.mean(found, axis=0)
    return Gain(float(before), float(after))


def domains_of(records: list[Record], p_live: Floats) -> dict[str, Domain]:
    """The scored images by domain; those that hold one class only are left out."""
    names = np.array([record.domain for record in records])
    labels = np.array([record.label for record in records])
    recordings = np.array([record.recording or str(record.path) for record in records])
    rows = {str(name): names == name for name in np.unique(names)}
    return {
        name: Domain(p_live[row], labels[row], recordings[row])
        for name, row in rows.items()
        if len(np.unique(labels[row])) == 2
    }


def table(domains: dict[str, Domain], threshold: float, *, may_lower: bool) -> list[dict[str, Any]]:
    """A row for each number of images and margin: mean HTER over the domains, with an interval of the difference."""
    rows: list[dict[str, Any]] = []
    for n in IMAGES:
        for margin in MARGINS:
            gains = {
                name: found
                for name, domain in domains.items()
                if (found := gain(domain, n, margin, threshold, may_lower=may_lower)) is not None
            }
            if len(gains) < 2:
                continue
            before, after = (np.array([getattr(one, side) for one in gains.values()]) for side in Gain._fields)
            interval = bootstrap_mean(after - before, unit="domain")
            rows.append(
                {
                    "images": n,
                    "margin": margin,
                    "may_lower": may_lower,
                    "domains": {name: one._asdict() for name, one in gains.items()},
                    "before": float(before.mean()),
                    "after": float(after.mean()),
                    "difference": [interval.low, interval.high],
                    "interval": interval.method,
                }
            )
    return rows


def main() -> None:
    """Print the table and write ``results/camera_profile.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/pad/manifest.csv")
    records = read_manifest(parser.parse_args().shared / "data" / "pad" / "manifest.csv", splits=["val"])
    backend = SpoofNet()
    p_live = np.array([one.p_live for one in score_records(records, backend)], np.float64)
    threshold = backend.operating_points.balanced.threshold
    rows = [
        row for may_lower in (False, True) for row in table(domains_of(records, p_live), threshold, may_lower=may_lower)
    ]
    print("images  margin  lowers  HTER before  after  difference [95 %]  domains")
    for row in rows:
        low, high = (f"{100 * end:+.1f}" for end in row["difference"])
        print(
            f"{row['images']:>6}  {row['margin']:>6}  {row['may_lower']!s:>6}  {100 * row['before']:>10.1f}%"
            f"  {100 * row['after']:>4.1f}%  [{low}, {high}]  {len(row['domains'])}"
        )
    content = {"weights_sha256": backend.weights_sha256, "threshold": threshold, "draws": DRAWS, "rows": rows}
    (RESULTS / "camera_profile.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""SpoofNet, the MiniFASNet pair and the mean of both, on the same images: one table, and the difference to SpoofNet.

Protocol: the images of one split on the manifest's boxes, without detector or gate; each at its own balanced point. The
intervals resample domains, paired for the difference. MiniFASNet's networks are not in the repository: the plugin's
README says how to make them. ``python -m benchmarks.combination --shared DIR --split test``
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from faceauth.backends.loading import Backends, Instances, Stage
from faceauth.calibration.points_file import find_points, mean_p_live
from faceauth.config import PipelineConfig
from faceauth.evaluation.records import Record, read_manifest
from faceauth.evaluation.scoring import score_records
from faceauth.metrics.error_rates import LIVE, SPOOF, auc_by_domain, hter_by_domain
from faceauth.metrics.intervals import Interval, bootstrap_mean
from faceauth.stages import LivenessBackend

RESULTS = Path(__file__).parent / "results"
NAMES = ("spoofnet", "minifasnet")
MEAN = "mean(spoofnet, minifasnet)"

Floats = npt.NDArray[np.float64]


def scores(records: list[Record], stages: list[Stage[LivenessBackend]]) -> dict[str, Floats]:
    """P(live) of each backend by itself."""
    return {
        stage.provenance.name: np.array([one.p_live for one in score_records(records, stage.backend)], np.float64)
        for stage in stages
    }


def by_domain(figure: Callable[[Floats], dict[str, float]], p_live: dict[str, Floats]) -> dict[str, dict[str, float]]:
    """A figure of each domain that holds both classes, for each backend."""
    return {name: figure(found) for name, found in p_live.items()}


def with_interval(values: Floats) -> dict[str, float | str]:
    """The mean over domains and its interval."""
    interval: Interval = bootstrap_mean(values, unit="domain")
    return {"value": float(values.mean()), "low": interval.low, "high": interval.high, "interval": interval.method}


def measured(records: list[Record], p_live: dict[str, Floats], thresholds: dict[str, float]) -> list[dict[str, Any]]:
    """A row for each backend."""
    labels = np.array([record.label for record in records])
    domains = np.array([record.domain for record in records])
    species = np.array([record.species for record in records])
    auc = {name: auc_by_domain(found, labels, domains) for name, found in p_live.items()}
    hter = {name: hter_by_domain(found, labels, domains, thresholds[name]) for name, found in p_live.items()}
    first = next(iter(p_live))
    rows: list[dict[str, Any]] = []
    for name, found in p_live.items():
        accepted = found >= thresholds[name]
        own_auc, own_hter = (np.array(list(figure[name].values())) for figure in (auc, hter))
        rows.append(
            {
                "backend": name,
                "threshold": thresholds[name],
                "macro_auc": with_interval(own_auc),
                "macro_hter": with_interval(own_hter),
                "auc_minus_first": with_interval(own_auc - np.array(list(auc[first].values()))),
                "hter_minus_first": with_interval(own_hter - np.array(list(hter[first].values()))),
                "worst_auc": min(auc[name].items(), key=lambda item: item[1]),
                "apcer": {
                    str(kind): [int(accepted[rows_].sum()), int(rows_.sum())]
                    for kind in np.unique(species[labels == SPOOF])
                    for rows_ in [(labels == SPOOF) & (species == kind)]
                },
                "bpcer": [int((~accepted[labels == LIVE]).sum()), int((labels == LIVE).sum())],
                "domains": {one: {"auc": auc[name][one], "hter": hter[name][one]} for one in auc[name]},
            }
        )
    return rows


def line(row: dict[str, Any]) -> str:
    """A row of the table."""

    def words(figure: dict[str, float], scale: float, digits: int, sign: str = "") -> str:
        value, low, high = (f"{scale * figure[key]:{sign}.{digits}f}" for key in ("value", "low", "high"))
        return f"{value} [{low}, {high}]"

    return (
        f"{row['backend']:<28} {words(row['macro_auc'], 1, 3)}  {words(row['macro_hter'], 100, 1)} %  "
        f"{words(row['auc_minus_first'], 1, 3, '+')}  {words(row['hter_minus_first'], 100, 1, '+')}"
    )


def main() -> None:
    """Print the table and write ``results/combination.SPLIT.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/pad/manifest.csv and models")
    parser.add_argument("--split", required=True)
    given = parser.parse_args()
    options = {"minifasnet": {"weights_dir": str(given.shared / "models")}}
    config = PipelineConfig(liveness=NAMES, combine="mean", options=options)
    liveness = Backends(config, Instances()).liveness
    assert liveness is not None and liveness.points is not None
    records = read_manifest(given.shared / "data" / "pad" / "manifest.csv", splits=[given.split])
    p_live = scores(records, list(liveness.members))
    thresholds = {}
    for stage in liveness.members:
        points = find_points(None, {stage.provenance.name: stage.facts.weights_sha256})
        own = stage.facts.operating_points if points is None else points.content.operating_points
        assert own is not None
        thresholds[stage.provenance.name] = own.balanced.threshold
    p_live[MEAN] = mean_p_live(list(liveness.combination.calibrations.values()), p_live)
    thresholds[MEAN] = liveness.points.content.operating_points.balanced.threshold
    rows = measured(records, p_live, thresholds)
    print("backend                      macro AUC  macro HTER  AUC and HTER minus SpoofNet's, in points")
    for row in rows:
        print(line(row))
    weights = {stage.provenance.name: dict(stage.facts.weights_sha256) for stage in liveness.members}
    content = {"split": given.split, "images": len(records), "weights_sha256": weights, "rows": rows}
    path = RESULTS / f"combination.{given.split}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

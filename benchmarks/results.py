"""Reads what pytest-benchmark wrote, one row a benchmark, and keeps it in result files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import machine_facts, machine_name
from faceauth.version import __version__

SUITES = ("stages", "pipeline", "video", "process", "peers")


@dataclass(frozen=True)
class Row:
    """One benchmark.

    Attributes:
        suite: the file it stands in; ``group`` what it may be compared with.
        median_ms, iqr_ms, min_ms: of one call.
        rounds: how often it was measured.
        items: images or crops in one call.
        facts: what else it measured or used.
    """

    suite: str
    group: str
    name: str
    median_ms: float
    iqr_ms: float
    min_ms: float
    rounds: int
    items: int
    facts: dict[str, Any]


def rows_of(report: Mapping[str, Any]) -> list[Row]:
    """The benchmarks of a ``--benchmark-json`` report, in its order."""
    return [_row(one) for one in report["benchmarks"]]


def write(rows: Iterable[Row], folder: Path, *, seconds: float) -> list[Path]:
    """``folder/<version>/<suite>--<machine>.json`` for every suite among the rows."""
    facts = machine_facts()
    place = folder / __version__
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for suite, ours in _by_suite(rows).items():
        path = place / f"{suite}--{machine_name(facts)}.json"
        document = {"suite": suite, "machine": facts, "threads": 1, "seconds_a_benchmark": seconds, "rows": ours}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _by_suite(rows: Iterable[Row]) -> dict[str, list[dict[str, Any]]]:
    suites: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        plain = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items() if k != "suite"}
        suites.setdefault(row.suite, []).append(plain)
    return suites


def _row(one: Mapping[str, Any]) -> Row:
    facts = dict(one["extra_info"])
    stats = one["stats"]
    return Row(
        suite=Path(one["fullname"].split("::")[0]).stem.removeprefix("test_"),
        group=one["group"],
        name=facts.pop("label", _words(one["name"])),
        median_ms=stats["median"] * 1000,
        iqr_ms=stats["iqr"] * 1000,
        min_ms=stats["min"] * 1000,
        rounds=stats["rounds"],
        items=facts.pop("items", 1),
        facts=facts,
    )


def _words(name: str) -> str:
    """``test_spoofnet_score[8]`` as "spoofnet score, 8"."""
    test, _, parameter = name.removeprefix("test_").partition("[")
    return ", ".join(filter(None, (test, parameter.rstrip("]")))).replace("_", " ")

"""The table of medians, and how they compare within the run."""

from collections.abc import Sequence

from rich.table import Table

from benchmarks.results import Row

BUDGET = 0.2
"""Share of ``verify`` that may be spent outside the networks: asked for, not measured."""

WHOLE_CALL = "verify"


def table(rows: Sequence[Row]) -> Table:
    """Times as medians; the last column compares with the first of a group, and stages with the whole ``verify``."""
    drawn = Table(title="One 640 x 480 JPEG, one thread", title_justify="left", caption_justify="left")
    drawn.caption = "Medians. Compare within this run only: another machine or day gives other figures."
    drawn.add_column("what")
    for heading in ("median", "IQR", "an image", "compared"):
        drawn.add_column(heading, justify="right")
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            drawn.add_section()
            drawn.add_row(f"[bold]{group}[/bold]")
        for cells in _cells(row, rows):
            drawn.add_row(*cells)
    return drawn


def over_budget(rows: Sequence[Row]) -> list[Row]:
    """The measured shares outside the networks that exceed the budget."""
    return [row for row in rows if row.facts.get("outside", 0.0) > BUDGET]


def _cells(row: Row, rows: Sequence[Row]) -> list[tuple[str, ...]]:
    if "outside" in row.facts:
        outside, ms = row.facts["outside"], row.facts["outside_ms"]
        return [(row.name, _ms(ms), "", "", f"{outside:.1%} of the call; budget {BUDGET:.0%}")]
    if "peak_mib" in row.facts:
        return [(f"peak memory: {step}", f"{mib:.0f} MiB", "", "", "") for step, mib in row.facts["peak_mib"].items()]
    an_item = _ms(row.median_ms / row.items) if row.items > 1 else ""
    return [(row.name, _ms(row.median_ms), _ms(row.iqr_ms), an_item, _compared(row, rows))]


def _compared(row: Row, rows: Sequence[Row]) -> str:
    if row.suite in ("stages", "pipeline"):
        whole = [one for one in rows if one.suite == "pipeline" and one.name == WHOLE_CALL]
        if not whole:
            return ""
        ratio = row.median_ms / row.items / whole[0].median_ms
        return f"{ratio:.1%} of {WHOLE_CALL}" if row.suite == "stages" else f"x {ratio:.2f}"
    first = next(one for one in rows if one.group == row.group)
    return f"x {row.median_ms / first.median_ms:.2f}"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.3f} ms" if milliseconds < 1 else f"{milliseconds:.2f} ms"

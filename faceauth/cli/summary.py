"""Results as rich texts and tables for people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from faceauth.metrics.formatting import rate, readable, score
from faceauth.results import Provenance, Reason, Verdict, Verification
from faceauth.thresholds import LivenessThreshold, Thresholds

STYLE = {Verdict.ACCEPT: "bold green", Verdict.REJECT: "bold red", Verdict.UNCERTAIN: "bold yellow"}
_VERDICT_WIDTH = max(map(len, Verdict))
_REASON_WIDTH = max(map(len, Reason))


@dataclass
class Tally:
    """What several results have in common, kept while they stream by."""

    reasons: Counter[Reason] = field(default_factory=Counter)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    thresholds: Thresholds | None = None
    stages: dict[str, Provenance] = field(default_factory=dict)
    elapsed_ms: float = 0.0

    def add(self, result: Verification) -> None:
        """Count one result."""
        self.reasons[result.reason] += 1
        self.verdicts[result.verdict] += 1
        self.thresholds = self.thresholds or result.thresholds
        self.stages |= {one.stage: one for one in result.stages}
        self.elapsed_ms += sum(result.elapsed_ms.values())


def headline(result: Verification) -> Text:
    """Verdict, photo and the sentence that says why."""
    return Text.assemble(
        (result.verdict.upper(), STYLE[result.verdict]),
        ("  " + readable(result.source), "bold") if result.source is not None else "",
        "\n" + readable(result.message),
    )


def details(result: Verification) -> Table:
    """Everything a person may want to know of one result."""
    rows = [*_liveness(result), *_measured(result.thresholds), *_match(result), *_face(result)]
    if result.stages:
        rows.append(("backends", _backends(result.stages)))
    rows.append(("time", _time(result)))
    return facts(rows)


def one_line(result: Verification) -> Text:
    """One of many results: verdict, P(live), reason, photo."""
    p_live = score(None if result.liveness is None else result.liveness.p_live)
    return Text.assemble(
        (f"{result.verdict.upper():<{_VERDICT_WIDTH}}", STYLE[result.verdict]),
        f"  {p_live:>6}  {result.reason:<{_REASON_WIDTH}}  {readable(result.source or '')}",
    )


def explanation(result: Verification) -> Padding:
    """The sentence below :func:`one_line`, for what could not be judged, and for a stage that failed."""
    return Padding(Text(readable(result.message), style="dim"), (0, 0, 0, _VERDICT_WIDTH + 10))


def totals(tally: Tally) -> Table:
    """The end of a list of results."""
    n = sum(tally.verdicts.values())
    counts = Text(f"{n} photos: ")
    counts.append_text(
        Text(", ").join(
            Text(f"{tally.verdicts[verdict]} {word}", style=STYLE[verdict] if tally.verdicts[verdict] else "dim")
            for verdict, word in zip(Verdict, ("accepted", "rejected", "uncertain"), strict=True)
        )
    )
    reasons = ", ".join(f"{count} {reason}" for reason, count in tally.reasons.most_common())
    rows: list[tuple[str, Text | str]] = [("result", counts), ("reasons", reasons)]
    limits = tally.thresholds
    if limits is not None:
        for one in limits.liveness:
            rows.append(("threshold", f"{one.backend}: live from P(live) {score(one.live)} on, {_origin(one)}"))
        rows += _measured(limits)
    if limits is not None and limits.match is not None:
        rows.append(("match", f"the same person from similarity {score(limits.match.similarity)} on"))
    if tally.stages:
        rows.append(("backends", _backends(tuple(tally.stages.values()))))
    rows.append(("time", f"{tally.elapsed_ms / 1000:.1f} s, {tally.elapsed_ms / n:.0f} ms a photo"))
    return facts(rows)


def facts(rows: Sequence[tuple[str, Text | str]]) -> Table:
    """Names and what they are, in two columns that wrap within the terminal."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _liveness(result: Verification) -> list[tuple[str, Text | str]]:
    limits = result.thresholds
    if limits is None:  # it never came to a threshold, and the message says why
        return []
    if result.liveness is None or not limits.liveness:
        return [("P(live)", result.skipped.get("liveness", "unknown"))]
    rows: list[tuple[str, Text | str]] = []
    for threshold in limits.liveness:
        name = "P(live)" if len(limits.liveness) == 1 else f"P(live) {threshold.backend}"
        rows.append((name, _against(result.liveness.p_live_of(threshold.backend), threshold)))
    return rows


def _against(p_live: float | None, threshold: LivenessThreshold) -> str:
    live, attack = threshold.live, threshold.attack
    if p_live is None:
        return "not needed: another backend refused"
    if p_live >= live:
        text = f"{score(p_live)}, at or above {score(live)}"
    elif p_live < attack:
        text = f"{score(p_live)}, below {score(attack)}" + (f" (live from {score(live)} on)" if attack < live else "")
    else:
        text = f"{score(p_live)}, between {score(attack)} (attack below) and {score(live)} (live from there)"
    return f"{text}, {_origin(threshold)}"


def _measured(limits: Thresholds | None) -> list[tuple[str, Text | str]]:
    rows: list[tuple[str, Text | str]] = []
    for threshold in () if limits is None else limits.liveness:
        point = threshold.measured
        if point is None:
            rows.append(("measured", "Error rates at this threshold have not been measured."))
            continue
        if point.apcer:
            species, worst = max(point.apcer.items(), key=lambda item: item[1].value)
            rows.append(("APCER", f"{rate(worst)} attacks accepted, worst species: {readable(species)}"))
        rows.append(("BPCER", f"{rate(point.bpcer)} live people refused"))
        rows.append(("measured", f"on {readable(point.measured_on)}"))
    return rows


def _match(result: Verification) -> list[tuple[str, Text | str]]:
    limits = result.thresholds
    if limits is None or limits.match is None:
        return []
    if result.match is None:
        return [("similarity", result.skipped.get("match", "unknown"))]
    side = "at or above" if result.match.similarity >= limits.match.similarity else "below"
    return [("similarity", f"{score(result.match.similarity)}, {side} {score(limits.match.similarity)}")]


def _face(result: Verification) -> list[tuple[str, Text | str]]:
    if result.face is None:
        return []
    left, top, _, _ = result.face.box_xyxy
    size = f"{result.face.box_xyxy.width:.0f} x {result.face.box_xyxy.height:.0f} px at ({left:.0f}, {top:.0f})"
    others = f", the largest of {len(result.faces)}" if result.faces is not None and len(result.faces) > 1 else ""
    return [("face", f"{size}, detector score {result.face.score:.2f}{others}")]


def _backends(stages: Sequence[Provenance]) -> str:
    return ", ".join(f"{one.name} ({readable(one.distribution)} {readable(one.version)})" for one in stages)


def _time(result: Verification) -> str:
    parts = ", ".join(f"{stage} {ms:.0f}" for stage, ms in result.elapsed_ms.items())
    return f"{sum(result.elapsed_ms.values()):.0f} ms ({parts})"


def _origin(threshold: LivenessThreshold) -> str:
    return "chosen explicitly" if threshold.point is None else f"operating point {threshold.point}"

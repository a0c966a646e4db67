"""Results as rich texts and tables for people."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from faceauth.metrics.formatting import percent, rate, readable, score
from faceauth.results import Provenance, Reason, Verdict, Verification
from faceauth.thresholds import LivenessThreshold, Thresholds
from faceauth.video.decision import PresentationResult

STYLE = {Verdict.ACCEPT: "bold green", Verdict.REJECT: "bold red", Verdict.UNCERTAIN: "bold yellow"}
_VERDICT_WIDTH = max(map(len, Verdict))
_REASON_WIDTH = max(map(len, Reason))
_SCORE_WIDTH = len("P(live)")
_SIMILARITY_WIDTH = len("similarity")

Rows = list[tuple[str, Text | str]]
Answer = Verification | PresentationResult


@dataclass
class Tally:
    """What several results have in common, collected while they stream by."""

    reasons: Counter[Reason] = field(default_factory=Counter)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    thresholds: Thresholds | None = None
    stages: dict[tuple[str, str], Provenance] = field(default_factory=dict)
    elapsed_ms: float = 0.0

    def add(self, result: Verification) -> None:
        """Count one result."""
        self.reasons[result.reason] += 1
        self.verdicts[result.verdict] += 1
        self.thresholds = self.thresholds or result.thresholds
        self.stages |= {(one.stage, one.name): one for one in result.stages}
        self.elapsed_ms += sum(result.elapsed_ms.values())


def headline(result: Answer) -> Text:
    """Verdict, photo or video, and the sentence that says why."""
    return Text.assemble(
        (result.verdict.upper(), STYLE[result.verdict]),
        ("  " + readable(result.source), "bold") if result.source is not None else "",
        "\n" + readable(result.message),
    )


def scores(result: Answer) -> Table:
    """The scores of one result beside the thresholds that decided."""
    return facts([*_liveness(result), *_similarity(result)])


def explanation(result: Verification) -> Table:
    """What else led to a result: the evidence behind the thresholds, the face, the backends, the time."""
    rows = [*_evidence(result.thresholds), *_face(result), *_backends(result.stages)]
    parts = ", ".join(f"{stage} {ms:.0f}" for stage, ms in result.elapsed_ms.items())
    return facts([*rows, ("time", f"{sum(result.elapsed_ms.values()):.0f} ms ({parts})")])


def frames(result: PresentationResult) -> Table:
    """The frames that one presentation rests on."""
    n = result.frames
    rows: Rows = [
        ("frames", f"{len(result.kept)} kept of {n.seen}; face searched in {n.searched}, {n.dropped} dropped")
    ]
    if result.logit_spread is not None:
        rows.append(("spread", f"{result.logit_spread:.2f} between the logits of P(live) of the kept frames"))
    same = result.same_face
    if same is not None:
        side = "at or above" if same.holds else "below"
        value = f"at least {score(same.lowest_similarity)} between any two frames, {side} "
        rows.append(("one face", f"{value}{score(same.threshold.similarity)}"))
    return facts(rows)


def expected_errors(thresholds: Thresholds | None) -> Iterator[Text]:
    """A sentence for each threshold about past measurements, worded so that nobody applies it to these photos."""
    liveness = () if thresholds is None else thresholds.liveness
    for one in liveness:
        yield Text(_expected(one, alone=len(liveness) == 1), style="dim")


def list_header(*, matching: bool) -> Text:
    """The names of the columns of :func:`list_line`."""
    return Text(_columns("verdict", "P(live)", "similarity" if matching else None, "reason", "photo"), "bold")


def list_line(result: Verification, *, matching: bool) -> Text:
    """One of many results: verdict, scores, reason, photo."""
    p_live = score(None if result.liveness is None else result.liveness.p_live)
    similarity = score(None if result.match is None else result.match.similarity) if matching else None
    line = Text(_columns(result.verdict.upper(), p_live, similarity, result.reason, readable(result.source or "")))
    line.stylize(STYLE[result.verdict], 0, len(result.verdict))
    return line


def list_message(result: Verification) -> Padding:
    """The sentence below :func:`list_line`, for what could not be judged, and for a stage that failed."""
    return Padding(Text(readable(result.message), style="dim"), (0, 0, 0, _VERDICT_WIDTH + _SCORE_WIDTH + 4))


def totals(tally: Tally) -> Table:
    """The end of a list of results: how many of each verdict and each reason."""
    counts = Text(f"{sum(tally.verdicts.values())} photos: ")
    counts.append_text(
        Text(", ").join(
            Text(f"{tally.verdicts[verdict]} {word}", style=STYLE[verdict] if tally.verdicts[verdict] else "dim")
            for verdict, word in zip(Verdict, ("accepted", "rejected", "uncertain"), strict=True)
        )
    )
    reasons = ", ".join(f"{count} {reason}" for reason, count in tally.reasons.most_common())
    return facts([("result", counts), ("reasons", reasons)])


def totals_explanation(tally: Tally) -> Table:
    """What led to a list of results: thresholds, the evidence behind them, the backends, the time."""
    rows: Rows = []
    thresholds = tally.thresholds
    for one in () if thresholds is None else thresholds.liveness:
        rows.append(("threshold", f"{one.backend}: live from P(live) {score(one.live)}, {_live_origin(one)}"))
    if thresholds is not None and thresholds.match is not None:
        match = thresholds.match
        rows.append(("match", f"the same person from similarity {score(match.similarity)}, {_origin(match.point)}"))
    rows += [*_evidence(thresholds), *_backends(tuple(tally.stages.values()))]
    mean_ms = tally.elapsed_ms / sum(tally.verdicts.values())
    return facts([*rows, ("time", f"{tally.elapsed_ms / 1000:.1f} s, {mean_ms:.0f} ms a photo")])


def facts(rows: Sequence[tuple[str, Text | str]]) -> Table:
    """Names and values, in two columns that wrap within the terminal."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _columns(verdict: str, p_live: str, similarity: str | None, reason: str, photo: str) -> str:
    matching = "" if similarity is None else f"  {similarity:>{_SIMILARITY_WIDTH}}"
    return f"{verdict:<{_VERDICT_WIDTH}}  {p_live:>{_SCORE_WIDTH}}{matching}  {reason:<{_REASON_WIDTH}}  {photo}"


def _liveness(result: Answer) -> Rows:
    thresholds = result.thresholds
    if thresholds is None:  # it never came to a threshold, and the message says why
        return []
    if result.liveness is None or not thresholds.liveness:
        return [("P(live)", result.skipped.get("liveness", "unknown"))]
    rows: Rows = []
    for threshold in thresholds.liveness:
        name = "P(live)" if len(thresholds.liveness) == 1 else f"P(live) {readable(threshold.backend)}"
        rows.append((name, _against(result.liveness.p_live_of(threshold.backend), threshold)))
    return rows


def _against(p_live: float | None, threshold: LivenessThreshold) -> str:
    live, attack = threshold.live, threshold.attack
    if p_live is None:
        return "not needed: another backend refused"
    if p_live >= live:
        text = f"{score(p_live)}, at or above {score(live)}"
    elif p_live < attack:
        text = f"{score(p_live)}, below {score(attack)}" + (f" (live from {score(live)})" if attack < live else "")
    else:
        text = f"{score(p_live)}, between {score(attack)} (attack below) and {score(live)} (live from there)"
    return f"{text}, {_live_origin(threshold)}"


def _similarity(result: Answer) -> Rows:
    threshold = None if result.thresholds is None else result.thresholds.match
    if threshold is None:
        return []
    if result.match is None:
        return [("similarity", result.skipped.get("match", "unknown"))]
    side = "at or above" if result.match.similarity >= threshold.similarity else "below"
    value = f"{score(result.match.similarity)}, {side} {score(threshold.similarity)}"
    return [("similarity", f"{value}, {_origin(threshold.point)}")]


def _expected(threshold: LivenessThreshold, *, alone: bool) -> str:
    where = "" if alone else f" from {readable(threshold.backend)}"
    point = threshold.measured
    if point is None:
        return f"Error rates at this threshold{where} have not been measured."
    # A camera profile says nothing here: it measured no rates, and those of a threshold that it moved are gone.
    unfamiliar = threshold.points_sha256 is None
    cameras = "on unfamiliar cameras" if unfamiliar else "on cameras like those of the calibration"
    refused = f"{percent(point.bpcer.value)} of live people refused"
    if not point.apcer:
        return f"Expected {cameras}{where}: {refused}."
    species, worst = max(point.apcer.items(), key=lambda item: item[1].value)
    return f"Expected {cameras}{where}: {percent(worst.value)} of {readable(species)} attacks accepted, {refused}."


def _evidence(thresholds: Thresholds | None) -> Rows:
    """The measurements behind the thresholds, with intervals and counts."""
    rows: Rows = []
    for threshold in () if thresholds is None else thresholds.liveness:
        point = threshold.measured
        if point is None:
            continue
        for species, apcer in sorted(point.apcer.items(), key=lambda item: -item[1].value):
            rows.append(("APCER", f"{rate(apcer)} {readable(species)} attacks accepted"))
        rows.append(("BPCER", f"{rate(point.bpcer)} live people refused"))
        rows.append(("measured", f"at P(live) {score(point.threshold)} on {readable(point.measured_on)}"))
    return rows


def _face(result: Verification) -> Rows:
    if result.face is None:
        return []
    left, top, _, _ = result.face.box_xyxy
    size = f"{result.face.box_xyxy.width:.0f} x {result.face.box_xyxy.height:.0f} px at ({left:.0f}, {top:.0f})"
    others = f", one of {len(result.faces)}" if result.faces is not None and len(result.faces) > 1 else ""
    return [("face", f"{size}, detector score {result.face.score:.2f}{others}")]


def _backends(stages: Sequence[Provenance]) -> Rows:
    names = (f"{readable(one.name)} ({readable(one.distribution)} {readable(one.version)})" for one in stages)
    return [("backends", ", ".join(names))] if stages else []


def _live_origin(threshold: LivenessThreshold) -> str:
    return _origin(threshold.point) + ("" if threshold.profile_sha256 is None else " with a camera profile")


def _origin(point: str | None) -> str:
    return "chosen explicitly" if point is None else f"operating point {point}"

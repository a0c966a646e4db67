"""An evaluation's report and its scores in, one self-contained HTML page out: tables, curves and the worst errors.

Computes no rate. The page embeds pictures of people, so it is for the local disk only, and says so. Whatever comes
from a manifest or a report is escaped.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import cv2
import numpy as np

from faceauth.evaluation import plots
from faceauth.evaluation.report import Estimate, EvaluationReport, FullSystem, Summary
from faceauth.evaluation.scoring import Scored
from faceauth.imaging.decoding import DEFAULT_LIMITS, ImageLimits, load_image
from faceauth.metrics.error_rates import LIVE, ErrorCurve, accepted, error_curve
from faceauth.thresholds import MeasuredRate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THUMBNAIL_PX = 160
PICTURES = 12
"""Pictures of each kind of error."""
PICTURES_OF_A_DOMAIN = 4
"""At most so many of them from one domain: the worst domain would fill the page."""

_STYLE = """
:root{color-scheme:light}body{font:15px/1.5 system-ui,sans-serif;color:#1a1a1a;max-width:72rem;margin:2rem auto;
padding:0 1rem}h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2.2rem 0 .5rem}
p{max-width:48rem}.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .8rem .25rem 0;text-align:left;vertical-align:top;border-bottom:1px solid #e4e4e4}
th{font-weight:600;border-bottom-color:#999}small,.faint{color:#666}td small{white-space:nowrap}
.figures{display:flex;flex-wrap:wrap;gap:1rem}.figures svg{max-width:100%;height:auto}
.pictures{display:flex;flex-wrap:wrap;gap:.8rem}figure{margin:0;width:10rem}figure img{max-width:100%;display:block}
figcaption{font-size:12px;line-height:1.3;overflow-wrap:anywhere}
.notice{border-left:4px solid #d55e00;padding:.4rem .8rem;background:#fdf3ec}
"""


class _Markup(str):
    """Text that is HTML already; every other string is escaped."""

    __slots__ = ()


def html_page(
    report: EvaluationReport,
    scored: Sequence[Scored],
    *,
    limits: ImageLimits = DEFAULT_LIMITS,
) -> str:
    """The page.

    Args:
        report: what ``measure`` made of ``scored``.
        scored: the presentations; the pictures of the worst errors are read from their paths.
        limits: of the pictures that are read.

    Raises:
        UsageError: matplotlib is not installed.
        ImageError: a picture can no longer be read.
    """
    title = f"{report.backend} on {report.data}"
    body = [
        _Markup(f"<h1>{escape(title)}</h1>"),
        _lead(report),
        _section("Error rates", _headline(report)),
        _section("Species", _species(report.overall)),
        _section("Domains", _domains(report)),
        _section("Tight crops and whole frames", _slices(report)),
        _section("No response", _no_response(report)),
        _section("Liveness and match together", _full_system(report.full_system)),
        _section("As a classifier", _reference(report)),
        _section("Curves and scores", _curves(report, scored)),
        _section("Worse pictures", _robustness(report)),
        _section("Attacks accepted, the worst first", _pictures(_worst_accepted(report, scored), limits)),
        _section("Live people refused, the worst first", _pictures(_worst_refused(report, scored), limits)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _lead(report: EvaluationReport) -> _Markup:
    seen = {"network": "The network alone, on the manifest's face boxes.", "pipeline": "The whole pipeline."}
    overall = report.overall
    return _Markup(
        f"<p>{seen[report.mode]} {overall.n_live:,} live and {overall.n_spoof:,} attack presentations of "
        f"{overall.n_domains} domains drew a response. Accepted as live when P(live) is at least "
        f"{report.threshold:.4f} ({escape(report.threshold_origin)}). Rates as in ISO/IEC 30107-3, brackets are "
        '95 % intervals; how each was computed is in the JSON report.</p><p class="notice">This page holds pictures '
        "of people from the evaluated data. Keep it on this machine: do not publish or commit it.</p>"
    )


def _headline(report: EvaluationReport) -> _Markup:
    overall, ranking = report.overall, report.ranking
    worst = overall.worst_species
    rows: list[tuple[str, str, str]] = [
        ("Macro AUC", _number(overall.macro_auc), f"mean over domains; lowest: {report.worst_domain or 'none'}"),
        ("Macro HTER", _percent(overall.macro_hter), "mean over domains"),
        ("APCER", _rate(overall.apcer[worst] if worst else None), f"attacks accepted, worst species: {worst or '-'}"),
        ("APCER, pooled", _rate(overall.apcer_pooled), "attacks accepted, all species as one"),
        ("BPCER", _rate(overall.bpcer), "live people refused"),
        ("ACER", _absent() if overall.acer is None else _points(overall.acer), "(APCER + BPCER) / 2"),
    ]
    if ranking is not None:
        rows += [
            ("AUC", _number(ranking.auc), "all presentations as one set"),
            ("EER", _percent(ranking.eer), "no threshold; for ranking only"),
            ("BPCER10", _percent(ranking.bpcer10), "BPCER where the worst APCER is 10 %"),
            ("BPCER20", _percent(ranking.bpcer20), "where it is 5 %"),
            ("BPCER100", _percent(ranking.bpcer100), "where it is 1 %"),
        ]
    return _table(("figure", "value", "meaning"), rows)


def _species(overall: Summary) -> _Markup:
    return _table(("species", "APCER"), [(name, _rate(rate)) for name, rate in overall.apcer.items()])


def _domains(report: EvaluationReport) -> _Markup:
    rows = [
        (
            result.domain,
            f"{result.n_live:,} / {result.n_spoof:,}",
            _number(result.auc),
            _percent(result.hter),
            _lines(f"{name}: {_rate(rate)}" for name, rate in result.apcer.items()),
            _rate(result.bpcer),
        )
        for result in report.domains
    ]
    return _table(("domain", "live / attacks", "AUC", "HTER", "APCER", "BPCER"), rows)


def _slices(report: EvaluationReport) -> _Markup:
    rows = [
        (
            name,
            f"{part.n_live:,} / {part.n_spoof:,} of {part.n_domains} domains",
            _number(part.macro_auc),
            _percent(part.macro_hter),
            _rate(part.apcer_pooled),
            _rate(part.bpcer),
        )
        for name, part in (("tight crops", report.tight), ("whole frames", report.whole_frames))
        if part is not None
    ]
    return _table(("pictures", "live / attacks", "macro AUC", "macro HTER", "APCER, pooled", "BPCER"), rows)


def _no_response(report: EvaluationReport) -> _Markup:
    answer = report.no_response
    if not answer.reasons:
        return _Markup("<p>Every presentation drew a response.</p>")
    rates = [("BPNRR", _rate(answer.bpnrr)), *((f"APNRR {name}", _rate(rate)) for name, rate in answer.apnrr.items())]
    reasons = _table(("reason", "presentations"), [(name, f"{n:,}") for name, n in answer.reasons.items()])
    return _Markup(_table(("share without a response", ""), rates) + reasons)


def _full_system(found: FullSystem | None) -> _Markup:
    if found is None:
        return _Markup("")
    rows = [(f"IAPAR {name}", _rate(rate), "attacks let in") for name, rate in found.iapar.items()]
    rows += [
        ("FRR", _rate(found.frr), "live people refused, as attacks or as somebody else"),
        ("RIAPAR", _absent() if found.riapar is None else _points(found.riapar), "worst IAPAR + FRR"),
        ("similarity", _absent() if found.match_threshold is None else f"{found.match_threshold:.3f}", "to match"),
    ]
    note = "<p>Presentations with a reference. What drew no response counts as refused.</p>"
    return _Markup(note + _table(("figure", "value", "meaning"), rows))


def _reference(report: EvaluationReport) -> _Markup:
    if report.reference is None:
        return _Markup("")
    rows = []
    for name, found in report.reference.classes.items():
        precision = _absent() if found.precision is None else f"{found.precision:.3f}"
        counts = report.reference.confusion[name]
        figures = (precision, f"{found.recall:.3f}", f"{found.f1:.3f}", f"{found.mean_confidence:.3f}")
        rows.append((name, *figures, f"{counts['live']:,}", f"{counts['spoof']:,}", f"{found.support:,}"))
    head = ("class", "precision", "recall", "F1", "mean confidence", "as live", "as spoof", "of")
    return _Markup(f"<p>Accuracy {_points(report.reference.accuracy)}.</p>" + _table(head, rows))


def figures(report: EvaluationReport, scored: Sequence[Scored]) -> "dict[str, Figure]":
    """``det`` and ``roc`` of all attacks and of each species, where both classes are there, and ``scores``.

    Raises:
        UsageError: matplotlib is not installed.
    """
    responded = [s for s in scored if s.p_live is not None]
    p_live, labels = np.array([s.p_live for s in responded]), np.array([s.record.label for s in responded])
    histogram = plots.histogram_figure(p_live, labels, report.threshold)
    if report.ranking is None:
        return {"scores": histogram}
    species = np.array([s.record.species for s in responded])
    chosen = {"all attacks": np.ones(len(labels), bool)}
    if len(report.overall.apcer) > 1:
        chosen |= {name: (labels == LIVE) | (species == name) for name in report.overall.apcer}
    curves: dict[str, ErrorCurve] = {
        plots.named(name, p_live[rows], labels[rows]): error_curve(p_live[rows], labels[rows])
        for name, rows in chosen.items()
    }
    return {"det": plots.det_figure(curves), "roc": plots.roc_figure(curves), "scores": histogram}


def _curves(report: EvaluationReport, scored: Sequence[Scored]) -> _Markup:
    return _Markup(f'<div class="figures">{"".join(map(plots.svg, figures(report, scored).values()))}</div>')


def _robustness(report: EvaluationReport) -> _Markup:
    return _Markup(plots.svg(plots.robustness_figure(report.robustness))) if report.robustness else _Markup("")


def _worst_accepted(report: EvaluationReport, scored: Sequence[Scored]) -> list[Scored]:
    attacks = [s for s in scored if s.p_live is not None and not s.record.is_live]
    let_in = _where(attacks, accepted([s.p_live for s in attacks if s.p_live is not None], report.threshold))
    return sorted(let_in, key=lambda s: -(s.p_live or 0.0))


def _worst_refused(report: EvaluationReport, scored: Sequence[Scored]) -> list[Scored]:
    people = [s for s in scored if s.p_live is not None and s.record.is_live]
    refused = _where(people, ~accepted([s.p_live for s in people if s.p_live is not None], report.threshold))
    return sorted(refused, key=lambda s: s.p_live or 0.0)


def _where(scored: Sequence[Scored], rows: Iterable[bool]) -> list[Scored]:
    return [s for s, keep in zip(scored, rows, strict=True) if keep]


def _pictures(errors: Sequence[Scored], limits: ImageLimits) -> _Markup:
    if not errors:
        return _Markup("<p>None.</p>")
    shown: Counter[str] = Counter()
    chosen: list[Scored] = []
    for one in errors:
        if len(chosen) < PICTURES and shown[one.record.domain] < PICTURES_OF_A_DOMAIN:
            shown[one.record.domain] += 1
            chosen.append(one)
    note = f"<p>{len(chosen)} of {len(errors):,}, at most {PICTURES_OF_A_DOMAIN} of one domain.</p>"
    return _Markup(note + f'<div class="pictures">{"".join(_picture(one, limits) for one in chosen)}</div>')


def _picture(one: Scored, limits: ImageLimits) -> str:
    image = load_image(one.record.path, limits)
    scale = min(1.0, THUMBNAIL_PX / max(image.shape[:2]))
    size_wh = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    _, data = cv2.imencode(".jpg", cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA))
    kind = "live" if one.record.is_live else one.record.species
    caption = (
        f"{escape(one.record.domain)}, {escape(kind)}<br>P(live) {one.p_live:.4f}<br>{escape(one.record.path.name)}"
    )
    source = b64encode(data.tobytes()).decode("ascii")
    return f'<figure><img alt="" src="data:image/jpeg;base64,{source}"><figcaption>{caption}</figcaption></figure>'


def _section(title: str, content: _Markup) -> _Markup:
    return _Markup(f"<section><h2>{escape(title)}</h2>{content}</section>") if content else _Markup("")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> _Markup:
    cells = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in rows)
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return _Markup(f'<div class="scroll"><table><thead><tr>{names}</tr></thead><tbody>{cells}</tbody></table></div>')


def _escaped(text: str) -> str:
    return text if isinstance(text, _Markup) else escape(text)


def _lines(texts: Iterable[str]) -> _Markup:
    return _Markup("<br>".join(_escaped(text) for text in texts))


def _absent() -> str:
    return "not defined"


def _points(value: float) -> str:
    return f"{100 * value:.1f} %"


def _rate(rate: MeasuredRate | None) -> str:
    if rate is None:
        return _absent()
    return f"{_points(rate.value)} [{100 * rate.low:.1f}, {100 * rate.high:.1f}] ({rate.errors:,} of {rate.n:,})"


def _percent(estimate: Estimate | None) -> str:
    if estimate is None:
        return _absent()
    return _points(estimate.value) + _brackets(estimate, 100, 1)


def _number(estimate: Estimate | None) -> str:
    return _absent() if estimate is None else f"{estimate.value:.3f}" + _brackets(estimate, 1, 3)


def _brackets(estimate: Estimate, scale: int, digits: int) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" [{scale * estimate.low:.{digits}f}, {scale * estimate.high:.{digits}f}]"

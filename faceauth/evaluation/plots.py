"""DET and ROC curves, score histograms and robustness as matplotlib figures, and a figure as SVG.

matplotlib is imported when the first figure is drawn. Nothing here needs a display, and nobody's settings (a
matplotlibrc, a style, ``MPLBACKEND``) change a plot.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from statistics import NormalDist
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from faceauth.errors import UsageError
from faceauth.evaluation.report import DOCUMENT, EvaluationReport, RobustnessPoint
from faceauth.evaluation.scoring import Scored
from faceauth.metrics.error_rates import LIVE, SPOOF, ErrorCurve, auc, checked_labels, checked_scores, error_curve
from faceauth.metrics.formatting import count, number, readable, score
from faceauth.metrics.intervals import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito's palette (2008), readable with any colour vision; lines differ in dashes too."""
DASHES = ("-", "--", "-.", ":")

Corner = Literal["upper right", "upper center", "lower right"]

DET_TICKS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.99)
DET_RANGE = (0.0005, 0.995)

NAMES = ("det", "roc", "scores")
"""Of the figures of a report."""

LABEL_LENGTH = 60
"""Characters of a legend's label: a longer one would leave no room for the curves."""


@contextmanager
def default_style() -> Iterator[None]:
    """Matplotlib's own defaults while the block runs, whatever the settings of the user or the program.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        matplotlib = _imported()
    except ImportError as error:
        raise UsageError("Plots need matplotlib: `pip install 'faceauth[evaluation]'`.") from error
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["svg.hashsalt"] = "faceauth"  # fixed ids: the same figure gives the same text
        yield


def _imported() -> ModuleType:
    """matplotlib, which does not import where ``MPLBACKEND`` names a backend that is not installed.

    Jupyter names its own to every process that it starts. Plots need none, so the variable is hidden meanwhile, and
    obeyed afterwards where it can be.
    """
    backend = os.environ.pop("MPLBACKEND", None) if "matplotlib" not in sys.modules else None
    if backend is None:
        import matplotlib
    else:
        try:
            import matplotlib
        finally:
            os.environ["MPLBACKEND"] = backend
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
    module: ModuleType = matplotlib
    return module


def report_figures(report: EvaluationReport, scored: Sequence[Scored]) -> "dict[str, Figure]":
    """``det`` and ``roc`` of all attacks and of each species, where both classes are there, and ``scores``.

    Raises:
        UsageError: matplotlib is not installed.
    """
    responded = [one for one in scored if one.p_live is not None]
    p_live, labels = np.array([one.p_live for one in responded]), np.array([one.record.label for one in responded])
    histogram = histogram_figure(p_live, labels, report.threshold)
    if report.ranking is None:
        return {"scores": histogram}
    species = np.array([one.record.species for one in responded])
    chosen = {"all attacks": np.ones(len(labels), bool)}
    if len(report.overall.apcer) > 1:
        chosen |= {name: (labels == LIVE) | (species == name) for name in report.overall.apcer}
    curves: dict[str, ErrorCurve] = {
        named(name, p_live[rows], labels[rows]): error_curve(p_live[rows], labels[rows])
        for name, rows in chosen.items()
    }
    return {"det": det_figure(curves), "roc": roc_figure(curves), "scores": histogram}


@default_style()
def det_figure(curves: Mapping[str, ErrorCurve]) -> "Figure":
    """BPCER over APCER on normal-deviate axes (Martin et al., 1997); name -> curve.

    Rates below 0.05 % are drawn on the border, where the axes end.
    """
    figure, axes = _canvas((5.2, 5.0))
    for (name, curve), (color, dash) in zip(curves.items(), _styles(len(curves)), strict=True):
        axes.plot(
            _deviate(curve.apcer), _deviate(curve.bpcer), dash, color=color, label=_plain(name), drawstyle="steps-pre"
        )
    ends = _deviate(np.array(DET_RANGE))
    axes.plot(ends, ends, color="0.75", linewidth=0.8, zorder=0)
    ticks = _deviate(np.array(DET_TICKS))
    axes.set_xticks(ticks, [f"{100 * tick:g}" for tick in DET_TICKS])
    axes.set_yticks(ticks, [f"{100 * tick:g}" for tick in DET_TICKS])
    axes.set(xlim=tuple(ends), ylim=tuple(ends), title="DET", aspect="equal")
    axes.set(xlabel="APCER, pooled: attacks accepted, %", ylabel="BPCER: live people refused, %")
    _legend(axes, len(curves), "upper right")
    return figure


@default_style()
def roc_figure(curves: Mapping[str, ErrorCurve]) -> "Figure":
    """Live people accepted over attacks accepted; name -> curve."""
    figure, axes = _canvas((5.2, 5.0))
    for (name, curve), (color, dash) in zip(curves.items(), _styles(len(curves)), strict=True):
        axes.plot(100 * curve.apcer, 100 * (1 - curve.bpcer), dash, color=color, label=_plain(name))
    axes.plot((0, 100), (0, 100), color="0.75", linewidth=0.8, zorder=0)
    axes.set(xlim=(-1, 101), ylim=(-1, 101), title="ROC", aspect="equal")
    axes.set(xlabel="APCER, pooled: attacks accepted, %", ylabel="1 - BPCER: live people accepted, %")
    _legend(axes, len(curves), "lower right")
    return figure


@default_style()
def histogram_figure(p_live: npt.ArrayLike, labels: npt.ArrayLike, threshold: float) -> "Figure":
    """Share of live and of spoof presentations over P(live), with the threshold; each class sums to 100 %."""
    scores = checked_scores(p_live)
    classes = checked_labels(labels, len(scores))
    figure, axes = _canvas((6.4, 3.6))
    edges = np.linspace(0, 1, 41)
    for name, kind, color, dash in (("live", LIVE, COLORS[0], "-"), ("spoof", SPOOF, COLORS[1], "--")):
        chosen = scores[classes == kind]
        if len(chosen):
            share = 100 * np.histogram(chosen, edges)[0] / len(chosen)
            label = f"{name}, n = {count(len(chosen))}"
            steps = axes.stairs(share, edges, fill=True, linestyle=dash, linewidth=1.2, label=label)
            steps.set(facecolor=(color, 0.3), edgecolor=color)
    axes.axvline(threshold, color="black", linewidth=1.2, linestyle=":", label=f"threshold {score(threshold)}")
    axes.set(xlim=(0, 1), title="Scores", xlabel="P(live)", ylabel="share of the class, %")
    _legend(axes, 3, "upper center")
    return figure


@default_style()
def robustness_figure(curves: Mapping[str, Sequence[RobustnessPoint]]) -> "Figure":
    """BPCER and pooled APCER over each change, one small plot a change, with intervals as bands."""
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure, grid = _grid(rows, columns, (3.4 * columns, 2.8 * rows))
    for axes, (name, points) in zip(grid, curves.items(), strict=False):
        levels = [point.level for point in points]
        for label, color, dash, rates in (
            ("BPCER", COLORS[0], "o-", [point.bpcer for point in points]),
            ("APCER, pooled", COLORS[1], "s--", [point.apcer_pooled for point in points]),
        ):
            axes.plot(levels, [100 * rate.value for rate in rates], dash, color=color, markersize=4, label=label)
            low, high = [100 * rate.low for rate in rates], [100 * rate.high for rate in rates]
            axes.fill_between(levels, low, high, color=color, alpha=0.15, linewidth=0)
        axes.set(ylim=(-2, 102), xlabel=name, ylabel="errors, %")
    for axes in grid[len(curves) :]:
        axes.set_visible(False)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return figure


def named(name: str, p_live: npt.ArrayLike, labels: npt.ArrayLike) -> str:
    """A curve's label: its name with the AUC."""
    return f"{name} (AUC {number(auc(p_live, labels))})"


@default_style()
def svg(figure: "Figure") -> str:
    """The figure as an ``<svg>`` element, for a page or a separate file; the same figure gives the same text."""
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": DOCUMENT})
    text = buffer.getvalue()
    # Without the XML header, and without comments, which repeat every label.
    return re.sub("<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)


def _grid(rows: int, columns: int, size_inch: tuple[float, float]) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=size_inch, layout="constrained")
    axes = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for one in axes:
        one.grid(color="0.9", linewidth=0.6)
        one.set_axisbelow(True)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _canvas(size_inch: tuple[float, float]) -> "tuple[Figure, Axes]":
    figure, axes = _grid(1, 1, size_inch)
    return figure, axes[0]


def _plain(label: str) -> str:
    """A label with a name of the data as matplotlib shows it uninterpreted, without the middle if it is long.

    Between dollars it would be a formula, and after an underscore it would be left out of the legend.
    """
    shown = readable(label)
    if len(shown) > LABEL_LENGTH:
        shown = f"{shown[: LABEL_LENGTH - 21]}...{shown[-18:]}"
    shown = shown.replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def _styles(n: int) -> list[tuple[str, str]]:
    """Colour and dashes of each of ``n`` lines."""
    return [(COLORS[i % len(COLORS)], DASHES[i % len(DASHES)]) for i in range(n)]


def _legend(axes: "Axes", entries: int, where: Corner) -> None:
    if entries:
        axes.legend(loc=where, frameon=True, framealpha=0.9, edgecolor="0.85", fontsize=8)


def _deviate(rates: Floats) -> Floats:
    """Normal deviates of rates, which are kept inside ``DET_RANGE``."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse(rate) for rate in np.clip(rates, *DET_RANGE)])

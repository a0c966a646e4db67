"""Plots show the numbers they are given, and say what to install when they cannot."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import ScoreError, UsageError
from faceauth.evaluation.report import DOCUMENT, RobustnessPoint
from faceauth.metrics.error_rates import bpcer_at_apcer, error_curve
from faceauth.metrics.formatting import readable
from faceauth.metrics.intervals import measured_rate

pytest.importorskip("matplotlib")

from faceauth.evaluation import plots

RNG = np.random.default_rng(5)
LABELS = RNG.integers(0, 2, 300)
P_LIVE = np.clip(RNG.normal(0.65 - 0.3 * LABELS, 0.2), 0, 1)
CURVES = {plots.named("all", P_LIVE, LABELS): error_curve(P_LIVE, LABELS)}


def point(level: float, refused: int) -> RobustnessPoint:
    """Of ten live people, ``refused`` refused; one of ten attacks accepted."""
    return RobustnessPoint(
        level=level, bpcer=measured_rate(np.arange(10) < refused), apcer_pooled=measured_rate(np.arange(10) < 1)
    )


def test_det_axes_are_normal_deviates_labelled_in_percent() -> None:
    (axes,) = plots.det_figure(CURVES).axes
    x, y = axes.lines[0].get_data()
    by_tick = dict(zip([label.get_text() for label in axes.get_xticklabels()], axes.get_xticks(), strict=True))
    assert by_tick["1"] == pytest.approx(-2.3263, abs=1e-3)
    assert by_tick["40"] == pytest.approx(-by_tick["60"])
    crossing = np.abs(np.array(x) - np.array(y)).argmin()
    curve = next(iter(CURVES.values()))
    assert crossing == np.abs(curve.apcer - curve.bpcer).argmin()


def test_a_perfect_curve_stays_on_the_det_axes() -> None:
    (axes,) = plots.det_figure({"perfect": error_curve([0.9, 0.1], [0, 1])}).axes
    assert np.isfinite(axes.lines[0].get_xydata()).all()


def test_roc_shows_live_accepted_over_attacks_accepted() -> None:
    (axes,) = plots.roc_figure(CURVES).axes
    x, y = (np.array(values) for values in axes.lines[0].get_data())
    curve = next(iter(CURVES.values()))
    np.testing.assert_allclose(x, 100 * curve.apcer)
    np.testing.assert_allclose(y, 100 - 100 * curve.bpcer)
    assert axes.get_legend().get_texts()[0].get_text().startswith("all (AUC 0.")


@pytest.mark.parametrize("name", ["$x^2$", r"$\bad{$", r"\$a\$ $b$", "_hidden", "a\x1b[2Jb", "<b>&"])
def test_a_name_is_drawn_as_it_is_and_not_read(name: str) -> None:
    figure = plots.roc_figure({name: CURVES[next(iter(CURVES))]})
    assert ET.fromstring(plots.svg(figure)) is not None
    (text,) = figure.axes[0].get_legend().get_texts()
    shown, is_formula = text._preprocess_math(text.get_text())
    assert (shown.strip(), is_formula) == (readable(name), False)


def test_a_long_name_leaves_room_for_the_curves_and_keeps_its_auc() -> None:
    figure = plots.roc_figure({f"{'x' * 5000} (AUC 0.875)": CURVES[next(iter(CURVES))]})
    (text,) = figure.axes[0].get_legend().get_texts()
    assert len(text.get_text()) == plots.LABEL_LENGTH and text.get_text().endswith("x (AUC 0.875)")


def test_the_det_curve_never_runs_below_the_bpcer_that_an_apcer_costs() -> None:
    from matplotlib.cbook import STEP_LOOKUP_MAP

    p_live, labels = np.array([0.4, 0.4, 0.6, 0.2]), np.array([0, 1, 0, 1])  # a tie of both classes
    curve = error_curve(p_live, labels)
    (line, _) = plots.det_figure({"tied": curve}).axes[0].lines
    apcer, bpcer = STEP_LOOKUP_MAP[line.get_drawstyle()](curve.apcer, curve.bpcer)
    for target in (0.1, 0.3):
        cost = bpcer_at_apcer(p_live, labels, np.full(4, "print"), target).value
        drawn = [y for x, y in zip(apcer, bpcer, strict=True) if x <= target]
        assert min(drawn) >= cost == 0.5


SETTINGS_OF_OTHERS = """
import sys
from faceauth.evaluation import plots
from faceauth.metrics.error_rates import error_curve
print(plots.svg(plots.roc_figure({"all": error_curve([0.9, 0.1, 0.4], [0, 1, 1])})))
assert "matplotlib.pyplot" not in sys.modules
"""


@pytest.mark.slow
def test_settings_of_others_change_nothing_in_a_plot(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nlines.linewidth: 9\nsvg.fonttype: none\n")
    plain = {key: value for key, value in os.environ.items() if not key.startswith("MPL")}
    drawn = [
        subprocess.run([sys.executable, "-c", SETTINGS_OF_OTHERS], env=plain | extra, capture_output=True, text=True)
        for extra in ({}, {"MATPLOTLIBRC": str(tmp_path)}, {"MPLBACKEND": "no such backend"}, {"MPLBACKEND": "svg"})
    ]
    assert [one.stderr for one in drawn] == [""] * 4
    assert drawn[0].stdout.startswith("<svg") and {one.stdout for one in drawn} == {drawn[0].stdout}


def test_drawing_leaves_the_settings_of_the_program_as_they_were() -> None:
    import matplotlib

    with matplotlib.rc_context({"lines.linewidth": 7.0, "svg.hashsalt": "mine"}):
        before = dict(matplotlib.rcParams)
        (axes,) = plots.roc_figure(CURVES).axes
        assert axes.lines[0].get_linewidth() == 1.5
        assert dict(matplotlib.rcParams) == before


def test_histograms_sum_to_one_hundred_percent_in_each_class() -> None:
    (axes,) = plots.histogram_figure(P_LIVE, LABELS, 0.4).axes
    assert [step.get_data().values.sum() for step in axes.patches] == pytest.approx([100, 100])
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == [f"live, n = {(LABELS == 0).sum()}", f"spoof, n = {(LABELS == 1).sum()}", "threshold 0.4000"]


def test_a_histogram_of_one_class_shows_that_class() -> None:
    (axes,) = plots.histogram_figure([0.2, 0.9], [0, 0], 0.5).axes
    assert len(axes.patches) == 1


def test_a_histogram_refuses_what_is_no_score() -> None:
    with pytest.raises(ScoreError):
        plots.histogram_figure([np.nan], [0], 0.5)


@pytest.mark.parametrize("n", [1, 3, 4])
def test_robustness_draws_one_plot_a_change(n: int) -> None:
    figure = plots.robustness_figure({f"change {i}": [point(1, 2), point(2, 5)] for i in range(n)})
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_xlabel() for axes in shown] == [f"change {i}" for i in range(n)]
    assert [float(y) for y in shown[0].lines[0].get_ydata()] == [20.0, 50.0]


def test_the_same_figure_gives_the_same_svg_ready_for_a_page() -> None:
    one, two = plots.svg(plots.roc_figure(CURVES)), plots.svg(plots.roc_figure(CURVES))
    assert one == two
    assert one.startswith("<svg") and ET.fromstring(one) is not None


def test_a_figure_says_that_it_belongs_to_a_report() -> None:
    assert DOCUMENT in plots.svg(plots.det_figure(CURVES))[:4096]


def test_without_matplotlib_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'faceauth\[evaluation\]'"):
        plots.det_figure(CURVES)

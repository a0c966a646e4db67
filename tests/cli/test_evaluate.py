"""``faceauth evaluate``: the figures of a toy manifest, and the files it writes."""

import csv
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from faceauth.evaluation.report import EvaluationReport

from .conftest import ATTACK, LIVE, Photo, Run

Process = Callable[..., "subprocess.CompletedProcess[str]"]
COLUMNS = ("path", "label", "attack", "domain", "split", "box_x", "box_y", "box_w", "box_h", "width", "height")


@pytest.fixture
def manifest(photo: Photo, tmp_path: Path) -> Path:
    """Two domains of two live images and two attacks; one bright replay passes for live."""
    rows = []
    for domain in ("cam1", "cam2"):
        for number, (species, brightness) in enumerate(
            (("none", LIVE), ("none", LIVE), ("print", ATTACK), ("replay", LIVE if domain == "cam2" else ATTACK))
        ):
            path = photo(f"{domain}/{number}.png", brightness, seed=number)
            label = "live" if species == "none" else "spoof"
            rows.append((path.relative_to(tmp_path), label, species, domain, "test", 50, 50, 100, 100, 200, 200))
    rows.append((rows[0][0], "live", "none", "cam1", "train", 50, 50, 100, 100, 200, 200))
    file = tmp_path / "manifest.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])
    return file


def figures(run: Run, manifest: Path, *arguments: object) -> EvaluationReport:
    """The JSON report of a run."""
    out = manifest.with_name("report.json")
    ran = run("evaluate", manifest, "--json", out, *arguments)
    assert ran.exit_code == 0, ran.stderr
    return EvaluationReport.model_validate_json(out.read_text())


def test_table_shows_every_domain_and_species_with_intervals(run: Run, manifest: Path) -> None:
    ran = run("evaluate", manifest, "--split", "test")
    assert (ran.exit_code, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert "live from P(live) 0.5000, operating point balanced, measured on toy val" in ran.stdout
    assert any(line.startswith("replay  50.0 % [") and line.endswith("1 of 2") for line in lines)
    assert any(line.startswith("print   0.0 % [") and line.endswith("0 of 2") for line in lines)
    assert any(line.startswith("cam1") and "print 0.0 [0.0, 79.3]" in line for line in lines)
    assert any("replay 100.0 [20.7, 100.0]" in line for line in lines)
    assert any(line.startswith("BPCER ") and "0 of 4" in line for line in lines)


def test_json_is_the_whole_report(run: Run, manifest: Path) -> None:
    report = figures(run, manifest, "--split", "test")
    assert (report.backend, report.mode, report.overall.n_live, report.overall.n_spoof) == ("fake", "network", 4, 4)
    assert report.data == "manifest.csv test" and report.overall.worst_species == "replay"


def test_without_a_split_every_row_counts(run: Run, manifest: Path) -> None:
    assert figures(run, manifest).overall.n_live == 5


def test_threshold_and_operating_point_are_obeyed(run: Run, manifest: Path) -> None:
    assert figures(run, manifest, "--threshold", "0.1").overall.apcer["print"].errors == 2
    assert figures(run, manifest, "--threshold", "strict").threshold == 0.9


def test_pipeline_mode_reports_what_drew_no_response(run: Run, manifest: Path, photo: Photo) -> None:
    photo("cam1/0.png", size_wh=(100, 200))
    report = figures(run, manifest, "--mode", "pipeline", "--split", "test")
    assert report.mode == "pipeline" and report.overall.n_live == 3
    assert report.no_response.reasons == {"no_face": 1}
    assert "1 no_face" in run("evaluate", manifest, "--mode", "pipeline", "--split", "test").stdout


@pytest.mark.slow
def test_plots_and_page_are_written(run: Run, manifest: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    ran = run("evaluate", manifest, "--plots", tmp_path / "new/plots", "--html", tmp_path / "page.html")
    assert ran.exit_code == 0, ran.stderr
    assert sorted(path.name for path in (tmp_path / "new/plots").iterdir()) == ["det.svg", "roc.svg", "scores.svg"]
    assert "publish or commit" in (tmp_path / "page.html").read_text()


def test_split_without_rows_is_a_usage_error(run: Run, manifest: Path) -> None:
    ran = run("evaluate", manifest, "--split", "misspelt")
    assert (ran.exit_code, ran.stdout) == (2, "") and "misspelt" in ran.stderr


def test_report_that_cannot_be_written_is_a_usage_error(run: Run, manifest: Path) -> None:
    ran = run("evaluate", manifest, "--json", manifest / "report.json")
    assert ran.exit_code == 2 and ran.stderr.count("\n") == 1


def test_a_backend_that_ends_the_program_is_one_error_and_not_success(process: Process, manifest: Path) -> None:
    ran = process("evaluate", manifest, "--liveness", "exiting")
    assert (ran.returncode, ran.stdout) == (4, "")
    assert ran.stderr.splitlines()[-1].endswith("(Exiting) failed: SystemExit: 0") and "Traceback" not in ran.stderr


def test_limits_of_the_configuration_hold_in_network_mode(run: Run, manifest: Path) -> None:
    ran = run("evaluate", manifest, "--set", "limits.max_pixels=2000")
    assert ran.exit_code == 2 and "max_pixels" in ran.stderr


@pytest.mark.slow
def test_page_holds_the_curves_of_worse_pictures_on_demand(run: Run, manifest: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = tmp_path / "page.html"
    assert run("evaluate", manifest, "--html", page).exit_code == 0
    assert "Degraded images" not in page.read_text()
    ran = run("evaluate", manifest, "--html", page, "--robustness")
    assert ran.exit_code == 0, ran.stderr
    assert "Degraded images" in page.read_text()


def test_worse_images_are_measured_with_the_network_alone(run: Run, manifest: Path) -> None:
    ran = run("evaluate", manifest, "--robustness", "--mode", "pipeline")
    assert ran.exit_code == 2 and "--mode network" in ran.stderr


@pytest.mark.parametrize("option", ["--detector", "--embedder"])
def test_an_option_that_network_mode_could_not_use_is_refused(option: str, run: Run, manifest: Path) -> None:
    ran = run("evaluate", manifest, option, "fake")
    assert ran.exit_code == 2 and option in ran.stderr
    assert run("evaluate", manifest, option, "fake", "--mode", "pipeline").exit_code == 0


@pytest.mark.slow
def test_worse_images_are_in_the_table_and_in_the_json(run: Run, manifest: Path) -> None:
    report = figures(run, manifest, "--robustness")
    assert report.robustness is not None
    assert [name.split(",")[0] for name in report.robustness] == [
        "face size", "blur", "brightness", "JPEG quality", "crop margin", "image",
    ]  # fmt: skip
    lines = run("evaluate", manifest, "--robustness").stdout.splitlines()
    assert sum(line.startswith("JPEG quality") for line in lines) == len(report.robustness["JPEG quality"])


def test_the_reference_report_follows_the_rates(run: Run, manifest: Path) -> None:
    said = run("evaluate", manifest, "--split", "test").stdout
    assert "As a classifier: accuracy 87.5 %" in said
    (live,) = (line.split() for line in said.splitlines() if line.startswith("live "))
    (spoof,) = (line.split() for line in said.splitlines() if line.startswith("spoof "))
    assert live[1:4] == ["0.800", "1.000", "0.889"] and live[5:] == ["4", "0", "4"], "4 of 5 called live are"
    assert spoof[1:4] == ["1.000", "0.750", "0.857"] and spoof[5:] == ["1", "3", "4"]


@pytest.fixture
def claiming(photo: Photo, tmp_path: Path) -> Path:
    """A live person, a replay of her and a print of her that both pass for live, of which the print shows her badly."""
    photo("enrolled.png", seed=1)
    rows = []
    for name, species, seed in (("live", "none", 1), ("replay", "replay", 1), ("print", "print", 5)):
        path = photo(f"{name}.png", LIVE, seed=seed)
        label = "live" if species == "none" else "spoof"
        rows.append((path.name, label, species, "cam", "test", "enrolled.png"))
    rows.append((photo("dark.png", ATTACK, seed=1).name, "spoof", "replay", "cam", "test", "enrolled.png"))
    rows.append((photo("other.png", LIVE, seed=2).name, "live", "none", "cam", "test", ""))
    file = tmp_path / "claiming.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([(*COLUMNS[:5], "reference"), *rows])
    return file


def test_references_bring_the_rates_of_liveness_and_match_together(run: Run, claiming: Path) -> None:
    report = figures(run, claiming, "--mode", "pipeline", "--match-threshold", "0.5")
    system = report.full_system
    assert system is not None and system.frr is not None and system.match_threshold == 0.5
    assert {name: (rate.errors, rate.n) for name, rate in system.iapar.items()} == {"print": (0, 1), "replay": (1, 2)}
    assert (system.frr.errors, system.frr.n, system.riapar) == (0, 1, 0.5), "the row without a reference is not in it"
    assert report.overall.apcer["print"].errors == 1, "the match changes nothing in the rates of liveness"
    said = run("evaluate", claiming, "--mode", "pipeline", "--match-threshold", "0.5").stdout
    assert "IAPAR replay  50.0 % [" in said and "RIAPAR        50.0 %, IAPAR of the worst species + FRR" in said


def test_without_references_nothing_is_matched(run: Run, manifest: Path) -> None:
    assert figures(run, manifest, "--mode", "pipeline", "--embedder", "falling").full_system is None


@pytest.fixture
def folders(photo: Photo, tmp_path: Path) -> tuple[Path, Path]:
    """Two live images, of which one shows nobody, a print that passes, and an attack in no subfolder."""
    photo("mine/live/a.png", seed=1)
    photo("mine/live/b.png", size_wh=(100, 200), seed=2)
    photo("mine/attacks/print/c.png", LIVE, seed=3)
    photo("mine/attacks/d.png", ATTACK, seed=4)
    return tmp_path / "mine/live", tmp_path / "mine/attacks"


@pytest.mark.parametrize("mode", ["network", "pipeline", None])
def test_two_folders_are_measured_like_a_manifest(
    run: Run, folders: tuple[Path, Path], tmp_path: Path, mode: str | None
) -> None:
    out = tmp_path / "report.json"
    chosen = () if mode is None else ("--mode", mode)
    ran = run("evaluate", "--live", folders[0], "--attacks", folders[1], "--json", out, *chosen)
    assert ran.exit_code == 0, ran.stderr
    report = EvaluationReport.model_validate_json(out.read_text())
    assert (report.mode, report.data) == (mode or "pipeline", "live and attacks")
    counted = {name: (rate.errors, rate.n) for name, rate in report.overall.apcer.items()}
    assert counted == {"print": (1, 1), "unknown": (0, 1)}
    assert report.overall.n_live == 1 and report.no_response.reasons == {"no_face": 1}
    assert str(tmp_path) not in out.read_text()


def test_one_folder_alone_gives_the_rates_of_its_class(run: Run, folders: tuple[Path, Path]) -> None:
    live = run("evaluate", "--live", folders[0])
    assert live.exit_code == 0 and re.search(r"^macro AUC +-$", live.stdout, re.MULTILINE)
    attacks = run("evaluate", "--attacks", folders[1])
    assert attacks.exit_code == 0 and re.search(r"^BPCER +-$", attacks.stdout, re.MULTILINE)


def test_a_manifest_and_folders_exclude_each_other(run: Run, manifest: Path, folders: tuple[Path, Path]) -> None:
    for arguments in ((), (manifest, "--live", folders[0])):
        ran = run("evaluate", *arguments)
        assert ran.exit_code == 2 and "either a manifest, or a folder" in ran.stderr
    ran = run("evaluate", "--live", folders[0], "--split", "test")
    assert ran.exit_code == 2 and "no splits" in ran.stderr


def test_folders_without_a_face_are_said_so(run: Run, photo: Photo, tmp_path: Path) -> None:
    photo("empty/a.png", size_wh=(100, 200))
    ran = run("evaluate", "--live", tmp_path / "empty", "--mode", "network")
    assert ran.exit_code == 2 and "found no face in any of 1 images" in ran.stderr


@pytest.mark.slow
def test_nothing_is_overwritten_but_what_an_earlier_run_wrote(run: Run, manifest: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    outputs = ("--json", tmp_path / "r.json", "--plots", tmp_path / "plots", "--html", tmp_path / "p.html")
    assert run("evaluate", manifest, *outputs).exit_code == 0
    assert run("evaluate", manifest, *outputs).exit_code == 0, "its own files are written again"
    for option, path in (
        ("--json", tmp_path / "cam1/0.png"),
        ("--html", manifest),
        ("--plots", tmp_path / "other"),
        ("--json", tmp_path / "foreign.json"),
    ):
        victim = path / "roc.svg" if option == "--plots" else path
        victim.parent.mkdir(exist_ok=True)
        if not victim.exists():
            victim.write_text("<svg>precious</svg>")
        before = victim.read_bytes()
        ran = run("evaluate", manifest, option, path)
        assert (ran.exit_code, ran.stdout) == (2, ""), "refused before anything is scored"
        assert "not overwritten" in ran.stderr and victim.read_bytes() == before


def test_two_parts_of_a_report_never_go_to_one_file(run: Run, manifest: Path, tmp_path: Path) -> None:
    ran = run("evaluate", manifest, "--json", tmp_path / "same", "--html", tmp_path / "." / "same")
    assert (ran.exit_code, ran.stdout) == (2, "") and "same file" in ran.stderr
    assert not (tmp_path / "same").exists()


def test_a_missing_extra_is_said_before_anything_is_scored(
    run: Run, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    ran = run("evaluate", manifest, "--html", tmp_path / "page.html")
    assert (ran.exit_code, ran.stdout) == (2, "") and "pip install 'faceauth[evaluation]'" in ran.stderr
    assert run("evaluate", manifest, "--json", tmp_path / "r.json").exit_code == 0, "a report needs no extra"


def test_a_detector_is_only_taken_where_boxes_are_missing(run: Run, manifest: Path, folders: tuple[Path, Path]) -> None:
    ran = run("evaluate", manifest, "--detector", "fake", "--mode", "network")
    assert ran.exit_code == 2 and "every record brings its face box" in ran.stderr
    assert run("evaluate", "--live", folders[0], "--mode", "network", "--detector", "fake").exit_code == 0

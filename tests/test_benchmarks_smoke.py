"""The benchmarks run, print their table, and keep figures without the name of a machine. No time is judged here."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pytest_benchmark")
from benchmarks.machine import machine_facts, machine_name
from benchmarks.networks import Call, TimedSession, median_outside, timed, watch
from benchmarks.photo import SIZE_WH, photo_640x480
from benchmarks.results import SUITES, Row, rows_of, write
from benchmarks.table import over_budget, table
from faceauth.detection.yunet import YuNet
from faceauth.imaging.decoding import load_image

ROOT = Path(__file__).parents[1]


def row(name: str = "verify", *, suite: str = "pipeline", median_ms: float = 50.0, **facts: object) -> Row:
    return Row(suite, suite, name, median_ms, 1.0, median_ms, rounds=5, items=1, facts=facts)


def printed(rows: list[Row]) -> str:
    from rich.console import Console

    console = Console(width=140)
    with console.capture() as captured:
        console.print(table(rows))
    return captured.get()


@pytest.mark.slow
@pytest.mark.parametrize("suite", [suite for suite in SUITES if suite != "process"])
def test_every_benchmark_runs(suite: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-disable"]
    done = subprocess.run([*command, f"benchmarks/test_{suite}.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_what_it_measured(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--suite", "stages", "--seconds", "0.001", "--out", str(tmp_path)]
    alone = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_XDIST")}
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "spoofnet score, 8" in done.stdout
    (path,) = tmp_path.glob("*/stages--*.json")
    document = json.loads(path.read_text())
    assert document["suite"] == "stages" and document["threads"] == 1
    assert all(measured["median_ms"] > 0 for measured in document["rows"])
    assert {"decode", "detection", "gate"} <= {measured["name"] for measured in document["rows"]}


@pytest.mark.slow
def test_the_rules_of_the_gate_are_measured_on_a_few_images(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "gate_rules.json"
    command = [sys.executable, "-m", "benchmarks.gate_rules", "--shared", str(shared), "--every", "400"]
    done = subprocess.run([*command, "--out", str(out)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())
    assert found["decoys"]["composites"] >= 2 and found["grey"]["test attacks, grey"]["judged"] > 0
    assert not found["turns"]["lfw turned by 180"].get("live") and found["turns"]["lfw turned by 0"]["live"] > 0


def test_a_result_file_names_no_host_and_no_folder(tmp_path: Path) -> None:
    (path,) = write([row()], tmp_path, seconds=1.0)
    content = path.read_text() + path.name
    assert platform.node() not in content
    assert str(Path.home()) not in content and str(ROOT) not in content


def test_a_machine_is_named_for_its_processor() -> None:
    assert machine_name({"cpu": "AMD EPYC 7B13", "cores": 2}) == "amd-epyc-7b13-2-cores"
    packages = machine_facts()["packages"]
    assert isinstance(packages, dict) and packages["onnxruntime"]


def test_a_report_becomes_rows_with_readable_names() -> None:
    stats = {"median": 0.008, "iqr": 0.001, "min": 0.007, "rounds": 9}
    report = {
        "benchmarks": [
            {
                "fullname": "benchmarks/test_stages.py::test_sface_embed[8]",
                "name": "test_sface_embed[8]",
                "group": "stages",
                "extra_info": {"items": 8, "weights": {}},
                "stats": stats,
            }
        ]
    }
    expected = Row("stages", "stages", "sface embed, 8", 8.0, 1.0, 7.0, rounds=9, items=8, facts={"weights": {}})
    assert rows_of(report) == [expected]


def test_stages_are_compared_with_the_whole_call_and_peers_with_the_built_in() -> None:
    rows = [
        row(median_ms=50.0),
        row("detection", suite="stages", median_ms=10.0),
        row("spoofnet", suite="peers", median_ms=20.0),
        row("other", suite="peers", median_ms=30.0),
    ]
    assert "20.0% of verify" in printed(rows) and "x 1.50" in printed(rows)


def test_a_stage_is_compared_with_nothing_where_the_whole_call_was_not_measured() -> None:
    assert "of verify" not in printed([row("detection", suite="stages")])


def test_a_share_above_the_budget_is_found() -> None:
    within, above = row(outside=0.2, outside_ms=10.0), row(outside=0.21, outside_ms=10.5)
    assert over_budget([row(), within, above]) == [above]
    assert "21.0% of the call; budget 20%" in printed([above])


def test_the_photo_is_one_face_at_640_by_480() -> None:
    image = load_image(photo_640x480())
    assert image.shape[1::-1] == SIZE_WH
    (face,) = YuNet().detect(image)
    assert 95 < face.box_xyxy.longer_side < 120


def test_time_outside_the_networks_is_what_the_sessions_did_not_use() -> None:
    calls = [Call(wall_s=1.0, networks_s=0.9), Call(wall_s=2.0, networks_s=1.5), Call(wall_s=1.0, networks_s=0.8)]
    assert median_outside(calls) == pytest.approx(0.2)


def test_a_timed_session_answers_as_the_session_does() -> None:
    yunet, image = YuNet(), load_image(photo_640x480())
    expected = yunet.detect(image)
    (session,) = timed(yunet)
    calls = watch(lambda: yunet.detect(image), [session], calls=2)
    assert isinstance(session, TimedSession) and yunet.detect(image) == expected
    assert len(calls) == 2 and all(0 < call.networks_s < call.wall_s for call in calls)

"""``faceauth plugins``: what is installed, and whether it keeps its contract."""

import json
import sys
from pathlib import Path

import pytest

from .conftest import ENTRY_POINTS, Run


def test_list_shows_stage_name_distribution_and_class(run: Run) -> None:
    rows = [line.split() for line in run("plugins", "list").stdout.splitlines()]
    for stage, name in (("detection", "Detector"), ("liveness", "Liveness"), ("embedding", "Embedder")):
        assert [stage, "fake", "faceauth-fakes", "1.2", f"faceauth_fakes:{name}"] in rows


def test_list_imports_no_plugin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "faceauth_fakes", raising=False)
    ran = run("plugins", "list")
    assert ran.exit_code == 0 and "faceauth_no_such_module" in ran.stdout
    assert "faceauth_fakes" not in sys.modules


def test_list_shows_a_name_that_two_distributions_register(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "second-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: second\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    ran = run("plugins", "list", COLUMNS="160")
    assert len([line for line in ran.stdout.splitlines() if "fake (registered twice)" in line]) == 6
    assert run("plugins", "check", "fake").exit_code == 4


def test_list_shows_what_is_built_in_and_the_terms_of_insightfaces_packs(run: Run) -> None:
    ran = run("plugins", "list", COLUMNS="160")
    rows = [line.split() for line in ran.stdout.splitlines()]
    for stage, name in (("detection", "scrfd"), ("liveness", "spoofnet"), ("embedding", "arcface")):
        assert [stage, name, "faceauth"] in [row[:3] for row in rows]
    assert "non-commercial research" in ran.stderr


def test_check_of_a_good_backend_passes_every_rule_of_every_stage(run: Run) -> None:
    ran = run("plugins", "check", "fake")
    assert ran.exit_code == 0, ran.stdout + ran.stderr
    for stage in ("detection", "liveness", "embedding"):
        assert f"{stage} backend fake of faceauth-fakes 1.2" in ran.stdout
    assert "finds the face of a portrait" in ran.stdout and "broken" not in ran.stdout


@pytest.mark.parametrize("name", ["turn", "closer", "sequence", "light"])
def test_check_of_a_built_in_challenge_passes_every_rule(run: Run, name: str) -> None:
    ran = run("plugins", "check", name, "--stage", "challenge")
    assert ran.exit_code == 0, ran.stdout + ran.stderr
    assert f"challenge backend {name} of faceauth" in ran.stdout and "broken" not in ran.stdout


def test_check_of_one_stage_leaves_the_others_alone(run: Run) -> None:
    said = run("plugins", "check", "fake", "--stage", "liveness").stdout
    assert "liveness backend" in said and "detection backend" not in said


def test_check_of_a_backend_that_breaks_its_contract_says_which_rule(run: Run) -> None:
    ran = run("plugins", "check", "silent")
    assert ran.exit_code == 4
    assert "broken  reads a read-only, non-contiguous view: returned float64" in ran.stdout


def test_check_of_a_backend_that_cannot_be_imported_is_one_line(run: Run) -> None:
    ran = run("plugins", "check", "absent")
    assert (ran.exit_code, ran.stdout) == (4, "") and "cannot be imported" in ran.stderr


def test_check_hands_options_to_the_constructor(run: Run) -> None:
    assert run("plugins", "check", "fake", "--stage", "liveness", "--option", "measured=false").exit_code == 0
    ran = run("plugins", "check", "fake", "--stage", "liveness", "--option", "speed=9")
    assert ran.exit_code == 2 and "measured" in ran.stderr


def test_check_loads_the_weights_and_options_that_are_configured(run: Run, tmp_path: Path) -> None:
    ran = run("plugins", "check", "fake", "--stage", "liveness", FACEAUTH_OPTIONS__FAKE__SPEED="9")
    assert ran.exit_code == 2 and "measured" in ran.stderr
    ran = run("plugins", "check", "spoofnet", FACEAUTH_WEIGHTS=str(tmp_path))
    assert ran.exit_code == 4 and "manifest.json" in ran.stderr


def test_check_of_an_unknown_name_lists_what_is_installed(run: Run) -> None:
    ran = run("plugins", "check", "misspelt")
    assert ran.exit_code == 2 and "fake" in ran.stderr
    assert run("plugins", "check", "silent", "--stage", "detection").exit_code == 2


def test_check_respects_the_allow_list(run: Run) -> None:
    ran = run("plugins", "check", "fake", FACEAUTH_ALLOWED_PLUGINS='["others"]')
    assert ran.exit_code == 2 and "allow-list" in ran.stderr


def test_list_and_check_say_the_same_in_json(run: Run) -> None:
    entries = [json.loads(line) for line in run("plugins", "list", "--json").stdout.splitlines()]
    assert {"stage": "liveness", "name": "fake", "distribution": "faceauth-fakes", "version": "1.2", "builtin": False,
            "value": "faceauth_fakes:Liveness"} in entries  # fmt: skip
    ran = run("plugins", "check", "silent", "--json")
    (checked,) = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.exit_code == 4 and (checked["name"], checked["stage"]) == ("silent", "liveness")
    assert not all(finding["passed"] for finding in checked["findings"])

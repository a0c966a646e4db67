"""The options that choose backends and policy, seen in what a run used."""

from pathlib import Path

import pytest

from faceauth.cli.options import settings
from faceauth.errors import UsageError
from faceauth.results import Verification

from .conftest import Photo, Run


def used(run: Run, *arguments: object, **variables: str) -> Verification:
    """The result of a run as JSON."""
    ran = run("verify", "--json", *arguments, **variables)
    assert ran.stdout, ran.stderr
    return Verification.model_validate_json(ran.stdout)


def live(result: Verification) -> float | None:
    assert result.thresholds is not None
    (threshold,) = result.thresholds.liveness
    return threshold.live


def test_default_is_the_balanced_point(run: Run, photo: Photo) -> None:
    thresholds = used(run, photo("a.png")).thresholds
    assert thresholds is not None
    assert [(one.point, one.live) for one in thresholds.liveness] == [("balanced", 0.5)]


def test_threshold_is_obeyed(run: Run, photo: Photo) -> None:
    path = photo("a.png")
    assert used(run, path, "--threshold", "0.7").accepted
    refused = used(run, path, "--threshold", "0.8")
    assert not refused.accepted and live(refused) == 0.8


def test_operating_point_is_obeyed(run: Run, photo: Photo) -> None:
    assert live(used(run, photo("a.png"), "--threshold", "strict")) == 0.9


def test_match_threshold_is_obeyed(run: Run, photo: Photo) -> None:
    path = photo("a.png")
    arguments = (photo("b.png", seed=1), "--reference", path, "--match-threshold")
    assert used(run, *arguments, "-1").accepted
    result = used(run, *arguments, "strict")
    assert not result.accepted and result.thresholds is not None and result.thresholds.match is not None
    assert result.thresholds.match.point == "strict"


def test_several_backends_need_a_rule_that_combines_them(run: Run, photo: Photo) -> None:
    path, two = photo("a.png"), ("--liveness", "fake", "--liveness", "doubting")
    ran = run("verify", path, *two)
    assert ran.exit_code == 2 and "combine" in ran.stderr
    assert not used(run, path, *two, "--combine", "all").accepted
    assert used(run, path, "--liveness", "fake").accepted
    said = run("verify", path, *two, "--combine", "all").stdout
    assert "P(live) fake" in said and "P(live) doubting" in said
    assert "from fake: " in said and "from doubting: " in said


@pytest.mark.parametrize("threshold", ["1.5", "-0.1", "nan", "half"])
def test_threshold_that_is_no_probability_is_refused(run: Run, photo: Photo, threshold: str) -> None:
    ran = run("verify", photo("a.png"), "--threshold", threshold)
    assert ran.exit_code == 2 and ran.stdout == ""


def test_named_backend_is_used_and_an_unknown_one_refused(run: Run, photo: Photo) -> None:
    path = photo("a.png")
    result = used(run, path, "--liveness", "fake", FACEAUTH_LIVENESS="silent")
    assert [stage.name for stage in result.stages] == ["fake", "fake"]
    for option in ("--liveness", "--detector"):
        ran = run("verify", path, option, "misspelt")
        assert ran.exit_code == 2 and "misspelt" in ran.stderr


def test_backend_without_measured_points_needs_a_threshold(run: Run, photo: Photo) -> None:
    arguments = ("verify", photo("a.png"), "--liveness", "tunable", "--set", "options.tunable.measured=false")
    ran = run(*arguments)
    assert ran.exit_code == 2 and "threshold" in ran.stderr
    ran = run(*arguments, "--threshold", "0.5")
    assert ran.exit_code == 0 and "Error rates at this threshold have not been measured." in ran.stdout


def test_named_option_beats_set_beats_environment_beats_file(run: Run, photo: Photo, tmp_path: Path) -> None:
    file = tmp_path / "faceauth.toml"
    file.write_text('liveness = "fake"\nthreshold = 0.1\n')
    from_file = (photo("a.png"), "--config", file)
    assert live(used(run, *from_file)) == 0.1
    variable = {"FACEAUTH_THRESHOLD": "0.2"}
    assert live(used(run, *from_file, **variable)) == 0.2
    assert live(used(run, *from_file, "--set", "threshold=0.3", **variable)) == 0.3
    given = ("--set", "threshold=0.3", "--threshold", "0.4")
    assert live(used(run, *from_file, *given, **variable)) == 0.4


def test_setting_that_does_not_exist_is_refused_with_its_neighbour(run: Run, photo: Photo) -> None:
    ran = run("verify", photo("a.png"), "--set", "facez=largest")
    assert ran.exit_code == 2 and "faces" in ran.stderr


def test_null_does_not_pass_for_a_setting_that_was_taken_back(run: Run, photo: Photo, tmp_path: Path) -> None:
    (tmp_path / "strict.toml").write_text("match_threshold = 0.9\n")
    setting = "match_threshold=null"
    ran = run("verify", photo("a.png"), "--config", tmp_path / "strict.toml", "--set", setting)
    assert ran.exit_code == 2 and setting in ran.stderr and ran.stdout == ""


def test_a_setting_can_switch_liveness_off_and_the_summary_says_so(run: Run, photo: Photo) -> None:
    path = photo("a.png")
    ran = run("verify", path, "--reference", path, "--set", "require_liveness=false")
    assert ran.exit_code == 0 and "the configuration does not require liveness" in ran.stdout


def test_settings_are_nested_and_json_where_they_are_json() -> None:
    assert settings(["a.b=0.5", "a.c=[1, 2]", "d=true", "e=text=more"]) == {
        "a": {"b": 0.5, "c": [1, 2]}, "d": True, "e": "text=more",
    }  # fmt: skip
    assert settings([]) == {}


@pytest.mark.parametrize("texts", [["novalue"], ["=1"], ["a..b=1"], ["a=1", "a.b=2"]])
def test_setting_that_says_nothing_is_refused(texts: list[str]) -> None:
    with pytest.raises(UsageError):
        settings(texts)

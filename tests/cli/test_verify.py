"""``faceauth verify``: what it prints, in which form, and what it writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from faceauth.results import Reason, Verdict, Verification

from .conftest import ATTACK, LIVE, UNCERTAIN, Photo, Run


def results(stdout: str) -> list[Verification]:
    """Every line of ``stdout`` as a result: anything else on it raises."""
    return [Verification.model_validate_json(line) for line in stdout.splitlines()]


def test_summary_says_everything_that_decided(run: Run, photo: Photo) -> None:
    path = photo("a.png")
    said = run("verify", path).stdout
    assert said.startswith(f"ACCEPT  {path}\nA live person.\n")
    for fact in (
        "P(live)   0.7", "at or above 0.5000, operating point balanced",
        "APCER     6.0 % [0.0, 50.0], 3 of 50 attacks accepted, worst species: replay",
        "BPCER     5.0 % [0.0, 50.0], 2 of 40 live people refused",
        "on toy val", "face      100 x 100 px at (50, 50)", "fake (faceauth-fakes 1.2)", "ms (decode",
    ):  # fmt: skip
        assert fact in said, fact


def test_summary_of_an_attack_names_the_threshold_it_fell_below(run: Run, photo: Photo) -> None:
    said = run("verify", photo("a.png", ATTACK)).stdout
    assert said.startswith("REJECT") and "below 0.3000 (live from 0.5000 on)" in said


def test_summary_of_an_uncertain_score_names_both_thresholds(run: Run, photo: Photo) -> None:
    said = run("verify", photo("a.png", UNCERTAIN)).stdout
    assert said.startswith("UNCERTAIN") and "between 0.3000 (attack below) and 0.5000" in said


def test_json_is_one_verification_a_line_and_nothing_else(run: Run, photo: Photo) -> None:
    live, attack = photo("a.png"), photo("b.png", ATTACK)
    ran = run("verify", "--json", live, attack)
    first, second = results(ran.stdout)
    assert (first.source, first.verdict) == (str(live), Verdict.ACCEPT)
    assert (second.source, second.reason) == (str(attack), Reason.ATTACK_SUSPECTED)
    assert ran.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes as a name")
def test_json_of_a_file_name_that_is_no_utf8_is_still_json(run: Run, photo: Photo) -> None:
    path = photo("a.png")
    strange = path.with_name(os.fsdecode(b"\xff.png"))
    path.rename(strange)
    (line,) = run("verify", "--json", path.parent).stdout.splitlines()
    assert json.loads(line)["source"].endswith(r"\udcff.png")


@pytest.mark.skipif(sys.platform == "win32", reason="such a name cannot exist there")
def test_file_name_cannot_steer_the_terminal(run: Run, photo: Photo) -> None:
    for arguments in ([photo("\x1b[2Ja.png")], [photo("\x1b[2Ja.png"), photo("[red]b.png")]):
        said = run("verify", *arguments).stdout
        assert "\x1b" not in said and r"\x1b[2Ja.png" in said


def test_markup_in_a_file_name_is_shown_not_obeyed(run: Run, photo: Photo) -> None:
    assert "[red]b.png" in run("verify", photo("[red]b.png")).stdout


def test_folder_means_the_pictures_in_it_and_below(run: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/b.png"), photo("in/sub/c.JPG"), photo("in/.hidden/d.png"), photo("in/a.webp")
    (tmp_path / "in/notes.txt").write_text("no picture")
    found = results(run("verify", "--json", tmp_path / "in").stdout)
    assert [Path(one.source or "").name for one in found] == ["a.webp", "b.png", "c.JPG"]


def test_several_photos_get_a_line_each_and_totals(run: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png"), photo("in/b.png", ATTACK), photo("in/c.png", size_wh=(100, 200))
    (tmp_path / "in/d.jpg").write_text("hello")
    ran = run("verify", tmp_path / "in")
    lines = ran.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.endswith((".png", ".jpg"))] == [
        "ACCEPT", "REJECT", "UNCERTAIN", "UNCERTAIN"
    ]  # fmt: skip
    assert "4 photos: 1 accepted, 1 rejected, 2 uncertain" in ran.stdout
    assert "No face was found" in ran.stdout and "is no picture" in ran.stdout
    assert "worst species: replay" in ran.stdout
    assert ran.exit_code == 1


def test_stage_that_failed_late_is_explained_in_the_list(run: Run, photo: Photo, tmp_path: Path) -> None:
    path = photo("in/a.png")
    photo("in/b.png")
    ran = run("verify", tmp_path / "in", "--reference", path, "--embedder", "falling")
    assert ran.exit_code == 4 and "the embedder fell over" in " ".join(ran.stdout.split())


def test_unreadable_photo_is_uncertain_and_a_missing_one_a_usage_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    assert run("verify", tmp_path / "text.jpg").exit_code == 3
    missing = run("verify", tmp_path / "none.jpg")
    assert (missing.exit_code, missing.stdout) == (2, "") and missing.stderr.count("\n") == 1


def test_reference_of_the_same_person_matches(run: Run, photo: Photo) -> None:
    path = photo("a.png")
    said = run("verify", path, "--reference", path)
    assert said.exit_code == 0 and "similarity  1.0000, at or above 0.5000" in said.stdout


def test_reference_of_another_person_rejects(run: Run, photo: Photo) -> None:
    (result,) = results(run("verify", "--json", photo("a.png"), "--reference", photo("b.png", seed=1)).stdout)
    assert result.reason is Reason.NOT_MATCHED


def test_attack_is_never_matched_and_the_summary_says_so(run: Run, photo: Photo) -> None:
    path = photo("a.png", ATTACK)
    said = run("verify", path, "--reference", path).stdout
    assert "a face that is not accepted as live is never matched" in said


def test_unreadable_reference_is_a_usage_error(run: Run, photo: Photo, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    assert run("verify", photo("a.png"), "--reference", tmp_path / "text.jpg").exit_code == 2


def test_draw_writes_one_file_for_one_photo(run: Run, photo: Photo, tmp_path: Path) -> None:
    path, target = photo("a.png"), tmp_path / "made/out.png"
    assert run("verify", path, "--draw", target).exit_code == 0
    original, drawn = cv2.imread(str(path)), cv2.imread(str(target))
    assert drawn.shape[0] > original.shape[0] and drawn.shape[1] == original.shape[1]
    assert (drawn[50, 60:140] != original[50, 60:140]).any(), "the upper edge of the face box"
    assert (drawn[:40, :40] == original[:40, :40]).all(), "far from the face"


def test_draw_keeps_the_places_of_several_photos(run: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png"), photo("in/sub/a.jpg"), photo("in/sub/none.png", size_wh=(100, 200))
    (tmp_path / "in/broken.jpg").write_text("hello")
    run("verify", tmp_path / "in", "--draw", tmp_path / "out")
    drawn = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert drawn == {"a.png", os.path.join("sub", "a.jpg"), os.path.join("sub", "none.png")}


def test_draw_never_overwrites_a_photo(run: Run, photo: Photo, tmp_path: Path) -> None:
    path = photo("in/a.png")
    before = path.read_bytes()
    assert run("verify", path, "--draw", path).exit_code == 2
    assert run("verify", tmp_path / "in", "--draw", tmp_path / "in").exit_code == 2
    assert path.read_bytes() == before


def test_draw_of_a_photo_without_a_suffix_needs_a_named_file(run: Run, photo: Photo, tmp_path: Path) -> None:
    path = photo("a.png").rename(tmp_path / "a")
    ran = run("verify", path, "--draw", tmp_path / "out")
    assert ran.exit_code == 2 and "name a .png file" in ran.stderr and ran.stderr.count("\n") == 1


def test_draw_to_a_place_that_cannot_be_written_is_a_usage_error(run: Run, photo: Photo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    ran = run("verify", photo("a.png"), "--draw", tmp_path / "file/out.png")
    assert ran.exit_code == 2 and ran.stderr.count("\n") == 1


def test_there_is_no_colour_and_no_progress_bar_without_a_terminal(run: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png"), photo("in/b.png")
    ran = run("verify", tmp_path / "in")
    assert "\x1b" not in ran.stdout and ran.stderr == ""


def test_no_color_is_respected(run: Run, photo: Photo) -> None:
    path = photo("a.png")
    assert "\x1b[1;32mACCEPT" in run("verify", path, FORCE_COLOR="1").stdout
    assert "32m" not in run("verify", path, FORCE_COLOR="1", NO_COLOR="1").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_progress_bar_goes_to_the_terminal_and_never_into_the_json(
    plugin_folder: Path, environment: dict[str, str], photo: Photo, tmp_path: Path
) -> None:
    for number in range(3):
        photo(f"in/{number}.png", LIVE)
    controller, terminal = os.openpty()
    folders = os.pathsep.join((str(Path(__file__).parents[2]), str(plugin_folder)))
    ran = subprocess.run(
        [sys.executable, "-c", "import faceauth.cli; faceauth.cli.main()", "verify", "--json", tmp_path / "in"],
        env={**environment, "PYTHONPATH": folders, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        timeout=120,
    )
    os.close(terminal)
    bar = os.read(controller, 65536).decode()
    os.close(controller)
    assert len(results(ran.stdout)) == 3
    assert "Verifying" in bar and "accepted" not in bar

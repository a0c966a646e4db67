"""``faceauth verify``: what it prints, in which form, and what it writes."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from faceauth.results import Reason, Verdict, Verification

from .conftest import ATTACK, LIVE, UNCERTAIN, Photo, Process, Run


def results(stdout: str) -> list[Verification]:
    """Every line of ``stdout`` as a result: anything else on it raises."""
    return [Verification.model_validate_json(line) for line in stdout.splitlines()]


def test_result_says_verdict_scores_and_what_was_expected_in_one_sentence(run: Run, photo: Photo) -> None:
    path = photo("a.png")
    first, message, p_live, expected = run("verify", path).stdout.splitlines()
    assert (first, message) == (f"ACCEPT  {path}", "A live person.")
    assert p_live.startswith("P(live)  0.7") and p_live.endswith("at or above 0.5000, operating point balanced")
    rates = "6.0 % of replay attacks accepted, 5.0 % of live people refused"
    assert expected == f"Expected on unfamiliar cameras: {rates}."


def test_explain_adds_everything_that_decided(run: Run, photo: Photo) -> None:
    said = run("verify", photo("a.png"), "--explain").stdout
    for fact in (
        "APCER     6.0 % [0.0, 50.0], 3 of 50 replay attacks accepted",
        "BPCER     5.0 % [0.0, 50.0], 2 of 40 live people refused",
        "at P(live) 0.5000 on toy val", "face      100 x 100 px at (50, 50)", "fake (faceauth-fakes 1.2)", "ms (decode",
    ):  # fmt: skip
        assert fact in said, fact


def test_summary_of_an_attack_names_the_threshold_it_fell_below(run: Run, photo: Photo) -> None:
    said = run("verify", photo("a.png", ATTACK)).stdout
    assert said.startswith("REJECT") and "below 0.3000 (live from 0.5000)" in said


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
@pytest.mark.parametrize("content", [None, b"no image"], ids=["a photo", "no image"])
def test_file_name_that_is_not_utf8_is_shown_drawn_and_valid_json(
    run: Run, photo: Photo, tmp_path: Path, content: bytes | None
) -> None:
    path = photo("in/a.png")
    strange = path.rename(path.with_name(os.fsdecode(b"\xff.png")))
    if content is not None:
        strange.write_bytes(content)
    photo("in/z.png")
    ran = run("verify", "--json", tmp_path / "in", "--draw", tmp_path / "out")
    assert [Path(one.source or "").name for one in results(ran.stdout)] == ["z.png", r"\udcff.png"]
    assert r"\udcff.png" in run("verify", strange).stdout
    assert len(list((tmp_path / "out").iterdir())) == (2 if content is None else 1)


@pytest.mark.skipif(sys.platform == "win32", reason="such a name cannot exist there")
def test_file_name_cannot_steer_the_terminal(run: Run, photo: Photo) -> None:
    for arguments in ([photo("\x1b[2Ja.png")], [photo("\x1b[2Ja.png"), photo("[red]b.png")]):
        said = run("verify", *arguments).stdout
        assert "\x1b" not in said and r"\x1b[2Ja.png" in said


def test_markup_in_a_file_name_is_shown_not_obeyed(run: Run, photo: Photo) -> None:
    assert "[red]b.png" in run("verify", photo("[red]b.png")).stdout


def test_folder_means_the_images_in_it_and_below(run: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/b.png"), photo("in/sub/c.JPG"), photo("in/.hidden/d.png"), photo("in/a.webp")
    (tmp_path / "in/notes.txt").write_text("no image")
    found = results(run("verify", "--json", tmp_path / "in").stdout)
    assert [Path(one.source or "").name for one in found] == ["a.webp", "b.png", "c.JPG"]


def test_several_photos_get_a_line_each_and_totals(run: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png"), photo("in/b.png", ATTACK), photo("in/c.png", size_wh=(100, 200))
    (tmp_path / "in/d.jpg").write_text("hello")
    ran = run("verify", tmp_path / "in")
    lines = ran.stdout.splitlines()
    assert lines[0].split() == ["verdict", "P(live)", "reason", "photo"]
    assert [line.split()[0] for line in lines if line.endswith((".png", ".jpg"))] == [
        "ACCEPT", "REJECT", "UNCERTAIN", "UNCERTAIN"
    ]  # fmt: skip
    assert "4 photos: 1 accepted, 1 rejected, 2 uncertain" in ran.stdout
    assert "No face found" in ran.stdout and ran.stdout.count("Expected on unfamiliar cameras: ") == 1
    assert "APCER" not in ran.stdout and "APCER" in run("verify", tmp_path / "in", "--explain").stdout
    assert ran.exit_code == 1


def test_list_of_photos_with_a_reference_shows_each_similarity(run: Run, photo: Photo, tmp_path: Path) -> None:
    path = photo("in/a.png")
    photo("in/b.png", ATTACK)
    header, accepted, rejected, *_ = run("verify", tmp_path / "in", "--reference", path).stdout.splitlines()
    assert header.split() == ["verdict", "P(live)", "similarity", "reason", "photo"]
    assert accepted.split()[2:4] == ["1.0000", "live_and_matched"] and rejected.split()[2] == "-"
    for line in (accepted, rejected):
        assert line.index(str(tmp_path)) == header.index("photo")


def test_skipped_files_of_a_folder_are_named_and_counted(run: Run, photo: Photo, tmp_path: Path) -> None:
    photo("in/a.png")
    for name in ("1.gif", "2\x1b[2J.txt", "3.mp4", "sub/4.pdf", ".hidden"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).touch()
    few = run("verify", tmp_path / "in").stderr
    assert "1.gif" in few and r"2\x1b[2J.txt" in few and "and 1 more" in few and "4.pdf" not in few
    every = run("verify", "-v", tmp_path / "in").stderr
    assert "4.pdf" in every and "more" not in every and ".hidden" not in every
    assert run("verify", "-q", tmp_path / "in").stderr == ""


def test_stage_that_failed_late_is_explained_in_the_list(run: Run, photo: Photo, tmp_path: Path) -> None:
    path = photo("in/a.png")
    photo("in/b.png")
    ran = run("verify", tmp_path / "in", "--reference", path, "--embedder", "falling")
    assert ran.exit_code == 4 and "the embedder fell over" in " ".join(ran.stdout.split())


def test_verbose_shows_what_a_stage_raised(process: Process, photo: Photo) -> None:
    path = photo("a.png", size_wh=(200, 101))
    assert process("verify", path).stderr == ""
    assert "RuntimeError: the detector fell over" in process("verify", "-v", path).stderr


def test_quiet_says_the_verdict_by_the_exit_code_alone(run: Run, photo: Photo) -> None:
    for brightness, code in ((LIVE, 0), (ATTACK, 1), (UNCERTAIN, 3)):
        ran = run("verify", "-q", photo("a.png", brightness))
        assert (ran.exit_code, ran.output) == (code, "")
    assert "nobody.png" in run("verify", "-q", "nobody.png").stderr


@pytest.mark.parametrize("arguments", [("-q", "--json"), ("-q", "--explain"), ("--json", "--explain")])
def test_forms_of_output_that_exclude_each_other_are_refused(run: Run, photo: Photo, arguments: tuple[str]) -> None:
    assert run("verify", *arguments, photo("a.png")).exit_code == 2


def test_dash_is_one_photo_from_stdin(run: Run, photo: Photo, tmp_path: Path) -> None:
    content = photo("a.png", ATTACK).read_bytes()
    ran = run("verify", "-", "--draw", tmp_path / "out.png", stdin=content)
    assert ran.exit_code == 1 and ran.stdout.startswith("REJECT\nThis looks like a photo")
    assert (tmp_path / "out.png").exists()
    assert run("verify", "-", stdin=b"").exit_code == 3
    assert run("verify", "-", photo("b.png"), stdin=content).exit_code == 2
    assert run("verify", "-", "--draw", tmp_path, stdin=content).exit_code == 2


def test_unreadable_photo_is_uncertain_and_a_missing_one_a_usage_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    assert run("verify", tmp_path / "text.jpg").exit_code == 3
    missing = run("verify", tmp_path / "none.jpg")
    assert (missing.exit_code, missing.stdout) == (2, "") and missing.stderr.count("\n") == 1


def test_reference_of_the_same_person_matches(run: Run, photo: Photo) -> None:
    path = photo("a.png")
    said = run("verify", path, "--reference", path)
    assert said.exit_code == 0 and "similarity  1.0000, at or above" in said.stdout


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
    (tmp_path / "hard").mkdir(), (tmp_path / "soft").mkdir()
    os.link(path, tmp_path / "hard/a.png")
    (tmp_path / "soft/a.png").symlink_to(path)
    (tmp_path / "folder").symlink_to(tmp_path / "in")
    for photos, target in (
        (path, path), ("in", "in"), ("in", "hard"), ("in", "soft"), ("in", "folder"), (path, photo("other/b.png")),
    ):  # fmt: skip
        ran = run("verify", tmp_path / photos, "--draw", tmp_path / target)
        assert (ran.exit_code, ran.stdout) == (2, ""), "refused before anything is judged"
    assert path.read_bytes() == before


def test_draw_again_replaces_the_drawing_of_an_earlier_run(run: Run, photo: Photo, tmp_path: Path) -> None:
    path, target = photo("a.png"), tmp_path / "out.png"
    assert run("verify", path, "--draw", target).exit_code == 0
    first = target.read_bytes()
    assert run("verify", photo("a.png", ATTACK), "--draw", target).exit_code == 1
    assert target.read_bytes() != first
    drawing = target.read_bytes()
    assert run("verify", target, "--draw", target).exit_code == 2, "now it is the photo"
    assert target.read_bytes() == drawing


def test_draw_shows_the_pixels_that_were_judged(run: Run, photo: Photo, tmp_path: Path) -> None:
    """The fake detector swaps the file once it has seen the image."""
    path, target = photo("swapped.png", ATTACK), tmp_path / "out.png"
    judged = cv2.imread(str(path))
    assert run("verify", path, "--draw", target, SWAP_WITH=str(photo("b.png")), SWAPPED=str(path)).exit_code == 1
    assert (cv2.imread(str(path)) != judged).any()
    assert (cv2.imread(str(target))[:10, :10] == judged[:10, :10]).all()


@pytest.mark.parametrize("size_wh", [(16400, 102), (102, 16380)], ids=["too wide", "too high with the verdict"])
def test_draw_beyond_what_a_format_holds_is_a_usage_error(
    run: Run, photo: Photo, tmp_path: Path, size_wh: tuple[int, int]
) -> None:
    ran = run("verify", photo("a.png", size_wh=size_wh), "--draw", tmp_path / "out.webp")
    assert ran.exit_code == 2 and "cannot hold" in ran.stderr and "Traceback" not in ran.stderr
    assert run("verify", photo("a.png", size_wh=size_wh), "--draw", tmp_path / "out.png").exit_code != 2


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
        [sys.executable, "-c", "import faceauth_command as run; run.main()", "verify", "--json", tmp_path / "in"],
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

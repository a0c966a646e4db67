"""``faceauth calibrate``: points and profiles that ``verify`` uses, echoes, and refuses for other backends."""

import json
from pathlib import Path

import numpy as np
import pytest

from faceauth.calibration.camera_profile import CameraProfile
from faceauth.calibration.points_file import PointsFile

from .conftest import ATTACK, LIVE, Photo, Run

pytest.importorskip("scipy")


@pytest.fixture
def folders(photo: Photo, tmp_path: Path) -> tuple[Path, Path]:
    """Twelve bright photos of live people, ten darker prints and replays."""
    for number in range(12):
        photo(f"live/{number}.png", (LIVE[0] - number, LIVE[1] - number), seed=number)
    for number in range(10):
        species = ("print", "replay")[number % 2]
        photo(f"attacks/{species}/{number}.png", (ATTACK[0] + number, ATTACK[1] + 2 * number), seed=number)
    return tmp_path / "live", tmp_path / "attacks"


def test_two_folders_give_points_that_verify_uses_and_echoes(
    run: Run, photo: Photo, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "points.json"
    ran = run("calibrate", "--live", folders[0], "--attacks", folders[1], "--out", out)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "print accepted" in ran.stdout and "0 of 5" in ran.stdout and "0 of 12" in ran.stdout
    points = PointsFile.model_validate_json(out.read_text())
    assert points.operating_points.balanced.measured_on == "live and attacks, on which it was chosen"
    between = photo("between.png", (95, 155))  # P(live) 0.49: below the fake's own balanced point, above this one
    assert run("verify", between).exit_code == 3
    ran = run("verify", between, "--points", out, "--json")
    assert ran.exit_code == 0
    (threshold,) = json.loads(ran.stdout)["thresholds"]["liveness"]
    assert threshold["live"] == points.operating_points.balanced.threshold
    assert threshold["points_sha256"] is not None


def test_points_of_another_backend_are_refused(
    run: Run, photo: Photo, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "points.json"
    run("calibrate", "--live", folders[0], "--attacks", folders[1], "--out", out)
    ran = run("verify", photo("a.png"), "--points", out, "--liveness", "spoofnet")
    assert ran.exit_code == 2 and "was made for fake with other weights" in ran.stderr


def test_live_photos_alone_give_a_camera_profile_that_only_raises(
    run: Run, photo: Photo, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "door.json"
    ran = run("calibrate", "--live", folders[0], "--camera", "front door", "--out", out)
    assert ran.exit_code == 0 and ran.stdout.startswith("front door: 12 live images, own threshold P(live) ")
    assert "cannot show how many attacks get in" in ran.stdout and "Few images" in ran.stderr
    profile = CameraProfile.model_validate_json(out.read_text())
    assert profile.n == 12 and not profile.may_lower
    ran = run("verify", photo("a.png"), "--camera-profile", out, "--json")
    (threshold,) = json.loads(ran.stdout)["thresholds"]["liveness"]
    assert threshold["live"] == max(0.5, profile.threshold) and threshold["profile_sha256"] is not None


def test_too_few_live_photos_give_no_profile(run: Run, photo: Photo, tmp_path: Path) -> None:
    photo("live/0.png")
    ran = run("calibrate", "--live", tmp_path / "live", "--out", tmp_path / "door.json")
    assert ran.exit_code == 2 and "needs 5 or more" in ran.stderr and not (tmp_path / "door.json").exists()


def test_attacks_in_which_no_face_is_found_are_not_taken_for_live_photos_alone(
    run: Run, photo: Photo, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    photo("faceless/print/0.png", size_wh=(100, 200))
    out = tmp_path / "points.json"
    ran = run("calibrate", "--live", folders[0], "--attacks", tmp_path / "faceless", "--out", out)
    assert (ran.exit_code, ran.stdout) == (2, "") and not out.exists()
    assert "1 of 13 images show no face" in ran.stderr and "These images give no operating points" in ran.stderr


def test_may_lower_is_refused_with_attacks_before_anything_is_scored(
    run: Run, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    chosen = ("--liveness", "exiting", "--may-lower", "--out", tmp_path / "points.json")
    ran = run("calibrate", "--live", folders[0], "--attacks", folders[1], *chosen)
    assert ran.exit_code == 2 and "--may-lower only applies to a camera profile" in ran.stderr


def test_a_file_that_another_command_wrote_is_not_overwritten(
    run: Run, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "precious.json"
    out.write_text("{}")
    ran = run("calibrate", "--live", folders[0], "--attacks", folders[1], "--out", out)
    assert ran.exit_code == 2 and out.read_text() == "{}"
    out.unlink()
    for _ in range(2):  # its own file it may write again
        assert run("calibrate", "--live", folders[0], "--attacks", folders[1], "--out", out).exit_code == 0


def test_rules_with_a_threshold_for_each_backend_are_not_calibrated_together(
    run: Run, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    ran = run(
        "calibrate", "--live", folders[0], "--attacks", folders[1], "--out", tmp_path / "points.json",
        "--liveness", "fake", "--liveness", "spoofnet", "--combine", "all",
    )  # fmt: skip
    assert ran.exit_code == 2 and "calibrate them separately" in ran.stderr


def test_a_mean_of_two_backends_gets_points_of_its_own(run: Run, folders: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "mean.json"
    chosen = ("--liveness", "fake", "--liveness", "bright", "--combine", "mean")
    ran = run("calibrate", "--live", folders[0], "--attacks", folders[1], "--out", out, *chosen)
    assert ran.exit_code == 0, ran.stderr
    members = PointsFile.model_validate_json(out.read_text()).members
    assert [member.name for member in members] == ["fake", "bright"] and np.ptp([m.weight for m in members]) == 0
    (photo,) = list(folders[0].glob("0.png"))
    ran = run("verify", photo, *chosen, "--points", out, "--json")
    assert ran.exit_code == 0 and json.loads(ran.stdout)["liveness"]["backend"] == "mean(fake, bright)"
    assert run("verify", photo, *chosen).exit_code == 2  # no points, no named threshold

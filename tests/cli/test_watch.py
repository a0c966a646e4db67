"""``faceauth watch``, ``faceauth cameras`` and ``faceauth doctor --camera``."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth.cli import watch
from faceauth.video import camera
from faceauth.video.camera import CameraFacts, Delivery
from faceauth.video.streams import own_frames

from .conftest import LIVE, Photo, Run

RISING = 1.13
"""Brightness from one image to the next: each is unlike those before it, by its light."""


@pytest.fixture
def folder(photo: Photo, tmp_path: Path) -> Path:
    """Twelve images of a second and more, in which the light changes: a presentation of a live person to the fakes."""
    return images(tmp_path / "live", LIVE)


def images(folder: Path, brightness: tuple[int, int], *, count: int = 14) -> Path:
    folder.mkdir()
    base = np.random.default_rng(0).integers(*brightness, (200, 200, 3)).astype(float)
    for number in range(count):
        factor = RISING ** -(number // 2)
        noise = np.random.default_rng(number).normal(0, 1, base.shape)
        cv2.imwrite(str(folder / f"{number:02}.png"), np.clip(base * factor + noise, 1, 254).astype(np.uint8))
    return folder


def test_a_live_person_ends_with_0_and_a_sentence(run: Run, folder: Path) -> None:
    ran = run("watch", folder, "--threshold", "0.3")
    assert ran.exit_code == 0, ran.output
    assert "1 of 5 frames  Turn your head a little" in ran.stdout
    assert "ACCEPT" in ran.stdout and "A live person." in ran.stdout and "kept of" in ran.stdout


def test_times_count_from_the_first_frame(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [(86_400 + number / 10, path) for number, path in enumerate(sorted(folder.iterdir()))]
    monkeypatch.setattr(watch, "open_stream", lambda source: own_frames(frames))
    assert run("watch", "0", "--threshold", "0.3").stdout.startswith("    0.0 s  1 of 5 frames")


def test_an_attack_ends_with_1(run: Run, folder: Path) -> None:
    ran = run("watch", folder, "--threshold", "0.95")
    assert ran.exit_code == 1 and "REJECT" in ran.stdout


def test_too_few_frames_end_with_3(run: Run, tmp_path: Path) -> None:
    ran = run("watch", images(tmp_path / "short", LIVE, count=3))
    assert ran.exit_code == 3 and "2 of at least 5 different frames" in ran.stdout


def test_a_failed_stage_ends_with_4(run: Run, folder: Path) -> None:
    assert run("watch", folder, "--liveness", "silent").exit_code == 4


@pytest.mark.parametrize("source", ["absent.mp4", "99"])
def test_a_source_that_cannot_be_opened_ends_with_2(
    run: Run, source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(camera, "LISTED", tmp_path / "none")
    ran = run("watch", source)
    assert ran.exit_code == 2 and "faceauth cameras" in ran.stderr and not ran.stdout


def test_json_gives_a_line_for_each_change_and_the_result_in_the_last(run: Run, folder: Path) -> None:
    lines = [json.loads(line) for line in run("watch", folder, "--json", "--threshold", "0.3").stdout.splitlines()]
    assert [line["kept"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["result"] is not None for line in lines] == [False] * 5 + [True]
    assert lines[-1]["result"]["reason"] == "live" and lines[0]["message"].startswith("Turn your head")


def without_times(line: str) -> object:
    return json.loads(line, object_hook=lambda found: {k: v for k, v in found.items() if k != "elapsed_ms"})


def test_the_same_folder_gives_the_same_answer_twice(run: Run, folder: Path) -> None:
    first, second = (run("watch", folder, "--json").stdout.splitlines() for _ in range(2))
    assert [without_times(line) for line in first] == [without_times(line) for line in second] and len(first) > 2


def test_a_video_file_gives_the_same_answer_twice(run: Run, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (200, 200))
    for image in sorted(folder.iterdir()):
        writer.write(cv2.imread(str(image)))
    writer.release()
    first, second = (run("watch", path, "--json", "--threshold", "0.3") for _ in range(2))
    assert first.exit_code == second.exit_code == 0
    assert without_times(first.stdout.splitlines()[-1]) == without_times(second.stdout.splitlines()[-1])


def test_a_reference_is_matched_over_all_frames(run: Run, folder: Path, photo: Photo) -> None:
    same = run("watch", folder, "--threshold", "0.3", "--reference", folder / "00.png", "--json")
    assert json.loads(same.stdout.splitlines()[-1])["result"]["reason"] == "live_and_matched"
    other = run("watch", folder, "--threshold", "0.3", "--reference", photo("other.png", seed=99))
    assert other.exit_code == 1 and "Not the person in the reference." in other.stdout


def test_a_window_without_a_display_is_refused_with_a_sentence(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    ran = run("watch", folder, "--window")
    assert ran.exit_code == 2 and "There is no display" in ran.stderr


class Window:
    """Stands for OpenCV's windows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, key: int = -1) -> None:
        self.shown: list[np.ndarray] = []
        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "imshow", lambda _, image: self.shown.append(image))
        monkeypatch.setattr(cv2, "waitKey", lambda _: key)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)


def test_a_window_shows_every_frame_with_what_to_do(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(monkeypatch)
    ran = run("watch", folder, "--window", "--threshold", "0.3")
    assert ran.exit_code == 0 and len(window.shown) >= 10
    assert all(image.shape[1] == 200 and image.shape[0] > 200 for image in window.shown)


@pytest.mark.parametrize("key", [27, ord("q")])
def test_escape_and_q_interrupt(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, key: int) -> None:
    Window(monkeypatch, key=key)
    assert run("watch", folder, "--window").exit_code == 130


def test_cameras_are_listed_for_people_and_for_machines(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [CameraFacts(0, "Front", (640, 480), 30.0), CameraFacts(2, "", (1280, 720), 0.0)]
    monkeypatch.setattr(camera, "list_cameras", lambda: found)
    lines = run("cameras").stdout.splitlines()
    assert lines == ["0  Front, 640 x 480 px, 30 frames a second", "2  without a name, 1280 x 720 px"]
    first = json.loads(run("cameras", "--json").stdout.splitlines()[0])
    assert first == {"number": 0, "name": "Front", "size_wh": [640, 480], "frames_per_s": 30.0}


def test_no_camera_is_said_on_stderr(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "list_cameras", list)
    ran = run("cameras")
    assert (ran.exit_code, ran.stdout) == (0, "") and "No camera can be opened" in ran.stderr


class Opened:
    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("delivery", "works", "said"),
    [
        (Delivery((640, 480), 29.97, 0.041, 0), True, "640 x 480 px, 30.0 frames a second, longest gap 0.041 s"),
        (Delivery((640, 480), 29.97, 0.041, 9), False, "9 were repeated, which `faceauth watch` refuses"),
    ],
)
def test_doctor_says_what_a_camera_delivers(
    run: Run, monkeypatch: pytest.MonkeyPatch, delivery: Delivery, works: bool, said: str
) -> None:
    monkeypatch.setattr(camera, "open_camera", lambda device: Opened())
    monkeypatch.setattr(camera, "deliver", lambda _: delivery)
    findings = [json.loads(line) for line in run("doctor", "--json", "--camera", "0").stdout.splitlines()]
    (found,) = [one for one in findings if one["section"] == "Camera"]
    assert found["works"] is works and said in found["found"]


def test_doctor_says_which_camera_does_not_open(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(camera, "LISTED", tmp_path / "none")
    ran = run("doctor", "--camera", "77")
    assert ran.exit_code == 4 and "Camera 77 cannot be opened" in " ".join(ran.stdout.split())


# Challenges.


def test_a_recording_cannot_be_watched_under_a_challenge(run: Run, folder: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    ran = run("watch", folder, "--challenge", "turn")
    assert ran.exit_code == 2 and "needs a camera" in ran.stderr


def test_a_challenge_that_is_not_installed_is_refused_by_name(run: Run, folder: Path) -> None:
    ran = run("watch", folder, "--challenge", "wink")
    assert ran.exit_code == 2 and "No challenge backend 'wink'" in ran.stderr


def test_without_litert_a_challenge_says_what_to_install_and_watch_works(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    ran = run("watch", folder, "--challenge", "turn")
    assert ran.exit_code == 4 and "pip install 'faceauth[challenge]'" in ran.stderr
    assert run("watch", folder, "--threshold", "0.3").exit_code == 0


def test_light_needs_a_display(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert")
    monkeypatch.delenv("DISPLAY", raising=False)
    if not sys.platform.startswith("linux"):
        pytest.skip("asked for on Linux only")
    monkeypatch.setattr(watch, "open_stream", lambda source: own_frames([]))
    ran = run("watch", "0", "--challenge", "light")
    assert ran.exit_code == 2 and "no display" in ran.stderr

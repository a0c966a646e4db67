"""The one table of exit codes, as processes show it."""

from pathlib import Path

import pytest

from faceauth.cli.exit_codes import MEANING, Exit, exit_of_all, exit_of_error
from faceauth.errors import (
    BackendBroken,
    BackendConflict,
    BackendNotAllowed,
    BackendNotFound,
    FaceAuthError,
    ImageUnreadable,
    ProviderUnavailable,
    ScoreError,
    UsageError,
    WeightsMissing,
)

from .conftest import ATTACK, LIVE, UNCERTAIN, Photo, Process


@pytest.mark.parametrize(
    ("brightness", "size_wh", "code"),
    [
        (LIVE, (200, 200), 0),
        (ATTACK, (200, 200), 1),
        (UNCERTAIN, (200, 200), 3),
        (LIVE, (100, 200), 3),
        (LIVE, (200, 101), 4),
    ],
    ids=["live", "attack", "between the thresholds", "no face", "failed stage"],
)
def test_process_says_the_verdict_with_its_exit_code(
    process: Process, photo: Photo, brightness: tuple[int, int], size_wh: tuple[int, int], code: int
) -> None:
    assert process("verify", photo("a.png", brightness, size_wh=size_wh)).returncode == code


def test_misspelt_option_exits_with_usage_and_one_line(process: Process) -> None:
    ran = process("verify", "--thresold", "0.5", "a.png")
    assert (ran.returncode, ran.stdout) == (Exit.USAGE, "")
    assert ran.stderr.count("\n") == 1 and "--threshold" in ran.stderr and "faceauth verify --help" in ran.stderr


def test_error_of_the_library_is_one_line_without_a_traceback(process: Process, photo: Photo) -> None:
    ran = process("verify", photo("a.png"), "--liveness", "absent")
    assert (ran.returncode, ran.stdout) == (Exit.BROKEN, "")
    assert ran.stderr.count("\n") == 1 and "faceauth_no_such_module" in ran.stderr


def test_failed_stage_leaves_no_traceback(process: Process, photo: Photo) -> None:
    ran = process("verify", photo("a.png", size_wh=(200, 101)))
    assert ran.stderr == "" and "the detector fell over" in ran.stdout


@pytest.mark.parametrize(
    ("codes", "decides"),
    [
        ([Exit.ACCEPTED, Exit.ACCEPTED], Exit.ACCEPTED),
        ([Exit.ACCEPTED, Exit.UNCERTAIN], Exit.UNCERTAIN),
        ([Exit.UNCERTAIN, Exit.REJECTED, Exit.ACCEPTED], Exit.REJECTED),
        ([Exit.REJECTED, Exit.BROKEN, Exit.UNCERTAIN], Exit.BROKEN),
    ],
)
def test_most_severe_of_several_photos_decides(codes: list[Exit], decides: Exit) -> None:
    assert exit_of_all(codes) is decides


def test_no_photo_at_all_is_not_accepted() -> None:
    with pytest.raises(ValueError):
        exit_of_all([])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), Exit.USAGE),
        (ImageUnreadable("x"), Exit.USAGE),
        (BackendNotFound("x", name="misspelt", installed=("spoofnet",)), Exit.USAGE),
        (BackendNotFound("x", name="spoofnet", installed=()), Exit.BROKEN),
        (BackendNotAllowed("x", name="foreign"), Exit.USAGE),
        (BackendBroken("x", name="foreign"), Exit.BROKEN),
        (BackendConflict("x", name="foreign"), Exit.BROKEN),
        (WeightsMissing("x", path=Path("w.onnx")), Exit.BROKEN),
        (ProviderUnavailable("x", provider="CUDA", available=()), Exit.BROKEN),
        (ScoreError("x", stage="liveness"), Exit.BROKEN),
        (FaceAuthError("x"), Exit.BROKEN),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_the_caller_can_correct_are_usage_all_others_broken(error: FaceAuthError, code: Exit) -> None:
    assert exit_of_error(error) is code


def test_every_code_has_a_meaning() -> None:
    assert list(MEANING) == list(Exit) and [int(code) for code in Exit] == [0, 1, 2, 3, 4, 130]

"""An error says the same wherever it is raised, another process included."""

import pickle
from pathlib import Path

import pytest

from faceauth import Pipeline, load_config
from faceauth.errors import BackendNotFound, FaceAuthError, ImageTooLarge, ScoreError, UsageError, WeightsMismatch
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.testing import FakeLiveness
from tests.pipelines import fake_pipeline, noise_image


@pytest.mark.parametrize(
    "error",
    [
        ImageTooLarge("too large", found=3, limit=2),
        BackendNotFound("not there", name="a", installed=("b",)),
        WeightsMismatch("another file", path=Path("a"), found="x", expected="y"),
        ScoreError("no score", stage="liveness"),
    ],
)
def test_an_error_comes_back_from_a_worker_with_its_facts(error: FaceAuthError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error) and str(back) == str(error) and vars(back) == vars(error)


@pytest.mark.parametrize(
    "name", ["a\x1b[2Jb", "a\u009b2Jb", "a\u202eb", "a\nACCEPT b", "a\udcffb", "a\u2028b", "a\x00b"], ids=ascii
)
def test_a_name_in_a_message_neither_moves_a_cursor_nor_begins_a_line(name: str) -> None:
    for error in (
        UsageError(f"The file {name} is missing."),
        WeightsMismatch(name, path=Path("a"), found="", expected=""),
    ):
        assert str(error).isprintable() and "a" in str(error) and "b" in str(error)
        str(error).encode()
    assert str(UsageError("Größe 3 µm, 人")) == "Größe 3 µm, 人"


def test_what_a_plugin_raises_is_printable_in_the_result() -> None:
    result = fake_pipeline(liveness=FakeLiveness(error=RuntimeError("x\x1b[2J\u202e\nACCEPT"))).verify(noise_image())
    assert result.message.isprintable() and "ACCEPT" in result.message


def test_paths_of_settings_are_printable_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "x\x1b[2J\u202e"
    for fails in (
        lambda: load_config(path),
        lambda: SpoofNet(weights_folder=path),
        lambda: Pipeline(points=path),
        lambda: Pipeline(camera_profile=path),
    ):
        with pytest.raises(FaceAuthError) as refused:
            fails()
        assert str(refused.value).isprintable() and "\\x1b" in str(refused.value)

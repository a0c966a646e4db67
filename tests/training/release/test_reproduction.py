"""The one command does the whole way, says beforehand what it takes, and ends in the same bytes when it was killed."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("lightning_fabric")

import training.release.reproduction as reproduction  # noqa: E402
import training.train.loop  # noqa: E402
from faceauth.errors import UsageError  # noqa: E402
from faceauth.liveness.spoofnet import SpoofNet as Backend  # noqa: E402
from faceauth.testing import FakeDetector  # noqa: E402
from training.data.manifests import LIVE, SPOOF, Record  # noqa: E402
from training.release.reproduction import Inputs, reproduce, thinned  # noqa: E402
from training.train.recipe import Phase, Recipe  # noqa: E402
from training.train.speed import Speed  # noqa: E402
from training.train.teachers import TEACHERS  # noqa: E402

TERMS = Path(__file__).parents[3] / "training" / "release" / "terms.toml"


def quiet(*_: object) -> None:
    """No progress bar."""


@pytest.fixture
def recipe(smoke: Recipe) -> Recipe:
    """A phase at 32 px and one at the size of a release."""
    phases = (
        Phase(size=32, views=16, batch_size=4, lr=1e-3, schedule="constant"),
        Phase(size=224, views=8, batch_size=4, lr=1e-3),
    )
    return smoke.model_copy(update={"phases": phases, "recaptures": 4, "close_scale": 1.2})


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    """Bright live images and dark attacks of each split, portraits of sixteen people, and teachers nobody asks."""
    torch.set_num_threads(1)
    monkeypatch.setattr(reproduction, "YuNet", FakeDetector)
    monkeypatch.setattr(training.train.loop, "CHECKPOINT_STEPS", 1)
    rng, rows = np.random.default_rng(0), ["path,label,attack,domain,split,box_x,box_y,box_w,box_h"]
    for split in ("train", "val", "test"):
        for number in range(12):
            label, attack = (("live", "none"), ("spoof", "print"))[number % 2]
            image = rng.integers(0, 255 if label == "live" else 90, (64, 64, 3))
            cv2.imwrite(str(tmp_path / f"{split}{number}.png"), image.astype(np.uint8))
            rows.append(f"{split}{number}.png,{label},{attack},{split},{split},16,16,32,32")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "faces").mkdir()
    for person in "abcdefghijklmnop":
        cv2.imwrite(str(tmp_path / "faces" / f"{person}.png"), rng.integers(0, 255, (64, 64, 3)).astype(np.uint8))
    (tmp_path / "models").mkdir()
    for teacher in TEACHERS.values():
        (tmp_path / "models" / teacher.file).touch()
    return Inputs(tmp_path / "manifest.csv", [tmp_path / "faces"], tmp_path / "models", TERMS)


def run(inputs: Inputs, recipe: Recipe, folder: Path) -> list[str]:
    said: list[str] = []
    reproduce(inputs, recipe, folder, scale=1, say=said.append, progress=quiet)
    return said


@pytest.mark.slow
def test_it_goes_the_whole_way_and_ends_in_the_same_bytes_when_killed(
    inputs: Inputs, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run(inputs, recipe, tmp_path / "whole")
    assert "36 images, 4 recaptures" in said[0] and "views at 224 px" in said[0] and "hours" in said[0]
    assert [line for line in said if "phase 1 of 2" in line] and said[-1].startswith("released")
    log = (tmp_path / "whole" / "log.txt").read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in log] == said
    digests = json.loads((tmp_path / "whole" / "digests.json").read_text())
    expected = {"shards", "phase1.safetensors", "phase2.safetensors", "spoofnet.onnx", "spoofnet.int8.onnx"}
    assert set(digests) == expected
    assert Backend(weights_folder=tmp_path / "whole").crops == recipe.crops(224)
    assert (tmp_path / "whole" / "spoofnet" / "MODEL_CARD.md").exists()

    loss, counted = training.train.loop.student_loss, []

    def kill(*arguments: object) -> object:
        counted.append(1)
        if len(counted) in (3, 6):
            raise KeyboardInterrupt
        return loss(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(training.train.loop, "student_loss", kill)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                run(inputs, recipe, tmp_path / "killed")
        run(inputs, recipe, tmp_path / "killed")
    assert json.loads((tmp_path / "killed" / "digests.json").read_text()) == digests


@pytest.mark.slow
def test_given_weights_stand_in_for_all_phases_but_the_last(
    inputs: Inputs, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[tuple[tuple[Phase, ...], Path]] = []

    def stop(recipe: Recipe, *_: object, init: Path, **__: object) -> None:
        trained.append((recipe.phases, init))
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduction, "measure_speed", lambda *_: Speed(1.0, (1.0,)))
    monkeypatch.setattr(reproduction, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        run(replace(inputs, init=tmp_path / "given.onnx"), recipe, tmp_path / "run")
    assert trained == [(recipe.phases[1:], tmp_path / "given.onnx")]


def test_what_a_later_step_lacks_is_said_before_the_first(inputs: Inputs, recipe: Recipe, tmp_path: Path) -> None:
    (inputs.teachers / TEACHERS["facenox"].file).unlink()
    with pytest.raises(UsageError, match="lacks facenox"):
        run(inputs, recipe, tmp_path / "run")
    for file in inputs.portraits[0].glob("[b-p].png"):
        file.unlink()
    with pytest.raises(UsageError, match="too few people to hold one in five"):
        run(inputs, recipe, tmp_path / "run")
    rows = inputs.manifest.read_text().splitlines()
    inputs.manifest.write_text("\n".join(row for row in rows if "test,test" not in row or "live" in row) + "\n")
    with pytest.raises(UsageError, match="test has none such"):
        run(inputs, recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_short_trial_sees_some_images_of_every_domain_and_class() -> None:
    records = [
        Record(Path(f"{domain}{label}{i}.png"), label, "x", domain, "val")
        for i in range(20) for domain in ("a", "b") for label in (LIVE, SPOOF)
    ]  # fmt: skip
    some = thinned(records, 0.01)
    assert len(some) == 8 and {(r.domain, r.label) for r in some} == {(d, k) for d in "ab" for k in (LIVE, SPOOF)}
    assert len(thinned(records, 1)) == len(records)

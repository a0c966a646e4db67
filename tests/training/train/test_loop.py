"""A training runs, resumes, repeats itself given a seed, and refuses what it could not do; all on tiny shards."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("lightning_fabric")

from safetensors.torch import load_file  # noqa: E402

import training.train.loop  # noqa: E402
from faceauth.errors import UsageError  # noqa: E402
from training.data.shards import Shards  # noqa: E402
from training.train.checkpoint import domains_left_out, refuse_seen  # noqa: E402
from training.train.loop import learning_rate, train  # noqa: E402
from training.train.network import SpoofNet  # noqa: E402
from training.train.recipe import Phase, Precision, Recipe, load_recipe  # noqa: E402
from training.train.teachers import TEACHERS  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Repeatable everywhere and fast enough here."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def checkpoint_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.train.loop, "CHECKPOINT_STEPS", 1)


def table(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "validations.jsonl").read_text().splitlines()]


def outputs(out: Path) -> list[bytes]:
    """Everything that a training leaves but logs."""
    return [path.read_bytes() for path in sorted(out.glob("phase*"))] + [(out / "validations.jsonl").read_bytes()]


def killed_at(step: int, phase: int, monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]) -> None:
    """``run`` until the loss of a step of a phase is asked for."""
    counted: list[int] = []
    loss = training.train.loop.student_loss

    def kill(*args: Any) -> Any:
        counted.append(1)
        if len(counted) == 4 * (phase - 1) + step + 1:
            raise KeyboardInterrupt
        return loss(*args)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training.train.loop, "student_loss", kill)
        run()


@pytest.mark.slow
def test_a_training_leaves_weights_a_phase_and_a_row_a_validation(
    tmp_path: Path, tiny_shards: Shards, smoke: Recipe
) -> None:
    said: list[str] = []
    last = train(smoke, tiny_shards, tmp_path, report=said.append)
    assert last == tmp_path / "phase2.safetensors"
    SpoofNet().load_state_dict(load_file(last))
    assert sorted(path.name for path in tmp_path.glob("phase*")) == ["phase1.safetensors", "phase2.safetensors"]
    assert [(row["phase"], row["step"], row["views"]) for row in table(tmp_path)] == [(1, 4, 16), (2, 4, 16)]
    for row in table(tmp_path):
        assert 0 < row["loss"] < 10
        assert row["auc/v"] == row["macro_auc"] and row["hter/v"] == row["macro_hter"]
        assert row["error"] == pytest.approx((row["macro_hter"] + 1 - row["macro_auc"]) / 2, abs=1e-4)
        assert 0 <= row["bpcer_portraits"] <= 1
    assert [line for line in said if "phase 1 of 2" in line or "phase 2 of 2" in line] == [said[1], said[3]]


@pytest.mark.slow
def test_a_second_run_from_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(
    tmp_path: Path, tiny_shards: Shards, smoke: Recipe
) -> None:
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        train(smoke.model_copy(update={"seed": seed}), tiny_shards, tmp_path / name)
    assert outputs(tmp_path / "first") == outputs(tmp_path / "again")
    assert outputs(tmp_path / "first")[1] != outputs(tmp_path / "other")[1]


@pytest.mark.slow
@pytest.mark.parametrize(("phase", "step"), [(1, 0), (1, 3), (2, 0), (2, 2)])
def test_a_training_that_was_killed_and_started_again_gives_the_same_bytes(
    phase: int, step: int, tmp_path: Path, tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(smoke, tiny_shards, tmp_path / "whole")
    killed_at(step, phase, monkeypatch, lambda: train(smoke, tiny_shards, tmp_path / "killed"))
    assert not (tmp_path / "killed" / "phase2.safetensors").exists()
    train(smoke, tiny_shards, tmp_path / "killed")
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")


@pytest.mark.slow
def test_steps_that_were_validated_but_not_saved_have_one_row_in_the_end(
    tmp_path: Path, tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(smoke, tiny_shards, tmp_path / "whole")

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training.train.loop, "save_weights", kill)
        train(smoke, tiny_shards, tmp_path / "killed")
    (tmp_path / "killed" / "phase1.ckpt").unlink()
    train(smoke, tiny_shards, tmp_path / "killed")
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")


@pytest.mark.slow
def test_a_finished_training_started_again_trains_no_more(
    tmp_path: Path, tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(smoke, tiny_shards, tmp_path)
    before = outputs(tmp_path)
    monkeypatch.setattr(training.train.loop, "student_loss", None)
    train(smoke, tiny_shards, tmp_path)
    assert outputs(tmp_path) == before


@pytest.mark.slow
def test_a_folder_holds_the_run_of_one_recipe(tmp_path: Path, tiny_shards: Shards, smoke: Recipe) -> None:
    train(smoke, tiny_shards, tmp_path)
    with pytest.raises(UsageError, match="another recipe"):
        train(smoke.model_copy(update={"hold_out": ("large",)}), tiny_shards, tmp_path)


@pytest.mark.slow
def test_a_machine_of_another_precision_may_go_on_with_a_run(
    tmp_path: Path, tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(1, 2, monkeypatch, lambda: train(smoke, tiny_shards, tmp_path))
    train(smoke.computed_in("32-true"), tiny_shards, tmp_path)
    assert (tmp_path / "phase2.safetensors").exists()


def test_the_precision_is_that_of_the_steps(tmp_path: Path, tiny_shards: Shards, smoke: Recipe) -> None:
    """One step: the first of Adam turns the sign of the smallest gradients into weights, and then losses part."""
    one = smoke.model_copy(update={"phases": (smoke.phases[0].model_copy(update={"views": 4}),)})
    for precision in get_args(Precision):
        train(one.computed_in(precision), tiny_shards, tmp_path / precision)
    losses = [table(tmp_path / precision)[0]["loss"] for precision in get_args(Precision)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert len({outputs(tmp_path / precision)[0] for precision in get_args(Precision)}) == 2


@pytest.mark.slow
def test_a_folder_holds_the_run_on_the_same_images_from_one_beginning(
    tmp_path: Path, tiny_shards: Shards, smoke: Recipe
) -> None:
    weights = train(smoke, tiny_shards, tmp_path / "run")
    with pytest.raises(UsageError, match="from other weights"):
        train(smoke, tiny_shards, tmp_path / "run", init=weights)
    other_pixels = replace(tiny_shards, blob=np.where(np.arange(len(tiny_shards.blob)) == 999, 0, tiny_shards.blob))
    for other in (replace(tiny_shards, label=1 - tiny_shards.label), other_pixels):
        with pytest.raises(UsageError, match="on other images"):
            train(smoke, other, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["recipe.json", "inputs.json"])
def test_a_run_that_does_not_say_what_it_was_is_not_gone_on_with(
    lost: str, tmp_path: Path, tiny_shards: Shards, smoke: Recipe
) -> None:
    train(smoke, tiny_shards, tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(UsageError, match="give another folder"):
        train(smoke, tiny_shards, tmp_path)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"pairs": 0.5}, "no simulated attack"),
        ({"teacher_share": 0.5}, "name the folder of their files"),
        ({"frozen_blocks": 1}, "frozen_blocks needs pretrained weights: pass --init"),
        ({"hold_out": ("larg",)}, "no domain larg in train"),
    ],
)
def test_what_a_recipe_lacks_is_said_before_the_first_step(
    wanted: dict[str, Any], said: str, tmp_path: Path, tiny_shards: Shards, smoke: Recipe
) -> None:
    bare = replace(tiny_shards, origin=np.where(tiny_shards.origin == "recapture", "real", tiny_shards.origin))
    with pytest.raises(UsageError, match=said):
        train(smoke.model_copy(update={"pairs": 0.0, **wanted}), bare, tmp_path)


def test_teachers_files_are_missed_before_the_first_step(tmp_path: Path, tiny_shards: Shards, smoke: Recipe) -> None:
    assert len(TEACHERS) == 3
    with pytest.raises(UsageError, match="lacks MiniFASNetV2"):
        train(smoke.model_copy(update={"teacher_share": 0.5}), tiny_shards, tmp_path, teachers=tmp_path)


def test_levels_without_a_folder_of_teachers_are_refused(tmp_path: Path, tiny_shards: Shards, smoke: Recipe) -> None:
    recipe = smoke.model_copy(update={"teacher_share": 0.5, "level_teachers": True})
    with pytest.raises(UsageError, match="--teachers"):
        train(recipe, tiny_shards, tmp_path)


def test_levels_of_a_run_that_never_had_a_checkpoint_are_measured_again(
    tmp_path: Path, tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = np.arange(len(tiny_shards.label), dtype=np.float32)
    monkeypatch.setattr("training.train.loop.teacher_levels", lambda *_: measured)
    np.save(tmp_path / "levels.npy", measured + 1)
    training.train.loop._keep_levels(tmp_path, tiny_shards, smoke, tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "levels.npy"), measured)
    (tmp_path / "phase1.ckpt").touch()
    monkeypatch.setattr("training.train.loop.teacher_levels", lambda *_: measured + 2)
    training.train.loop._keep_levels(tmp_path, tiny_shards, smoke, tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "levels.npy"), measured)


@pytest.mark.slow
def test_weights_say_which_domains_no_step_of_their_making_saw(
    tmp_path: Path, tiny_shards: Shards, smoke: Recipe
) -> None:
    without = train(smoke.model_copy(update={"hold_out": ("small",)}), tiny_shards, tmp_path / "without")
    assert domains_left_out(without) == {"small"}
    refuse_seen(without, ["small"])
    everything = train(smoke, tiny_shards, tmp_path / "everything")
    with pytest.raises(UsageError, match="may have seen small"):
        train(smoke.model_copy(update={"hold_out": ("small",)}), tiny_shards, tmp_path / "next", init=everything)


@pytest.mark.slow
def test_frozen_blocks_stay_as_they_came_with_their_statistics(
    tmp_path: Path, tiny_shards: Shards, smoke: Recipe
) -> None:
    begin = train(smoke, tiny_shards, tmp_path / "begin")
    end = train(smoke.model_copy(update={"frozen_blocks": 2}), tiny_shards, tmp_path / "end", init=begin)
    before, after = load_file(begin), load_file(end)
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert {name.split(".")[1] for name in moved if name.startswith("features")} == {"2", "3", "4"}


@pytest.mark.slow
def test_a_phase_ends_between_the_weights_it_began_with_and_those_it_trained(
    tmp_path: Path, tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = smoke.phases[0]
    single = smoke.model_copy(update={"phases": (phase,)})
    joining = smoke.model_copy(update={"phases": (phase.model_copy(update={"start_share": 0.25}),)})
    begin = train(single, tiny_shards, tmp_path / "begin")
    trained = load_file(train(single, tiny_shards, tmp_path / "trained", init=begin))
    started, ended = load_file(begin), load_file(train(joining, tiny_shards, tmp_path / "ended", init=begin))
    for name, tensor in ended.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, 0.25 * started[name] + 0.75 * trained[name])
    assert table(tmp_path / "ended")[-1]["error"] != table(tmp_path / "trained")[-1]["error"]
    killed_at(2, 1, monkeypatch, lambda: train(joining, tiny_shards, tmp_path / "killed", init=begin))
    train(joining, tiny_shards, tmp_path / "killed", init=begin)
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "ended")
    with pytest.raises(UsageError, match="start_share needs pretrained weights"):
        train(joining, tiny_shards, tmp_path / "random")


def test_learning_rates_warm_up_stay_decay_or_restart() -> None:
    constant = Phase(size=32, views=400, batch_size=4, lr=1.0, schedule="constant")
    assert [learning_rate(constant, step, 1) for step in (0, 4, 9, 10, 99)] == [0.1, 0.5, 1.0, 1.0, 1.0]
    cosine = constant.model_copy(update={"schedule": "cosine"})
    rates = [learning_rate(cosine, step, 1) for step in range(10, 100)]
    assert rates == sorted(rates, reverse=True) and rates[0] == 1.0 and rates[-1] == pytest.approx(0.01, abs=2e-3)
    restarts = constant.model_copy(update={"schedule": "warm_restarts"})
    epochs = [learning_rate(restarts, 20 * epoch, 20) for epoch in range(6)]
    assert epochs == pytest.approx([1.0, 0.9045, 0.6545, 0.3455, 0.0955, 1.0], abs=1e-4)
    assert learning_rate(restarts, 19, 20) == 1.0


def test_the_reference_recipe_is_the_published_one() -> None:
    reference = load_recipe(Path(training.train.loop.__file__).parents[1] / "configs" / "reference.toml")
    assert (reference.sampling, reference.label_smoothing, reference.ema_decay) == ("epoch", 0.1, 0.0)
    assert not reference.asks_teachers
    (phase,) = reference.phases
    assert (phase.size, phase.lr, phase.schedule) == (224, 1e-4, "warm_restarts")


SCRIPT = """
import sys
from pathlib import Path
from training.data.shards import load_shards
from training.train.loop import train
from training.train.recipe import Recipe
train(Recipe.model_validate_json(Path(sys.argv[2]).read_text()), load_shards([Path(sys.argv[1])]), Path(sys.argv[3]))
"""


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path, tiny_shards: Shards, smoke: Recipe) -> None:
    """Started by torchrun, on the CPU."""
    from training.data.shards import save_shard

    save_shard(tmp_path / "a.npz", tiny_shards)
    (tmp_path / "recipe.json").write_text(smoke.model_dump_json())
    (tmp_path / "run.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    done = subprocess.run(
        [*command, "run.py", "a.npz", "recipe.json", "run"],
        cwd=tmp_path,
        env={**__import__("os").environ, "PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [row["phase"] for row in table(tmp_path / "run")] == [1, 2]
    SpoofNet().load_state_dict(load_file(tmp_path / "run" / "phase2.safetensors"))

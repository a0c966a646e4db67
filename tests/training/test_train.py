"""Training runs, resumes, repeats itself given a seed, and follows the reference recipe; all on a tiny pack."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("lightning_fabric")

from safetensors.torch import load_file  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402

import training.train  # noqa: E402
from faceauth.errors import UsageError  # noqa: E402
from training.apprentice import Outputs, loss_of  # noqa: E402
from training.config import DataSettings, OptimiserSettings, Precision, TrainConfig, load_config  # noqa: E402
from training.export import export_fp32  # noqa: E402
from training.network import SpoofNet  # noqa: E402
from training.packs import Pack, finish, save  # noqa: E402
from training.soup import views_to_measure_on, with_statistics  # noqa: E402
from training.teachers import TEACHERS  # noqa: E402
from training.train import train  # noqa: E402
from training.views import Batch, hard_targets  # noqa: E402
from training.weights import refuse_seen  # noqa: E402

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "training" / "configs" / "reference.toml"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Two threads add in another order on another machine; one is repeatable and fast enough here."""
    torch.set_num_threads(1)


def table(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "epochs.jsonl").read_text().splitlines()]


def assert_equal(first: Path, second: Path) -> None:
    ours, theirs = load_file(first), load_file(second)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=0, msg=name)


def test_a_run_leaves_weights_a_checkpoint_and_a_row_an_epoch(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    best = train(smoke, tiny_pack, tmp_path)
    assert best == tmp_path / "best.safetensors" and (tmp_path / "last.ckpt").exists()
    SpoofNet().load_state_dict(load_file(best))
    rows = table(tmp_path)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert list((tmp_path / "log").rglob("events.out.tfevents.*"))
    for row in rows:
        assert 0 < row["loss"] < 10
        assert 0 <= row["macro_auc"] <= 1 and row["auc/v"] == row["macro_auc"]
        assert row["macro_auc@2.0"] == row["macro_auc"] and 0 <= row["portraits_live"] <= 1


def test_tensorboard_has_the_loss_along_the_way_and_everything_else_an_epoch(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.train, "STEPS_A_POINT", 2)
    train(smoke, tiny_pack, tmp_path)  # two epochs of two batches
    curves = EventAccumulator(str(tmp_path / "log")).Reload()
    assert [point.step for point in curves.Scalars("loss/batch")] == [2, 4]
    for name in ("loss", "lr", "macro_auc", "auc/v"):
        assert [point.step for point in curves.Scalars(name)] == [1, 2]
        recorded = [row[name] for row in table(tmp_path)]
        assert [point.value for point in curves.Scalars(name)] == pytest.approx(recorded, rel=1e-4)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    workers: int, tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        short = smoke.model_copy(update={"seed": seed, "epochs": 1, "workers": workers})
        train(short, tiny_pack, tmp_path / name)
    assert_equal(tmp_path / "first" / "last.safetensors", tmp_path / "again" / "last.safetensors")
    with pytest.raises(AssertionError):
        assert_equal(tmp_path / "first" / "last.safetensors", tmp_path / "other" / "last.safetensors")


def test_a_resumed_run_goes_on_at_the_next_epoch_and_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    smoke = smoke.model_copy(
        update={"optimiser": smoke.optimiser.model_copy(update={"schedule": "warm_restarts"})}
    )  # "cosine" stretches with the number of epochs, so a shorter run would not be the same run's beginning
    train(smoke.model_copy(update={"epochs": 1}), tiny_pack, tmp_path / "stopped")
    train(smoke, tiny_pack, tmp_path / "stopped")
    train(smoke, tiny_pack, tmp_path / "whole")
    assert [row["epoch"] for row in table(tmp_path / "stopped")] == [1, 2]
    assert_equal(tmp_path / "stopped" / "last.safetensors", tmp_path / "whole" / "last.safetensors")


def test_a_run_of_a_later_stage_that_was_stopped_ends_as_if_it_had_not_been(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cosine over all epochs, and a layer beside the network with an optimiser state of its own."""
    guessing = smoke.optimiser.model_copy(update={"guess_weight": 0.5})
    known = replace(tiny_pack, teacher=np.linspace(-4, 4, 3 * len(tiny_pack), dtype=np.float32).reshape(-1, 3))
    late = smoke.model_copy(update={"optimiser": guessing})
    train(late, known, tmp_path / "whole")
    whole_epoch = training.train._epoch

    def stopped(fabric: Any, state: dict[str, Any], *rest: Any) -> float:
        if state["epoch"] == 1:
            raise KeyboardInterrupt
        return whole_epoch(fabric, state, *rest)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training.train, "_epoch", stopped)
        train(late, known, tmp_path / "stopped")
    train(late, known, tmp_path / "stopped")
    assert_equal(tmp_path / "stopped" / "last.safetensors", tmp_path / "whole" / "last.safetensors")


def test_an_epoch_that_was_reported_but_not_saved_has_one_row_in_the_end(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    """Killed between the two, which a copy of the first epoch's checkpoint stands for."""
    train(smoke.model_copy(update={"epochs": 1}), tiny_pack, tmp_path)
    saved = (tmp_path / "last.ckpt").read_bytes()
    train(smoke, tiny_pack, tmp_path)
    (tmp_path / "last.ckpt").write_bytes(saved)
    train(smoke, tiny_pack, tmp_path)
    assert [row["epoch"] for row in table(tmp_path)] == [1, 2]


def test_a_finished_run_started_again_trains_no_more(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    short = smoke.model_copy(update={"epochs": 1})
    train(short, tiny_pack, tmp_path)
    before = (tmp_path / "last.safetensors").read_bytes()
    train(short, tiny_pack, tmp_path)
    assert len(table(tmp_path)) == 1
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_a_folder_holds_the_run_of_one_recipe(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    short = smoke.model_copy(update={"epochs": 1})
    train(short, tiny_pack, tmp_path)
    without = short.model_copy(update={"data": short.data.model_copy(update={"hold_out": ("large",)})})
    with pytest.raises(UsageError, match="another recipe"):
        train(without, tiny_pack, tmp_path)


def test_a_machine_of_another_precision_may_go_on_with_a_run(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    train(smoke.model_copy(update={"epochs": 1}), tiny_pack, tmp_path)
    train(smoke.model_copy(update={"precision": "32-true"}), tiny_pack, tmp_path)
    assert [row["epoch"] for row in table(tmp_path)] == [1, 2]


def test_the_precision_is_that_of_the_steps(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    """One step: the first of Adam turns the sign of the smallest gradients into weights, and then losses part."""
    losses = {}
    for precision in get_args(Precision):
        step = smoke.model_copy(update={"epochs": 1, "batches_per_epoch": 1, "precision": precision})
        train(step, tiny_pack, tmp_path / precision)
        losses[precision] = table(tmp_path / precision)[0]["loss"]
    assert losses["bf16-mixed"] == pytest.approx(losses["32-true"], rel=0.02)
    with pytest.raises(AssertionError):
        assert_equal(tmp_path / "bf16-mixed" / "last.safetensors", tmp_path / "32-true" / "last.safetensors")


def test_a_folder_holds_the_run_on_one_pack_from_one_beginning(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    short = smoke.model_copy(update={"epochs": 1})
    weights = train(short, tiny_pack, tmp_path / "run")
    with pytest.raises(UsageError, match="from other weights"):
        train(short, tiny_pack, tmp_path / "run", init=weights)
    other_pixels = replace(tiny_pack, blob=np.where(np.arange(len(tiny_pack.blob)) == 999, 0, tiny_pack.blob))
    for other in (replace(tiny_pack, label=1 - tiny_pack.label), other_pixels):
        with pytest.raises(UsageError, match="on other pictures"):
            train(short, other, tmp_path / "run")


@pytest.mark.parametrize(
    ("section", "wanted", "said"),
    [
        ("data", {"teacher_weight": 0.5}, "hold none of their scores"),
        ("optimiser", {"guess_weight": 0.5}, "hold none of their scores"),
        ("data", {"pairs": 0.5}, "no simulated attack"),
    ],
)
def test_packs_that_lack_what_a_recipe_learns_from_are_refused(
    section: str, wanted: dict[str, float], said: str, tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    """Otherwise another recipe would be trained under this one's name."""
    bare = replace(tiny_pack, origin=np.where(tiny_pack.origin == "recapture", "real", tiny_pack.origin))
    recipe = smoke.model_copy(update={section: getattr(smoke, section).model_copy(update=wanted)})
    with pytest.raises(UsageError, match=said):
        train(recipe, bare, tmp_path)


@pytest.mark.parametrize("wanted", ["pairs = 0.5", "focus = 2.0", "frames_per_class = 4"])
def test_an_epoch_over_all_pictures_takes_no_pairs_and_no_focus(wanted: str, tmp_path: Path) -> None:
    """Both would be left out without a word."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'name = "recipe"\nepochs = 1\n[data]\nsampling = "epoch"\n{wanted}\n')
    with pytest.raises(UsageError, match=r"need data\.sampling"):
        load_config(recipe)


def test_a_constant_rate_stays_after_its_warm_up(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    steady = smoke.optimiser.model_copy(update={"schedule": "constant"})
    train(smoke.model_copy(update={"optimiser": steady}), tiny_pack, tmp_path)
    assert [row["lr"] for row in table(tmp_path)] == [steady.lr] * 2


def test_from_a_step_on_the_plain_mean_of_all_weights_comes_out_with_statistics_of_its_own(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four steps, of which the first does not count."""
    seen: list[torch.Tensor] = []
    average = training.train._average

    def record(averaged: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
        seen.append(model.state_dict()["features.0.0.weight"].clone())
        average(averaged, model, decay)

    monkeypatch.setattr(training.train, "_average", record)
    swa = smoke.model_copy(update={"optimiser": smoke.optimiser.model_copy(update={"mean_after": 1})})
    train(swa, tiny_pack, tmp_path)
    last = load_file(tmp_path / "last.safetensors")
    torch.testing.assert_close(last["features.0.0.weight"], sum(seen[1:]) / 3)
    anew = with_statistics(last, views_to_measure_on(swa, tiny_pack))
    torch.testing.assert_close(last["head.1.running_mean"], anew.state_dict()["head.1.running_mean"])


def test_a_cosine_over_whole_epochs_has_run_out_after_the_last(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    """``batches_per_epoch`` only bounds an epoch over all pictures."""
    whole = {"data": DataSettings(sampling="epoch"), "batches_per_epoch": 100_000, "batch_size": 32}
    train(smoke.model_copy(update=whole), tiny_pack, tmp_path)
    assert table(tmp_path)[-1]["lr"] == pytest.approx(smoke.optimiser.lr / 100)


def test_data_without_anything_to_validate_on_is_refused_before_the_first_epoch(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    nothing = replace(tiny_pack, split=np.where(tiny_pack.split == "val", "train", tiny_pack.split))
    with pytest.raises(UsageError, match="val holds no domain with live pictures and attacks"):
        train(smoke, nothing, tmp_path)


def test_a_misspelt_domain_is_not_believed_to_be_left_out(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    without = smoke.model_copy(update={"data": smoke.data.model_copy(update={"hold_out": ("lrage",)})})
    with pytest.raises(UsageError, match="lrage"):
        train(without, tiny_pack, tmp_path)


def test_damaged_weights_to_start_from_are_one_sentence(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(UsageError, match=r"cut\.safetensors does not hold SpoofNet"):
        train(smoke, tiny_pack, tmp_path / "run", init=tmp_path / "cut.safetensors")


def test_a_run_that_was_refused_before_its_first_checkpoint_does_not_hold_its_folder(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(UsageError, match="does not hold SpoofNet"):
        train(smoke, tiny_pack, tmp_path / "run", init=tmp_path / "cut.safetensors")
    (tmp_path / "run" / "epochs.jsonl").write_text('{"epoch": 1}\n')  # as if killed before the first checkpoint
    train(smoke, tiny_pack, tmp_path / "run")
    assert [row["epoch"] for row in table(tmp_path / "run")] == [1, 2]


def test_weights_that_may_have_seen_a_domain_are_no_beginning_for_a_run_that_leaves_it_out(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    without = smoke.model_copy(update={"data": smoke.data.model_copy(update={"hold_out": ("small",)})})
    seen = train(smoke, tiny_pack, tmp_path / "seen")
    with pytest.raises(UsageError, match="may have seen small"):
        train(without, tiny_pack, tmp_path / "second", init=seen)
    unseen = train(without, tiny_pack, tmp_path / "unseen")
    assert train(without, tiny_pack, tmp_path / "second", init=unseen).exists()


def test_a_run_goes_on_with_the_teachers_it_began_with(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        for teacher in TEACHERS.values():
            (tmp_path / folder / teacher.file).write_text(folder)
    train(smoke, tiny_pack, tmp_path / "run", teachers=tmp_path / "first")
    with pytest.raises(UsageError, match="with other teachers"):
        train(smoke, tiny_pack, tmp_path / "run", teachers=tmp_path / "second")
    with pytest.raises(UsageError, match="lacks"):
        train(smoke, tiny_pack, tmp_path / "other", teachers=tmp_path)


def test_a_mean_that_would_never_begin_is_refused(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    late = smoke.model_copy(update={"optimiser": smoke.optimiser.model_copy(update={"mean_after": 4})})
    with pytest.raises(UsageError, match="ends after 4 steps"):
        train(late, tiny_pack, tmp_path)


def test_released_weights_can_be_trained_on(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    """No step is long enough to turn a filter, so each is what was released but for its length."""
    released = SpoofNet().eval()
    export_fp32(released, tmp_path / "released.onnx")
    still = smoke.model_copy(update={"epochs": 1, "optimiser": OptimiserSettings(lr=1e-12)})
    best = train(still, tiny_pack, tmp_path / "run", init=tmp_path / "released.onnx")
    for name, weight in load_file(best).items():
        if weight.dim() == 4:
            likeness = torch.cosine_similarity(weight.flatten(1), released.state_dict()[name].flatten(1))
            torch.testing.assert_close(likeness, torch.ones(len(weight)))


def test_frozen_blocks_stay_and_the_others_learn(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    begun = train(smoke.model_copy(update={"epochs": 1}), tiny_pack, tmp_path / "first")
    frozen = smoke.model_copy(update={"optimiser": smoke.optimiser.model_copy(update={"frozen_blocks": 2})})
    train(frozen, tiny_pack, tmp_path / "second", init=begun)
    before, after = load_file(begun), load_file(tmp_path / "second" / "last.safetensors")
    changed = {name[:10] for name, weight in after.items() if weight.dim() == 4 and not weight.equal(before[name])}
    assert changed == {"features.2", "features.3", "features.4"}


def test_random_blocks_are_not_frozen(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    frozen = smoke.model_copy(update={"optimiser": smoke.optimiser.model_copy(update={"frozen_blocks": 2})})
    with pytest.raises(UsageError, match="--init"):
        train(frozen, tiny_pack, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_reference_recipe_has_its_learning_rates(tmp_path: Path, tiny_pack: Pack) -> None:
    """After epochs 1 to 4, to a millionth."""
    reference = load_config(REFERENCE)
    short = {"epochs": 4, "batch_size": 4, "batches_per_epoch": 1, "workers": 0, "scales": (2.0,)}
    view = reference.view.model_copy(update={"size": 32})
    train(reference.model_copy(update=short | {"view": view}), tiny_pack, tmp_path)
    assert [f"{row['lr']:.6f}" for row in table(tmp_path)] == ["0.000090", "0.000065", "0.000035", "0.000010"]


def test_the_reference_recipe_has_the_loss_of_pytorch_with_label_smoothing(tiny_pack: Pack) -> None:
    reference = load_config(REFERENCE)
    chosen, logits = slice(60, 70), torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    assert set(tiny_pack.label[chosen]) == {0, 1}
    batch = Batch(*[torch.empty(0)] * 6)._replace(target=torch.from_numpy(hard_targets(tiny_pack, reference)[chosen]))
    found = loss_of(Outputs(logits, torch.empty(0), None, None, None), batch, reference.optimiser)
    expected = torch.nn.CrossEntropyLoss(label_smoothing=0.1)(logits, torch.from_numpy(tiny_pack.label[chosen]))
    torch.testing.assert_close(found, expected)


def test_the_reference_recipe_is_plain_supervised_training_on_real_frames() -> None:
    reference = load_config(REFERENCE)
    assert reference.data == DataSettings(sampling="epoch", teacher_weight=0.0)
    assert reference.optimiser == OptimiserSettings(
        lr=1e-4,
        weight_decay=0.01,  # AdamW's default in PyTorch
        schedule="warm_restarts",
        restart_epochs=5,
        warmup_steps=reference.optimiser.warmup_steps,
        label_smoothing=0.1,
        ema_decay=0.0,
    )
    assert reference.view.size == 224 and reference.view.scale_low == reference.view.scale_high == reference.scales[0]


@pytest.mark.parametrize("path", sorted(REFERENCE.parent.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_complete_and_opens_with_its_command(path: Path) -> None:
    assert load_config(path).name == path.stem
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert any(f"python -m training train training/configs/{path.name} --packs" in line for line in head)


def test_two_processes_train_one_network(tmp_path: Path, tiny_pack: Pack) -> None:
    """Started by torchrun over gloo; two runs beside each other would write two rows an epoch."""
    (tmp_path / "packs").mkdir()
    save(tmp_path / "packs" / "real-0000.npz", tiny_pack)
    finish(tmp_path / "packs", [tmp_path / "packs" / "real-0000.npz"])
    config = tmp_path / "smoke.toml"
    config.write_text(
        'name = "smoke"\nepochs = 2\nbatch_size = 4\nbatches_per_epoch = 2\nworkers = 0\n'
        "[view]\nsize = 32\n[optimiser]\nwarmup_steps = 1\n"
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "training", "train", str(config), "--packs", str(tmp_path / "packs")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "run")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [row["epoch"] for row in table(tmp_path / "run")] == [1, 2]
    SpoofNet().load_state_dict(load_file(tmp_path / "run" / "best.safetensors"))


@pytest.mark.parametrize("lost", ["recipe.json", "inputs.json"])
def test_a_run_that_does_not_say_what_it_was_is_not_gone_on_with(
    lost: str, tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    train(smoke, tiny_pack, tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(UsageError, match="give another folder"):
        train(smoke, tiny_pack, tmp_path)


def test_weights_of_a_run_before_in_a_folder_say_what_they_themselves_left_out(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    old = train(smoke, tiny_pack, tmp_path)
    (tmp_path / "last.ckpt").unlink()
    without = smoke.model_copy(update={"data": smoke.data.model_copy(update={"hold_out": ("small",)})})
    (tmp_path / "recipe.json").write_text(
        without.model_dump_json()
    )  # as if the next run was stopped in its first epoch
    with pytest.raises(UsageError, match="may have seen small"):
        refuse_seen(old, ["small"])
    train(without, tiny_pack, tmp_path)
    refuse_seen(old, ["small"])

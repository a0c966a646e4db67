"""The training loop: phase after phase, averaged weights and a table of validations.

Runs on one CPU or, started by ``torchrun``, on any number of devices. A step depends on nothing but the weights before
it and its number, so a training that was killed and started again ends in the same bytes.
"""

import copy
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import nn
from torch.optim import AdamW
from torch.utils.data import DataLoader
from tqdm import tqdm

from faceauth.errors import UsageError
from training.data.files import whole, write_whole
from training.data.shards import Shards, digest_of_shards
from training.train.averaging import between, moving_average
from training.train.checkpoint import digest_of, load_network, refuse_seen, save_weights
from training.train.dataset import Views
from training.train.distillation import Floats, student_loss
from training.train.domain_levels import teacher_levels
from training.train.folding import unfold
from training.train.memory import keep_freed_memory
from training.train.network import SpoofNet, in_fastest_order, normalised
from training.train.recipe import Phase, Recipe
from training.train.sampling import BalancedBatches, Batches, EpochBatches, StepSampler, refuse_unknown_domains
from training.train.teachers import refuse_missing_files, teacher_digests
from training.train.validation import refuse_nothing_to_validate, validation_figures

LEVELS = "levels.npy"
CHECKPOINT_STEPS = 100  # one or two minutes on two cores
VALIDATIONS = 5  # a phase; one of a few hundred steps has fewer
VALIDATION_STEPS = 1_000  # at least, between two: at 224 px one costs as much as some 70 steps
LOSS_STEPS = 10  # a point in TensorBoard; everything else has a point a validation
WARMUP_STEPS = 200  # chosen, not measured
RESTART_EPOCHS = 5
LOADERS = 2  # processes; on two cores one that does not give way trains 54 views of 112 px a second, two that do 67
UNFOLDING_VIEWS = 192  # chosen, not measured: the last layers see as many numbers a channel

Report = Callable[[str], None]


@dataclass(frozen=True)
class _Run:
    """What stays the same through all phases."""

    fabric: Fabric
    recipe: Recipe
    content: Shards
    teachers: Path | None
    levels: Floats | None
    out: Path
    report: Report

    def weights_of(self, number: int) -> Path:
        """Where the averaged weights of a phase go."""
        return self.out / f"phase{number}.safetensors"


def train(
    recipe: Recipe,
    content: Shards,
    out: Path,
    *,
    init: Path | None = None,
    teachers: Path | None = None,
    report: Report = tqdm.write,
) -> Path:
    """Train phase after phase; started again with the same ``out``, resume where it stopped.

    Args:
        recipe: what to do.
        content: the images.
        out: folder of ``phaseN.safetensors``, the table ``validations.jsonl``, the checkpoint and logs.
        init: weights to start from: ``.safetensors`` of a training, or a released fp32 ``.onnx``.
        teachers: folder of the teachers' files, for recipes that ask them.
        report: told a line a validation and a phase.

    Raises:
        UsageError: ``out`` holds the run of another recipe, of other images, with other teachers, from other weights or
            of another number of processes; a domain to leave out is not in ``train`` or may have been seen by ``init``;
            there is nothing to validate on; a teacher's file is missing; ``init`` is damaged, or missing where blocks
            are frozen or the first phase has a ``start_share``.

    Returns:
        The averaged weights of the last phase.
    """
    refuse_unknown_domains(content, recipe.hold_out)
    refuse_nothing_to_validate(content, recipe)
    if recipe.frozen_blocks and init is None:
        raise UsageError(f"{recipe.name}: frozen_blocks needs pretrained weights: pass --init.")
    if recipe.phases[0].start_share and init is None:
        raise UsageError(f"{recipe.name}: start_share needs pretrained weights in the first phase: pass --init.")
    if init is not None:
        refuse_seen(init, recipe.hold_out)
    if teachers is not None:
        refuse_missing_files(teachers)
    # Left to itself, Lightning takes one process of torchrun's for all there is, where there is no GPU.
    devices, nodes = (int(os.environ.get(name, "1")) for name in ("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"))
    logger = TensorBoardLogger(out, name="log", version="")  # a resumed run draws the same curves on
    fabric = Fabric(devices=devices, num_nodes=nodes, precision=recipe.precision, loggers=logger)
    fabric.launch()
    keep_freed_memory()
    if fabric.is_global_zero:
        _claim(out, recipe, content, init, teachers, fabric.world_size)
        if recipe.level_teachers and teachers is not None:
            _keep_levels(out, content, recipe, teachers)
    fabric.barrier()
    levels = np.load(out / LEVELS) if recipe.level_teachers and teachers is not None else None
    run = _Run(fabric, recipe, content, teachers, levels, out, report)
    for number, phase in enumerate(recipe.phases, start=1):
        begin = init if number == 1 else run.weights_of(number - 1)
        if not run.weights_of(number).exists():
            _train_phase(run, number, phase, begin)
        fabric.barrier()
    return run.weights_of(len(recipe.phases))


def learning_rate(phase: Phase, step: int, steps_per_epoch: int) -> float:
    """Of a step of a phase, the first is 0."""
    if phase.schedule == "warm_restarts":  # Loshchilov and Hutter 2017
        epoch = step // steps_per_epoch % RESTART_EPOCHS
        return phase.lr * 0.5 * (1 + math.cos(math.pi * epoch / RESTART_EPOCHS))
    warmup = min(WARMUP_STEPS, phase.steps // 10)
    if step < warmup:
        return phase.lr * (step + 1) / warmup
    if phase.schedule == "constant":
        return phase.lr
    done = (step - warmup) / max(1, phase.steps - warmup)
    return phase.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def _train_phase(run: _Run, number: int, phase: Phase, begin: Path | None) -> None:
    fabric, recipe = run.fabric, run.recipe
    views = Views(run.content, recipe, phase.size, run.teachers, run.levels)
    batches = _batches(run, number, phase)
    torch.manual_seed(_seed(run, number, -1))
    network = in_fastest_order(_network(recipe, begin, views, batches, phase), recipe.precision)
    averaged = moving_average(network.to(fabric.device), recipe.ema_decay)
    begun = copy.deepcopy(network)
    network.features[: recipe.frozen_blocks].requires_grad_(False)
    adamw = AdamW(network.parameters(), lr=phase.lr, weight_decay=recipe.weight_decay, fused=True)
    model, optimiser = fabric.setup(network, adamw)
    state = {"model": model, "averaged": averaged, "optimiser": optimiser, "step": 0, "losses": []}
    checkpoint = run.out / f"phase{number}.ckpt"
    if checkpoint.exists():
        fabric.load(checkpoint, state)
    if fabric.is_global_zero:
        _forget_rows_after(number, state["step"], run.out / "validations.jsonl")

    def ended() -> nn.Module:
        return between(begun, averaged.module, phase.start_share)

    _steps(run, number, phase, views, batches, state, checkpoint, ended)
    if fabric.is_global_zero:
        save_weights(ended(), run.weights_of(number), recipe.hold_out)
        checkpoint.unlink(missing_ok=True)
        weights = run.weights_of(number)
        run.report(f"{recipe.name}, phase {number} of {len(recipe.phases)}: {weights.name} {digest_of(weights)}")


def _steps(
    run: _Run,
    number: int,
    phase: Phase,
    views: Views,
    batches: Batches,
    state: dict[str, Any],
    checkpoint: Path,
    ended: Callable[[], nn.Module],
) -> None:
    """All steps that are left of a phase; ``ended`` gives the network that it would end with now."""
    fabric, model, optimiser = run.fabric, state["model"], state["optimiser"]
    count = max(1, min(VALIDATIONS, phase.steps // VALIDATION_STEPS))
    validated = {round(phase.steps * part / count) for part in range(1, count + 1)}
    loader = _loader(fabric, views, StepSampler(batches, state["step"], phase.steps))
    progress = tqdm(loader, desc=f"phase {number}/{len(run.recipe.phases)}", disable=None, mininterval=5)
    began, counted = time.monotonic(), 0
    for batch in progress:
        step = state["step"]
        _to_training(model, run.recipe.frozen_blocks)
        torch.manual_seed(_seed(run, number, step))  # of dropout: a resumed phase draws that of an uninterrupted one
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(phase, step, batches.steps_per_epoch)
        loss = student_loss(model(normalised(batch.crops)), batch.target)
        fabric.backward(loss)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        state["averaged"].update_parameters(model.module)
        state["step"] = step = step + 1
        state["losses"].append(float(loss.detach()))
        counted += 1
        if step % LOSS_STEPS == 0:
            fabric.log(f"loss/phase{number}", state["losses"][-1], step=step)
        if step in validated:
            speed = counted * phase.batch_size * fabric.world_size / (time.monotonic() - began)
            if fabric.is_global_zero:
                _validate(run, number, phase, ended(), state, speed)
            state["losses"], began, counted = [], time.monotonic(), 0
        if step % CHECKPOINT_STEPS == 0:
            _save(fabric, checkpoint, state)


def _to_training(model: nn.Module, frozen_blocks: int) -> None:
    """Training mode, except for frozen blocks, whose batch statistics stay fixed too."""
    model.train()
    for block in model.features[:frozen_blocks]:  # type: ignore[index]  # Fabric passes attributes on
        block.eval()


def _save(fabric: Fabric, checkpoint: Path, state: dict[str, Any]) -> None:
    """A checkpoint that is there whole or not at all."""
    part = checkpoint.with_name(f"{checkpoint.name}.part")
    fabric.save(part, state)
    fabric.barrier()
    if fabric.is_global_zero:
        os.replace(part, checkpoint)


def _seed(run: _Run, number: int, step: int) -> int:
    numbers = (run.recipe.seed, number, step + 1, run.fabric.global_rank if step >= 0 else 0)
    return int(np.random.default_rng(numbers).integers(2**62))


def _batches(run: _Run, number: int, phase: Phase) -> Batches:
    fabric, size = run.fabric, phase.batch_size
    if run.recipe.sampling == "balanced":
        return BalancedBatches(run.content, run.recipe, batch_size=size, phase=number, rank=fabric.global_rank)
    return EpochBatches(run.content, run.recipe, batch_size=size, rank=fabric.global_rank, processes=fabric.world_size)


def _loader(fabric: Fabric, views: Views, sampler: StepSampler) -> Any:
    """Batches made in worker processes while the network learns from the previous ones."""
    loader = DataLoader(
        views,
        sampler=sampler,
        batch_size=None,
        num_workers=LOADERS,
        prefetch_factor=4,
        worker_init_fn=_give_way if fabric.device.type == "cpu" else None,
    )
    return fabric.setup_dataloaders(loader, use_distributed_sampler=False)


def _give_way(_: int) -> None:
    """Leave the cores to torch, whose threads wait for each other: one that is held up holds up all."""
    if hasattr(os, "nice"):  # Windows has none
        os.nice(19)


def _network(recipe: Recipe, begin: Path | None, views: Views, batches: Batches, phase: Phase) -> SpoofNet:
    """The network to train, random or from ``begin``."""
    network = SpoofNet(dropout=recipe.dropout)
    if begin is None:
        return network
    start = load_network(begin)
    if begin.suffix == ".onnx":
        first = map(batches.batch, range(math.ceil(UNFOLDING_VIEWS / phase.batch_size)))
        start = unfold(start, normalised(torch.cat([views.crops(draws) for draws in first])))
    network.load_state_dict(start.state_dict())
    return network


def _claim(
    out: Path, recipe: Recipe, content: Shards, init: Path | None, teachers: Path | None, processes: int
) -> None:
    """Keep the recipe beside its run, and digests of its images, its teachers and the weights it began with.

    A run resumed there must be the same except for precision: weights that saw a domain must not pass for those of a
    recipe that leaves it out. Another machine may resume it.
    """
    inputs = {
        "images": digest_of_shards(content),
        "init": None if init is None else digest_of(init),
        "teachers": None if teachers is None else teacher_digests(teachers),
        "processes": processes,  # each has its own batch
    }
    kept_recipe = recipe.model_dump_json(indent=2, exclude={"precision"}) + "\n"
    has_begun = any(out.glob("phase*"))
    for name, text, what in (
        ("recipe.json", kept_recipe, "of another recipe"),
        (
            "inputs.json",
            json.dumps(inputs, indent=2) + "\n",
            "on other images, with other teachers, from other weights or of another number of processes",
        ),
    ):
        kept = out / name
        if has_begun and (not kept.exists() or kept.read_text() != text):
            raise UsageError(f"{out} holds the run {what}: give another folder, or empty this one.")
        out.mkdir(parents=True, exist_ok=True)
        write_whole(kept, text)


def _keep_levels(out: Path, content: Shards, recipe: Recipe, teachers: Path) -> None:
    """They take two minutes, so a run that is resumed keeps them; before its first checkpoint it may be another run."""
    if not ((out / LEVELS).exists() and any(out.glob("phase*"))):
        with whole(out / LEVELS) as path, path.open("wb") as file:
            np.save(file, teacher_levels(content, recipe, teachers))


def _forget_rows_after(number: int, step: int, table: Path) -> None:
    """Of a validation whose row was written but whose checkpoint was not: its steps are run again."""
    if table.exists():
        rows = [json.loads(line) for line in table.read_text().splitlines()]
        kept = [row for row in rows if (row["phase"], row["step"]) <= (number, step)]
        write_whole(table, "".join(f"{json.dumps(row)}\n" for row in kept))


def _validate(run: _Run, number: int, phase: Phase, network: nn.Module, state: dict[str, Any], speed: float) -> None:
    """Add a row to the table of validations."""
    figures = validation_figures(network, run.content, run.recipe, phase.size)
    step, loss = state["step"], float(np.mean(state["losses"]))
    row = {"phase": number, "step": step, "views": step * phase.batch_size, "loss": round(loss, 5), **figures}
    run.fabric.log_dict({f"{k}/phase{number}": v for k, v in figures.items()}, step=step)
    table = run.out / "validations.jsonl"
    write_whole(table, (table.read_text() if table.exists() else "") + json.dumps(row) + "\n")
    run.report(f"{json.dumps(row)} {speed:.1f} views a second")

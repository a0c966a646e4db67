"""Training: packs and a configuration in, checkpoints and an epoch table out.

Runs on one CPU or, started by ``torchrun``, on any number of devices; resumes where it was stopped.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Iterable
from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, LambdaLR, LRScheduler
from torch.utils.data import DataLoader
from tqdm import tqdm

from faceauth.errors import UsageError
from training.apprentice import Apprentice, loss_of
from training.config import OptimiserSettings, TrainConfig
from training.export import load_network
from training.files import write_whole
from training.focus import measure_errors
from training.levels import Levels, measure_levels
from training.memory import keep_freed_memory
from training.network import SpoofNet
from training.packs import COLUMNS, Pack
from training.sampling import BalancedBatches, EpochBatches, refuse_unknown_domains
from training.scoring import normalise
from training.soup import views_to_measure_on, with_statistics
from training.teachers import Panel, digests_of, refuse_missing_files
from training.unfold import unfold
from training.validate import refuse_nothing_to_validate, validate
from training.views import EpochSampler, Views
from training.weights import refuse_seen, save_weights

STEPS_A_POINT = 10  # of the loss in TensorBoard; everything else has a point an epoch
UNFOLDING_VIEWS = 192  # chosen, not measured: the last layers see as many numbers a channel


def train(
    config: TrainConfig, content: Pack, out: Path, *, init: Path | None = None, teachers: Path | None = None
) -> Path:
    """Train, write ``last.ckpt`` after each epoch and the averaged weights of the best one; resume if it exists.

    Args:
        config: the recipe.
        content: the pictures.
        out: folder of checkpoints, weights, epoch table and logs.
        init: weights to start from: ``.safetensors`` of a training, or a released fp32 ``.onnx``.
        teachers: folder of the teachers' files, for recipes whose teachers see views.

    Raises:
        UsageError: ``out`` holds the run of another recipe, of other pictures, with other teachers, from other
            weights or of another number of processes, a domain to leave out is not in ``train`` or may have been seen
            by ``init``, there is nothing to validate on, a teacher's file is missing, the steps end before
            ``mean_after``, ``init`` is damaged, or missing where blocks are frozen.

    Returns:
        ``out/best.safetensors``, the averaged weights of the epoch with the highest macro AUC on ``val`` and what was
        left out.
    """
    refuse_unknown_domains(content, config.data.hold_out)
    refuse_nothing_to_validate(content, config)
    if config.optimiser.frozen_blocks and init is None:
        raise UsageError(
            f"{config.name} freezes blocks, and random ones are no use: give weights to start from (--init)."
        )
    if init is not None:
        refuse_seen(init, config.data.hold_out)
    if teachers is not None:
        refuse_missing_files(teachers)
    # Left to itself, Lightning takes one process of torchrun's for all there is, where there is no GPU.
    devices, nodes = (int(os.environ.get(name, "1")) for name in ("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"))
    logger = TensorBoardLogger(out, name="log", version="")  # a resumed run draws the same curves on
    fabric = Fabric(devices=devices, num_nodes=nodes, precision=config.precision, loggers=logger)
    fabric.launch()
    keep_freed_memory()
    fabric.seed_everything(config.seed + fabric.global_rank, verbose=False)
    if fabric.is_global_zero:
        _claim(out, config, content, init, teachers, fabric.world_size)
    levels = _levels(fabric, config, content, teachers, out / "levels.json")
    loader, sampler = _loader(config, content, fabric, Views(content, config, teachers, levels))
    steps = config.epochs * len(sampler)
    if config.optimiser.mean_after is not None and steps <= config.optimiser.mean_after:
        raise UsageError(f"{config.name} ends after {steps} steps, before its mean begins: see optimiser.mean_after.")
    state = _beginning(fabric, config, _network(config, init, loader.dataset, sampler), steps=steps)
    last = out / "last.ckpt"
    if last.exists():
        fabric.load(last, state)
    if fabric.is_global_zero:
        _forget_rows_after(state["epoch"], out / "epochs.jsonl")

    settled = _settled(state, content, config)
    while state["epoch"] < config.epochs:
        sampler.epoch = state["epoch"]
        _focus(sampler, settled, content, config)
        # Seeded anew each epoch, so that a resumed run draws the dropout of an uninterrupted one.
        of_epoch = np.random.default_rng((config.seed, state["epoch"], fabric.global_rank))
        torch.manual_seed(int(of_epoch.integers(2**62)))
        loss = _epoch(fabric, state, loader, config)
        state["epoch"] += 1
        if config.optimiser.schedule == "warm_restarts":
            state["schedule"].step()
        settled = _settled(state, content, config)
        if fabric.is_global_zero:
            _report(fabric, state, settled, config, content, out, loss)
        fabric.save(last, state)
    return out / "best.safetensors"


def _focus(sampler: EpochSampler, averaged: nn.Module, content: Pack, config: TrainConfig) -> None:
    """Aim the next epoch at what the averaged weights get wrong, in recipes that want it."""
    if config.data.focus and isinstance(sampler.source, BalancedBatches):
        errors = measure_errors(averaged, content, config)
        sampler.source.draw_more_often({domain: 1 + config.data.focus * error for domain, error in errors.items()})


def _network(config: TrainConfig, init: Path | None, views: Views, sampler: EpochSampler) -> SpoofNet:
    """The network to train, random or from ``init``."""
    network = SpoofNet(block_dropout=config.block_dropout, head_dropout=config.head_dropout)
    if init is None:
        return network
    start = load_network(init)
    if init.suffix == ".onnx":
        first = islice(sampler, math.ceil(UNFOLDING_VIEWS / config.batch_size))
        start = unfold(start, normalise(torch.cat([views.crops(draws) for draws in first])))
    network.load_state_dict(start.state_dict())
    return network


def _beginning(fabric: Fabric, config: TrainConfig, network: SpoofNet, steps: int) -> dict[str, Any]:
    """What a checkpoint holds, before the first step."""
    settings = config.optimiser
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stubs lack it
    averaged = deepcopy(network).eval().requires_grad_(False).to(fabric.device)
    network.features[: settings.frozen_blocks].requires_grad_(False)
    apprentice = Apprentice(network, settings)
    adamw = AdamW(apprentice.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    schedule = _schedule(adamw, settings, steps)
    model, optimiser = fabric.setup(apprentice, adamw)
    state = {"model": model, "averaged": averaged, "optimiser": optimiser, "schedule": schedule}
    return state | {"epoch": 0, "step": 0, "best": -1.0}


def _claim(
    out: Path, config: TrainConfig, content: Pack, init: Path | None, teachers: Path | None, processes: int
) -> None:
    """Keep the recipe beside its run, and digests of its pictures, its teachers and the weights it began with.

    What goes on there must be the same but for epochs, precision and workers: weights that saw a domain must not
    become those of a recipe that leaves it out, nor those of an earlier stage that was trained anew. Another machine
    may go on with it. Before the first checkpoint there is nothing to go on with, and whoever comes begins.
    """
    facts = [np.ascontiguousarray(getattr(content, name)) for name in COLUMNS]
    inputs = {
        "pictures": _digest(facts),
        "init": None if init is None else hashlib.sha256(init.read_bytes()).hexdigest(),
        "teachers": None if teachers is None else digests_of(teachers),
        "processes": processes,  # each has a batch of its own
    }
    has_begun = (out / "last.ckpt").exists()
    for kept, text, what in (
        (
            out / "recipe.json",
            config.model_dump_json(indent=2, exclude={"epochs", "precision", "workers"}) + "\n",
            "of another recipe",
        ),
        (
            out / "inputs.json",
            json.dumps(inputs, indent=2) + "\n",
            "on other pictures, with other teachers, from other weights or of another number of processes",
        ),
    ):
        if not kept.exists() or kept.read_text() != text:
            if has_begun:
                raise UsageError(f"{out} holds the run {what}: give another folder, or empty this one.")
            (out / "levels.json").unlink(missing_ok=True)
        out.mkdir(parents=True, exist_ok=True)
        write_whole(kept, text)


def _digest(columns: Iterable[npt.NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for column in columns:
        digest.update(column.view(np.uint8).data)
    return digest.hexdigest()


def _levels(fabric: Fabric, config: TrainConfig, content: Pack, teachers: Path | None, kept: Path) -> Levels | None:
    """Levels of the teachers for a recipe that wants them, measured once a run."""
    if not config.data.level_teachers or teachers is None:
        return None
    if fabric.is_global_zero and not kept.exists():
        levels = measure_levels(content, config.data.hold_out, Panel(teachers), config.view.size)
        write_whole(kept, json.dumps(levels, indent=2) + "\n")
    fabric.barrier()
    found: Levels = json.loads(kept.read_text())
    return found


def _forget_rows_after(epoch: int, table: Path) -> None:
    """Of an epoch whose row was written but whose checkpoint was not: it is run again and gets a row again."""
    if not table.exists():
        return
    rows = table.read_text().splitlines()
    write_whole(table, "".join(f"{row}\n" for row in rows if json.loads(row)["epoch"] <= epoch))


def _epoch(fabric: Fabric, state: dict[str, Any], loader: Any, config: TrainConfig) -> float:
    model, optimiser = state["model"], state["optimiser"]
    model.train()
    total, batches = 0.0, 0
    progress = tqdm(loader, desc=f"epoch {state['epoch'] + 1}/{config.epochs}", disable=not fabric.is_global_zero)
    for batch in progress:
        loss = loss_of(model(normalise(batch.crops)), batch, config.optimiser)
        fabric.backward(loss)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if config.optimiser.schedule != "warm_restarts":
            state["schedule"].step()
        state["step"] += 1
        _average(state["averaged"], model.network, _decay(state["step"], config.optimiser))
        of_batch = float(loss.detach())
        total, batches = total + of_batch, batches + 1
        if state["step"] % STEPS_A_POINT == 0:
            fabric.log("loss/batch", of_batch, step=state["step"])
        progress.set_postfix(loss=f"{total / batches:.4f}")
    return total / max(batches, 1)


def _decay(step: int, settings: OptimiserSettings) -> float:
    """Short memory at first: otherwise the average would long be one of random weights."""
    if settings.mean_after is not None and step > settings.mean_after:
        return 1 - 1 / (step - settings.mean_after)
    return min(settings.ema_decay, (1 + step) / (10 + step))


def _settled(state: dict[str, Any], content: Pack, config: TrainConfig) -> nn.Module:
    """The averaged weights; statistics of a plain mean are not the mean of those along the way, and measured anew."""
    averaged: nn.Module = state["averaged"]
    if config.optimiser.mean_after is None or state["step"] <= config.optimiser.mean_after:
        return averaged
    device = next(averaged.parameters()).device
    return with_statistics(averaged.state_dict(), views_to_measure_on(config, content)).to(device)


@torch.no_grad()
def _average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential moving average of weights and statistics (Polyak and Juditsky 1992)."""
    current = dict(model.state_dict())
    for name, value in averaged.state_dict().items():
        new = current[name]
        if value.is_floating_point():
            value.lerp_(new.to(value), 1 - decay)
        else:
            value.copy_(new)


def _schedule(optimiser: AdamW, settings: OptimiserSettings, steps: int) -> LRScheduler:
    """The learning rate over ``steps`` steps, or over epochs."""
    if settings.schedule == "warm_restarts":
        return CosineAnnealingWarmRestarts(optimiser, T_0=settings.restart_epochs)

    def factor(step: int) -> float:
        if step < settings.warmup_steps:
            return (step + 1) / settings.warmup_steps
        if settings.schedule == "constant":
            return 1.0
        done = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

    return LambdaLR(optimiser, factor)


def _loader(config: TrainConfig, content: Pack, fabric: Fabric, views: Views) -> tuple[Any, EpochSampler]:
    size, seed = config.batch_size, config.seed
    batches: BalancedBatches | EpochBatches
    if config.data.sampling == "balanced":
        batches = BalancedBatches(content, config.data, batch_size=size, seed=seed)
    else:
        batches = EpochBatches(content, config.data, batch_size=size, seed=seed, processes=fabric.world_size)
    sampler = EpochSampler(batches, config.batches_per_epoch, fabric.global_rank)
    loader = DataLoader(
        views,
        sampler=sampler,
        batch_size=None,
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
    )
    return fabric.setup_dataloaders(loader, use_distributed_sampler=False), sampler


def _report(
    fabric: Fabric,
    state: dict[str, Any],
    averaged: nn.Module,
    config: TrainConfig,
    content: Pack,
    out: Path,
    loss: float,
) -> None:
    began = time.monotonic()
    result = validate(averaged, content, config)
    row = {
        "epoch": state["epoch"],
        "loss": round(loss, 5),
        "lr": state["schedule"].get_last_lr()[0],
        **result,
        "validation_s": round(time.monotonic() - began, 1),
    }
    fabric.log_dict({k: v for k, v in row.items() if isinstance(v, int | float)}, step=state["epoch"])
    table = out / "epochs.jsonl"
    write_whole(table, (table.read_text() if table.exists() else "") + json.dumps(row) + "\n")
    tqdm.write(json.dumps(row))
    save_weights(averaged, out / "last.safetensors", config.data.hold_out)
    if result["macro_auc"] > state["best"]:
        state["best"] = result["macro_auc"]
        save_weights(averaged, out / "best.safetensors", config.data.hold_out)

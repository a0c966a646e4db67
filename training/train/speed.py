"""How long a training will take on this machine, from steps on noise before anything is prepared."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.optim import AdamW

from training.data.manifests import LIVE, SPOOF, Record
from training.data.shards import Origin, Shards, StoredImage, encode, in_columns
from training.simulate import Scene, recapture
from training.train.dataset import Batch, Views
from training.train.distillation import student_loss
from training.train.memory import keep_freed_memory
from training.train.network import SpoofNet, in_fastest_order, normalised
from training.train.recipe import Phase, Recipe
from training.train.sampling import BalancedBatches

STEPS = 2
SCENES = 4
BOX = (60.0, 50.0, 160.0, 180.0)
SIZE = 240  # px, of the noise


@dataclass(frozen=True)
class Speed:
    """Recaptures a second of all processors, and views a second in each phase."""

    recaptures: float
    views: tuple[float, ...]

    def hours(self, recipe: Recipe) -> float:
        """Simulation and training of a recipe, without validation and release."""
        of_phases = [phase.views / views for phase, views in zip(recipe.phases, self.views, strict=True)]
        return (recipe.recaptures / self.recaptures + sum(of_phases)) / 3600


def measure_speed(recipe: Recipe, teachers: Path | None) -> Speed:
    """Speed of a recipe with balanced batches, from a few recaptures and steps; takes about a minute."""
    keep_freed_memory()
    rng, began = np.random.default_rng(0), time.process_time()
    for seed in range(SCENES):
        recapture(Scene(_noise(rng), BOX), _noise(rng), np.random.default_rng(seed))
    recaptures = _processors() * SCENES / (time.process_time() - began)
    content = _shards(rng)
    return Speed(recaptures, tuple(_views_a_second(recipe, phase, content, teachers) for phase in recipe.phases))


def _views_a_second(recipe: Recipe, phase: Phase, content: Shards, teachers: Path | None) -> float:
    """The loader takes its share of the processors while the network has the rest."""
    views = Views(content, recipe, phase.size, teachers)
    batches = BalancedBatches(content, recipe, batch_size=phase.batch_size, phase=1, rank=0)
    batch = views[batches.batch(0)]  # opens the teachers
    began = time.process_time()
    for step in range(STEPS):
        batch = views[batches.batch(step)]
    loading = (time.process_time() - began) / STEPS / _processors()
    return phase.batch_size / (loading + _seconds_a_step(recipe, batch))


def _seconds_a_step(recipe: Recipe, batch: Batch) -> float:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = in_fastest_order(SpoofNet().to(device).train(), recipe.precision)
    optimiser = AdamW(network.parameters(), fused=True)
    began = 0.0
    for step in range(STEPS + 1):
        if step == 1:  # the first has to ask for its memory
            began = time.monotonic()
        with torch.autocast(device, dtype=torch.bfloat16, enabled=recipe.precision == "bf16-mixed"):
            logits = network(normalised(batch.crops.to(device)))
        student_loss(logits, batch.target.to(device)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return (time.monotonic() - began) / STEPS


def _shards(rng: np.random.Generator) -> Shards:
    kinds: tuple[tuple[int, Origin], ...] = ((LIVE, "real"), (SPOOF, "real"), (LIVE, "portrait"), (SPOOF, "recapture"))
    images = []
    for label, origin in kinds:
        name, source = f"{origin}{label}", "real0" if origin == "recapture" else ""
        record = Record(Path(name), label, "none" if label == LIVE else "print", "noise", "train", box_xyxy=BOX)
        images.append(StoredImage(record, origin, encode(_noise(rng)), source))
    return in_columns(images)


def _noise(rng: np.random.Generator) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

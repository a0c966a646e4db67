"""Turns the draws of a batch into tensors for the network."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from faceauth.errors import UsageError
from faceauth.stages import Image
from training.data.shards import Shards
from training.train.augmentation import augment, batch_of, context_shown, cutmix, draw_framing, framed, mixup
from training.train.distillation import Floats, smoothed_labels, soft_targets, teacher_shares
from training.train.recipe import Recipe
from training.train.sampling import Draw
from training.train.teachers import Teachers, refuse_missing_files

MIX_FROM_CONTEXT = 1.4  # teachers see too little in closer views to say what comes of mixing them


class Batch(NamedTuple):
    """What a step learns from: crops, uint8, (B, size, size, 3), RGB, and the target P(spoof), float32, (B,)."""

    crops: Tensor
    target: Tensor


@dataclass(frozen=True)
class Look:
    """A view before the simulated camera, as the teachers see it; ``rng`` is used next to draw the camera."""

    pixels: Image
    reference: Image
    is_mixed: bool
    rng: np.random.Generator


class Views(Dataset[Batch]):
    """Views of the images of shards; an item is addressed by a whole batch of draws.

    Args:
        content: the images.
        recipe: how they are shown, and what is asked of teachers.
        size: side of a view in pixels.
        teachers: folder of the teachers' files, for recipes that ask them.
        levels: of the teachers on the domain of each image, which is subtracted from their answers; None for 0.

    Raises:
        UsageError: such a recipe without the folder, or a file is missing in it.
    """

    def __init__(
        self, content: Shards, recipe: Recipe, size: int, teachers: Path | None = None, levels: Floats | None = None
    ) -> None:
        if recipe.asks_teachers and teachers is None:
            raise UsageError(f"{recipe.name} learns from teachers: name the folder of their files (--teachers).")
        if teachers is not None:
            refuse_missing_files(teachers)
        self._content, self._recipe, self._size, self._folder = content, recipe, size, teachers
        self._labels, self._shares = smoothed_labels(content, recipe), teacher_shares(content, recipe)
        self._levels = np.zeros(len(content.label), np.float32) if levels is None else levels
        self._teachers: Teachers | None = None

    def __getitem__(self, draws: list[Draw]) -> Batch:
        """The views of ``draws``."""
        chosen = [draw.index for draw in draws]
        looks = [self._look(draw) for draw in draws]
        shares = np.where([look.is_mixed for look in looks], 1, self._shares[chosen]).astype(np.float32)
        target = soft_targets(self._labels[chosen], shares, self._ask(looks, shares) - self._levels_of(draws, looks))
        return Batch(self._photographed(looks), torch.from_numpy(target))

    def _levels_of(self, draws: list[Draw], looks: list[Look]) -> Floats:
        """(B, 1); that of a mixed view is the mean of its two domains'."""
        own = self._levels[[draw.index for draw in draws]]
        partners = self._levels[[draw.partner for draw in draws]]
        is_mixed = np.array([look.is_mixed for look in looks])
        return np.where(is_mixed, (own + partners) / 2, own)[:, None].astype(np.float32)

    def crops(self, draws: list[Draw]) -> Tensor:
        """The crops of ``draws`` alone; no teacher is asked."""
        return self._photographed([self._look(draw) for draw in draws])

    def _photographed(self, looks: list[Look]) -> Tensor:
        settings = self._recipe.augmentation
        views = [augment(look.pixels, settings, look.rng, reference=look.reference) for look in looks]
        return torch.from_numpy(batch_of(views))

    def _look(self, draw: Draw) -> Look:
        rng = np.random.default_rng(draw.seed)
        settings, content = self._recipe.augmentation, self._content
        framing = draw_framing(settings, rng)
        image, box_xyxy = content.image(draw.index), content.box(draw.index)
        view = framed(image, box_xyxy, framing, self._size)
        reference = framed(content.image(draw.partner), content.box(draw.partner), framing, self._size)
        kind, own = float(rng.random()), np.random.default_rng(rng.integers(2**62))
        is_wide = context_shown(image, box_xyxy, framing) >= MIX_FROM_CONTEXT
        is_mixed = kind < settings.mixup + settings.cutmix and is_wide
        if is_mixed:  # with a separate generator, or the two views of a pair would diverge where only one is wide
            view = mixup(view, reference, own) if kind < settings.mixup else cutmix(view, reference, own)
        return Look(view, reference, is_mixed, rng)

    def _ask(self, looks: list[Look], shares: Floats) -> Floats:
        """Logits of the teachers, asked only about views in whose target they have a share."""
        asked = np.flatnonzero(shares)
        logits = np.zeros((len(looks), 1), np.float32)
        if len(asked) and self._folder is not None:
            if self._teachers is None:  # opened in the loader's process: sessions do not survive a fork
                self._teachers = Teachers(self._folder)
            logits[asked] = self._teachers.live_logits([looks[i].pixels for i in asked]).mean(axis=1, keepdims=True)
        return logits

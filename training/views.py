"""Views: a pack and the draws of a batch in, tensors for the network out."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from training.augment import batch_of, degrade, draw_framing, exchange_background, frame
from training.config import TrainConfig
from training.packs import WIDE, Pack
from training.sampling import BalancedBatches, Draw, EpochBatches

EXCHANGE_FROM_SCALE = 1.4  # below it nothing but the face is in view


class Views(Dataset[tuple[Tensor, Tensor]]):
    """Views of a pack's pictures; an item is addressed by a whole batch of draws."""

    def __init__(self, content: Pack, config: TrainConfig) -> None:
        self.content, self.config = content, config
        self.targets = soft_targets(content, config)

    def __getitem__(self, draws: list[Draw]) -> tuple[Tensor, Tensor]:
        """Crops uint8 (B, size, size, 3) RGB, and the target P(spoof) float32 (B,)."""
        views = [self._view(draw) for draw in draws]
        return torch.from_numpy(batch_of(views)), torch.from_numpy(self.targets[[d.index for d in draws]])

    def _view(self, draw: Draw) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        rng = np.random.default_rng(draw.seed)
        settings, content = self.config.view, self.content
        framing = draw_framing(settings, rng)
        view = frame(content.image(draw.index), content.box(draw.index), framing, settings.size)
        reference = frame(content.image(draw.partner), content.box(draw.partner), framing, settings.size)
        if framing.scale > EXCHANGE_FROM_SCALE and rng.random() < settings.exchange:
            view = exchange_background(view, reference, rng, framing.scale)
        return degrade(view, settings, rng, reference=reference)


class EpochSampler(Sampler[list[Draw]]):
    """Feeds one epoch's batches to the loader's workers; ``epoch`` moves it on."""

    def __init__(self, batches: BalancedBatches | EpochBatches, count: int, rank: int) -> None:
        self.source, self.count, self.rank, self.epoch = batches, count, rank, 0

    def __iter__(self) -> Iterator[list[Draw]]:
        return self.source.batches(self.epoch, self.count, self.rank)

    def __len__(self) -> int:
        return self.source.length(self.count)


def soft_targets(content: Pack, config: TrainConfig) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """P(spoof) to learn, for each picture: the smoothed label, mixed with the teachers' score where there is one.

    Distillation after Hinton et al. (2015): within a domain the label can be told from the room, the score cannot.
    Real frames with their surroundings have a share of their own.
    """
    smoothing = config.optimiser.label_smoothing
    hard = content.label * (1 - smoothing) + smoothing / 2
    mean_logit = content.teacher.mean(axis=1) / config.data.teacher_temperature
    wide = np.array([content.context(i) >= WIDE for i in range(len(content))]) & (content.origin == "real")
    weight = np.where(wide, config.data.teacher_weight_wide, config.data.teacher_weight)
    weight = np.where(np.isnan(mean_logit), 0.0, weight)
    soft = 1 / (1 + np.exp(np.nan_to_num(mean_logit)))
    return np.asarray((1 - weight) * hard + weight * soft, np.float32)

"""Views: a pack and the draws of a batch in, tensors for the network out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from faceauth.errors import UsageError
from faceauth.stages import Image
from training.augment import (
    FaceInView,
    batch_of,
    blend,
    degrade,
    draw_framing,
    exchange_background,
    face_in_view,
    frame,
    patch,
)
from training.config import TrainConfig
from training.furniture import furnish
from training.levels import Levels, level_at
from training.packs import WIDE, Pack
from training.sampling import BalancedBatches, Draw, EpochBatches
from training.teachers import Answers, Panel, refuse_missing_files
from training.triplet import NO_GROUP, groups_of

Floats = npt.NDArray[np.float32]

EXCHANGE_FROM_SCALE = 1.4  # below it nothing but the face is in view
FURNISH_FROM_SCALE = 1.25  # a little of what is behind is enough


class Batch(NamedTuple):
    """What a step learns from, B views.

    Attributes:
        crops: uint8, (B, size, size, 3), RGB.
        target: P(spoof), float32, (B,).
        groups: groups of the triplet loss, int64, (B,).
        teachers: live logits of each teacher, float32, (B, 3); NaN where none was asked.
        embeddings: of each teacher, float32, (B, 3, 128); empty where they see pictures.
        maps: of each teacher, float32, (B, 3, 128, 5, 5); empty where they see pictures.
    """

    crops: Tensor
    target: Tensor
    groups: Tensor
    teachers: Tensor
    embeddings: Tensor
    maps: Tensor


@dataclass(frozen=True)
class Look:
    """A view before the camera: what the teachers are asked about.

    Attributes:
        scale: of its framing.
        face: where it is.
        rng: goes on to draw the camera.
        furniture: draws what is to stand behind the face, if anything: no teacher shall take it for a device.
    """

    pixels: Image
    reference: Image
    scale: float
    face: FaceInView
    is_mixed: bool
    rng: np.random.Generator
    furniture: np.random.Generator | None


class Views(Dataset[Batch]):
    """Views of a pack's pictures; an item is addressed by a whole batch of draws.

    Args:
        content: the pictures.
        config: how they are shown.
        teachers: folder of the teachers' files, for recipes whose teachers see views.
        levels: of the teachers, for recipes that level them.

    Raises:
        UsageError: such a recipe without the folder, or a file is missing in it; or one whose teachers see pictures,
            and the packs know of no score.
    """

    def __init__(
        self, content: Pack, config: TrainConfig, teachers: Path | None = None, levels: Levels | None = None
    ) -> None:
        if config.data.teachers_see == "views" and teachers is None:
            raise UsageError(f"The teachers of {config.name} see views: give the folder of their files (--teachers).")
        self.content, self.config = content, config
        if teachers is not None:
            refuse_missing_files(teachers)
        self._folder = teachers if config.data.teachers_see == "views" else None
        self._hard = hard_targets(content, config)
        self._weight = teacher_weights(content, config)
        self._weight_close = teacher_weights(content, config, close=True)
        wants_scores = bool(self._weight.any() or self._weight_close.any()) or config.optimiser.guess_weight > 0
        if self._folder is None and wants_scores and np.isnan(content.teacher).all():
            raise UsageError(
                f"{config.name} learns from teachers and the packs hold none of their scores: prepare them with "
                "--teachers, or set data.teacher_weight and its kin and optimiser.guess_weight to 0."
            )
        self._groups, self._levels = groups_of(content), levels or {}
        self._panel: Panel | None = None

    def __getitem__(self, draws: list[Draw]) -> Batch:
        """The views of ``draws``."""
        chosen = [draw.index for draw in draws]
        looks = [self._look(draw) for draw in draws]
        mixed = np.array([look.is_mixed for look in looks])
        answers = self._ask(self._folder, looks) if self._folder else _known(self.content.teacher[chosen])
        close = np.array([look.scale < WIDE for look in looks])
        shares = np.where(mixed, 1.0, np.where(close, self._weight_close[chosen], self._weight[chosen]))
        levels = np.array([self._level(*pair) for pair in zip(draws, looks, strict=True)], np.float32)
        targets = soft_targets(self._hard[chosen], shares, answers.logits - levels[:, None], self.config)
        groups = np.where(mixed, NO_GROUP, self._groups[chosen])
        return Batch(self._photograph(looks), *(torch.from_numpy(a) for a in (targets, groups, *answers)))

    def crops(self, draws: list[Draw]) -> Tensor:
        """The crops of ``draws`` alone; no teacher is asked."""
        return self._photograph([self._look(draw) for draw in draws])

    def _photograph(self, looks: list[Look]) -> Tensor:
        return torch.from_numpy(batch_of([self._photographed(look) for look in looks]))

    def _photographed(self, look: Look) -> Image:
        view = look.pixels
        if look.furniture is not None and 1 / look.face[2] > FURNISH_FROM_SCALE:
            view = furnish(view, look.furniture, look.face)
        return degrade(view, self.config.view, look.rng, reference=look.reference)

    def _look(self, draw: Draw) -> Look:
        rng = np.random.default_rng(draw.seed)
        settings, content = self.config.view, self.content
        framing = draw_framing(settings, rng, in_pair=draw.in_pair)
        image, box_xyxy = content.image(draw.index), content.box(draw.index)
        view = frame(image, box_xyxy, framing, settings.size)
        reference = frame(content.image(draw.partner), content.box(draw.partner), framing, settings.size)
        face = face_in_view(image, box_xyxy, framing)
        shown = 1 / face[2]  # context; of a picture that ends at the face, hardly above 1
        exchange = _sometimes(settings.exchange, rng)
        if exchange is not None and shown > EXCHANGE_FROM_SCALE:
            view = exchange_background(view, reference, exchange, face)
        furniture = None
        if settings.furnish:  # recipes without it draw what they always drew
            furniture = _sometimes(settings.furnish, rng)
        kind = float(rng.random())
        is_mixed = kind < settings.blend + settings.patch and shown >= settings.mix_from_scale
        if is_mixed:
            view = blend(view, reference, rng) if kind < settings.blend else patch(view, reference, rng)
        return Look(view, reference, framing.scale, face, is_mixed, rng, furniture)

    def _level(self, draw: Draw, look: Look) -> float:
        """Of the picture's domain; of a mixed view half-way between those of both pictures."""
        sources = (draw.index, draw.partner) if look.is_mixed else (draw.index,)
        return float(
            np.mean([level_at(self._levels, str(self.content.domain[source]), look.scale) for source in sources])
        )

    def _ask(self, folder: Path, looks: list[Look]) -> Answers:
        if self._panel is None:  # opened in the loader's process: sessions do not survive a fork
            self._panel = Panel(folder)
        return self._panel.ask([look.pixels for look in looks])


class EpochSampler(Sampler[list[Draw]]):
    """Feeds one epoch's batches to the loader's workers; ``epoch`` moves it on."""

    def __init__(self, batches: BalancedBatches | EpochBatches, count: int, rank: int) -> None:
        self.source, self.count, self.rank, self.epoch = batches, count, rank, 0

    def __iter__(self) -> Iterator[list[Draw]]:
        return self.source.batches(self.epoch, self.count, self.rank)

    def __len__(self) -> int:
        return self.source.length(self.count)


def _sometimes(share: float, rng: np.random.Generator) -> np.random.Generator | None:
    """A generator of its own in a ``share`` of the views.

    Drawn for every picture, or the two of a pair would part ways where only one of them can be changed.
    """
    wanted, own = rng.random() < share, np.random.default_rng(rng.integers(2**62))
    return own if wanted else None


def _known(logits: Floats) -> Answers:
    """What packs know of the teachers."""
    nothing = np.empty((len(logits), 0), np.float32)
    return Answers(logits, nothing, nothing)


def hard_targets(content: Pack, config: TrainConfig) -> Floats:
    """P(spoof) by the smoothed label of each picture."""
    smoothing = config.optimiser.label_smoothing
    return np.asarray(content.label * (1 - smoothing) + smoothing / 2, np.float32)


def teacher_weights(content: Pack, config: TrainConfig, *, close: bool = False) -> Floats:
    """The teachers' share in the target of each picture: one of their own for wide frames and for what is certain.

    Args:
        content: the pictures.
        config: gives the shares.
        close: for views that show less than ``packs.WIDE``.
    """
    settings = config.data
    wide = settings.teacher_weight_wide
    if close and settings.teacher_weight_close is not None:
        wide = settings.teacher_weight_close
    weights = np.full(len(content), settings.teacher_weight, np.float32)
    if wide is not None:
        real = np.flatnonzero(content.origin == "real")
        weights[[i for i in real if content.context(int(i)) >= WIDE]] = wide
    if settings.teacher_weight_portrait is not None:
        weights[content.origin == "portrait"] = settings.teacher_weight_portrait
    if settings.teacher_weight_simulated is not None:
        weights[content.origin == "recapture"] = settings.teacher_weight_simulated
    return weights


def soft_targets(hard: Floats, weight: Floats, teachers: Floats, config: TrainConfig) -> Floats:
    """P(spoof) to learn: the smoothed label mixed with the teachers' mean where they were asked.

    Distillation after Hinton et al. (2015): within a domain the label can be told from the room, the score cannot.

    Args:
        hard: the smoothed label of each view, (B,).
        weight: the teachers' share, (B,).
        teachers: their live logits, (B, 3); NaN where they were not asked.
        config: gives the temperature.
    """
    mean_logit = teachers.mean(axis=1) / config.data.teacher_temperature
    share = np.where(np.isnan(mean_logit), 0.0, weight)
    soft = 1 / (1 + np.exp(np.nan_to_num(mean_logit)))
    return np.asarray((1 - share) * hard + share * soft, np.float32)

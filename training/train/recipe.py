"""The recipe of a training: complete, typed settings from a TOML file."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from faceauth.errors import UsageError
from faceauth.stages import CropSpec


class Settings(BaseModel):
    """Base of the sections: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


SettingsT = TypeVar("SettingsT", bound=Settings)

FEWEST_RECAPTURES = 50  # of a shortened recipe

Precision = Literal["bf16-mixed", "32-true"]
"""Of the arithmetic, in Lightning's words: mixed bfloat16, or float32 for processors that have no bfloat16."""


class AugmentationSettings(Settings):
    """How an image is shown: the range of contexts, and the probability of each augmentation.

    Attributes:
        context_low, context_high: side of the view over the longer side of the face box, drawn log-uniformly.
        close: share of views that show next to nothing but the face (``augmentation.CLOSE``), beside those by chance.
        camera: simulated optics, sensor, tone curve and compression.
        recolour: mean and spread of each channel taken from a random other image.
        greyscale: as cameras in the dark give.
        mixup: share of views laid over another image's, by any ratio.
        cutmix: share of views with a rectangle of another image's in them. The target of mixed views is the teachers'
            alone.
        erasing: random erasing.
    """

    context_low: float = Field(0.9, gt=0)
    context_high: float = Field(2.7, gt=0)
    close: float = Field(0.0, ge=0, le=1)
    camera: float = Field(0.0, ge=0, le=1)
    recolour: float = Field(0.0, ge=0, le=1)
    greyscale: float = Field(0.0, ge=0, le=1)
    mixup: float = Field(0.0, ge=0, le=0.5)
    cutmix: float = Field(0.0, ge=0, le=0.5)
    erasing: float = Field(0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _contexts_are_a_range(self) -> Self:
        if self.context_low > self.context_high:
            raise ValueError(f"context_low {self.context_low:g} is above context_high {self.context_high:g}.")
        return self


class Phase(Settings):
    """A part of the training at one resolution; it continues from the averaged weights of the previous part.

    Attributes:
        size: side of the views in pixels.
        views: how many the network sees.
        batch_size: of each process.
        lr: of AdamW after the warm-up.
        schedule: ``constant`` leaves it to the average of the weights to settle, ``cosine`` decays to 1 % of ``lr``,
            ``warm_restarts`` is the reference's: a cosine over five epochs, again and again, constant within an epoch.
        start_share: of the weights that the phase begins with in those that it ends with.
    """

    size: int = Field(ge=32)
    views: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    lr: float = Field(gt=0)
    schedule: Literal["constant", "cosine", "warm_restarts"] = "cosine"
    start_share: float = Field(0.0, ge=0, lt=1)

    @property
    def steps(self) -> int:
        """Batches in one process; at least one."""
        return max(1, self.views // self.batch_size)


class Recipe(Settings):
    """One training.

    Attributes:
        sampling: ``balanced`` draws classes, species and domains evenly; ``epoch`` shows every image that is not
            simulated once an epoch.
        recaptures: attacks that ``reproduce`` simulates for it.
        pairs: share of a batch that is simulated attacks together with their own live sources (``balanced`` only).
        portraits: share of the live views outside pairs that are portraits (``balanced`` only).
        teacher_share: of the teachers' answer to the view in the target of a labelled frame, beside its label.
        level_teachers: subtract from the teachers' answers what they say of a whole domain (``domain_levels``).
        label_smoothing: of the label.
        dropout: between the linear layers.
        weight_decay: of AdamW.
        ema_decay: of the moving average of the weights, a step; 0 keeps the weights as they are.
        frozen_blocks: first blocks of the network that stay as ``--init`` has them.
        hold_out: domains of ``train`` to leave out and to validate on beside ``val``; empty for a release.
        scale: context of the first view that a release scores a face with.
        close_scale: context of the second, mirrored one.
        precision: depends on the machine rather than the recipe, so ``--precision`` can set it.
    """

    name: str
    seed: int = 0
    sampling: Literal["balanced", "epoch"] = "balanced"
    recaptures: int = Field(0, ge=0)
    pairs: float = Field(0.0, ge=0, le=1)
    portraits: float = Field(0.0, ge=0, le=1)
    teacher_share: float = Field(0.0, ge=0, le=1)
    level_teachers: bool = False
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    weight_decay: float = Field(0.05, ge=0)
    ema_decay: float = Field(0.0, ge=0, lt=1)
    frozen_blocks: int = Field(0, ge=0, le=5)
    hold_out: tuple[str, ...] = ()
    scale: float = Field(2.2, gt=0)
    close_scale: float | None = Field(None, gt=0)
    precision: Precision = "bf16-mixed"
    augmentation: AugmentationSettings = AugmentationSettings()
    phases: tuple[Phase, ...] = Field(min_length=1)

    @property
    def asks_teachers(self) -> bool:
        """Whether any target comes from teachers."""
        return self.teacher_share + self.augmentation.mixup + self.augmentation.cutmix > 0

    def crops(self, size: int) -> tuple[CropSpec, ...]:
        """What a release of this recipe is shown of a face, at a side of so many pixels."""
        wide = CropSpec(size_wh=(size, size), scale=self.scale, kind="square", color="rgb")
        if self.close_scale is None:
            return (wide,)
        return wide, replace(wide, scale=self.close_scale, mirrored=True)

    def shortened(self, scale: float) -> "Recipe":
        """The same recipe with views and recaptures multiplied; at least two batches a phase."""
        if scale == 1:
            return self
        phases = [
            phase.model_copy(update={"views": max(2 * phase.batch_size, round(phase.views * scale))})
            for phase in self.phases
        ]
        recaptures = max(min(self.recaptures, FEWEST_RECAPTURES), round(self.recaptures * scale))
        return self.model_copy(update={"phases": tuple(phases), "recaptures": recaptures})

    def last_phase(self) -> "Recipe":
        """The same recipe without the phases before its last."""
        return self.model_copy(update={"phases": self.phases[-1:]})

    def computed_in(self, precision: Precision | None) -> "Recipe":
        """The same recipe in another precision, if one is wanted."""
        return self if precision is None else self.model_copy(update={"precision": precision})

    @model_validator(mode="after")
    def _only_drawn_batches_have_shares(self) -> Self:
        if (self.pairs or self.portraits) and self.sampling != "balanced":
            raise ValueError('pairs and portraits need sampling = "balanced": an epoch shows each image once.')
        return self

    @model_validator(mode="after")
    def _levels_are_of_teachers(self) -> Self:
        if self.level_teachers and not self.asks_teachers:
            raise ValueError("level_teachers needs teachers: set teacher_share, mixup or cutmix, or leave it out.")
        return self


def load_recipe(path: Path) -> Recipe:
    """Settings of a TOML file.

    Raises:
        UsageError: it is not valid TOML, or a key is missing, misspelt or impossible.
    """
    return from_toml(Recipe, path, "recipe")


def from_toml(kind: type[SettingsT], path: Path, what: str) -> SettingsT:
    """Settings of any ``kind`` of a TOML file; ``what`` they are is said in the error.

    Raises:
        UsageError: as :func:`load_recipe`.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text()))
    except ValueError as error:  # pydantic's and tomllib's are both
        raise UsageError(f"{path} holds no {what}: {error}") from error

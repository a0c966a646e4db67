"""The training configuration: a TOML file in, typed and complete settings out."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from faceauth.errors import UsageError


class Settings(BaseModel):
    """Base of the sections: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


SettingsT = TypeVar("SettingsT", bound=Settings)


class DataSettings(Settings):
    """Which pictures make a batch.

    Attributes:
        sampling: ``epoch`` shows every training picture that is not simulated once an epoch; ``balanced`` draws class
            and domain evenly.
        pairs: share of a batch that is simulated attacks together with their own live sources (``balanced`` only).
        portraits: share of the live views outside pairs that are portraits (``balanced`` only).
        frames_per_class: at most so many real frames of a class and domain are drawn as views of their own
            (``balanced`` only); None draws all. Pairs, backgrounds and colours come from all.
        teacher_weight: share of the teachers' soft score in the target, in [0, 1], where a picture has one.
        teacher_weight_wide: the same for a real frame that shows what is around the face (``packs.WIDE``), where the
            teachers are at their best and the room gives the label away; None gives them no other.
        teacher_weight_close: the same for a view of such a frame that shows less than ``packs.WIDE``, so that no room
            gives the label away and the teachers see none either; None gives them no other.
        teacher_weight_portrait: the same for live portraits, whose label is certain; None gives them no other.
        teacher_weight_simulated: the same for simulated attacks, whose label is certain; None gives them no other.
        teacher_temperature: the teachers' logit is divided by it before the sigmoid.
        teachers_see: ``pictures`` takes their scores of whole pictures from the packs; ``views`` asks them about each
            view, which needs their files.
        level_teachers: whether the target takes from the teachers how to rank the pictures of a domain, and from its
            labels where to cut them (``levels.py``); only for recipes whose teachers see views.
        focus: how many times more often a domain is drawn if the averaged weights are wrong on all of one of its
            classes, measured before each epoch (``focus.py``; ``balanced`` only); 0 draws by size alone.
        without_families: families of simulated attacks to leave out, to see what each adds.
        hold_out: training domains to leave out (validated on beside ``val``); empty for a release.
    """

    sampling: Literal["epoch", "balanced"] = "balanced"
    pairs: float = Field(0.0, ge=0, le=1)
    portraits: float = Field(0.0, ge=0, le=1)
    frames_per_class: int | None = Field(None, ge=1)
    teacher_weight: float = Field(0.0, ge=0, le=1)
    teacher_weight_wide: float | None = Field(None, ge=0, le=1)
    teacher_weight_close: float | None = Field(None, ge=0, le=1)
    teacher_weight_portrait: float | None = Field(None, ge=0, le=1)
    teacher_weight_simulated: float | None = Field(None, ge=0, le=1)
    teacher_temperature: float = Field(2.0, gt=0)
    teachers_see: Literal["pictures", "views"] = "pictures"
    level_teachers: bool = False
    focus: float = Field(0.0, ge=0)
    without_families: tuple[str, ...] = ()
    hold_out: tuple[str, ...] = ()


class ViewSettings(Settings):
    """What the network sees of a picture: side in pixels, context range, and the probability of each nuisance.

    Attributes:
        close: share of views that show next to nothing but the face (``augment.CLOSE``), beside those by chance.
        close_pairs: the same for the two of a pair, which differ in the recapture alone; None gives them no other.
        mix_from_scale: views that show less are neither blended nor patched: their teachers see too little to say what
            comes of it.
        furnish: share of the views with something behind the face that get window frames, doors and shelves there.
        worsen: more blur, gain, shrinking and compression than ``camera`` has.
        blend: share of views laid over another picture's, by any ratio.
        patch: share of views with a rectangle of another picture's in them. Their target and that of blends is the
            teachers' alone, so only recipes whose teachers see views may have them.
    """

    size: int = Field(112, ge=32)
    scale_low: float = Field(1.0, gt=0)
    scale_high: float = Field(2.7, gt=0)
    close: float = Field(0.0, ge=0, le=1)
    close_pairs: float | None = Field(None, ge=0, le=1)
    mix_from_scale: float = Field(0.0, ge=0)
    camera: float = Field(0.7, ge=0, le=1)
    worsen: float = Field(0.0, ge=0, le=1)
    recolour: float = Field(0.4, ge=0, le=1)
    exchange: float = Field(0.15, ge=0, le=1)
    furnish: float = Field(0.0, ge=0, le=1)
    blend: float = Field(0.0, ge=0, le=0.5)
    patch: float = Field(0.0, ge=0, le=0.5)
    greyscale: float = Field(0.1, ge=0, le=1)
    texture: float = Field(0.1, ge=0, le=1)
    occlusion: float = Field(0.25, ge=0, le=1)

    @model_validator(mode="after")
    def _contexts_are_a_range(self) -> Self:
        if self.scale_low > self.scale_high:
            raise ValueError(f"scale_low {self.scale_low:g} is above scale_high {self.scale_high:g}.")
        return self


class OptimiserSettings(Settings):
    """The loss, AdamW and its schedule.

    Attributes:
        schedule: ``warm_restarts`` is CosineAnnealingWarmRestarts by epoch, ``cosine`` decays once, ``constant`` stays
            after its warm-up and leaves it to the average to settle.
        label_smoothing: of the cross-entropy.
        triplet_weight: of the asymmetric triplet loss over domains (``triplet.py``), added to the cross-entropy.
        guess_weight: of the error in guessing each teacher's logit (``apprentice.py``), added to the cross-entropy.
        hint_weight: of the error in guessing each teacher's embedding and map (``apprentice.py``), added to the
            cross-entropy; only for recipes whose teachers see views.
        ema_decay: of the averaged weights, a step.
        mean_after: step after which the plain mean of the weights (stochastic weight averaging, Izmailov et al. 2018),
            with batch statistics measured anew, takes the place of the moving average; None keeps that.
        frozen_blocks: first blocks of the network whose weights stay as ``--init`` has them; their batch statistics
            move.
    """

    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    schedule: Literal["warm_restarts", "cosine", "constant"] = "cosine"
    restart_epochs: int = Field(5, ge=1)
    warmup_steps: int = Field(300, ge=0)
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    triplet_weight: float = Field(0.0, ge=0)
    guess_weight: float = Field(0.0, ge=0)
    hint_weight: float = Field(0.0, ge=0)
    ema_decay: float = Field(0.998, ge=0, lt=1)
    mean_after: int | None = Field(None, ge=0)
    frozen_blocks: int = Field(0, ge=0, le=5)


Precision = Literal["bf16-mixed", "32-true"]
"""Of the arithmetic, in Lightning's words: mixed bfloat16, or float32 for processors that have no bfloat16."""


class TrainConfig(Settings):
    """One run.

    Attributes:
        precision: depends on the machine rather than the recipe, so ``--precision`` can set it.
        scales: context scales that ``val`` is scored at; their logits are averaged. A release has the first.
        mirrored_scale: of the second view of a release, if it shall have one; epochs are scored without it.
    """

    name: str
    seed: int = 0
    epochs: int = Field(ge=1)
    batch_size: int = Field(64, ge=2)
    batches_per_epoch: int = Field(200, ge=1)
    workers: int = Field(1, ge=0)
    precision: Precision = "bf16-mixed"
    block_dropout: float = Field(0.1, ge=0, lt=1)
    head_dropout: float = Field(0.4, ge=0, lt=1)
    scales: tuple[Annotated[float, Field(gt=0)], ...] = Field((2.0,), min_length=1)
    mirrored_scale: float | None = Field(None, gt=0)
    data: DataSettings = DataSettings()
    view: ViewSettings = ViewSettings()
    optimiser: OptimiserSettings = OptimiserSettings()

    @model_validator(mode="after")
    def _one_scale_beside_a_mirrored_one(self) -> Self:
        if self.mirrored_scale is not None and len(self.scales) > 1:
            raise ValueError(f"mirrored_scale goes with one scale, as a release has it, not with {self.scales}.")
        return self

    @model_validator(mode="after")
    def _only_drawn_batches_have_shares_and_a_focus(self) -> Self:
        data = self.data
        if (data.pairs or data.portraits or data.focus or data.frames_per_class) and data.sampling != "balanced":
            raise ValueError(
                "data.pairs, data.portraits, data.focus and data.frames_per_class need data.sampling = "
                '"balanced": an epoch shows each frame once.'
            )
        return self

    @model_validator(mode="after")
    def _teachers_see_what_they_are_asked(self) -> Self:
        if self.view.blend + self.view.patch and self.data.teachers_see != "views":
            raise ValueError('Mixed views need data.teachers_see = "views": nobody else can say what they are.')
        if self.data.level_teachers and self.data.teachers_see != "views":
            raise ValueError('data.level_teachers needs data.teachers_see = "views": levels are measured on views.')
        if self.optimiser.hint_weight and self.data.teachers_see != "views":
            raise ValueError('optimiser.hint_weight needs data.teachers_see = "views": packs hold their logits only.')
        return self


def load_config(path: Path) -> TrainConfig:
    """Settings of a TOML file.

    Raises:
        UsageError: it is no TOML, or a key is missing, misspelt or impossible.
    """
    return from_toml(TrainConfig, path, "recipe")


def from_toml(kind: type[SettingsT], path: Path, what: str) -> SettingsT:
    """Settings of any ``kind`` of a TOML file; ``what`` they are is said in the error.

    Raises:
        UsageError: as :func:`load_config`.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text()))
    except ValueError as error:  # pydantic's and tomllib's are both
        raise UsageError(f"{path} holds no {what}: {error}") from error

"""What the ``card.json`` of each model says.

A card pins the ONNX files beside it, so whoever replaces one without the other
is refused.
"""

from datetime import date
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, StringConstraints, model_validator

from faceauth.calibration.logits import sigmoid
from faceauth.stages import CropSpec
from faceauth.thresholds import Frozen, MatchPoints, MeasuredRate, OperatingPoints

Variant = Literal["fp32", "int8"]

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][\w.-]*$")]
"""One part of a path, which does not start with a dot."""


class Pin(Frozen):
    """Size in bytes and sha256 (hexadecimal, lower case) of one file."""

    size: int = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class PinnedFile(Pin):
    """A file beside a card."""

    name: FileName


class ModelCard(Frozen):
    """What every card says; a model with more to say has its own kind of card.

    Attributes:
        licence: SPDX expression of the weights themselves.
        origin: whose they are and how they came here.
        use: what the model is for and what its terms allow.
        files: variant -> file beside the card. A model of one file calls it ``"network"``.
    """

    model_config = ConfigDict(extra="ignore")

    licence: str
    origin: str
    use: str
    files: dict[str, PinnedFile]


class SFaceCard(ModelCard):
    """SFace's card; ``python -m benchmarks.lfw_match`` writes its points.

    Attributes:
        match_points: measured thresholds on the cosine similarity; None for weights that were not measured.
    """

    model_config = ConfigDict(extra="forbid")

    match_points: MatchPoints | None = None


class Calibration(Frozen):
    """P(live) = sigmoid(a * (logit of live - logit of spoof) + b).

    ``a = 1, b = 0`` is the softmax; fitted on a validation split it is Platt's scaling (1999), and with ``b = 0``
    temperature scaling with temperature ``1 / a`` (Guo et al. 2017). ``a`` is positive, so the order of scores stays.
    """

    a: float = Field(default=1.0, gt=0.0)
    b: float = 0.0

    def p_live(self, logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """P(live) of logits.

        Args:
            logits: N x 2, 0 = live, 1 = spoof.

        Returns:
            float32, N, in [0, 1]; NaN where a logit is not finite: an overflow is not certainty.
        """
        sane = np.where(np.isfinite(logits).all(axis=1, keepdims=True), logits, np.nan).astype(np.float64)
        return sigmoid(self.a * (sane[:, 0] - sane[:, 1]) + self.b).astype(np.float32)


class DataSource(Frozen):
    """A collection that training read, and under which terms."""

    name: str
    images: int = Field(ge=0)
    terms: str


class SpoofNetCard(ModelCard):
    """SpoofNet's card, which training writes.

    Attributes:
        format: version of this document.
        version: version of the weights; changes with every training.
        date: day the files were exported.
        default_variant: what ``SpoofNet()`` loads.
        crops: what the network wants to see of a face, all of one size; P(live) is the mean over them.
        mean, std: normalisation per channel on pixels in [0, 1]. It happens inside the ONNX graph, whose input is
            uint8; stated for readers, never applied by a consumer.
        calibration: variant -> how logits become P(live).
        operating_points: variant -> measured thresholds on that P(live).
        training: what was trained on.
        metrics: split -> name -> value, for people.
    """

    model_config = ConfigDict(extra="forbid")

    files: dict[Variant, PinnedFile]  # type: ignore[assignment]  # narrower keys than ModelCard's, and frozen
    format: Literal[2] = 2
    version: str
    date: date
    default_variant: Variant
    crops: Annotated[tuple[CropSpec, ...], Field(min_length=1)]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    calibration: dict[Variant, Calibration]
    operating_points: dict[Variant, OperatingPoints]
    training: tuple[DataSource, ...]
    metrics: dict[str, dict[str, float | MeasuredRate]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _every_variant_is_complete(self) -> Self:
        variants = set(self.files)
        if self.default_variant not in variants:
            raise ValueError(f"default_variant is {self.default_variant!r}, but files has {sorted(variants)}")
        for name in ("calibration", "operating_points"):
            if set(getattr(self, name)) != variants:
                raise ValueError(f"{name} has {sorted(getattr(self, name))}, but files has {sorted(variants)}")
        return self

    @model_validator(mode="after")
    def _one_network_can_take_every_crop(self) -> Self:
        sizes = {crop.size_wh for crop in self.crops}
        if len(sizes) > 1 or min(self.crops[0].size_wh) < 1:
            raise ValueError(f"crops have the sizes {sorted(sizes)}: expected one size, of at least one pixel")
        if any(crop.kind == "arcface" or crop.scale <= 0 for crop in self.crops):
            raise ValueError("crops need a scale above 0, and a kind that has one")
        return self

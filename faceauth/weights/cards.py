"""What SpoofNet's ``card.json`` says: a document in, frozen facts out. Training writes it, the backend reads it.

Knows no pixels and no session. The card pins the digests of the ONNX files beside it, so whoever replaces one file
without the other is refused.
"""

from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, model_validator

from faceauth.stages import CropSpec
from faceauth.thresholds import Frozen, MeasuredRate, OperatingPoints
from faceauth.weights.store import Card, PinnedFile

Variant = Literal["fp32", "int8"]
CARD_NAME = "spoofnet/card.json"


class CropFacts(Frozen):
    """The crop that the network was trained on; becomes the backend's ``CropSpec``.

    Attributes:
        size_wh: width and height in pixels.
        scale: side of the square / longer side of the face box.
        color: channel order the network expects.
        mirrored_scale: of the second view that scores are averaged over, as in ``CropSpec``; None for one view.
    """

    size_wh: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] = (224, 224)
    scale: float = Field(gt=0.0)
    color: Literal["rgb", "bgr"] = "rgb"
    mirrored_scale: float | None = Field(default=None, gt=0.0)

    def specs(self) -> tuple[CropSpec, ...]:
        """The crops of one face."""
        first = CropSpec(size_wh=self.size_wh, scale=self.scale, kind="square", color=self.color)
        if self.mirrored_scale is None:
            return (first,)
        return first, replace(first, scale=self.mirrored_scale, mirrored=True)


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
            float32, N, in [0, 1]; NaN where a logit is not finite: an overflow is no certainty.
        """
        sane = np.where(np.isfinite(logits).all(axis=1, keepdims=True), logits, np.nan).astype(np.float64)
        margin = self.a * (sane[:, 0] - sane[:, 1]) + self.b
        return (0.5 * (1.0 + np.tanh(0.5 * margin))).astype(np.float32)  # the sigmoid, without overflow


class DataSource(Frozen):
    """A collection that training read, and under which terms."""

    name: str
    images: int = Field(ge=0)
    terms: str


class SpoofNetCard(Card):
    """The whole card.

    Attributes:
        licence, origin, use: terms of the weights (from ``Card``).
        files: variant -> name, size and digest of its ONNX file, in the card's folder.
        format: version of this document.
        version: version of the weights; changes with every training.
        date: day the files were exported.
        default_variant: what ``SpoofNet()`` loads.
        crop: what the network wants to see.
        mean, std: normalisation per channel on pixels in [0, 1]. It happens inside the ONNX graph, whose input is
            uint8; stated for readers, never applied by a consumer.
        calibration: variant -> how logits become P(live).
        operating_points: variant -> measured thresholds on that P(live).
        training: what was trained on.
        metrics: split -> name -> value, for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    files: dict[Variant, PinnedFile]  # type: ignore[assignment]  # narrower keys than Card's, and frozen
    format: Literal[1] = 1
    version: str
    date: date
    default_variant: Variant
    crop: CropFacts
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

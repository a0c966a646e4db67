"""The built-in liveness backend, SpoofNet.

Normalisation happens inside the ONNX graph, whose input is uint8, so that no consumer can get it wrong; what the crop,
the calibration and the measured thresholds are is said by the card beside the weights.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faceauth.errors import UsageError
from faceauth.stages import API_VERSION, Crops, Scores
from faceauth.weights.cards import CARD_NAME, SpoofNetCard, Variant
from faceauth.weights.onnx_session import CPU, Signature, open_session
from faceauth.weights.store import WeightStore

INPUT, OUTPUT = "crops", "logits"


class SpoofNet:
    """The built-in liveness backend.

    Args:
        variant: ``"fp32"`` or ``"int8"``; by default the one that the card names.
        threads: threads inside an operator.
        providers: onnxruntime execution providers, all of which have to be there.
        weights_folder: folder of weights with a manifest; by default ``FACEAUTH_WEIGHTS``, then the built-in files.

    Attributes:
        card: everything known of the weights.
        crops: the crops of one face whose P(live) are averaged.
        operating_points: the measured thresholds of this variant.

    Raises:
        WeightsError, ProviderUnavailable: see ``sessions.open_session``.
        UsageError: the card has no such variant, or an option is out of its range.
    """

    api_version = API_VERSION

    def __init__(
        self,
        *,
        variant: Variant | None = None,
        threads: int = 1,
        providers: Sequence[str] = CPU,
        weights_folder: str | Path | None = None,
    ) -> None:
        placed = WeightStore(weights_folder).card(SpoofNetCard, CARD_NAME)
        self.card = placed.facts
        chosen = variant if variant is not None else self.card.default_variant
        if chosen not in self.card.files:
            raise UsageError(f"SpoofNet's card has the variants {sorted(self.card.files)}, not {chosen!r}.")
        self.crops = self.card.crop.specs()
        self.operating_points = self.card.operating_points[chosen]
        self._calibration = self.card.calibration[chosen]
        weights = placed.weights(chosen)
        width, height = self.card.crop.size_wh
        signature = Signature(
            inputs={INPUT: ("uint8", (None, height, width, 3))}, outputs={OUTPUT: ("float", (None, 2))}
        )
        self._session = open_session(weights, signature=signature, threads=threads, providers=providers)
        self.weights_sha256 = {weights.name: weights.sha256, placed.name: placed.sha256}

    def score(self, crops: Sequence[Crops]) -> Scores:
        """P(live) of N faces, the mean over their crops.

        A second crop of another scale, mirrored, is wrong about other images than the first, so the mean of both is
        wrong less often (test-time augmentation, Krizhevsky et al. 2012).

        Args:
            crops: uint8, N x H x W x 3, 0-255, one array for each of ``self.crops``.

        Returns:
            float32, N, in [0, 1], in the same order; empty for N = 0.
        """
        if len(crops[0]) == 0:
            return np.empty(0, np.float32)
        (logits,) = self._session.run([OUTPUT], {INPUT: np.concatenate(crops)})  # (C x N, 2): 0 = live, 1 = spoof
        p_live = self._calibration.p_live(logits).reshape(len(crops), -1)
        return np.asarray(p_live.mean(axis=0), np.float32)

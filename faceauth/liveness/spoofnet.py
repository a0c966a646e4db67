"""The built-in liveness backend, SpoofNet.

Normalisation happens inside the ONNX graph, whose input is uint8, so that no consumer can get it wrong; what the crop,
the calibration and the measured thresholds are is said by the card beside the weights.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faceauth.errors import UsageError
from faceauth.stages import API_VERSION, Crops, Scores
from faceauth.weights.cards import SpoofNetCard, Variant
from faceauth.weights.onnx_session import CPU, Signature, open_session
from faceauth.weights.store import PinnedModel

INPUT, OUTPUT = "crops", "logits"


class SpoofNet:
    """The built-in liveness backend.

    Args:
        variant: ``"fp32"`` or ``"int8"``; by default the variant that the card names.
        threads: threads inside an operator.
        providers: onnxruntime execution providers, all of which have to be there.
        weights_folder: folder with weights of your own; None for the built-in weights.

    Attributes:
        card: everything known about the weights.
        crops: what the network wants to see of each face: two squares, of which the narrower is mirrored.
        operating_points: the measured thresholds of this variant.

    Raises:
        WeightsError, ProviderUnavailable: see :func:`faceauth.weights.onnx_session.open_session`.
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
        model = PinnedModel("spoofnet", SpoofNetCard, weights_folder)
        self.card = model.card
        chosen = variant if variant is not None else self.card.default_variant
        if chosen not in self.card.files:
            raise UsageError(f"SpoofNet's card has the variants {sorted(self.card.files)}, not {chosen!r}.")
        self.crops = self.card.crops
        self.operating_points = self.card.operating_points[chosen]
        self._calibration = self.card.calibration[chosen]
        width, height = self.crops[0].size_wh
        signature = Signature(
            inputs={INPUT: ("uint8", (None, height, width, 3))}, outputs={OUTPUT: ("float", (None, 2))}
        )
        self._session = open_session(model.weights(chosen), signature=signature, threads=threads, providers=providers)
        self.weights_sha256 = model.digests(chosen)

    def score(self, crops: Sequence[Crops]) -> Scores:
        """P(live) of each face: the mean over its crops.

        A second crop of another scale, mirrored, is wrong about other faces than the first, so the mean of both is
        wrong less often (test-time augmentation, Krizhevsky et al. 2012).

        Args:
            crops: one array uint8, N x h x w x 3, 0-255, for each of ``self.crops``.

        Returns:
            float32, N, in [0, 1], in the same order; empty for N = 0.

        Raises:
            ValueError: another number of arrays than ``self.crops`` asks for.
        """
        if len(crops) != len(self.crops):
            raise ValueError(f"SpoofNet asks for {len(self.crops)} crops of each face, not {len(crops)}.")
        if len(crops[0]) == 0:
            return np.empty(0, np.float32)
        return np.asarray(np.mean([self._p_live(rows) for rows in crops], axis=0), np.float32)

    def _p_live(self, rows: Crops) -> Scores:
        """Of crops of one kind. Those of all kinds in one call give the same bits, and take 4 % longer."""
        (logits,) = self._session.run([OUTPUT], {INPUT: rows})  # (rows, 2): 0 = live, 1 = spoof
        return self._calibration.p_live(logits)

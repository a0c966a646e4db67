"""The built-in embedder, SFace.

Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition" (2021); the weights are the
OpenCV Zoo's. The network subtracts its mean itself and takes pixels from 0 to 255.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faceauth.stages import API_VERSION, Crops, CropSpec, Scores
from faceauth.thresholds import MatchPoint, MatchPoints, MeasuredRate
from faceauth.weights.onnx_session import CPU, Signature, open_session
from faceauth.weights.store import WeightStore

WEIGHTS = "sface_2021dec.onnx"
DIMENSIONS = 128

MEASURED_SHA256 = "24791aca9a51d2b5e8eff8903c21114466e11fa4ab73b891dbc76467d19aa74a"


def _point(threshold: float, false_matches: int, false_non_matches: int) -> MatchPoint:
    """Replaced by the card."""
    fmr, fnmr = false_matches / 1_250_180, false_non_matches / 600
    wrong = MeasuredRate(errors=false_matches, n=1_250_180, value=fmr, low=fmr, high=fmr, interval="none")
    missed = MeasuredRate(errors=false_non_matches, n=600, value=fnmr, low=fnmr, high=fnmr, interval="none")
    return MatchPoint(threshold=threshold, fmr=wrong, fnmr=missed, measured_on="LFW")


MATCH_POINTS = MatchPoints(
    convenience=_point(0.37, 961, 6), balanced=_point(0.43, 100, 20), strict=_point(0.46, 20, 26)
)
SIGNATURE = Signature(
    inputs={"data": ("float", (None, 3, 112, 112))},
    outputs={"fc1": ("float", (None, DIMENSIONS))},
)


class SFace:
    """The built-in embedder.

    Args:
        threads: threads inside an operator.
        providers: onnxruntime execution providers, all of which have to be there.
        weights_folder: folder of weights with a manifest; by default ``FACEAUTH_WEIGHTS``, then the built-in file.

    Raises:
        WeightsError, ProviderUnavailable, UsageError: see ``sessions.open_session``.
    """

    api_version = API_VERSION
    crop = CropSpec(size_wh=(112, 112), scale=1.0, kind="arcface", color="rgb")

    def __init__(
        self, *, threads: int = 1, providers: Sequence[str] = CPU, weights_folder: str | Path | None = None
    ) -> None:
        weights = WeightStore(weights_folder).find(WEIGHTS)
        self._session = open_session(
            weights, signature=SIGNATURE, threads=threads, providers=providers, weight_only=True
        )
        self.weights_sha256 = {weights.name: weights.sha256}
        self.model_id = f"sface-{weights.sha256[:16]}"
        self.match_points = MATCH_POINTS if weights.sha256 == MEASURED_SHA256 else None

    def embed(self, crops: Crops) -> Scores:
        """Embeddings of aligned faces; their scalar product is the cosine similarity.

        Args:
            crops: uint8, N x 112 x 112 x 3, RGB, 0-255, cut for ``self.crop``.

        Returns:
            float32, N x 128, rows of unit length, in the same order; empty for N = 0.
        """
        if len(crops) == 0:
            return np.empty((0, DIMENSIONS), np.float32)
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)  # (N, 3, 112, 112)
        (vectors,) = self._session.run(["fc1"], {"data": planes})
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

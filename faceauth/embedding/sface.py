"""SFace: aligned crops in, unit vectors of 128 numbers out. Knows no identity and makes no match.

Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition" (2021); the weights are the
OpenCV Zoo's. The network subtracts its mean itself and takes pixels from 0 to 255.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faceauth.stages import API_VERSION, Crops, CropSpec, Scores
from faceauth.weights.onnx_session import CPU, Signature, open_session
from faceauth.weights.store import WeightStore

WEIGHTS = "sface_2021dec.onnx"
DIMENSIONS = 128

# Measured with `python -m benchmarks.lfw_match`: the lowest hundredth at which at most 0.1 % of all 1,250,180 pairs of
# pictures of different people match (961, 0.077 %). In LFW's own pairs: FMR 0 of 600 [0, 0.64 %], FNMR 6 of 600
# [0.46, 2.16 %]. Other weights than the measured ones have no threshold.
MATCH_THRESHOLD = 0.37
MEASURED_SHA256 = "24791aca9a51d2b5e8eff8903c21114466e11fa4ab73b891dbc76467d19aa74a"
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
        self.match_threshold = MATCH_THRESHOLD if weights.sha256 == MEASURED_SHA256 else None

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

"""The built-in embedder, SFace.

Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition" (2021); the weights are the
OpenCV Zoo's. The network subtracts its mean itself and takes pixels from 0 to 255.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faceauth.stages import API_VERSION, Crops, CropSpec, Scores
from faceauth.weights.cards import SFaceCard
from faceauth.weights.onnx_session import CPU, Signature, open_session
from faceauth.weights.store import PinnedModel

DIMENSIONS = 128

SIGNATURE = Signature(
    inputs={"data": ("float", (None, 3, 112, 112))},
    outputs={"fc1": ("float", (None, DIMENSIONS))},
)


class SFace:
    """The built-in embedder.

    Args:
        threads: threads inside an operator.
        providers: onnxruntime execution providers, all of which have to be there.
        weights_folder: folder with weights of your own; None for the built-in weights.

    Attributes:
        match_points: the card's: thresholds measured with these very weights.

    Raises:
        WeightsError, ProviderUnavailable, UsageError: see :func:`faceauth.weights.onnx_session.open_session`.
    """

    api_version = API_VERSION
    crop = CropSpec(size_wh=(112, 112), scale=1.0, kind="arcface", color="rgb")

    def __init__(
        self, *, threads: int = 1, providers: Sequence[str] = CPU, weights_folder: str | Path | None = None
    ) -> None:
        model = PinnedModel("sface", SFaceCard, weights_folder)
        weights = model.weights("network")
        self._session = open_session(
            weights, signature=SIGNATURE, threads=threads, providers=providers, weight_only=True
        )
        self.weights_sha256 = model.digests("network")
        self.model_id = f"sface-{weights.sha256[:16]}"
        self.match_points = model.card.match_points

    def embed(self, crops: Crops) -> Scores:
        """Embeddings of aligned faces; their scalar product is the cosine similarity.

        Args:
            crops: uint8, N x 112 x 112 x 3, RGB, 0-255, cropped for ``self.crop``.

        Returns:
            float32, N x 128, rows of unit length, in the same order; empty for N = 0.
        """
        if len(crops) == 0:
            return np.empty((0, DIMENSIONS), np.float32)
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)  # (N, 3, 112, 112)
        (vectors,) = self._session.run(["fc1"], {"data": planes})
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

"""The liveness backend: the mean of two networks' P(live)."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from faceauth.stages import API_VERSION, Crops, CropSpec, Scores
from faceauth.thresholds import OperatingPoints
from faceauth.weights.onnx_session import CPU, Signature, open_session
from faceauth_minifasnet.weight_files import default_folder, usable_weights

INPUT, OUTPUT = "input", "logits"
SIDE = 80
LIVE_CLASS = 1  # 0 = spoof (flat), 1 = live, 2 = spoof (other)

SIGNATURE = Signature(inputs={INPUT: ("float", (None, 3, SIDE, SIDE))}, outputs={OUTPUT: ("float", (None, 3))})


class MiniFASNet:
    """The mean of MiniFASNetV2's and MiniFASNetV1SE's softmax for live, each with its own crop, as upstream has it.

    Args:
        weights_dir: folder of the two files; by default where ``python -m faceauth_minifasnet convert`` puts them.
        threads: threads inside an operator.
        providers: onnxruntime execution providers, in order of preference, all of which have to be there.

    Attributes:
        crops: of MiniFASNetV2 and of MiniFASNetV1SE.

    Raises:
        WeightsMissing: a file is not there.
        WeightsMismatch: a file is neither a known export nor one that was converted here and trusted.
        ProviderUnavailable: a provider is not installed.
        UsageError: an option is out of its range.
    """

    api_version = API_VERSION
    crops = (
        CropSpec(size_wh=(SIDE, SIDE), scale=2.7, kind="box", color="bgr"),
        CropSpec(size_wh=(SIDE, SIDE), scale=4.0, kind="box", color="bgr"),
    )
    operating_points: OperatingPoints | None = None

    def __init__(
        self,
        *,
        weights_dir: str | os.PathLike[str] | None = None,
        threads: int = 1,
        providers: Sequence[str] = CPU,
    ) -> None:
        files = usable_weights(default_folder() if weights_dir is None else Path(weights_dir))
        self.weights_sha256 = {file.name: file.sha256 for file in files}
        self._sessions = [
            open_session(file, signature=SIGNATURE, threads=threads, providers=providers) for file in files
        ]

    def score(self, crops: Sequence[Crops]) -> Scores:
        """P(live) of N faces.

        Args:
            crops: uint8, N x 80 x 80 x 3, BGR, 0-255, one array for each of ``self.crops``.

        Returns:
            float32, N, in [0, 1], in the same order; empty for N = 0.
        """
        if len(crops[0]) == 0:
            return np.empty(0, np.float32)
        p_live = []
        for session, pixels in zip(self._sessions, crops, strict=True):
            planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)  # (N, 3, 80, 80)
            (logits,) = session.run([OUTPUT], {INPUT: planes})  # (N, 3)
            p_live.append(_softmax(logits)[:, LIVE_CLASS])
        return np.asarray(np.mean(p_live, axis=0), np.float32)


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares

"""MiniFASNet: context crops in, P(live) out, by the two networks of minivision-ai/Silent-Face-Anti-Spoofing.

Knows no threshold, no picture and no place to fetch the files from: the user names their folder.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.errors import WeightsMissing
from faceauth.stages import API_VERSION, Crops, CropSpec, Scores
from faceauth.thresholds import OperatingPoints
from faceauth.weights.onnx_session import CPU, Session, Signature, open_session
from faceauth.weights.store import Weights

__all__ = ["FOLDER_VARIABLE", "INPUT_SIDE", "MiniFASNet", "Planes", "inputs", "planes"]

Planes = npt.NDArray[np.float32]
"""float32, N x 3 x 80 x 80, BGR, 0-255: what a network sees."""

FOLDER_VARIABLE = "FACEAUTH_MINIFASNET_WEIGHTS"

INPUT_SIDE = 80
LIVE_CLASS = 1  # 0 = spoof (flat), 1 = live, 2 = spoof (other)

CROP_SIDE = 118
"""Side of the crop: its centre of 80 pixels is then 80 / 118 x 4.0 = 2.71 box sides wide, what MiniFASNetV2 expects."""

SIGNATURE = Signature(
    inputs={"input": ("float", (None, 3, INPUT_SIDE, INPUT_SIDE))}, outputs={"logits": ("float", (None, 3))}
)

PINS: Mapping[str, tuple[int, str]] = {
    "MiniFASNetV2_2.7_80.onnx": (1744193, "587010426893b9dab5b8016b5a588cf5b2ce4efc50e7e9aae289b0735a13d802"),
    "MiniFASNetV1SE_4.0_80.onnx": (1743361, "444c722a84d7c140263cb7cccef2c9f717333709831147e89b42ed05a8491bb8"),
}
"""File -> size in bytes and sha256: MiniFASNetV2 first, then MiniFASNetV1SE."""


class MiniFASNet:
    """The mean of MiniFASNetV2's and MiniFASNetV1SE's P(live).

    Upstream feeds each network its own cut, 2.7 and 4.0 box sides wide. This backend asks for one square of 4.0 and
    cuts 2.7 out of its centre. The README says how that differs from upstream and what it was measured to cost.

    It has no operating points: name a threshold.

    Args:
        weights_dir: folder of the two files; without it the environment variable ``FACEAUTH_MINIFASNET_WEIGHTS``.
        threads: threads inside an operator.
        providers: onnxruntime execution providers, in order of preference, all of which have to be there.

    Raises:
        WeightsMissing: no folder is named, or a file is not in it.
        WeightsMismatch: a file is not the pinned one.
        ProviderUnavailable: a provider is not installed.
    """

    api_version = API_VERSION
    crop = CropSpec(size_wh=(CROP_SIDE, CROP_SIDE), scale=4.0, kind="square", color="bgr")
    operating_points: OperatingPoints | None = None

    def __init__(
        self,
        *,
        weights_dir: str | os.PathLike[str] | None = None,
        threads: int = 1,
        providers: Sequence[str] = CPU,
    ) -> None:
        folder = _folder(weights_dir)
        self.weights_sha256 = {name: digest for name, (_, digest) in PINS.items()}
        self._sessions: tuple[Session, ...] = tuple(
            open_session(_weights(folder, name), signature=SIGNATURE, threads=threads, providers=providers)
            for name in PINS
        )

    def score(self, crops: Crops) -> Scores:
        """P(live) of each crop.

        Args:
            crops: uint8, N x 118 x 118 x 3, BGR, 0-255, cut by ``faceauth.cropping.square`` for ``self.crop``.

        Returns:
            float32, N, in [0, 1], in the same order; empty for N = 0.
        """
        if len(crops) == 0:
            return np.empty(0, np.float32)
        return self.score_inputs(*inputs(crops))

    def score_inputs(self, v2: Planes, v1se: Planes) -> Scores:
        """P(live) from what each network sees of the same faces: float32, N x 3 x 80 x 80, BGR, 0-255, N > 0."""
        probabilities = [
            _softmax(session.run(["logits"], {"input": pixels})[0])[:, LIVE_CLASS]
            for session, pixels in zip(self._sessions, (v2, v1se), strict=True)
        ]
        mean: Scores = np.mean(probabilities, axis=0, dtype=np.float32)
        return mean


def inputs(crops: Crops) -> tuple[Planes, Planes]:
    """What MiniFASNetV2 and MiniFASNetV1SE see of the crops; N > 0.

    V2 sees the centre pixel by pixel; V1SE the whole, resized as upstream does it (bilinear, no smoothing).
    """
    margin = (CROP_SIDE - INPUT_SIDE) // 2
    centre = crops[:, margin : margin + INPUT_SIDE, margin : margin + INPUT_SIDE]
    whole = np.stack([cv2.resize(np.ascontiguousarray(crop), (INPUT_SIDE, INPUT_SIDE)) for crop in crops])
    return planes(centre), planes(np.asarray(whole, np.uint8))


def planes(pixels: npt.NDArray[np.uint8]) -> Planes:
    """Pixels uint8, N x 80 x 80 x 3, BGR, as a network takes them."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _folder(weights_dir: str | os.PathLike[str] | None) -> Path:
    named = weights_dir if weights_dir is not None else os.environ.get(FOLDER_VARIABLE)
    if not named:
        raise WeightsMissing(
            f"minifasnet needs the folder of {' and '.join(PINS)}: set the option weights_dir or the environment "
            f"variable {FOLDER_VARIABLE}. Nothing is downloaded; the README of faceauth-minifasnet names their origin.",
            path=Path(),
        )
    return Path(named)


def _weights(folder: Path, name: str) -> Weights:
    path = folder / name
    if not path.is_file():
        raise WeightsMissing(
            f"{path} is not there. minifasnet needs {' and '.join(PINS)} in the folder that weights_dir or "
            f"{FOLDER_VARIABLE} names; the README of faceauth-minifasnet names their origin.",
            path=path,
        )
    size, digest = PINS[name]
    return Weights(
        name=name,
        path=path,
        size=size,
        sha256=digest,
        licence="Apache-2.0",
        origin="minivision-ai/Silent-Face-Anti-Spoofing",
        use="liveness; trained on data that was not published",
    )

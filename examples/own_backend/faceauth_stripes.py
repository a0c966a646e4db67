"""P(live) by the absence of stripes. A teaching example: it sees a coarse moire, nothing else, and protects nobody."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from faceauth.stages import API_VERSION, Crops, CropSpec, Scores


class Stripes:
    """Low where one fine pattern stands out of the spectrum, as it does where the grid of a screen causes moire."""

    api_version = API_VERSION
    crops = (CropSpec(size_wh=(128, 128), scale=1.5, kind="square", color="bgr"),)
    weights_sha256: ClassVar[dict[str, str]] = {}
    operating_points = None  # nothing was measured, so its user names a threshold

    def score(self, crops: Sequence[Crops]) -> Scores:
        """P(live) of each face: 10 / (10 + peak over median of the spectrum's fine part)."""
        (squares,) = crops
        if len(squares) == 0:
            return np.empty(0, np.float32)
        spectrum = np.abs(np.fft.rfft2(squares.mean(axis=3) * np.hanning(128)[:, None] * np.hanning(128)))
        fine = spectrum[:, 24:-24, 24:]  # (N, 80, 41): 24 waves a crop and more
        peak = fine.max(axis=(1, 2)) / np.maximum(np.median(fine, axis=(1, 2)), 1e-6)
        return (10 / (10 + peak)).astype(np.float32)

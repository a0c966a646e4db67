"""The built-in detector, YuNet.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector" (2023); the weights are the OpenCV Zoo's. Input sizes and
defaults were measured with ``python -m benchmarks.detection_recall``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.errors import UsageError
from faceauth.results import Face
from faceauth.stages import API_VERSION, Image
from faceauth.weights.cards import ModelCard
from faceauth.weights.onnx_session import CPU, Signature, open_session
from faceauth.weights.store import PinnedModel

STRIDES = (8, 16, 32)
GRID = max(STRIDES)
NMS_IOU = 0.3  # OpenCV's FaceDetectorYN and the authors' own; chosen, not measured
LARGEST_FACE = 300  # pixels the network sees; the OpenCV Zoo says it was trained on faces of about 10 to 300
COARSE_SIDE = 256  # longest side of the second look; 224 and 320 did no better
OVERLAP = 0.8  # the second look keeps faces of at least this share of LARGEST_FACE, so that none falls between the two

Rows = npt.NDArray[np.float32]
"""N x 15: score, left, top, right, bottom, then x and y of the five landmarks."""

_NONE = np.empty((0, 15), np.float32)

SIGNATURE = Signature(
    inputs={"input": ("float", (1, 3, None, None))},
    outputs={
        f"{head}_{stride}": ("float", (1, None, width))
        for head, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
        for stride in STRIDES
    },
)


class YuNet:
    """The built-in detector.

    The image is shrunk (never enlarged) until its longer side is ``longest_side`` and padded to whole grid cells. Of
    faces that then still exceed 300 pixels YuNet misses a quarter and makes the boxes of others too small, so where
    such a face would have room, a second, coarse look finds those; it costs a sixth of the first.

    Args:
        score_threshold: faces below it are not returned, in [0, 1].
        longest_side: pixels of the longer side that the network sees.
        threads: threads inside an operator.
        providers: onnxruntime execution providers, all of which have to be there.
        weights_folder: folder with weights of your own; None for the built-in weights.

    Raises:
        WeightsError, ProviderUnavailable: see :func:`faceauth.weights.onnx_session.open_session`.
        UsageError: an option is out of its range.
    """

    api_version = API_VERSION

    def __init__(
        self,
        *,
        score_threshold: float = 0.7,
        longest_side: int = 640,
        threads: int = 1,
        providers: Sequence[str] = CPU,
        weights_folder: str | Path | None = None,
    ) -> None:
        if not 0.0 <= score_threshold <= 1.0 or longest_side < GRID:
            raise UsageError(
                f"YuNet needs a score_threshold in [0, 1] and a longest_side of at least {GRID}, "
                f"not {score_threshold} and {longest_side}."
            )
        model = PinnedModel("yunet", ModelCard, weights_folder)
        self._session = open_session(
            model.weights("network"), signature=SIGNATURE, threads=threads, providers=providers, weight_only=True
        )
        self.weights_sha256 = model.digests("network")
        self._score_threshold = score_threshold
        self._longest_side = longest_side

    def detect(self, image: Image) -> list[Face]:
        """Faces of one image, best first.

        Args:
            image: uint8, H x W x 3, BGR, upright.

        Returns:
            Faces with score >= ``score_threshold``, in pixels of ``image``; empty when there is none.
        """
        fine = _shrunk(image, self._longest_side)
        rows = self._look(fine)
        if max(fine.shape[:2]) > LARGEST_FACE:
            # Linear costs 0.6 ms less than by area, and one more face of 1,040.
            coarse = _shrunk(fine, COARSE_SIDE, interpolation=cv2.INTER_LINEAR)
            large = _rescaled(self._look(coarse), coarse, fine)
            rows = np.concatenate([rows[_longer(rows) < LARGEST_FACE], large[_longer(large) >= OVERLAP * LARGEST_FACE]])
        return [_face(row) for row in _rescaled(_without_duplicates(rows), fine, image)]

    def _look(self, image: Image) -> Rows:
        """Candidates in a image that the network takes as it is, in its pixels, with duplicates."""
        height, width = image.shape[:2]
        net_height, net_width = height + -height % GRID, width + -width % GRID
        planes = np.zeros((1, 3, net_height, net_width), np.float32)
        planes[0, :, :height, :width] = image.transpose(2, 0, 1)  # ten times as fast as cv2.dnn.blobFromImage
        outputs = self._session.run(list(SIGNATURE.outputs), {"input": planes})
        heads = dict(zip(SIGNATURE.outputs, outputs, strict=True))
        return np.concatenate([_decode(heads, stride, net_width, self._score_threshold) for stride in STRIDES])


def _shrunk(image: Image, longest_side: int, *, interpolation: int = cv2.INTER_AREA) -> Image:
    """The image with its longer side at most ``longest_side``; never enlarged."""
    height, width = image.shape[:2]
    scale = longest_side / max(height, width)
    if scale >= 1.0:
        return image
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size_wh, interpolation=interpolation), np.uint8)


def _rescaled(rows: Rows, seen: Image, original: Image) -> Rows:
    """Rows in pixels of ``original`` instead of ``seen``, the same image at another size."""
    rows = rows.copy()
    rows[:, 1::2] *= original.shape[1] / seen.shape[1]
    rows[:, 2::2] *= original.shape[0] / seen.shape[0]
    return rows


def _decode(heads: Mapping[str, npt.NDArray[np.float32]], stride: int, width: int, score_threshold: float) -> Rows:
    """Candidates of one stride in pixels of the network's input, which is ``width`` pixels wide."""
    score = np.sqrt(heads[f"cls_{stride}"][0, :, 0] * heads[f"obj_{stride}"][0, :, 0])  # both are sigmoids
    (cells,) = np.nonzero(score >= score_threshold)
    if not len(cells):  # of most strides, and of nearly all when the face is turned
        return _NONE
    corner = np.stack([cells % (width // stride), cells // (width // stride)], axis=1)
    box = heads[f"bbox_{stride}"][0, cells]
    centre, half = corner + box[:, :2], np.exp(box[:, 2:]) / 2
    points = heads[f"kps_{stride}"][0, cells].reshape(-1, 5, 2) + corner[:, None]
    geometry = np.concatenate([centre - half, centre + half, points.reshape(-1, 10)], axis=1) * stride
    return np.column_stack([score[cells], geometry]).astype(np.float32)


def _longer(rows: Rows) -> npt.NDArray[np.float32]:
    return np.asarray((rows[:, 3:5] - rows[:, 1:3]).max(axis=1), np.float32)


def _without_duplicates(rows: Rows) -> Rows:
    """Non-maximum suppression; best first."""
    boxes_xywh = np.column_stack([rows[:, 1:3], rows[:, 3:5] - rows[:, 1:3]])
    kept = cv2.dnn.NMSBoxes(boxes_xywh.tolist(), rows[:, 0].tolist(), 0.0, NMS_IOU)
    return rows[np.asarray(kept, np.intp).reshape(-1)]


def _face(row: npt.NDArray[np.float32]) -> Face:
    score, left, top, right, bottom, *points = (float(value) for value in row)
    eye_r, eye_l, nose, mouth_r, mouth_l = zip(points[::2], points[1::2], strict=True)
    return Face(
        box_xyxy=(left, top, right, bottom),
        score=score,
        landmarks_px=(eye_r, eye_l, nose, mouth_r, mouth_l),
    )

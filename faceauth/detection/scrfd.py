"""A detector for SCRFD models, through the insightface package. It never downloads.

insightface's pretrained packs are for
NON-COMMERCIAL RESEARCH only; a model of your own has your own terms.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from faceauth.errors import BackendBroken, UsageError
from faceauth.results import Face
from faceauth.stages import API_VERSION, Image
from faceauth.weights.insightface_models import LICENCE_NOTICE, STORE, ModelSource, open_model
from faceauth.weights.onnx_session import CPU


class Scrfd:
    """SCRFD (Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", 2021).

    Args:
        model: path of an ONNX file.
        pack: instead of ``model``, a pack in insightface's store, such as ``buffalo_l``: it has to be there already,
            and is for non-commercial research only.
        root: insightface's store.
        sha256: digest that the file has to have; None records the one it has.
        det_size: width and height that images are fitted into before the network sees them.
        threshold: smallest score of a face, in [0, 1].
        providers: onnxruntime execution providers, all of which have to start.
        threads: threads inside an operator.

    Attributes:
        licence_notice: the terms of insightface's packs, for whoever shows the choice to a user.

    Raises:
        BackendBroken: insightface is absent or too old, or the file is not an SCRFD model with landmarks.
        UsageError: options that contradict each other, or a ``det_size`` that the file does not have.
        WeightsMissing, WeightsMismatch: the file does not exist, or is not the pinned one.
        ProviderUnavailable: a provider is not installed.
    """

    api_version = API_VERSION
    licence_notice = LICENCE_NOTICE

    def __init__(
        self,
        *,
        model: str | None = None,
        pack: str | None = None,
        root: str = STORE,
        sha256: str | None = None,
        det_size: Sequence[int] = (640, 640),
        threshold: float = 0.5,
        providers: Sequence[str] = CPU,
        threads: int = 1,
    ) -> None:
        if not 0 <= threshold <= 1 or len(det_size) != 2 or min(det_size) < 32:
            raise UsageError(
                f"threshold has to be in [0, 1] and det_size two sides of at least 32 px, not {threshold}, {det_size}."
            )
        opened = open_model("detection", ModelSource(model, pack, root, sha256), providers=providers, threads=threads)
        self.weights_sha256 = {opened.path.name: opened.sha256}
        self._model = opened.model
        self._size_wh = (det_size[0], det_size[1])
        if not self._model.use_kps:
            raise BackendBroken(f"{opened.path} finds no landmarks: take a model with key points.", name="scrfd")
        if self._model.static_input_size not in (None, self._size_wh):
            raise UsageError(f"{opened.path} is made for det_size {self._model.static_input_size}, not {det_size}.")
        self._model.prepare(0, input_size=self._size_wh, det_thresh=threshold)

    def detect(self, image: Image) -> list[Face]:
        """Faces of one image, best first.

        Args:
            image: uint8, H x W x 3, BGR.
        """
        shorter, longer = sorted(image.shape[:2])
        if longer > shorter * min(self._size_wh):  # insightface would shrink the shorter side to nothing
            return []
        boxes, landmarks = self._model.detect(np.ascontiguousarray(image))
        faces = zip(boxes, landmarks, strict=True)
        return [_face(box, points) for box, points in faces if box[0] < box[2] and box[1] < box[3]]


def _face(box: Any, points: Any) -> Face:
    left, top, right, bottom, score = (float(value) for value in box)
    right_eye, left_eye, nose, right_mouth, left_mouth = ((float(x), float(y)) for x, y in points)
    return Face(
        box_xyxy=(left, top, right, bottom),
        score=min(score, 1.0),
        landmarks_px=(right_eye, left_eye, nose, right_mouth, left_mouth),
    )

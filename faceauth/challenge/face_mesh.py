"""Finds the 468 points of MediaPipe's face mesh in an image of a face. Needs the extra ``challenge``."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from faceauth.cropping.levelled import levelled_crop
from faceauth.errors import BackendBroken, WeightsMismatch
from faceauth.results import Face
from faceauth.stages import Image, MeshPoints
from faceauth.weights.cards import ModelCard
from faceauth.weights.store import PinnedModel

CROP_SCALE = 1.5
"""Side of the crop / longer side of YuNet's face box: MediaPipe's own enlargement of its detector's box, which is of
about the same size."""

SIDE_PX = 192
N_POINTS = 468

MIN_PRESENCE = 0.0
"""Logit of "this is a face" that the network has to reach: MediaPipe's own limit, P = 0.5."""


class FaceMesh:
    """Finds the mesh of one face at a time; several threads may share it.

    Args:
        weights_folder: folder with your own weights; None for the built-in file.

    Attributes:
        weights_sha256: file name -> digest.

    Raises:
        BackendBroken: LiteRT is not installed.
        WeightsMissing, WeightsMismatch: the file does not exist, or is not the pinned one or another network.
    """

    def __init__(self, weights_folder: Path | str | None = None) -> None:
        model = PinnedModel("mesh", ModelCard, weights_folder)
        weights = model.weights("network")
        self.weights_sha256: Mapping[str, str] = model.digests("network")
        self._network = _interpreter(weights.read())
        self._lock = threading.Lock()
        self._input = self._network.get_input_details()[0]
        outputs = {int(np.prod(output["shape"])): output["index"] for output in self._network.get_output_details()}
        if tuple(self._input["shape"]) != (1, SIDE_PX, SIDE_PX, 3) or not {3 * N_POINTS, 1} <= set(outputs):
            found = f"input {tuple(self._input['shape'])}, outputs of {sorted(outputs)} numbers"
            expected = f"input (1, {SIDE_PX}, {SIDE_PX}, 3), outputs of [1, {3 * N_POINTS}] numbers"
            raise WeightsMismatch(
                f"{weights.path} is not a face mesh: {found}; expected {expected}.",
                path=weights.path,
                found=found,
                expected=expected,
            )
        self._points, self._presence = outputs[3 * N_POINTS], outputs[1]

    def points(self, image: Image, face: Face) -> MeshPoints | None:
        """The mesh of ``face`` in pixels of ``image``; None where the network sees no face there."""
        crop, to_image = levelled_crop(image, face, scale=CROP_SCALE, side_px=SIDE_PX)
        with self._lock:
            self._network.set_tensor(self._input["index"], (crop[None, :, :, ::-1] / 255).astype(np.float32))
            self._network.invoke()
            presence = float(self._network.get_tensor(self._presence).item())
            found = self._network.get_tensor(self._points).reshape(N_POINTS, 3).astype(np.float64)
        if not presence >= MIN_PRESENCE or not np.isfinite(found).all():
            return None
        zoom = float(np.hypot(*to_image[:, 0]))
        return np.column_stack([found[:, :2] @ to_image[:, :2].T + to_image[:, 2], zoom * found[:, 2]])


def _interpreter(content: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise BackendBroken(
            "Challenges need the face mesh, and LiteRT, which runs it, is not installed: `pip install "
            "'faceauth[challenge]'`.",
            name="mesh",
        ) from error
    network = Interpreter(model_content=content, num_threads=1)
    network.allocate_tensors()
    return network

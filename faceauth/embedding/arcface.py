"""An embedder for ArcFace models, through the insightface package. It never downloads.

insightface's pretrained packs are for NON-COMMERCIAL
RESEARCH only; a model of your own has your own terms.
"""

from collections.abc import Sequence

import numpy as np

from faceauth.errors import BackendBroken, UsageError
from faceauth.stages import API_VERSION, Crops, CropSpec, Scores
from faceauth.thresholds import MatchPoints
from faceauth.weights.insightface_models import LICENCE_NOTICE, STORE, ModelSource, open_model
from faceauth.weights.onnx_session import CPU


class ArcFace:
    """ArcFace (Deng et al., "Additive Angular Margin Loss for Deep Face Recognition", 2019) and models used like it.

    No match points come with it: the false-match rate depends on the file, so name a threshold that you measured.

    Args:
        model: path of an ONNX file.
        pack: instead of ``model``, a pack in insightface's store, such as ``buffalo_l``: it has to be there already,
            and is for non-commercial research only.
        root: insightface's store.
        sha256: digest that the file has to have; None records the one it has.
        providers: onnxruntime execution providers, all of which have to start.
        threads: threads inside an operator.

    Attributes:
        model_id: from the file's digest, so that templates of two files are never compared.
        licence_notice: the terms of insightface's packs, for whoever shows the choice to a user.

    Raises:
        BackendBroken: insightface is absent or too old, or the file is not a recognition model.
        UsageError: options that contradict each other, or a model for another crop size.
        WeightsMissing, WeightsMismatch: the file does not exist, or is not the pinned one.
        ProviderUnavailable: a provider is not installed.
    """

    api_version = API_VERSION
    crop = CropSpec(size_wh=(112, 112), scale=1.0, kind="arcface", color="bgr")
    licence_notice = LICENCE_NOTICE
    match_points: MatchPoints | None = None

    def __init__(
        self,
        *,
        model: str | None = None,
        pack: str | None = None,
        root: str = STORE,
        sha256: str | None = None,
        providers: Sequence[str] = CPU,
        threads: int = 1,
    ) -> None:
        opened = open_model("recognition", ModelSource(model, pack, root, sha256), providers=providers, threads=threads)
        self.weights_sha256 = {opened.path.name: opened.sha256}
        self.model_id = f"arcface-sha256-{opened.sha256}"
        self._model = opened.model
        if self._model.input_size != self.crop.size_wh:
            raise UsageError(f"{opened.path} wants crops of {self._model.input_size}, not of {self.crop.size_wh}.")
        probe = self._features(np.zeros((1, 112, 112, 3), np.uint8))
        if probe.ndim != 2:
            raise BackendBroken(f"{opened.path} answers with shape {probe.shape}, not N x D.", name="arcface")
        self._dimensions = probe.shape[1]

    def embed(self, crops: Crops) -> Scores:
        """Embeddings of aligned faces.

        Args:
            crops: uint8, N x 112 x 112 x 3, BGR, 0-255.

        Returns:
            float32, N x D, rows of unit length; D is the model's.
        """
        if len(crops) == 0:
            return np.empty((0, self._dimensions), np.float32)
        features = self._features(crops)
        embeddings: Scores = features / np.linalg.norm(features, axis=1, keepdims=True)
        return embeddings

    def _features(self, crops: Crops) -> Scores:
        pixels = [np.ascontiguousarray(crop) for crop in crops]
        if isinstance(self._model.input_shape[0], int):  # a file made for one crop at a time
            rows = [self._model.get_feat(crop) for crop in pixels]
            return np.concatenate(rows).astype(np.float32, copy=False)
        return np.asarray(self._model.get_feat(pixels), np.float32)

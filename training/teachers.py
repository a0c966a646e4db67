"""Teachers: soft liveness scores of other projects' models, for distillation. Their weights are never shipped.

Each teacher sees the picture as its own project prepares it; only what it saw leaves this module.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort

from faceauth.errors import UsageError

Box = tuple[float, float, float, float]
LOGIT_LIMIT = 8.0

# All three are MiniFASNets: their files name these layers alike.
MAP = "/conv_5/model/model.1/Add_output_0"  # the last residual block: 128 x 5 x 5, of facenox 128 x 8 x 8
EMBEDDING = "/bn/BatchNormalization_output_0"  # what their last layer reads: 128
HINT_CHANNELS = 128
MAP_SIDE = 5  # larger maps are averaged down to it


class Answers(NamedTuple):
    """What three teachers see in N views.

    Attributes:
        logits: of live, float32, (N, 3), within +-``LOGIT_LIMIT``.
        embeddings: float32, (N, 3, 128).
        maps: float32, (N, 3, 128, 5, 5).
    """

    logits: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.float32]
    maps: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Teacher:
    """How to run one foreign model: file, crop scale, input side, and which logit means live."""

    file: str
    scale: float
    side: int
    live: int
    reflect: bool

    def open(self, folder: Path, threads: int = 1) -> ort.InferenceSession:
        """A CPU session of this teacher's file in ``folder``: logits, then ``EMBEDDING`` and ``MAP``.

        Raises:
            UsageError: the file is damaged, or its layers have other names.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            model = onnx.load(folder / self.file)
            model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in (EMBEDDING, MAP))
            return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # protobuf's and onnxruntime's have no base of their own in common
            raise UsageError(
                f"{folder / self.file} is no such teacher ({str(error).splitlines()[0]}): export it from PyTorch "
                "with its own names of layers, as training/README.md says."
            ) from error

    def prepare(self, image: npt.NDArray[np.uint8], box_xyxy: Box) -> npt.NDArray[np.float32]:
        """float32, 3 x side x side, as the model's own project makes it."""
        return self.input_of((_reflected_square if self.reflect else _inside_box)(image, box_xyxy, self.scale))

    def input_of(self, crop: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """float32, 3 x side x side, of a crop that is made already: uint8, H x W x 3, BGR."""
        if self.reflect:
            interpolation = cv2.INTER_AREA if crop.shape[0] > self.side else cv2.INTER_LANCZOS4
            square = np.asarray(cv2.resize(crop, (self.side,) * 2, interpolation=interpolation), np.uint8)
            return np.ascontiguousarray(square[..., ::-1].transpose(2, 0, 1), np.float32) / np.float32(255)
        square = np.asarray(cv2.resize(crop, (self.side,) * 2), np.uint8)
        return np.ascontiguousarray(square.transpose(2, 0, 1), np.float32)


TEACHERS = {
    "minifasnet_v2": Teacher("MiniFASNetV2_2.7_80.onnx", scale=2.7, side=80, live=1, reflect=False),
    "minifasnet_v1se": Teacher("MiniFASNetV1SE_4.0_80.onnx", scale=4.0, side=80, live=1, reflect=False),
    "facenox": Teacher("facenox_98.20.onnx", scale=1.5, side=128, live=0, reflect=True),
}


def refuse_missing_files(folder: Path) -> None:
    """Before anything is trained or prepared, rather than in the first batch.

    Raises:
        UsageError: ``folder`` lacks a teacher's file.
    """
    missing = [teacher.file for teacher in TEACHERS.values() if not (folder / teacher.file).is_file()]
    if missing:
        raise UsageError(f"{folder} lacks {', '.join(missing)}: give the folder that holds the teachers' files.")


def digests_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each teacher's file in ``folder``."""
    return {name: hashlib.sha256((folder / t.file).read_bytes()).hexdigest() for name, t in TEACHERS.items()}


class Panel:
    """All teachers, asked about views.

    Distillation by matching functions (Beyer et al. 2022): the teachers see what the student sees, so that a few
    thousand pictures say as much about them as there are views.
    """

    def __init__(self, folder: Path) -> None:
        self._opened = [(teacher, teacher.open(folder)) for teacher in TEACHERS.values()]

    def ask(self, views: Sequence[npt.NDArray[np.uint8]]) -> Answers:
        """Answers to views: uint8, side x side x 3, BGR."""
        parts = []
        for teacher, session in self._opened:
            crops = np.stack([teacher.input_of(view) for view in views])
            outputs, embedding, maps = session.run(None, {session.get_inputs()[0].name: crops})
            parts.append((live_logits(outputs, teacher.live), embedding, _small(maps)))
        return Answers(*(np.stack(part, axis=1) for part in zip(*parts, strict=True)))


def live_logits(outputs: npt.NDArray[np.float32], live: int) -> npt.NDArray[np.float32]:
    """Log of P(live) / P(not live) of softmax logits, float32, N, clipped to +-8: beyond it they are all "certain"."""
    outputs = outputs.astype(np.float64)
    rest = np.delete(outputs, live, axis=1)
    top = rest.max(axis=1, keepdims=True)
    other = top[:, 0] + np.log(np.exp(rest - top).sum(axis=1))
    return np.asarray(np.clip(outputs[:, live] - other, -LOGIT_LIMIT, LOGIT_LIMIT), np.float32)


def _small(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Maps of N x C x side x side, averaged by area to ``MAP_SIDE``."""
    edges = np.linspace(0, maps.shape[-1], MAP_SIDE + 1)
    cells = np.arange(maps.shape[-1])
    overlap = (np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)).clip(0)
    weights = (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(weights @ maps @ weights.T, np.float32)


def _inside_box(image: npt.NDArray[np.uint8], box_xyxy: Box, scale: float) -> npt.NDArray[np.uint8]:
    """The crop of minivision: the scaled box, shrunk to what the picture holds and shifted inside it."""
    height, width = image.shape[:2]
    left, top, right, bottom = box_xyxy
    box_w, box_h = right - left, bottom - top
    scale = min(scale, (height - 1) / box_h, (width - 1) / box_w)
    new_w, new_h = box_w * scale, box_h * scale
    x0 = min(max((left + right) / 2 - new_w / 2, 0), width - 1 - new_w)
    y0 = min(max((top + bottom) / 2 - new_h / 2, 0), height - 1 - new_h)
    return image[int(y0) : int(y0 + new_h) + 1, int(x0) : int(x0 + new_w) + 1]


def _reflected_square(image: npt.NDArray[np.uint8], box_xyxy: Box, scale: float) -> npt.NDArray[np.uint8]:
    """The crop of facenox: a square around the box, mirrored (without the edge pixel) where it leaves the picture."""
    height, width = image.shape[:2]
    left, top, right, bottom = box_xyxy
    side = max(2, int(max(right - left, bottom - top) * scale))
    x0, y0 = int((left + right) / 2 - side / 2), int((top + bottom) / 2 - side / 2)
    pads = max(-y0, 0), max(y0 + side - height, 0), max(-x0, 0), max(x0 + side - width, 0)
    padded = cv2.copyMakeBorder(image, *pads, borderType=cv2.BORDER_REFLECT_101)
    x0, y0 = x0 + pads[2], y0 + pads[0]
    return np.asarray(padded[y0 : y0 + side, x0 : x0 + side], np.uint8)

"""Teachers: other projects' models, whose scores of views are distilled. Their weights are never shipped."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from faceauth.errors import UsageError
from faceauth.stages import Image

LOGIT_LIMIT = 8.0  # beyond it they are all "certain"
ASKED_AT_ONCE = 4  # views; the activations of a whole batch fall out of the cache and take a quarter longer a view


@dataclass(frozen=True)
class Teacher:
    """How to run a foreign model.

    Attributes:
        file: its name.
        side: of its input in pixels.
        live: which of its logits means live.
        rgb: whether it wants RGB in 0 to 1, shrunk by area, rather than BGR in 0 to 255.
    """

    file: str
    side: int
    live: int
    rgb: bool

    def open(self, folder: Path) -> ort.InferenceSession:
        """A session of this teacher's file in ``folder``, on one thread.

        Raises:
            UsageError: the file is damaged.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            return ort.InferenceSession(folder / self.file, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise UsageError(
                f"{folder / self.file} is not the expected teacher ({str(error).splitlines()[0]}): give the file that "
                "training/README.md names."
            ) from error

    def input_of(self, view: Image) -> npt.NDArray[np.float32]:
        """float32, 3 x side x side, of a view: uint8, H x W x 3, BGR."""
        if self.rgb:
            interpolation = cv2.INTER_AREA if view.shape[0] > self.side else cv2.INTER_LANCZOS4
            square = np.asarray(cv2.resize(view, (self.side,) * 2, interpolation=interpolation), np.uint8)
            return np.ascontiguousarray(square[..., ::-1].transpose(2, 0, 1), np.float32) / np.float32(255)
        square = np.asarray(cv2.resize(view, (self.side,) * 2), np.uint8)
        return np.ascontiguousarray(square.transpose(2, 0, 1), np.float32)


TEACHERS = {
    "minifasnet_v2": Teacher("MiniFASNetV2_2.7_80.onnx", side=80, live=1, rgb=False),
    "minifasnet_v1se": Teacher("MiniFASNetV1SE_4.0_80.onnx", side=80, live=1, rgb=False),
    "facenox": Teacher("facenox_98.20.onnx", side=128, live=0, rgb=True),
}


def refuse_missing_files(folder: Path) -> None:
    """Checks before training starts, rather than in the first batch.

    Raises:
        UsageError: ``folder`` lacks a teacher's file.
    """
    missing = [teacher.file for teacher in TEACHERS.values() if not (folder / teacher.file).is_file()]
    if missing:
        raise UsageError(f"{folder} lacks {', '.join(missing)}: give the folder that holds the teachers' files.")


def teacher_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each teacher's file in ``folder``."""
    return {name: hashlib.sha256((folder / t.file).read_bytes()).hexdigest() for name, t in TEACHERS.items()}


class Teachers:
    """All teachers, opened.

    Raises:
        UsageError: as :meth:`Teacher.open`.
    """

    def __init__(self, folder: Path) -> None:
        self._opened = [(teacher, teacher.open(folder)) for teacher in TEACHERS.values()]

    def live_logits(self, views: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Live logit of each teacher within +-``LOGIT_LIMIT``: float32, (N, 3); views are square, uint8, BGR."""
        found = []
        for teacher, session in self._opened:
            name = session.get_inputs()[0].name
            inputs = [teacher.input_of(view) for view in views]
            parts = [inputs[begin : begin + ASKED_AT_ONCE] for begin in range(0, len(inputs), ASKED_AT_ONCE)]
            outputs = np.concatenate([session.run(None, {name: np.stack(part)})[0] for part in parts])
            found.append(live_logit(outputs, teacher.live))
        return np.stack(found, axis=1)


def live_logit(outputs: npt.NDArray[np.float32], live: int) -> npt.NDArray[np.float32]:
    """Log of P(live) / P(not live) of softmax logits (N, classes), clipped to +-``LOGIT_LIMIT``: float32, N."""
    outputs = outputs.astype(np.float64)
    rest = np.delete(outputs, live, axis=1)
    top = rest.max(axis=1, keepdims=True)
    other = top[:, 0] + np.log(np.exp(rest - top).sum(axis=1))
    return np.asarray(np.clip(outputs[:, live] - other, -LOGIT_LIMIT, LOGIT_LIMIT), np.float32)

"""A stage's call in, its checked answer out: within a time limit, or a ``ScoreError`` that names stage and backend.

Knows what each stage promises and nothing of what the answer means: it decides no verdict and repairs no value.
"""

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from textwrap import shorten
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from faceauth.errors import ScoreError, StageTimeout
from faceauth.results import Face, StageName
from faceauth.stages import Crop, CropSpec, Image, Scores

T = TypeVar("T")

logger = logging.getLogger("faceauth")

HUNG_CALLS_ALLOWED = 4
"""Calls of one stage that may hang at once before it is refused at the door: chosen, not measured."""

UNIT_LENGTH_TOLERANCE = 5e-4
"""Largest distance of an embedding's length from 1: chosen, not measured; half of what a ``Template`` allows."""

MESSAGE_LENGTH = 300
"""Characters of a stage's exception that a result repeats: chosen, not measured."""


LANDMARKS_WITHIN = 1.25
"""Half sides of the box, from its centre, within which the mean of the landmarks lies: liveness is judged by the box, a
match by the landmarks, so both must be of one face. Chosen; YuNet on 1,000 pictures of LFW and 400 of PAD data, and the
14,290 rows of the PAD manifest: 15,925 faces, at most 0.94."""


class ContractBroken(Exception):
    """A stage returned what its protocol does not allow; the message continues "The ... stage ..."."""


class Guard:
    """Runs the calls of one stage on threads of its own, so that a call that hangs can be left behind.

    A worker thread is reused from call to call; one that misses the limit is abandoned (Python cannot stop it) and
    ends when its call does. Several threads may call at once: each gets its own worker. While
    ``HUNG_CALLS_ALLOWED`` abandoned calls still run, further calls are refused.
    """

    def __init__(self, stage: StageName, backend: str, *, timeout_s: float) -> None:
        self.stage = stage
        self._name = f"The {stage} stage ({backend})"
        self._timeout_s = timeout_s
        self._idle: deque[_Worker] = deque()
        self._hung: set[_Worker] = set()
        weakref.finalize(self, _dismiss, self._idle)

    def call(self, function: Callable[[], T]) -> T:
        """What ``function()`` returns; it calls the stage and checks the answer.

        Raises:
            StageTimeout: it did not answer within the limit, or too many earlier calls still hang.
            ScoreError: it raised; the exception is the cause, and is logged with its traceback. SystemExit is no
                exception to this: a backend must not end the program, least of all with status 0, "accepted".
        """
        self._refuse_while_hanging()
        worker = self._take()
        try:
            value, error = worker.run(function, timeout_s=self._timeout_s)
        except Empty:
            self._hung.add(worker)
            worker.dismiss()
            raise self._timed_out(f"did not answer within {self._timeout_s:g} s") from None
        except BaseException:  # Ctrl-C while waiting: the call may run on, so its worker is not used again
            worker.dismiss()
            raise
        self._idle.append(worker)
        if error is None:
            return value
        if isinstance(error, KeyboardInterrupt):
            raise error
        said = str(error) if isinstance(error, ContractBroken) else f"failed: {type(error).__name__}: {_line(error)}"
        logger.error("%s %s", self._name, said, exc_info=error)
        raise ScoreError(f"{self._name} {said}", stage=self.stage) from error

    def _refuse_while_hanging(self) -> None:
        for worker in list(self._hung):
            if not worker.is_alive():
                self._hung.discard(worker)
        if len(self._hung) >= HUNG_CALLS_ALLOWED:
            raise self._timed_out(f"still hangs in {len(self._hung)} earlier calls")

    def _timed_out(self, what: str) -> StageTimeout:
        message = f"{self._name} {what}: look for what blocks it, or raise policy.stage_timeout_s."
        logger.error("%s", message)
        return StageTimeout(message, stage=self.stage)

    def _take(self) -> "_Worker":
        """An idle worker, or a new one where all are busy or did not survive a fork."""
        while True:
            try:
                worker = self._idle.pop()
            except IndexError:
                return _Worker(f"faceauth-{self.stage}")
            if worker.is_alive():
                return worker


class _Worker:
    """One daemon thread that runs one call at a time."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._thread = threading.Thread(target=_work, args=(self._tasks,), name=name, daemon=True)
        self._thread.start()

    def run(self, function: Callable[[], T], *, timeout_s: float) -> tuple[T, BaseException | None]:
        """The answer and the error of ``function()``; an answer without an error is valid, with one it is None.

        Raises:
            queue.Empty: no answer within the limit.
        """
        answer: SimpleQueue[Any] = SimpleQueue()  # one a call: a late answer never reaches the next call
        self._tasks.put((function, answer))
        return answer.get(timeout=timeout_s)  # type: ignore[no-any-return]

    def dismiss(self) -> None:
        """Let the thread end after the call it is in."""
        self._tasks.put(None)

    def is_alive(self) -> bool:
        return self._thread.is_alive()


_Task = tuple[Callable[[], object], "SimpleQueue[Any]"]


def _work(tasks: "SimpleQueue[_Task | None]") -> None:
    while (task := tasks.get()) is not None:
        function, answer = task
        try:
            answer.put((function(), None))
        except BaseException as error:
            answer.put((None, error))
        del task, function, answer  # or the pictures of this call would live until the next one


def _dismiss(idle: "deque[_Worker]") -> None:
    for worker in idle:
        worker.dismiss()


def check_faces(faces: object, image: Image) -> list[Face]:
    """The detector's answer, if it is a list of faces that touch the picture, each with its own landmarks.

    Raises:
        ContractBroken: it is not.
    """
    if not isinstance(faces, list) or not all(isinstance(face, Face) for face in faces):
        raise ContractBroken(f"returned {_kind(faces)}, expected a list of Face")
    height, width = image.shape[:2]
    try:
        checked = [Face.model_validate(dict(face)) for face in faces]  # a Face can be built past its own checks
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ContractBroken(f"returned a face whose {first['loc'][0]} is wrong: {first['msg']}") from error
    for face in checked:
        left, top, right, bottom = face.box_xyxy
        if not (left < min(right, width) and top < min(bottom, height) and right > 0 and bottom > 0):
            raise ContractBroken(f"returned the box {face.box_xyxy}, which holds nothing of {width} x {height} pixels")
        x, y = np.mean(face.landmarks_px, axis=0)
        reach_x, reach_y = LANDMARKS_WITHIN * face.width / 2, LANDMARKS_WITHIN * face.height / 2
        if abs(x - (left + right) / 2) > reach_x or abs(y - (top + bottom) / 2) > reach_y:
            raise ContractBroken(f"returned landmarks around ({x:.0f}, {y:.0f}) for the box {face.box_xyxy}")
    return checked


def check_crop(crop: object, spec: CropSpec) -> Crop:
    """The aligner's answer, if it is what ``spec`` asked for.

    Raises:
        ContractBroken: it is not.
    """
    if not isinstance(crop, Crop):
        raise ContractBroken(f"returned {_kind(crop)}, expected a Crop")
    width, height = spec.size_wh
    pixels = _check_array(crop.pixels, np.uint8, (height, width, 3))
    if not (0 <= crop.outside < 1 and 0 < crop.scale < float("inf")):
        raise ContractBroken(f"returned a crop with outside {crop.outside} and scale {crop.scale}")
    return Crop(pixels, crop.outside, crop.scale)


def check_p_live(p_live: object, n: int) -> Scores:
    """The liveness backend's answer, if it is one probability a crop.

    Raises:
        ContractBroken: it is not.
    """
    scores: Scores = _check_array(p_live, np.float32, (n,))
    if not ((scores >= 0) & (scores <= 1)).all():  # false for NaN
        raise ContractBroken(f"returned P(live) {scores.tolist()}, expected numbers in [0, 1]")
    return scores


def check_embeddings(embeddings: object, n: int) -> Scores:
    """The embedder's answer, if it is one row of unit length a crop.

    Raises:
        ContractBroken: it is not.
    """
    rows: Scores = _check_array(embeddings, np.float32, (n, None))
    lengths = np.linalg.norm(rows, axis=1)
    if not (np.abs(lengths - 1) <= UNIT_LENGTH_TOLERANCE).all():  # false for NaN
        raise ContractBroken(f"returned embeddings of length {lengths.tolist()}, expected 1")
    return rows


def _check_array(found: object, dtype: type[np.generic], shape: tuple[int | None, ...]) -> Any:
    if type(found) is not np.ndarray:  # a subclass can redefine every comparison; a masked array does
        raise ContractBroken(f"returned {_kind(found)}, expected a numpy array")
    fits = found.ndim == len(shape) and all(want in (None, have) for have, want in zip(found.shape, shape, strict=True))
    if found.dtype != dtype or not fits:
        wanted = " x ".join("D" if side is None else str(side) for side in shape)
        raise ContractBroken(
            f"returned {found.dtype} of shape {found.shape}, expected {np.dtype(dtype)} of shape {wanted}"
        )
    return found.copy()  # a stage may use its array again for the next call


def _line(error: BaseException) -> str:
    """What the error says, as one line that fits a message; the log has all of it."""
    return shorten(str(error), MESSAGE_LENGTH, placeholder=" ...")


def _kind(found: object) -> str:
    return f"{type(found).__module__}.{type(found).__qualname__}"

"""What a backend answered, checked against the contract of its stage and copied. Nothing is repaired."""

from typing import Any

import numpy as np
from pydantic import ValidationError

from faceauth.results import Face
from faceauth.stages import Image, Scores

UNIT_LENGTH_TOLERANCE = 5e-4
"""Largest distance of an embedding's length from 1: chosen, not measured; half of what a ``Template`` allows."""

LANDMARKS_WITHIN = 1.25
"""Half sides of the box, from its centre, within which the mean of the landmarks lies: liveness is judged by the box, a
match by the landmarks, so both must be of one face. Chosen; YuNet on 1,000 images of LFW and 400 of PAD data, and the
14,290 rows of the PAD manifest: 15,925 faces, at most 0.94."""


class ContractBroken(Exception):
    """A stage returned what its contract does not allow; the message continues "The ... stage ..."."""


def check_faces(faces: object, image: Image) -> list[Face]:
    """The detector's answer, if it is a list of faces that touch the image, each with its own landmarks.

    Raises:
        ContractBroken: it is not.
    """
    checked = _listed(faces)
    height, width = image.shape[:2]
    for face in checked:
        left, top, right, bottom = face.box_xyxy
        if not (left < min(right, width) and top < min(bottom, height) and right > 0 and bottom > 0):
            raise ContractBroken(f"returned the box {face.box_xyxy}, which lies outside the {width} x {height} image")
        x, y = np.mean(face.landmarks_px, axis=0)
        reach_x, reach_y = LANDMARKS_WITHIN * face.box_xyxy.width / 2, LANDMARKS_WITHIN * face.box_xyxy.height / 2
        # Written so that landmarks whose mean is not a number fail too.
        if not (abs(x - (left + right) / 2) <= reach_x and abs(y - (top + bottom) / 2) <= reach_y):
            raise ContractBroken(f"returned landmarks around ({x:.0f}, {y:.0f}) for the box {face.box_xyxy}")
    return checked


def best_score(faces: object) -> float:
    """The highest score of the detector's answer; 0 without a face. Where the faces lie is not looked at.

    Raises:
        ContractBroken: it is not a list of faces.
    """
    return max((face.score for face in _listed(faces)), default=0.0)


def _listed(faces: object) -> list[Face]:
    if not isinstance(faces, list) or not all(isinstance(face, Face) for face in faces):
        raise ContractBroken(f"returned {_kind(faces)}, expected a list of Face")
    try:
        return [Face.model_validate(dict(face)) for face in faces]  # a Face can be built past its own checks
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ContractBroken(f"returned a face whose {first['loc'][0]} is wrong: {first['msg']}") from error


def check_p_live(p_live: object, n: int) -> Scores:
    """The liveness backend's answer, if it is one probability a face.

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


def _kind(found: object) -> str:
    return f"{type(found).__module__}.{type(found).__qualname__}"

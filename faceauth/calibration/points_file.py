"""Points files: the operating points of a backend or of a mean of backends, bound to their weights by digest.

``faceauth calibrate`` writes them. Those of the combinations that the project measured itself lie in ``points/``.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from faceauth.calibration.logits import logit, sigmoid
from faceauth.errors import UsageError
from faceauth.thresholds import Frozen, OperatingPoints
from faceauth.trusted_files import read_trusted

SHIPPED = Path(__file__).parent / "points"

LARGEST_FILE = 2**20
"""Bytes; chosen: a points file has a few thousand."""


class MemberCalibration(Frozen):
    """One backend of a points file, and how its logit enters the mean.

    Attributes:
        name: of the backend, for people; the digests decide.
        weights_sha256: file name -> digest of the weights that were measured.
        slope, offset: calibrated logit = slope * logit(P(live)) + offset.
        weight: share in the mean, relative to the other members'.
    """

    name: str
    weights_sha256: dict[str, str]
    slope: float = Field(default=1.0, gt=0.0)
    offset: float = 0.0
    weight: float = Field(default=1.0, gt=0.0)


class PointsFile(Frozen):
    """The content of a points file.

    Attributes:
        members: one for a single backend, several for their mean.
        operating_points: on the P(live) of the backend, or of the mean.
        made_by: name and version of the program.
    """

    format: Literal[1] = 1
    members: tuple[MemberCalibration, ...] = Field(min_length=1)
    operating_points: OperatingPoints
    made_by: str

    def fits(self, weights_sha256: Mapping[str, Mapping[str, str]]) -> bool:
        """Whether these points were measured with exactly these backends (name -> file name -> digest)."""
        return same_backends({member.name: member.weights_sha256 for member in self.members}, weights_sha256)

    def calibration_of(self, name: str, weights_sha256: Mapping[str, str]) -> MemberCalibration:
        """The calibration of the member with this backend's weights; if several have them, of the one with its name."""
        backend = {name: weights_sha256}
        fitting = [one for one in self.members if same_backends({one.name: one.weights_sha256}, backend)]
        return next((one for one in fitting if one.name == name), fitting[0])


class LoadedPoints(Frozen):
    """A points file and its digest, which results echo."""

    content: PointsFile
    sha256: str


def read_points(path: Path) -> LoadedPoints:
    """Read a points file.

    Raises:
        UsageError: it cannot be read, or is not a points file.
    """
    try:
        content = read_trusted(path, called="points file", limit=LARGEST_FILE)
    except OSError as error:
        raise UsageError(
            f"The points file {path} cannot be read ({error.strerror}). Check the setting `points`."
        ) from None
    try:
        parsed = PointsFile.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(
            f"{path} is not a points file ({where}: {first['msg']}). Make one with `faceauth calibrate`."
        ) from None
    return LoadedPoints(content=parsed, sha256=hashlib.sha256(content).hexdigest())


def find_points(path: Path | None, weights: Mapping[str, Mapping[str, str]]) -> LoadedPoints | None:
    """The points for these backends: of the file that was named, else the shipped ones, else None.

    Args:
        path: of a points file; None looks among the shipped ones.
        weights: backend -> file name -> digest.

    Raises:
        UsageError: the named file cannot be read, or was made for other weights.
    """
    if path is not None:
        found = read_points(path)
        if not found.content.fits(weights):
            measured = ", ".join(member.name for member in found.content.members)
            raise UsageError(
                f"The points file {path} was made for {measured} with other weights than those of "
                f"{', '.join(weights)}. Make one with `faceauth calibrate`, or remove the setting `points`."
            )
        return found
    shipped = (read_points(file) for file in sorted(SHIPPED.glob("*.json")))
    return next((points for points in shipped if points.content.fits(weights)), None)


def mean_p_live(members: Sequence[MemberCalibration], p_live: Mapping[str, npt.ArrayLike]) -> npt.NDArray[np.float64]:
    """P(live) of the mean of the members' calibrated logits; of a single member its own.

    Args:
        members: no two with the same name.
        p_live: name of each member -> float, any shape, in [0, 1].
    """
    if len(members) == 1:
        return np.asarray(p_live[members[0].name], np.float64)
    logits = [member.slope * logit(p_live[member.name]) + member.offset for member in members]
    return sigmoid(np.average(logits, axis=0, weights=[member.weight for member in members]))


def same_backends(first: Mapping[str, Mapping[str, str]], second: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether two sets of backends have the same weights, whatever they are called and in whatever order.

    A backend without weights is known by its name alone.

    Args:
        first: name -> file name -> digest.
        second: likewise.
    """
    one, other = (
        sorted(sorted(digests.values()) or [name] for name, digests in backends.items()) for backends in (first, second)
    )
    return one == other

"""Camera profiles: a threshold for one camera, from how high live people score there.

Networks rank the images of an unfamiliar camera well, but their scores are shifted as a whole. A few live images show
by how much. What attacks score there, they cannot show.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from faceauth.calibration.logits import logit, sigmoid
from faceauth.calibration.points_file import LARGEST_FILE, same_backends
from faceauth.errors import UsageError
from faceauth.thresholds import Frozen, LivenessThreshold
from faceauth.trusted_files import read_trusted

MARGIN = 3.0
"""How far below the mean logit of a camera's live people the threshold lies. ``python -m benchmarks.camera_profile`` on
seven cameras of `val`, 20 images, raising only: mean HTER 10.4 -> 7.7 % with SpoofNet; 15.6 % with 1, 8.6 % with 4."""

FEWEST_IMAGES = 5
ENOUGH_IMAGES = 20
"""More images than this hardly change the profile; with fewer, the command says that they are few."""


class CameraProfile(Frozen):
    """The content of a camera profile.

    Attributes:
        camera: name, for people.
        weights_sha256: backend -> file name -> digest.
        mean_logit: mean logit of P(live) over the live images.
        n: number of images that drew a score.
        margin: the camera's threshold is ``sigmoid(mean_logit - margin)``.
        may_lower: whether the profile may also lower a threshold. By default it only raises.
        made_by: name and version of the program.
    """

    format: Literal[1] = 1
    camera: str
    weights_sha256: dict[str, dict[str, str]] = Field(min_length=1)
    mean_logit: float
    n: int = Field(ge=FEWEST_IMAGES)
    margin: float
    may_lower: bool
    made_by: str

    @property
    def threshold(self) -> float:
        """The camera's own threshold on P(live), in (0, 1)."""
        return float(sigmoid(self.mean_logit - self.margin))


class LoadedProfile(Frozen):
    """A camera profile and the digest of its file, which results echo."""

    content: CameraProfile
    sha256: str

    def applied(self, threshold: LivenessThreshold) -> LivenessThreshold:
        """``threshold`` moved for this camera; rates that were measured at another threshold are dropped."""
        own = self.content.threshold
        live = own if self.content.may_lower else max(threshold.live, own)
        moved = {"live": live, "attack": min(threshold.attack, live), "profile_sha256": self.sha256}
        if live != threshold.live:
            moved["measured"] = None
        return LivenessThreshold.model_validate({**dict(threshold), **moved})


def fit_profile(
    p_live: npt.ArrayLike,
    *,
    camera: str,
    weights_sha256: Mapping[str, Mapping[str, str]],
    made_by: str,
    margin: float = MARGIN,
    may_lower: bool = False,
) -> CameraProfile:
    """The profile of a camera from P(live), float, N, of images of live people taken with it.

    Raises:
        UsageError: fewer than ``FEWEST_IMAGES`` images.
    """
    logits = logit(p_live)
    if len(logits) < FEWEST_IMAGES:
        raise UsageError(
            f"{len(logits)} of the live images could be scored; a camera profile needs {FEWEST_IMAGES} or more. Take "
            "more photos with that camera, best of several people."
        )
    return CameraProfile(
        camera=camera,
        weights_sha256={name: dict(digests) for name, digests in weights_sha256.items()},
        mean_logit=float(np.mean(logits)),
        n=len(logits),
        margin=margin,
        may_lower=may_lower,
        made_by=made_by,
    )


def read_profile(path: Path, weights_sha256: Mapping[str, Mapping[str, str]]) -> LoadedProfile:
    """The camera profile in ``path``, for these backends (name -> file name -> digest).

    Raises:
        UsageError: it cannot be read, is not a camera profile, or was made for other weights.
    """
    try:
        content = read_trusted(path, called="camera profile", limit=LARGEST_FILE)
        parsed = CameraProfile.model_validate_json(content)
    except OSError as error:
        raise UsageError(
            f"The camera profile {path} cannot be read ({error.strerror}). Check the setting `camera_profile`."
        ) from None
    except ValidationError:
        raise UsageError(f"{path} is not a camera profile. Make one with `faceauth calibrate --live DIR`.") from None
    if not same_backends(parsed.weights_sha256, weights_sha256):
        raise UsageError(
            f"The camera profile {path} was made for other weights than those of {', '.join(weights_sha256)}. "
            "Make it again with `faceauth calibrate --live DIR`."
        )
    return LoadedProfile(content=parsed, sha256=hashlib.sha256(content).hexdigest())

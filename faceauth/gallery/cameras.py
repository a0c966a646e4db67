"""What enrolments recorded about a camera: the P(live) of live people, from which its profile is made.

A profile can only make later logins stricter. It belongs to the camera, not to a person, and can be reset.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import delete, insert, select

from faceauth.calibration.camera_profile import CameraProfile, fit_profile
from faceauth.errors import UsageError
from faceauth.gallery import tables
from faceauth.gallery.opened import Gallery
from faceauth.gallery.subjects import checked_name
from faceauth.results import Verification

MADE_BY = "faceauth enroll"


def add_levels(gallery: Gallery, camera: str, verifications: Iterable[Verification]) -> int:
    """Record the P(live) of the accepted images of an attended enrolment; returns how many there were.

    Whoever attends vouches that a live person sat at the camera: a recapture here would loosen nothing, since a
    profile only raises thresholds, but it would make the profile useless.
    """
    checked_name(camera)
    accepted = [one for one in verifications if one.accepted and one.liveness is not None]
    with gallery.change() as change:
        for one in accepted:
            assert one.liveness is not None
            change.connection.execute(
                insert(tables.camera_levels).values(
                    camera=camera, weights_sha256=_weights(one), p_live=one.liveness.p_live
                )
            )
        change.record("camera_levels_added", camera=camera, images=len(accepted))
    return len(accepted)


def profile_of(gallery: Gallery, camera: str) -> CameraProfile:
    """The profile of a camera, from everything recorded with the weights used last.

    Raises:
        UsageError: too few images were recorded, or the name is not valid.
    """
    table = tables.camera_levels
    checked_name(camera)
    with gallery.database.transaction() as connection:
        rows = connection.execute(select(table).where(table.c.camera == camera).order_by(table.c.id)).all()
    if not rows:
        raise UsageError(f"Nothing was recorded about the camera {camera!r}: enrol people with `--camera {camera}`.")
    weights = rows[-1].weights_sha256
    p_live = [row.p_live for row in rows if row.weights_sha256 == weights]
    return fit_profile(p_live, camera=camera, weights_sha256=json.loads(weights), made_by=MADE_BY, may_lower=False)


def write_profile(gallery: Gallery, camera: str, path: Path) -> CameraProfile:
    """Write the profile of a camera where the setting ``camera_profile`` can name it.

    Raises:
        UsageError: as :func:`profile_of`, or the file cannot be written.
    """
    profile = profile_of(gallery, camera)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(profile.model_dump_json(indent=1).encode() + b"\n")
        part.replace(path)
    except OSError as error:
        raise UsageError(f"The camera profile {path} cannot be written ({error.strerror}).") from None
    return profile


def cameras_known(gallery: Gallery) -> list[str]:
    """Cameras about which something was recorded."""
    table = tables.camera_levels
    with gallery.database.transaction() as connection:
        return sorted(connection.execute(select(table.c.camera).distinct()).scalars())


def reset_camera(gallery: Gallery, camera: str) -> None:
    """Delete everything that was recorded about a camera.

    Raises:
        UsageError: the name is not valid.
    """
    checked_name(camera)
    with gallery.change() as change:
        change.connection.execute(delete(tables.camera_levels).where(tables.camera_levels.c.camera == camera))
        change.record("camera_reset", camera=camera)


def _weights(one: Verification) -> str:
    digests = {stage.name: stage.weights_sha256 for stage in one.stages if stage.stage == "liveness"}
    return json.dumps(digests, sort_keys=True)

"""``faceauth profiles``: what attended enrolments noted of each camera."""

from typing import Any

import click

from faceauth.cli import output
from faceauth.cli.enroll import profile_path
from faceauth.cli.gallery_options import folder_of, gallery_options, open_gallery
from faceauth.errors import UsageError
from faceauth.metrics.formatting import count, readable, score


@click.group("profiles", short_help="Show and reset the profiles of cameras.")
def group() -> None:
    """See what attended enrolments noted of each camera. A profile may only make logins stricter."""


@group.command("list", short_help="List the cameras and their thresholds.")
@gallery_options
def list_cameras(**places: Any) -> None:
    """List the cameras of which something was noted, and the threshold of each."""
    gallery = open_gallery(**places)
    from faceauth.gallery.cameras import cameras_known, profile_of

    for camera in cameras_known(gallery):
        try:
            profile = profile_of(gallery, camera)
            said = f"{count(profile.n)} images, own threshold P(live) {score(profile.threshold)}"
        except UsageError as too_few:
            said = str(too_few)
        output.line(f"{readable(camera)}  {said}")


@group.command(short_help="Forget what was noted of a camera.")
@click.argument("camera")
@gallery_options
def reset(camera: str, **places: Any) -> None:
    """Forget all that was noted of CAMERA, and its profile."""
    gallery = open_gallery(**places)
    from faceauth.gallery.cameras import reset_camera

    reset_camera(gallery, camera)
    profile_path(folder_of(gallery), camera).unlink(missing_ok=True)
    output.line(f"{readable(camera)}: reset")

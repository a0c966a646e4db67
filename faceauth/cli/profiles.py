"""``faceauth profiles``: what attended enrolments recorded about each camera."""

from typing import Any

import click

from faceauth.cli import output
from faceauth.cli.enroll import profile_path
from faceauth.cli.gallery_options import folder_of, gallery_options, open_gallery
from faceauth.errors import UsageError
from faceauth.metrics.formatting import count, readable, score


@click.group("profiles", short_help="Show and reset camera profiles.")
def group() -> None:
    """See what attended enrolments recorded about each camera. A profile can only make logins stricter."""


@group.command("list", short_help="List the cameras and their thresholds.")
@gallery_options
def list_cameras(**places: Any) -> None:
    """List the cameras with recorded data, and the threshold of each."""
    gallery = open_gallery(**places)
    from faceauth.gallery.cameras import cameras_known, profile_of

    for camera in cameras_known(gallery):
        try:
            profile = profile_of(gallery, camera)
            said = f"{count(profile.n)} images, own threshold P(live) {score(profile.threshold)}"
        except UsageError as too_few:
            said = str(too_few)
        output.line(f"{readable(camera)}  {said}")


@group.command(short_help="Delete what was recorded about a camera.")
@click.argument("camera")
@gallery_options
def reset(camera: str, **places: Any) -> None:
    """Delete everything recorded about CAMERA, and its profile."""
    gallery = open_gallery(**places)
    from faceauth.gallery.cameras import reset_camera

    reset_camera(gallery, camera)
    profile_path(folder_of(gallery), camera).unlink(missing_ok=True)
    output.line(f"{readable(camera)}: reset")

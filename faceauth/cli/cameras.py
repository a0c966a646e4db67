"""``faceauth cameras``: which cameras can be opened."""

import click

from faceauth.cli import output
from faceauth.metrics.formatting import readable


@click.command("cameras", short_help="List the cameras that can be opened.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per camera, each on its own line.")
def command(*, as_json: bool) -> None:
    """List the cameras that can be opened now: number, name, and the size and rate that their driver states.

    `faceauth doctor --camera NUMBER` measures what one really delivers.
    """
    from faceauth.video.camera import list_cameras

    found = list_cameras()
    for camera in found:
        if as_json:
            output.json_line(camera._asdict())
            continue
        width, height = camera.size_wh
        rate = f", {camera.frames_per_s:g} frames a second" if camera.frames_per_s > 0 else ""
        output.line(f"{camera.number}  {readable(camera.name or 'without a name')}, {width} x {height} px{rate}")
    if not found:
        output.note("No camera can be opened. Is one connected and free, and may you use it?")

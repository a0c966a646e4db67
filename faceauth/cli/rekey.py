"""``faceauth rekey``: new keys for a gallery."""

from pathlib import Path
from typing import Any

import click

from faceauth.cli import output
from faceauth.cli.gallery_options import gallery_options, open_gallery


@click.command("rekey", short_help="Encrypt a gallery with new keys.")
@click.option(
    "--new-master-key",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Change the master key to that in FILE, which is created if it does not exist.",
)
@gallery_options
def command(*, new_master_key: Path | None, **places: Any) -> None:
    """Seal every template with a new data key, and delete the old one. If it is interrupted, run it again."""
    gallery = open_gallery(**places)
    from faceauth.gallery import LocalKey, change_master_key, rekey

    if new_master_key is not None:
        there = new_master_key.exists()
        new = (LocalKey.from_file if there else LocalKey.create_file)(new_master_key)
        # said before the change, since a full disk may end this right after it
        output.note(f"Keep {new_master_key}: after this the gallery opens with it alone. Name it with --master-key.")
        change_master_key(gallery, new)
    output.line(f"{rekey(gallery)} records sealed again")

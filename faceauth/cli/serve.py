"""``faceauth serve``: the HTTP service."""

from pathlib import Path
from typing import Any

import click

from faceauth.cli.api_key_options import api_keys_option, api_keys_path
from faceauth.cli.exit_codes import exit_table
from faceauth.cli.gallery_options import gallery_options, open_gallery
from faceauth.cli.options import chosen_config, pipeline_options
from faceauth.pipeline import Pipeline


@click.command("serve", short_help="Log people in over HTTP.", epilog=exit_table())
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 for a free one.",
)
@click.option("--create", is_flag=True, help="Create a gallery and a master key if there is none.")
@api_keys_option
@gallery_options
@pipeline_options
def command(host: str, port: int, *, create: bool, api_keys: Path | None, **places: Any) -> None:
    """Answer requests for sessions, logins and enrolments, until SIGTERM or Ctrl-C. `faceauth keys add` makes a key.

    There is no TLS: put a reverse proxy in front of it. The log is JSON lines on stderr.
    """
    from faceauth.server import KeyFile, Service
    from faceauth.server.serving import serve

    pipeline = Pipeline(chosen_config())
    gallery = open_gallery(**places, create=create)
    serve(Service(pipeline, gallery, KeyFile(api_keys_path(api_keys))), host=host, port=port)

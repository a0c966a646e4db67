"""The option that says where the API keys of the service are."""

from pathlib import Path

import click

api_keys_option = click.option(
    "--api-keys",
    metavar="FILE",
    envvar="FACEAUTH_API_KEYS",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of mode 0600 with the hashes of the API keys. [default: in the user's configuration folder]",
)


def api_keys_path(given: Path | None) -> Path:
    """The file that the option names, or the default one."""
    return given or Path(click.get_app_dir("faceauth")) / "api_keys.json"

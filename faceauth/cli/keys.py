"""``faceauth keys``: the API keys of ``faceauth serve``."""

from pathlib import Path

import click

from faceauth.cli import output
from faceauth.cli.api_key_options import api_keys_option, api_keys_path

SCOPES = ("sessions", "subjects", "identify", "forward")


@click.group("keys", short_help="Add, list and remove API keys of the service.")
def group() -> None:
    """See and change who may call `faceauth serve`. A running service notices at once."""


@group.command(short_help="Make a key, and print it once.")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="What the key may do; may be repeated. sessions: log people in; subjects: enrol, list and delete; identify: "
    "ask whose face it is; forward: state which of its own clients a request is for.",
)
@api_keys_option
def add(name: str, *, scopes: tuple[str, ...], api_keys: Path | None) -> None:
    """Make a key called NAME and print it, once: only its hash is kept."""
    from faceauth.server.api_keys import KeyFile, Scope

    output.line(KeyFile(api_keys_path(api_keys)).add(name, [Scope(scope) for scope in scopes]))
    output.note("Keep it now: it is shown this once.")


@group.command("list", short_help="List the keys by name.")
@api_keys_option
def list_all(*, api_keys: Path | None) -> None:
    """List the keys: name, scopes, and when they were made."""
    from faceauth.server.api_keys import KeyFile

    for key in KeyFile(api_keys_path(api_keys)).read():
        output.line(f"{key.name}  {', '.join(key.scopes)}  {key.created:%Y-%m-%d %H:%M} UTC")


@group.command(short_help="Remove a key.")
@click.argument("name")
@api_keys_option
def remove(name: str, *, api_keys: Path | None) -> None:
    """Remove the key called NAME: it is refused from now on."""
    from faceauth.server.api_keys import KeyFile

    KeyFile(api_keys_path(api_keys)).remove(name)
    output.line(f"{name}: removed")

"""``python -m examples.web_login KEY_FILE``: the site, on this machine alone, before a ``faceauth serve``."""

from pathlib import Path
from typing import get_args

import click
import httpx
import uvicorn

from examples.web_login.passkeys import Passkeys
from examples.web_login.service import Kind, Service
from examples.web_login.site import make_site
from examples.web_login.visitors import OneTimeCode, Visitors

TIMEOUT_S = 30.0
"""Seconds for one request to the service: chosen, not measured."""


@click.command()
@click.argument("key_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--service", "url", default="http://127.0.0.1:8000", show_default=True, help="Where faceauth serves.")
@click.option("--port", default=8080, show_default=True, help="Where the page is.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(get_args(Kind)),
    default=("turn", "light"),
    show_default=True,
    help="A kind of check that lets people in; may be given several times. Whoever attacks chooses the weakest.",
)
@click.option(
    "--passkeys",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Ask for a passkey before the face, and keep the public keys in this file.",
)
def main(key_file: Path, url: str, port: int, kinds: tuple[Kind, ...], passkeys: Path | None) -> None:
    """Serve the page. KEY_FILE holds the key of the service, as `faceauth keys add` prints it."""
    service = Service(httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S), key_file.read_text(encoding="utf-8").strip())
    code = OneTimeCode(lambda code: click.echo(f"Code for the next enrolment: {code}"))
    site = make_site(service, code, kinds, Visitors(), None if passkeys is None else Passkeys(passkeys))
    click.echo(f"Open http://localhost:{port}")
    uvicorn.run(site, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()

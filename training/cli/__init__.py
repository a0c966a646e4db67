"""``python -m training``: arguments in, one function of the package called a command. Knows no picture.

Commands import what they need when they run, so that ``--help`` waits for no torch.
"""

from typing import Any

import click

from faceauth.errors import FaceAuthError
from training.cli.data import audit, check_leakage, manifest, prepare, sheets
from training.cli.weights import average, compare, cross_validate, evaluate, export, release, reproduce, train


class Commands(click.Group):
    """A group that tells an error of the library in one sentence instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except FaceAuthError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands)
def main() -> None:
    """Train SpoofNet: from labelled pictures to the weights that the library ships."""


COMMANDS = (
    manifest,
    prepare,
    train,
    cross_validate,
    average,
    compare,
    evaluate,
    release,
    export,
    reproduce,
    check_leakage,
    audit,
    sheets,
)
for _command in COMMANDS:
    main.add_command(_command)

"""``python -m training``: a command a file. Each imports what it needs when it runs: ``--help`` waits for no torch."""

from typing import Any

import click

from faceauth.errors import FaceAuthError
from training.cli.audit import audit
from training.cli.check_leakage import check_leakage
from training.cli.compare import compare
from training.cli.cross_validate import cross_validate
from training.cli.evaluate import evaluate
from training.cli.export import export
from training.cli.manifest import manifest
from training.cli.prepare import prepare
from training.cli.release import release
from training.cli.reproduce import reproduce
from training.cli.sheets import sheets
from training.cli.simulate import simulate
from training.cli.train import train


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
    """Train SpoofNet: from labelled images to the weights that the library ships."""


COMMANDS = (
    manifest,
    prepare,
    simulate,
    train,
    cross_validate,
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

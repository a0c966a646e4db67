"""A command line in, one of the commands out, and every error as one line and an exit code.

Knows no picture and no model: each command parses, calls the library and hands the result to
:mod:`faceauth.cli.output`. What is heavy (onnxruntime, matplotlib, rich) is imported by the command that needs it, so
that ``--help`` is quick.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from faceauth.cli import calibrate, output
from faceauth.cli.doctor import doctor
from faceauth.cli.evaluate import evaluate
from faceauth.cli.exit_codes import Exit, exit_of_error, exit_table
from faceauth.cli.models import models
from faceauth.cli.plugins import plugins
from faceauth.cli.verify import verify
from faceauth.errors import FaceAuthError

_SHELL_INTERRUPTED = 130
"""128 + SIGINT, as shells count; click's own 1 would read as a verdict."""


class _Program(click.Group):
    """The group of all commands; the one place where errors become sentences."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click does, with its usage errors on one line."""
        with _one_line():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does, with every expected error on one line."""
        with _one_line():
            try:
                return super().invoke(ctx)
            except BrokenPipeError:  # who read the results has gone; click's own 1 would read as a verdict
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                ctx.exit(Exit.BROKEN)
            except KeyboardInterrupt:
                output.error("Interrupted.")
                ctx.exit(_SHELL_INTERRUPTED)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except FaceAuthError as error:
        output.error(str(error))
        raise click.exceptions.Exit(exit_of_error(error)) from error
    except click.UsageError as error:
        if type(error).show is not click.UsageError.show:  # a group without a command: click shows its help
            raise
        command = error.ctx.command_path if error.ctx is not None else "faceauth"
        output.error(f"{error.format_message()} Try `{command} --help`.")
        raise click.exceptions.Exit(Exit.USAGE) from error


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        try:
            output.line(f"faceauth {version('faceauth')}")
        except PackageNotFoundError:
            output.line("faceauth, run from a folder without being installed")
        ctx.exit()


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=exit_table(),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def program() -> None:
    """Is this a live person, and the right one?

    faceauth verifies photos on this machine: nothing is downloaded and nothing is sent anywhere.
    """


for _command in (verify, evaluate, calibrate.command, plugins, models, doctor):
    program.add_command(_command)


def main() -> None:
    """The console script ``faceauth``."""
    output.show_library_warnings()
    try:
        program(prog_name="faceauth")
    except Exception:  # a bug: Python's own exit code is 1, which would say that somebody was judged and rejected
        output.traceback()
        raise SystemExit(Exit.BROKEN) from None

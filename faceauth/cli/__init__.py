"""The command line: a group of commands, and the one place where errors become sentences and exit codes.

What is heavy (onnxruntime, matplotlib, rich) is imported by the command that needs it, so that ``--help`` is quick.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from faceauth.cli import (
    calibrate,
    cameras,
    doctor,
    enroll,
    evaluate,
    keys,
    login,
    models,
    output,
    plugins,
    profiles,
    rekey,
    serve,
    subjects,
    verify,
    watch,
)
from faceauth.cli.exit_codes import Exit, exit_of_error, exit_table
from faceauth.errors import FaceAuthError
from faceauth.version import __version__

PROGRAM = "faceauth"
COMPLETION_VARIABLE = "_FACEAUTH_COMPLETE"


class _Program(click.Group):
    """The group of all commands. click's own exit code for most errors is 1, which would read as a verdict."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click does, with errors as sentences."""
        with _sentences():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does, with errors as sentences."""
        with _sentences():
            return super().invoke(ctx)


@contextmanager
def _sentences() -> Iterator[None]:
    """Every expected error is one line on stderr and an exit code; bugs pass."""
    try:
        yield
    except FaceAuthError as error:
        output.error(str(error))
        raise click.exceptions.Exit(exit_of_error(error)) from error
    except click.exceptions.NoArgsIsHelpError as error:
        output.note(error.format_message())
        raise click.exceptions.Exit(Exit.USAGE) from error
    except click.ClickException as error:
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else PROGRAM
        output.error(f"{error.format_message()} Try `{command} --help`.")
        raise click.exceptions.Exit(Exit.USAGE) from error
    except BrokenPipeError as gone:  # the reader of the results has seen enough, as `head` has
        raise click.exceptions.Exit(Exit.BROKEN) from gone
    except OSError as error:
        output.error(f"The system refused: {error.strerror or error}.")
        raise click.exceptions.Exit(Exit.BROKEN) from error
    except KeyboardInterrupt as stop:
        output.error("Interrupted.")
        raise click.exceptions.Exit(Exit.INTERRUPTED) from stop


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        output.line(f"faceauth {__version__}")
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
    """Is this a live person, and the right person?

    faceauth verifies photos on this machine: nothing is downloaded and nothing is sent anywhere.
    """


_COMMANDS = (
    verify.command,
    watch.command,
    cameras.command,
    enroll.command,
    login.command,
    subjects.group,
    profiles.group,
    rekey.command,
    serve.command,
    keys.group,
    evaluate.command,
    calibrate.command,
    plugins.group,
    models.group,
    doctor.command,
)
for _command in _COMMANDS:
    program.add_command(_command)


def main() -> int:
    """Run the command line of the process; returns its exit code.

    ``faceauth_command`` calls this, and deals with interruptions, bugs and libraries that cannot be imported.
    """
    output.show_library_warnings()
    try:
        # Not standalone: a SystemExit would then be click's, and that of a plugin could not be told from it.
        code: int | None = program.main(prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE, standalone_mode=False)
    except SystemExit as completed:
        if COMPLETION_VARIABLE not in os.environ:
            raise
        return Exit.ACCEPTED if completed.code == 0 else Exit.USAGE
    return code or Exit.ACCEPTED

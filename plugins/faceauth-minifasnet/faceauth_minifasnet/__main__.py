"""``python -m faceauth_minifasnet``: makes the weight files that the backend reads."""

from pathlib import Path

import click

from faceauth.errors import FaceAuthError
from faceauth_minifasnet.weight_files import KNOWN_SHA256, ORIGIN, default_folder

CHECKPOINT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def main() -> None:
    """Weight files of the MiniFASNet backend."""


@main.command()
@click.argument("v2", type=CHECKPOINT)
@click.argument("v1se", type=CHECKPOINT)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_folder,
    help="Folder for the ONNX files.  [default: ~/.local/share/faceauth/minifasnet]",
)
@click.option("--trust", is_flag=True, help="Let the backend use the files even if they are no known exports.")
def convert(v2: Path, v1se: Path, out: Path, trust: bool) -> None:
    """Make ONNX files of upstream's checkpoints of MiniFASNetV2 (2.7) and MiniFASNetV1SE (4.0). Needs PyTorch."""
    try:
        from faceauth_minifasnet import conversion
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"Converting needs {error.name}, which is not installed: pip install torch onnx (they are not needed to "
            "use the files)."
        ) from error
    try:
        pins = conversion.convert(v2, v1se, out, trust=trust)
    except (FaceAuthError, OSError) as error:
        raise click.UsageError(str(error)) from error
    for name, pin in pins.files.items():
        click.echo(f"{pin.sha256}  {pin.size}  {out / name}")
    click.echo(
        f"Converted from the checkpoints that {ORIGIN} publishes under Apache-2.0, trained on data that was not "
        "published.",
        err=True,
    )
    unknown = [name for name, pin in pins.files.items() if pin.sha256 != KNOWN_SHA256[name]]
    if unknown and not trust:
        click.echo(
            f"The backend refuses what is not byte for byte a known export: {', '.join(unknown)}. If you have the "
            "checkpoints from upstream, convert again with --trust.",
            err=True,
        )


if __name__ == "__main__":
    main(prog_name="python -m faceauth_minifasnet")

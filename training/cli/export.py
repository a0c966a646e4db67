"""``export``: weights into LiteRT files."""

from pathlib import Path

import click

from training.cli.options import FILE, NEW_FOLDER


@click.command()
@click.argument("weights", type=FILE)
@click.option("--manifest", required=True, type=FILE, help="Labelled images; some of train are used to calibrate int8.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for spoofnet.tflite and spoofnet.int8.tflite.")
def export(weights: Path, manifest: Path, out: Path) -> None:
    """Export WEIGHTS (.safetensors or .onnx) to LiteRT, in fp32 and int8; needs the extra litert.

    The crops are those of the recipe.json or card.json beside WEIGHTS.
    """
    from faceauth.errors import UsageError
    from training.data.face_boxes import crops_of
    from training.data.manifests import records_of_splits
    from training.evaluate.trained_network import crops_beside
    from training.release.onnx_export import calibration_records
    from training.train.checkpoint import load_network

    try:
        from training.release.litert_export import export_litert_fp32, export_litert_int8
    except ModuleNotFoundError as error:
        raise UsageError(f"Making LiteRT files needs a converter ({error}): `pip install -e '.[litert]'`.") from error

    out.mkdir(parents=True, exist_ok=True)
    fp32, int8 = out / "spoofnet.tflite", out / "spoofnet.int8.tflite"
    export_litert_fp32(load_network(weights), fp32)
    export_litert_int8(fp32, int8, crops_of(calibration_records(records_of_splits(manifest)), crops_beside(weights)[0]))
    click.echo(f"{fp32.name} and {int8.name} in {out}.")

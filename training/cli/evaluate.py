"""``evaluate``: the network of some weights alone, with all tables of the library."""

from pathlib import Path

import click

from training.cli.options import FILE, NEW_FILE, Bar


@click.command()
@click.argument("weights", type=FILE)
@click.option("--manifest", required=True, type=FILE, help="Labelled images with face boxes.")
@click.option(
    "--split",
    "splits",
    multiple=True,
    type=click.Choice(("train", "val", "test")),
    default=("val",),
    show_default=True,
    help="Only this split; may be repeated. Score test only once, when everything is chosen.",
)
@click.option("--json", "json_file", type=NEW_FILE, help="Write the whole report as JSON.")
@click.option("--html", "html_file", type=NEW_FILE, help="Write a page with the worst errors' images; never commit it.")
@click.option("--robustness", "with_robustness", is_flag=True, help="Degraded images too; scores each about 30 times.")
def evaluate(
    weights: Path,
    manifest: Path,
    splits: tuple[str, ...],
    json_file: Path | None,
    html_file: Path | None,
    with_robustness: bool,
) -> None:
    """Measure the network of WEIGHTS alone: a training's .safetensors or a released fp32 .onnx, uncalibrated.

    Shows the validations of its training where validations.jsonl lies beside WEIGHTS, and all tables of `faceauth
    evaluate`. The crops are those of the recipe.json beside WEIGHTS, or of the card.json of a release.
    """
    from faceauth.cli import output, tables
    from faceauth.evaluation.page import html_page
    from faceauth.evaluation.records import read_manifest
    from faceauth.evaluation.report import DOCUMENT
    from training.evaluate.trained_network import (
        TrainedNetwork,
        crops_beside,
        evaluate_network,
        load_on_device,
        validation_table,
    )

    network = TrainedNetwork(load_on_device(weights), crops_beside(weights))
    records, data = read_manifest(manifest, splits=splits), " ".join((manifest.name, *splits))
    with Bar() as bar:
        report, scored = evaluate_network(
            network, records, name=weights.name, data=data, with_robustness=with_robustness, progress=bar
        )
    validations = weights.parent / "validations.jsonl"
    shown = [validation_table(validations)] if validations.exists() else []
    for table in (*shown, *tables.all_tables(report)):
        output.show(table)
    if json_file is not None:
        output.write(json_file, report.model_dump_json(indent=2).encode() + b"\n", mark=DOCUMENT.encode())
    if html_file is not None:
        output.write(html_file, html_page(report, scored).encode(), mark=DOCUMENT.encode())

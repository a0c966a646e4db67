"""``compare``: several weights on images that no training saw."""

from pathlib import Path

import click

from training.cli.options import FILE, FOLDER, Bar


@click.command()
@click.argument("weights", nargs=-1, required=True, type=FILE)
@click.option("--shards", required=True, type=FOLDER, help="Folder that prepare filled.")
def compare(weights: tuple[Path, ...], shards: Path) -> None:
    """Compare WEIGHTS on images that no training used, before test is scored.

    Errors of attacks and of live people at equal logits, macro over domains: val, also domain by domain and cropped at
    the face, held-out portraits, simulated attacks on both, and some of all made worse. All are shown the crops of the
    recipe or card beside the first.
    """
    from faceauth.cli import output
    from training.data.shards import load_folder
    from training.evaluate.trained_network import TrainedNetwork, crops_beside, load_on_device
    from training.evaluate.weights_comparison import TRIALS, comparison_table, errors_in, trials

    crops = crops_beside(weights[0])
    networks = [TrainedNetwork(load_on_device(path), crops) for path in weights]
    found = {}
    with Bar() as bar:
        for trial in trials(load_folder(shards), crops):
            found[trial.name] = [errors_in(trial, network) for network in networks]
            bar("trials", len(found), TRIALS)
    output.show(comparison_table(found, [f"{path.parent.name}/{path.stem}" for path in weights]))

"""A soup lies in the middle of its ingredients, and is SpoofNet again."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from click.testing import CliRunner  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from faceauth.errors import UsageError  # noqa: E402
from training.cli import main  # noqa: E402
from training.config import TrainConfig  # noqa: E402
from training.network import SpoofNet  # noqa: E402
from training.packs import Pack  # noqa: E402
from training.soup import BATCH, BATCHES, average, views_to_measure_on  # noqa: E402
from training.weights import domains_left_out, refuse_seen, save_weights  # noqa: E402


def network(folder: Path, value: float) -> Path:
    """SpoofNet with ``value`` for every weight and statistic."""
    state = SpoofNet().state_dict()
    path = folder / f"{value}.safetensors"
    save_file({k: torch.full_like(v, value) if v.is_floating_point() else v for k, v in state.items()}, path)
    return path


def test_a_soup_is_the_mean_of_weights_and_statistics(tmp_path: Path) -> None:
    average([network(tmp_path, 1.0), network(tmp_path, 2.0), network(tmp_path, 6.0)], tmp_path / "soup.safetensors")
    soup = load_file(tmp_path / "soup.safetensors")
    SpoofNet().load_state_dict(soup)
    assert all((tensor == 3.0).all() for tensor in soup.values() if tensor.is_floating_point())
    assert (soup["features.0.1.running_mean"] == 3.0).all()


def test_statistics_can_be_measured_on_views_of_a_recipe(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    paths = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        paths.append(tmp_path / f"{seed}.safetensors")
        save_file(SpoofNet().state_dict(), paths[-1])
    average(paths, tmp_path / "soup.safetensors", (smoke, tiny_pack))
    soup = SpoofNet(block_dropout=0, head_dropout=0)
    soup.load_state_dict(load_file(tmp_path / "soup.safetensors"))
    crops = torch.cat(list(views_to_measure_on(smoke, tiny_pack)))
    assert crops.shape == (BATCH * BATCHES, 3, 32, 32)
    with torch.no_grad():
        outputs = soup.features[0][0](crops)
    torch.testing.assert_close(soup.features[0][1].running_mean, outputs.mean(dim=(0, 2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(soup.features[0][0].weight, sum(load_file(p)["features.0.0.weight"] for p in paths) / 2)


def test_one_weight_file_is_no_soup_and_a_broken_one_spoils_it(tmp_path: Path) -> None:
    whole, broken = network(tmp_path, 1.0), tmp_path / "broken.safetensors"
    with pytest.raises(UsageError, match="two files or more"):
        average([whole], tmp_path / "soup.safetensors")
    with pytest.raises(UsageError, match=r"a\.onnx has no batch statistics"):
        average([whole, tmp_path / "a.onnx"], tmp_path / "soup.safetensors")
    broken.write_bytes(b"no weights")
    with pytest.raises(UsageError, match="broken"):
        average([whole, broken], tmp_path / "soup.safetensors")


def test_the_command_writes_what_the_function_does(tmp_path: Path) -> None:
    paths = [str(network(tmp_path, value)) for value in (1.0, 3.0)]
    done = CliRunner().invoke(main, ["average", *paths, "--out", str(tmp_path / "soup.safetensors")])
    assert done.exit_code == 0, done.output
    assert (load_file(tmp_path / "soup.safetensors")["head.8.bias"] == 2.0).all()


def test_a_soup_has_left_out_what_all_of_its_making_left_out(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    one, other = (tmp_path / "one" / "a.safetensors", tmp_path / "other.safetensors")
    save_weights(SpoofNet(), one, ["small", "large"])
    save_weights(SpoofNet(), other, ["small"])
    average([one, other], tmp_path / "new" / "soup.safetensors")
    assert domains_left_out(tmp_path / "new" / "soup.safetensors") == {"small"}
    average([one, one], tmp_path / "soup.safetensors", (smoke, tiny_pack))  # on views of all domains
    with pytest.raises(UsageError, match=r"soup\.safetensors may have seen small"):
        refuse_seen(tmp_path / "soup.safetensors", ["small"])

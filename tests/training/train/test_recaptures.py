"""Recaptures stand beside their live sources, and are made once."""

from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import UsageError
from training.data.manifests import LIVE, SPOOF
from training.data.shards import Shards, complete, load_folder, save_shard
from training.train.recaptures import simulate_recaptures


def quiet(*_: object) -> None:
    """No progress bar."""


@pytest.fixture
def prepared(tmp_path: Path, tiny_shards: Shards) -> Path:
    save_shard(tmp_path / "real-0000.npz", tiny_shards)
    complete(tmp_path, "prepared", [tmp_path / "real-0000.npz"])
    (tmp_path / "prepared.sha256").write_text("plan")
    return tmp_path


def test_a_recapture_is_an_attack_on_a_live_training_image_of_its_domain(prepared: Path, tiny_shards: Shards) -> None:
    simulate_recaptures(prepared, 6, quiet)
    content = load_folder(prepared)
    assert len(content) == len(tiny_shards) + 6
    for index in range(len(tiny_shards), len(content)):
        (source,) = np.flatnonzero(content.name == content.source[index])
        assert (content.label[source], content.label[index]) == (LIVE, SPOOF)
        assert (content.domain[source], content.split[source]) == (content.domain[index], "train")
        assert content.origin[index] == "recapture" and content.background[index]
        assert content.image(index).size


@pytest.mark.slow
def test_recaptures_are_repeatable_not_made_twice_and_not_mixed(prepared: Path) -> None:
    (shard,) = simulate_recaptures(prepared, 4, quiet)
    before, when = shard.read_bytes(), shard.stat().st_mtime_ns
    simulate_recaptures(prepared, 4, quiet)
    assert shard.stat().st_mtime_ns == when
    shard.unlink()
    simulate_recaptures(prepared, 4, quiet)
    assert shard.read_bytes() == before
    with pytest.raises(UsageError, match="another plan"):
        simulate_recaptures(prepared, 5, quiet)

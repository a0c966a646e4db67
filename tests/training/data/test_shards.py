"""Shards give back what went in, several join to one, and a reader never sees half a file."""

from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import UsageError
from training.data.shards import (
    COLUMNS,
    Shards,
    complete,
    digest_of_shards,
    in_columns,
    load_folder,
    load_shards,
    save_shard,
)


def test_a_saved_shard_is_the_same_when_loaded(tmp_path: Path, tiny_shards: Shards) -> None:
    save_shard(tmp_path / "real-0000.npz", tiny_shards)
    loaded = load_shards([tmp_path / "real-0000.npz"])
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(tiny_shards, name))
    assert loaded.image(3).shape == (48, 48, 3)
    assert loaded.box(3) == (14.0, 12.0, 34.0, 36.0)
    assert digest_of_shards(loaded) == digest_of_shards(tiny_shards)


def test_joined_shards_keep_each_image_with_its_facts(tmp_path: Path, tiny_shards: Shards) -> None:
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path in paths:
        save_shard(path, tiny_shards)
    joined, size = load_shards(paths), len(tiny_shards)
    assert len(joined) == 2 * size
    for index in (0, 7, size - 1):
        assert joined.name[size + index] == tiny_shards.name[index]
        np.testing.assert_array_equal(joined.image(size + index), tiny_shards.image(index))


def test_a_shard_in_which_no_face_was_found_joins_to_the_others(tmp_path: Path, tiny_shards: Shards) -> None:
    save_shard(tmp_path / "empty.npz", in_columns([]))
    save_shard(tmp_path / "full.npz", tiny_shards)
    assert len(load_shards([tmp_path / "empty.npz", tmp_path / "full.npz"])) == len(tiny_shards)


def test_nothing_to_load_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="prepare"):
        load_folder(tmp_path)


def test_an_interrupted_save_leaves_the_old_shard_and_no_new_name(
    tmp_path: Path, tiny_shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "real-0000.npz"
    save_shard(path, tiny_shards)
    before = path.read_bytes()

    def fill_the_disk(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("training.data.shards.np.savez", fill_the_disk)
    with pytest.raises(OSError, match="space"):
        save_shard(path, tiny_shards)
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.npz")) == [path]


@pytest.mark.parametrize(("part", "command"), [("prepared", "prepare"), ("recaptures", "simulate")])
def test_a_part_that_was_begun_and_not_completed_is_not_loaded(
    part: str, command: str, tmp_path: Path, tiny_shards: Shards
) -> None:
    save_shard(tmp_path / "a.npz", tiny_shards)
    complete(tmp_path, "prepared", [tmp_path / "a.npz"])
    assert len(load_folder(tmp_path)) == len(tiny_shards)
    (tmp_path / f"{part}.sha256").touch()
    (tmp_path / f"{part}.txt").unlink(missing_ok=True)
    with pytest.raises(UsageError, match=f"training {command}` again"):
        load_folder(tmp_path)


def test_a_shard_that_is_gone_and_one_of_another_version_are_one_sentence(tmp_path: Path, tiny_shards: Shards) -> None:
    save_shard(tmp_path / "a.npz", tiny_shards)
    complete(tmp_path, "prepared", [tmp_path / "a.npz", tmp_path / "gone.npz"])
    with pytest.raises(UsageError, match="incomplete"):
        load_folder(tmp_path)
    np.savez(tmp_path / "old.npz", **{name: getattr(tiny_shards, name) for name in COLUMNS if name != "background"})
    with pytest.raises(UsageError, match="of another version"):
        load_shards([tmp_path / "old.npz"])

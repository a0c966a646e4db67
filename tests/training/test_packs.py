"""A pack gives back what went in, several join to one, and a reader never sees half a file."""

from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import UsageError
from training.packs import COLUMNS, Pack, finish, load, load_all, pack, save


def test_a_saved_pack_is_the_same_when_loaded(tmp_path: Path, tiny_pack: Pack) -> None:
    save(tmp_path / "real-0000.npz", tiny_pack)
    loaded = load([tmp_path / "real-0000.npz"])
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(tiny_pack, name))
    assert loaded.image(3).shape == (48, 48, 3)
    assert loaded.box(3) == (14.0, 12.0, 34.0, 36.0)


def test_context_is_the_picture_over_the_face(tiny_pack: Pack) -> None:
    assert tiny_pack.context(3) == 48 / 24


def test_joined_packs_keep_each_picture_with_its_facts(tmp_path: Path, tiny_pack: Pack) -> None:
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path in paths:
        save(path, tiny_pack)
    joined, size = load(paths), len(tiny_pack)
    assert len(joined) == 2 * size
    for index in (0, 7, size - 1):
        assert joined.key[size + index] == tiny_pack.key[index]
        np.testing.assert_array_equal(joined.image(size + index), tiny_pack.image(index))


def test_a_pack_in_which_no_face_was_found_joins_to_the_others(tmp_path: Path, tiny_pack: Pack) -> None:
    save(tmp_path / "empty.npz", pack([]))
    save(tmp_path / "full.npz", tiny_pack)
    assert len(load([tmp_path / "empty.npz", tmp_path / "full.npz"])) == len(tiny_pack)


def test_nothing_to_load_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="prepare"):
        load([])


def test_an_interrupted_save_leaves_the_old_pack_and_no_new_name(
    tmp_path: Path, tiny_pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "real-0000.npz"
    save(path, tiny_pack)
    before = path.read_bytes()

    def fill_the_disk(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("training.packs.np.savez", fill_the_disk)
    with pytest.raises(OSError, match="space"):
        save(path, tiny_pack)
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.npz")) == [path]


def test_a_pack_that_is_gone_and_one_of_another_version_are_one_sentence(tmp_path: Path, tiny_pack: Pack) -> None:
    save(tmp_path / "a.npz", tiny_pack)
    finish(tmp_path, [tmp_path / "a.npz", tmp_path / "gone.npz"])
    with pytest.raises(UsageError, match="is not finished"):
        load_all(tmp_path)
    np.savez(tmp_path / "old.npz", **{name: getattr(tiny_pack, name) for name in COLUMNS if name != "behind"})
    with pytest.raises(UsageError, match="of another version"):
        load([tmp_path / "old.npz"])

"""With root's rights, what others may write is refused; asked of made-up owners, so that no test needs root."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from faceauth.calibration.camera_profile import read_profile
from faceauth.calibration.points_file import read_points
from faceauth.errors import UsageError
from faceauth.trusted_files import refuse_writable_by_others, writable_by_others
from faceauth.weights.store import pinned_weights

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX")

ROOT, SOMEBODY = 0, 1000


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Name -> owner, in place of who really owns what the test made; everything else is root's, group included."""
    owners: dict[str, int] = {}
    real = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        found = list(real(path))
        found[4], found[5] = owners.get(path.name, ROOT), owners.get(f"group of {path.name}", ROOT)
        return os.stat_result(found)

    monkeypatch.setattr(Path, "lstat", lstat)
    return owners


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o755)
    path = folder / "faceauth.toml"
    path.touch()
    path.chmod(0o644)
    return path


def test_what_only_root_may_write_passes(path: Path, owners: dict[str, int]) -> None:
    assert writable_by_others(path) is None


@pytest.mark.parametrize("name", ["faceauth.toml", "folder"])
def test_a_file_or_folder_of_somebody_else_is_found(path: Path, owners: dict[str, int], name: str) -> None:
    owners[name] = SOMEBODY
    assert writable_by_others(path) == (path if name == "faceauth.toml" else path.parent)


@pytest.mark.parametrize("mode", [0o666, 0o646])
def test_a_file_that_all_may_write_is_found(path: Path, owners: dict[str, int], mode: int) -> None:
    path.chmod(mode)
    assert writable_by_others(path) == path


def test_a_file_of_a_group_that_may_write_is_found_unless_the_group_is_root_s(
    path: Path, owners: dict[str, int]
) -> None:
    path.chmod(0o664)
    assert writable_by_others(path) is None
    owners["group of faceauth.toml"] = SOMEBODY
    assert writable_by_others(path) == path


def test_in_a_folder_that_all_may_write_a_file_can_be_replaced_unless_the_bit_is_sticky(
    path: Path, owners: dict[str, int]
) -> None:
    path.parent.chmod(0o777)
    assert writable_by_others(path) == path.parent
    path.parent.chmod(0o1777)
    assert writable_by_others(path) is None


def test_the_way_to_a_link_counts_and_the_way_to_its_target(path: Path, tmp_path: Path, owners: dict[str, int]) -> None:
    (tmp_path / "other").mkdir()
    link = tmp_path / "other" / "link.toml"
    link.symlink_to(path)
    assert writable_by_others(link) is None
    owners["other"] = SOMEBODY
    assert writable_by_others(link) == link.parent
    owners.update({"other": ROOT, "folder": SOMEBODY})
    assert writable_by_others(link) == path.parent


def test_a_link_of_somebody_else_is_found(path: Path, tmp_path: Path, owners: dict[str, int]) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    owners["link.toml"] = SOMEBODY
    assert writable_by_others(link) == link


def test_only_root_is_refused(path: Path, owners: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    owners["folder"] = SOMEBODY
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    refuse_writable_by_others(path, called="configuration")
    monkeypatch.setattr(os, "geteuid", lambda: ROOT)
    with pytest.raises(UsageError, match=rf"configuration {path} decides .* may change {path.parent}\. As root"):
        refuse_writable_by_others(path, called="configuration")


@pytest.mark.parametrize(
    "read",
    [
        lambda folder: read_points(folder / "file"),
        lambda folder: read_profile(folder / "file", {}),
        lambda folder: list(pinned_weights(folder)),
    ],
    ids=["points", "camera profile", "weights"],
)
def test_every_file_that_decides_who_gets_in_is_asked_about(
    read: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("file", "manifest.json"):
        (tmp_path / name).write_text("{}")
        (tmp_path / name).chmod(0o666)
    monkeypatch.setattr(os, "geteuid", lambda: ROOT)
    with pytest.raises(UsageError, match="decides who gets in"):
        read(tmp_path)

"""Which photos the arguments mean, and where each is drawn to."""

import os
from pathlib import Path

import pytest

from faceauth.cli.photos import drawn_paths, find_photos
from faceauth.errors import UsageError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.png", "a.jpg", "notes.txt", "sub/c.png", "sub/deep/d.PNG", ".git/e.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*arguments: str) -> list[str]:
    return [path.as_posix() for path in find_photos(arguments).paths]


def test_folder_is_searched_in_depth_and_in_order_without_hidden_files(tree: Path) -> None:
    assert names("in") == ["in/a.jpg", "in/b.png", "in/sub/c.png", "in/sub/deep/d.PNG"]


def test_what_a_folder_holds_beside_images_is_told_but_for_hidden_files(tree: Path) -> None:
    (tree / "in/sub/link").symlink_to(tree / "in")
    found = find_photos(["in", "in/sub/deep"])
    assert [path.as_posix() for path in found.skipped] == ["in/notes.txt", "in/sub/link"]
    assert find_photos(["in/notes.txt", "in"]).skipped == (Path("in/sub/link"),), "verified, since it was named"


def test_glob_that_the_shell_left_alone_is_expanded(tree: Path) -> None:
    assert names("in/*.png") == ["in/b.png"]
    assert names("in/**/*.png") == ["in/b.png", "in/sub/c.png"]


def test_glob_that_matches_a_folder_means_its_images(tree: Path) -> None:
    assert names("in/s*") == ["in/sub/c.png", "in/sub/deep/d.PNG"]


def test_file_that_is_named_is_taken_whatever_its_suffix(tree: Path) -> None:
    assert names("in/notes.txt") == ["in/notes.txt"]


def test_file_whose_name_looks_like_a_glob_is_that_file(tree: Path) -> None:
    (tree / "in/[1].png").touch()
    assert names("in/[1].png") == ["in/[1].png"]


def test_photo_that_is_named_twice_is_verified_once(tree: Path) -> None:
    assert names("in/b.png", "in") == ["in/b.png", "in/a.jpg", "in/sub/c.png", "in/sub/deep/d.PNG"]
    assert names("in/b.png", str(tree / "in/b.png"), "in/sub/../b.png") == ["in/b.png"]


@pytest.mark.parametrize("argument", ["none.png", "in/*.bmp", "in/.git/empty"])
def test_argument_that_means_no_photo_is_an_error(tree: Path, argument: str) -> None:
    (tree / "in/.git/empty").mkdir()
    with pytest.raises(UsageError, match=r"none\.png|bmp|empty"):
        find_photos(["in/a.jpg", argument])


def test_one_photo_is_drawn_to_the_file_or_into_the_folder(tree: Path) -> None:
    photo = Path("in/a.jpg")
    assert drawn_paths([photo], Path("out.png")) == {photo: Path("out.png")}
    assert drawn_paths([photo], Path("out")) == {photo: Path("out/a.jpg")}


def test_what_cannot_be_drawn_is_refused_before_anything_is_judged(tree: Path) -> None:
    with pytest.raises(UsageError, match=r"name a \.png file"):
        drawn_paths([Path("in/a.jpg"), Path("in/notes.txt")], Path("out"))


def test_several_photos_of_one_name_do_not_meet(tree: Path) -> None:
    photos = [Path("in/a.jpg"), Path("in/sub/a.jpg"), tree / "in/sub/deep/a.jpg"]
    drawn = drawn_paths(photos, Path("out"))
    assert [path.as_posix() for path in drawn.values()] == ["out/a.jpg", "out/sub/a.jpg", "out/sub/deep/a.jpg"]


@pytest.mark.parametrize("target", ["out.png", "in/notes.txt", "in"])
def test_several_photos_need_a_folder_that_is_not_theirs(tree: Path, target: str) -> None:
    with pytest.raises(UsageError, match="--draw"):
        drawn_paths([Path("in/a.jpg"), Path("in/b.png")], Path(target))


@pytest.mark.parametrize("target", ["enrolled/me.jpg", "enrolled"])
def test_the_reference_is_not_drawn_over(tree: Path, target: str) -> None:
    photo = tree / "in/me.jpg"
    with pytest.raises(UsageError, match="overwrite"):
        drawn_paths([photo], tree / target, keep=[tree / "enrolled/me.jpg"])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every folder")
def test_folder_that_cannot_be_read_is_not_skipped_in_silence(tree: Path) -> None:
    (tree / "in/sub").chmod(0)
    try:
        with pytest.raises(UsageError, match="cannot be read"):
            find_photos(["in"])
    finally:
        (tree / "in/sub").chmod(0o700)

"""``faceauth enroll``, ``login``, ``subjects``, ``profiles`` and ``rekey``, as a person at a terminal uses them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from faceauth.errors import GalleryTampered

from .conftest import ATTACK, Photo, Run

pytest.importorskip("sqlalchemy", reason="needs the extra login")

Faceauth = Callable[..., Result]


@pytest.fixture
def faceauth(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faceauth:
    """Runs a command with a home of its own, where gallery and key have their default places."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return run


def enrolled(faceauth: Faceauth, *photos: Path, name: str = "ada", **options: str) -> Result:
    return faceauth("enroll", name, *photos, "--consent", "form 1", **options)


def test_who_enrolled_gets_in_and_a_stranger_does_not(faceauth: Faceauth, photo: Photo) -> None:
    path = photo("a.png")
    made = enrolled(faceauth, path)
    assert made.exit_code == 0 and made.stdout == "ada: enrolled with 1 of 1 photos\n"
    assert "master key" in made.stderr and "keep a copy elsewhere" in " ".join(made.stderr.split())
    entered = faceauth("login", "ada", path)
    assert entered.exit_code == 0 and entered.stdout.startswith("ACCEPT  ada")
    assert faceauth("login", "ada", photo("b.png", seed=1)).exit_code == 1


def test_a_login_says_no_score(faceauth: Faceauth, photo: Photo) -> None:
    path = photo("a.png")
    enrolled(faceauth, path)
    said = json.loads(faceauth("login", "ada", path, "--json").stdout)
    assert said == {"accepted": True, "verdict": "accept", "reason": "live_and_matched"}
    assert "0." not in faceauth("login", "ada", photo("b.png", seed=1)).output


def test_the_threshold_that_was_set_is_the_one_in_force(faceauth: Faceauth, photo: Photo) -> None:
    path = photo("a.png")
    enrolled(faceauth, path)
    assert faceauth("login", "ada", path, "--threshold", "1").exit_code in (1, 3)
    assert faceauth("login", "ada", path, FACEAUTH_THRESHOLD="1.0").exit_code in (1, 3)
    assert faceauth("login", "ada", path).exit_code == 0


def test_after_five_failures_there_is_a_wait(faceauth: Faceauth, photo: Photo) -> None:
    path, stranger = photo("a.png"), photo("b.png", seed=1)
    enrolled(faceauth, path)
    for _ in range(5):
        assert faceauth("login", "ada", stranger).exit_code == 1
    locked = faceauth("login", "ada", path)
    assert locked.exit_code == 3 and locked.stdout == ""
    assert re.search(r"wait (30|[12]\d) s", locked.stderr)  # some of it has passed on a busy machine
    assert faceauth("subjects", "unlock", "ada").exit_code == 0
    assert faceauth("login", "ada", path).exit_code == 0


def test_a_photo_of_a_photo_enrols_nobody(faceauth: Faceauth, photo: Photo) -> None:
    refused = enrolled(faceauth, photo("a.png", ATTACK))
    assert refused.exit_code == 3 and "can be used" in refused.stderr
    assert faceauth("subjects", "list").stdout == ""


def test_a_refused_photo_is_named(faceauth: Faceauth, photo: Photo) -> None:
    live, attack = photo("a.png"), photo("b.png", ATTACK)
    said = enrolled(faceauth, live, attack)
    assert said.exit_code == 0 and "1 of 2" in said.stdout and "b.png: not used" in " ".join(said.stderr.split())


def test_nobody_is_enrolled_without_consent(faceauth: Faceauth, photo: Photo) -> None:
    refused = faceauth("enroll", "ada", photo("a.png"))
    assert refused.exit_code == 2 and "--consent" in refused.stderr


def test_a_person_who_is_there_is_only_replaced_when_asked(faceauth: Faceauth, photo: Photo) -> None:
    old, new = photo("a.png"), photo("b.png", seed=1)
    enrolled(faceauth, old)
    assert enrolled(faceauth, new).exit_code == 2
    assert faceauth("enroll", "ada", new, "--consent", "form 1", "--replace").exit_code == 0
    assert faceauth("login", "ada", new).exit_code == 0


def test_subjects_are_listed_and_shown(faceauth: Faceauth, photo: Photo) -> None:
    enrolled(faceauth, photo("a.png"))
    assert faceauth("subjects", "list").stdout == "ada  1 of fake\n"
    (line,) = faceauth("subjects", "list", "--json").stdout.splitlines()
    assert json.loads(line)["name"] == "ada"
    shown = faceauth("subjects", "show", "ada").stdout
    assert "form 1" in shown and "no end" in shown
    assert faceauth("subjects", "show", "bob").exit_code == 2


def test_delete_asks_first(faceauth: Faceauth, photo: Photo) -> None:
    enrolled(faceauth, photo("a.png"))
    assert faceauth("subjects", "delete", "ada").exit_code != 0
    assert "ada" in faceauth("subjects", "list").stdout
    assert faceauth("subjects", "delete", "ada", "--yes").exit_code == 0
    assert faceauth("subjects", "list").stdout == ""


def test_an_export_is_its_owners_alone(faceauth: Faceauth, photo: Photo, tmp_path: Path) -> None:
    enrolled(faceauth, photo("a.png"))
    out = tmp_path / "ada.json"
    assert faceauth("subjects", "export", "ada", "--out", out).exit_code == 0
    assert len(json.loads(out.read_text())["templates"]["fake"][0]) == 16
    if os.name == "posix":
        assert out.stat().st_mode & 0o777 == 0o600


def test_an_export_that_fails_leaves_no_file(
    faceauth: Faceauth, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise GalleryTampered("A template does not open.")

    enrolled(faceauth, photo("a.png"))
    monkeypatch.setattr("faceauth.gallery.export_subject", damaged)
    assert faceauth("subjects", "export", "ada", "--out", tmp_path / "ada.json").exit_code == 4
    assert not (tmp_path / "ada.json").exists()


def test_a_camera_that_cannot_have_its_name_enrols_nobody(faceauth: Faceauth, photo: Photo) -> None:
    refused = faceauth("enroll", "ada", photo("a.png"), "--consent", "form 1", "--camera", " door")
    assert refused.exit_code == 2 and "cannot be a name" in refused.stderr
    assert faceauth("subjects", "list").stdout == ""


def test_a_key_is_made_for_a_new_gallery_that_a_url_names(faceauth: Faceauth, photo: Photo, tmp_path: Path) -> None:
    path, gallery = photo("a.png"), f"sqlite:///{tmp_path / 'gallery.sqlite'}"
    made = enrolled(faceauth, path, FACEAUTH_GALLERY=gallery)
    assert made.exit_code == 0 and "new master key" in " ".join(made.stderr.split())
    (key,) = (tmp_path / "home").rglob("master.key")
    key.unlink()
    assert enrolled(faceauth, path, name="bob", FACEAUTH_GALLERY=gallery).exit_code == 2
    assert not key.exists(), "a new key would not open the gallery"


def test_purge_names_whom_it_deletes(faceauth: Faceauth, photo: Photo) -> None:
    faceauth("enroll", "ada", photo("a.png"), "--consent", "form 1", "--keep-days", "0.0000001")
    enrolled(faceauth, photo("a.png"), name="bob")
    assert faceauth("subjects", "purge").stdout == "ada: deleted\n"


def test_a_gallery_without_its_key_stays_closed(faceauth: Faceauth, photo: Photo, tmp_path: Path) -> None:
    path = photo("a.png")
    enrolled(faceauth, path)
    (key,) = (tmp_path / "home").rglob("master.key")
    kept = key.read_bytes()
    key.unlink()
    assert faceauth("login", "ada", path).exit_code == 2
    assert enrolled(faceauth, path, name="bob").exit_code == 2
    assert not key.exists(), "a new key would not open the gallery"
    key.touch(mode=0o600)
    key.write_bytes(kept)
    assert faceauth("login", "ada", path).exit_code == 0


def test_rekey_changes_the_master_key(faceauth: Faceauth, photo: Photo, tmp_path: Path) -> None:
    path, new = photo("a.png"), tmp_path / "new.key"
    enrolled(faceauth, path)
    assert "2 records" in faceauth("rekey", "--new-master-key", new).stdout
    assert faceauth("login", "ada", path).exit_code == 2
    assert faceauth("login", "ada", path, "--master-key", new).exit_code == 0
    assert faceauth("login", "ada", path, FACEAUTH_MASTER_KEY_FILE=str(new)).exit_code == 0
    assert faceauth("login", "ada", path, FACEAUTH_MASTER_KEY=new.read_text()).exit_code == 0


def test_a_camera_gets_stricter_with_attended_enrolments(faceauth: Faceauth, photo: Photo) -> None:
    photos = [photo(f"{number}.png") for number in range(6)]
    assert faceauth("login", "ada", photos[0], "--camera", "door").exit_code != 0
    made = faceauth("enroll", "ada", *photos, "--consent", "form 1", "--camera", "door")
    assert made.exit_code == 0 and "6 images were recorded" in made.stderr
    assert "door  6 images, own threshold" in faceauth("profiles", "list").stdout
    assert faceauth("login", "ada", photos[0], "--camera", "door").exit_code == 0
    assert faceauth("profiles", "reset", "door").exit_code == 0
    assert faceauth("login", "ada", photos[0], "--camera", "door").exit_code == 2


def test_a_restored_backup_is_brought_up_to_date(faceauth: Faceauth, photo: Photo, tmp_path: Path) -> None:
    path = photo("a.png")
    enrolled(faceauth, path)
    (database,) = (tmp_path / "home").rglob("gallery.sqlite")
    backup = database.read_bytes()
    enrolled(faceauth, path, name="bob")
    database.write_bytes(backup)
    closed = faceauth("login", "ada", path)
    assert closed.exit_code == 4 and "accept-restored" in closed.stderr
    assert faceauth("subjects", "accept-restored").stdout == "bob: has to enrol again\n"
    assert faceauth("login", "ada", path).exit_code == 0


@pytest.mark.parametrize("command", ["login ada a.png", "enroll ada a.png --consent form", "subjects list", "rekey"])
def test_without_the_extra_the_commands_say_so(command: str, photo: Photo, environment: dict[str, str]) -> None:
    folder = photo("a.png").parent
    code = (
        "import sys\nsys.modules['sqlalchemy'] = None\n"
        "import importlib.util as util\nfound = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'sqlalchemy' else found(name, *more)\n"
        "import faceauth.cli\nsys.exit(faceauth.cli.main())"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-c", code, *command.split()],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("FACEAUTH_")}, "PYTHONPATH": paths},
    )
    assert ran.returncode == 2 and "pip install 'faceauth[login]'" in ran.stderr


def test_a_camera_or_a_folder_is_watched(faceauth: Faceauth, photo: Photo) -> None:
    path = photo("a.png")
    enrolled(faceauth, path)
    for number in range(4):
        photo(f"still/{number}.png")
    watched = faceauth("login", "ada", path.parent / "still")
    assert watched.exit_code in (1, 3) and watched.stdout.count("\n") == 1
    assert faceauth("login", "ada", "no such camera").exit_code == 2


def test_a_photo_that_is_called_like_a_camera_is_not_taken_for_it(
    faceauth: Faceauth, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photo("a.png")
    enrolled(faceauth, path)
    path.rename(tmp_path / "987")
    monkeypatch.chdir(tmp_path)
    refused = faceauth("login", "ada", "987")
    assert refused.exit_code == 2 and "Camera 987 cannot be opened" in " ".join(refused.stderr.split())
    assert faceauth("login", "ada", "./987").exit_code == 0

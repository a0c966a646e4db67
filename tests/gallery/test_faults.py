"""Killed at every write, out of disk, without its database, restored from a backup: closed, and nothing is lost."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from faceauth.errors import (
    AlreadyEnrolled,
    GalleryRestored,
    GalleryUnavailable,
    KeyRefused,
    LockedOut,
    NotEnrolled,
)
from faceauth.gallery import (
    Gallery,
    Index,
    LocalKey,
    accept_restored,
    add_subject,
    delete_subject,
    enroll,
    find_subject,
    list_subjects,
    login,
    open_session,
    rekey,
)
from faceauth.gallery.attempts import MOST_FAILURES, begin
from faceauth.gallery.database import Database
from faceauth.results import Reason, Verification
from tests.pipelines import noise_image

from .conftest import PIPELINE, Clock, Enrol

ROOT = Path(__file__).parents[2]
KILLING = Path(__file__).with_name("killing.py")

linux = pytest.mark.skipif(sys.platform != "linux", reason="forks, and kills its children")


def attempt(gallery: Gallery, name: str, seed: int, client: str = "c") -> Verification:
    return login(gallery, PIPELINE, name, noise_image(seed), client=client)


def names(gallery: Gallery) -> list[str]:
    return [subject.name for subject in list_subjects(gallery)]


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A folder with a gallery of ada (1) and bob (2), and its key."""
    folder = tmp_path / "kills" / "start"
    key = LocalKey.create_file(folder / "key")
    gallery = Gallery(folder / "gallery.sqlite", key, create=True)
    for name, seed in (("ada", 1), ("bob", 2)):
        add_subject(gallery, name, enroll(PIPELINE, [noise_image(seed)]), consent="form 1")
    return folder


def killed_at_every_write(start: Path, operation: str, *, fewest: int = 5) -> Iterator[tuple[Path, Gallery]]:
    """The folders that the kills left behind, and the galleries in them, opened again. The last was not killed."""
    done = subprocess.run(
        [sys.executable, str(KILLING), str(start.parent), operation],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    folders = sorted((path for path in start.parent.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    assert len(folders) >= fewest
    assert [folder for folder in folders if (folder / "answer").exists()] == [folders[-1]]
    for folder in folders:
        key = LocalKey.from_file(folder / "key")
        try:
            yield folder, Gallery(folder / "gallery.sqlite", key)
        except KeyRefused:
            yield folder, Gallery(folder / "gallery.sqlite", LocalKey(b"n" * 32))


@linux
@pytest.mark.slow
class TestKilled:
    def test_a_failed_attempt_is_never_free(self, start: Path) -> None:
        judged = 0
        for folder, gallery in killed_at_every_write(start, "stranger", fewest=15):
            charged = find_subject(gallery, "ada").failures
            if (folder / "judged").exists():
                judged += 1
                assert charged == 1, folder.name
            assert charged in (0, 1) and attempt(gallery, "ada", 1).accepted
        assert judged > 3

    def test_a_login_that_was_killed_harms_nobody(self, start: Path) -> None:
        for folder, gallery in killed_at_every_write(start, "ada"):
            assert find_subject(gallery, "ada").failures <= 1
            assert attempt(gallery, "ada", 1).accepted and attempt(gallery, "bob", 2).accepted
            if (folder / "answer").exists():
                assert any(line.get("verdict") == "accept" for line in gallery.audit.lines())

    def test_an_enrolment_is_there_wholly_or_not_at_all(self, start: Path) -> None:
        found = set()
        for _, gallery in killed_at_every_write(start, "enrol"):
            found.add("eve" in names(gallery))
            if "eve" in names(gallery):
                assert attempt(gallery, "eve", 3).accepted
            assert attempt(gallery, "ada", 1).accepted
        assert found == {True, False}

    def test_a_replaced_enrolment_is_the_old_or_the_new_one(self, start: Path) -> None:
        found = []
        for _, gallery in killed_at_every_write(start, "replace"):
            assert find_subject(gallery, "ada").templates == {"fake": 1}
            old, new = attempt(gallery, "ada", 1).accepted, attempt(gallery, "ada", 3).accepted
            assert old != new
            found.append(new)
        assert found == sorted(found) and {True, False} == set(found)

    def test_a_deletion_is_done_or_not(self, start: Path) -> None:
        for folder, gallery in killed_at_every_write(start, "delete"):
            if "ada" in names(gallery):
                assert attempt(gallery, "ada", 1).accepted and not (folder / "answer").exists()
            assert attempt(gallery, "bob", 2).accepted

    def test_after_a_rekey_that_was_killed_another_one_leaves_one_key(self, start: Path) -> None:
        for _, gallery in killed_at_every_write(start, "rekey"):
            assert attempt(gallery, "ada", 1).accepted
            rekey(gallery)
            with gallery.database.transaction() as connection:
                assert len(connection.exec_driver_sql("SELECT key_id FROM data_keys").all()) == 1
            assert attempt(gallery, "ada", 1).accepted and attempt(gallery, "bob", 2).accepted

    def test_one_master_key_opens_the_gallery(self, start: Path) -> None:
        """Either the old or the new one, which the helper above tries in that order."""
        for _, gallery in killed_at_every_write(start, "master"):
            assert attempt(gallery, "ada", 1).accepted

    def test_an_index_whose_reading_was_killed_leaves_nothing_behind(self, start: Path) -> None:
        expected = {path.name for path in start.iterdir()}
        for folder, gallery in killed_at_every_write(start, "index"):
            left = {path.name.removesuffix("-wal").removesuffix("-shm") for path in folder.iterdir()}
            assert left - {"answer"} == expected
            index = Index(gallery, "fake")
            assert index.refresh() == 2
            content = b"".join(path.read_bytes() for path in folder.iterdir())
            assert not any(row[:3].tobytes() in content for block in index._held.blocks for row in block.matrix)

    def test_a_restored_backup_stays_closed_until_it_is_up_to_date(self, start: Path, tmp_path: Path) -> None:
        backup = backed_up(start / "gallery.sqlite")
        gallery = Gallery(start / "gallery.sqlite", LocalKey.from_file(start / "key"))
        delete_subject(gallery, "bob")
        attempt(gallery, "ada", 2)
        restore(backup, start / "gallery.sqlite")
        for _, killed in killed_at_every_write(start, "restored"):
            try:
                attempt(killed, "ada", 2)
            except GalleryRestored:
                accept_restored(killed)
                attempt(killed, "ada", 2)
            assert names(killed) == ["ada"] and find_subject(killed, "ada").failures == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
@pytest.mark.parametrize("seed", [1, 2], ids=["ada", "stranger"])
def test_a_full_disk_lets_nobody_in_and_loses_nobody(start: Path, seed: int) -> None:
    import resource

    key = LocalKey.from_file(start / "key")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    refused = 0
    for kibibytes in (0, 1, 2, 4, 8, 12, 16, 20, 24, 32, 48, 64, 96):
        folder = start.parent / f"full {kibibytes}"
        shutil.copytree(start, folder)
        gallery = Gallery(folder / "gallery.sqlite", key)
        resource.setrlimit(resource.RLIMIT_FSIZE, (kibibytes * 1024, hard))
        try:
            accepted = attempt(gallery, "ada", seed).accepted
        except GalleryUnavailable:
            accepted = None
            refused += 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert accepted in (None, seed == 1)
        told = [line for line in gallery.audit.lines() if line.get("verdict") == "accept"]
        assert bool(told) >= bool(accepted)
        again = Gallery(folder / "gallery.sqlite", key)
        assert attempt(again, "ada", 1).accepted and attempt(again, "bob", 2).accepted
    assert refused >= 3


def test_an_audit_log_that_cannot_be_written_lets_nobody_in(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    gallery.audit.path.unlink()
    gallery.audit.path.mkdir()
    for act in (attempt, lambda *_: gallery.audit.lines()):
        with pytest.raises(GalleryUnavailable, match="audit log"):
            act(gallery, "ada", 1)


def test_an_audit_log_without_room_lets_nobody_in_and_the_attempt_stays_charged(
    gallery: Gallery, enrol: Enrol, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol("ada", 1)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("faceauth.gallery.audit_log.os.write", full)
    with pytest.raises(GalleryUnavailable, match="audit log"):
        attempt(gallery, "ada", 1)
    assert find_subject(gallery, "ada").failures == 1


def test_a_disk_without_room_leaves_no_half_of_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(KeyRefused, match="cannot be created"):
        patched.setattr("faceauth.gallery.master_keys.os.fsync", full)
        LocalKey.create_file(tmp_path / "key")
    LocalKey.create_file(tmp_path / "key")


def test_a_gallery_whose_folder_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GalleryUnavailable, match="cannot be created"):
        Database(tmp_path / "file" / "folder" / "gallery.sqlite").create_file()


def test_a_line_that_a_full_disk_cut_spoils_no_other(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    with gallery.audit.path.open("ab") as file:
        file.write(b'{"time": "2027-01-')
    before = len(gallery.audit.lines())
    attempt(gallery, "ada", 1)
    assert len(gallery.audit.lines()) == before + 2


class TestDatabaseGone:
    def test_nobody_is_let_in_and_no_empty_one_is_made(self, gallery: Gallery, enrol: Enrol) -> None:
        enrol("ada", 1)
        path = Path(str(gallery.database.path))
        for one in path.parent.glob("gallery.sqlite*"):
            if one != gallery.audit.path:
                one.unlink()
        with pytest.raises(GalleryUnavailable, match="no gallery at"):
            attempt(gallery, "ada", 1)
        assert not path.exists()

    def test_one_that_goes_away_between_the_check_and_the_opening_is_not_made_anew(self, gallery: Gallery) -> None:
        path = Path(str(gallery.database.path))
        path.unlink()
        with pytest.raises(OperationalError, match="unable to open"), gallery.database.engine.connect():
            pass
        assert not path.exists()

    def test_an_enrolment_does_not_begin_anew_where_a_gallery_was(
        self, gallery: Gallery, enrol: Enrol, master_key: LocalKey
    ) -> None:
        enrol("ada", 1)
        path = Path(str(gallery.database.path))
        path.unlink()
        with pytest.raises(GalleryUnavailable, match="Restore it from a backup"):
            Gallery(path, master_key, create=True)

    @pytest.mark.parametrize("content", [b"", b"garbage" * 1000], ids=["empty", "garbage"])
    def test_what_is_no_database_is_no_gallery(
        self, gallery: Gallery, enrol: Enrol, master_key: LocalKey, content: bytes
    ) -> None:
        enrol("ada", 1)
        path = Path(str(gallery.database.path))
        path.write_bytes(content)
        with pytest.raises(GalleryUnavailable):
            attempt(gallery, "ada", 1)
        with pytest.raises(GalleryUnavailable):
            Gallery(path, master_key)

    @pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
    def test_a_database_that_others_may_read_is_refused(self, gallery: Gallery, enrol: Enrol) -> None:
        enrol("ada", 1)
        Path(str(gallery.database.path)).chmod(0o644)
        with pytest.raises(GalleryUnavailable, match=r"mode 644.*chmod 600"):
            attempt(gallery, "ada", 1)

    def test_one_of_a_newer_program_is_refused(self, gallery: Gallery, master_key: LocalKey) -> None:
        with gallery.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(GalleryUnavailable, match="newer faceauth"):
            Gallery(str(gallery.database.path), master_key)


def backed_up(path: Path) -> Path:
    """A copy of a database that nobody is writing to."""
    copy = path.with_name("backup")
    shutil.copy2(path, copy)
    return copy


def restore(backup: Path, path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copy2(backup, path)


class TestRestoredBackup:
    @pytest.fixture
    def backup(self, gallery: Gallery, enrol: Enrol) -> Path:
        """Of a gallery with ada (1) and bob (2)."""
        enrol("ada", 1)
        enrol("bob", 2)
        return backed_up(Path(str(gallery.database.path)))

    def restored(self, gallery: Gallery, backup: Path, clock: Clock) -> Gallery:
        restore(backup, Path(str(gallery.database.path)))
        return Gallery(str(gallery.database.path), gallery.keys.master, wall=clock)

    def test_it_lets_nobody_in(self, gallery: Gallery, backup: Path, clock: Clock) -> None:
        attempt(gallery, "ada", 2)
        with pytest.raises(GalleryRestored, match="accept-restored"):
            attempt(self.restored(gallery, backup, clock), "ada", 1)

    def test_failed_attempts_count_again_and_the_wait_begins_anew(
        self, gallery: Gallery, backup: Path, clock: Clock
    ) -> None:
        for number in range(5):
            attempt(gallery, "ada", 2, client=f"c{number}")
        again = self.restored(gallery, backup, clock)
        assert accept_restored(again).log_is_whole
        assert find_subject(again, "ada").failures == 5
        with pytest.raises(LockedOut):
            attempt(again, "ada", 1)
        assert attempt(again, "bob", 2).accepted

    def test_failed_attempts_count_again_whichever_process_wrote_its_line_first(
        self, gallery: Gallery, backup: Path, clock: Clock
    ) -> None:
        attempt(gallery, "ada", 2)
        attempt(gallery, "ada", 2)
        lines = gallery.audit.path.read_bytes().splitlines(keepends=True)
        gallery.audit.path.write_bytes(b"".join(reversed(lines)))
        again = self.restored(gallery, backup, clock)
        accept_restored(again)
        assert find_subject(again, "ada").failures == 2

    def test_who_was_deleted_is_deleted_again(self, gallery: Gallery, backup: Path, clock: Clock) -> None:
        delete_subject(gallery, "bob")
        again = self.restored(gallery, backup, clock)
        assert accept_restored(again).deleted == ("bob",)
        assert names(again) == ["ada"]

    def test_templates_that_were_replaced_do_not_come_back(
        self, gallery: Gallery, backup: Path, clock: Clock, enrol: Enrol
    ) -> None:
        enrol("ada", 3, replace=True)
        enrol("eve", 4)
        again = self.restored(gallery, backup, clock)
        assert accept_restored(again).enrol_again == ("ada", "eve")
        for seed in (1, 3):
            with pytest.raises(NotEnrolled):
                attempt(again, "ada", seed)

    def test_without_the_whole_log_everybody_needs_another_factor(
        self, gallery: Gallery, backup: Path, clock: Clock
    ) -> None:
        attempt(gallery, "ada", 2)
        attempt(gallery, "ada", 2)
        last = gallery.audit.path.read_bytes().splitlines(keepends=True)[-1]
        gallery.audit.path.write_bytes(last)
        again = self.restored(gallery, backup, clock)
        assert not accept_restored(again).log_is_whole
        assert {one.failures for one in list_subjects(again)} == {MOST_FAILURES}

    def test_one_that_is_up_to_date_is_left_alone(self, gallery: Gallery, backup: Path) -> None:
        attempt(gallery, "ada", 2)
        assert accept_restored(gallery).enrol_again == ()
        assert find_subject(gallery, "ada").failures == 1


@linux
class TestSeveralProcesses:
    def test_one_of_two_that_enrol_one_name_wins(self, gallery: Gallery, master_key: LocalKey) -> None:
        enrolments = [enroll(PIPELINE, [noise_image(seed)]) for seed in (1, 2)]

        def race(number: int) -> int:
            own = Gallery(str(gallery.database.path), master_key)
            try:
                add_subject(own, "ada", enrolments[number], consent="form 1")
            except AlreadyEnrolled:
                return 7
            return 0

        assert sorted(in_processes(race, 2)) == [0, 7]
        accepted = [attempt(gallery, "ada", seed).reason for seed in (1, 2)]
        assert sorted(accepted) == [Reason.LIVE_AND_MATCHED, Reason.NOT_MATCHED]

    def test_two_that_make_one_gallery_make_one(self, tmp_path: Path, master_key: LocalKey) -> None:
        def race(number: int) -> int:
            Gallery(tmp_path / "new" / "gallery.sqlite", master_key, create=True)
            return 0

        assert in_processes(race, 4) == [0, 0, 0, 0]
        Gallery(tmp_path / "new" / "gallery.sqlite", master_key)

    def test_every_failure_counts_however_many_try_at_once(
        self, gallery: Gallery, enrol: Enrol, master_key: LocalKey, clock: Clock
    ) -> None:
        enrol("ada", 1)

        def race(number: int) -> int:
            own = Gallery(str(gallery.database.path), master_key, wall=clock)
            begin(own, open_session(own, "ada", f"c{number}"), "fake")
            return 0

        done = in_processes(race, 8)
        assert done.count(0) == 5 == find_subject(gallery, "ada").failures


def in_processes(race: object, count: int) -> list[int]:
    """Exit status of ``race(number)`` in ``count`` processes that begin at once; 1 for an exception."""
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = race(number)  # type: ignore[operator]
            finally:
                os._exit(status)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]

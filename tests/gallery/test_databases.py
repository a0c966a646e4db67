"""SQLite and PostgreSQL keep one schema and one set of rules."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from faceauth.errors import AlreadyEnrolled, GalleryUnavailable, LockedOut, NotEnrolled, UsageError
from faceauth.gallery import (
    Gallery,
    LocalKey,
    add_subject,
    delete_subject,
    enroll,
    find_subject,
    list_subjects,
    login,
    open_session,
    rekey,
    tables,
)
from faceauth.gallery.attempts import begin
from faceauth.gallery.database import PRAGMAS, Database
from tests.pipelines import noise_image

from .conftest import PIPELINE

Opened = Callable[[], Gallery]


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, master_key: LocalKey) -> Opened:
    """Opens one and the same gallery, each time anew."""
    where = str(tmp_path / "gallery.sqlite")
    if request.param == "postgresql":
        where = request.getfixturevalue("postgresql")
        _empty(where)
    return lambda: Gallery(where, master_key, audit_log=tmp_path / "audit.jsonl", create=True)


def _empty(url: str) -> None:
    with Database(url).transaction() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")


def test_a_life_from_enrolment_to_deletion(opened: Opened) -> None:
    gallery = opened()
    add_subject(gallery, "ada", enroll(PIPELINE, [noise_image(1)]), consent="form 1", keep_days=10)
    with pytest.raises(AlreadyEnrolled):
        add_subject(gallery, "ada", enroll(PIPELINE, [noise_image(2)]), consent="form 1")
    assert login(opened(), PIPELINE, "ada", noise_image(1), client="c").accepted
    for number in range(5):
        assert not login(opened(), PIPELINE, "ada", noise_image(2), client=f"c{number}").accepted
    with pytest.raises(LockedOut):
        login(opened(), PIPELINE, "ada", noise_image(1), client="c")
    assert rekey(opened()) == 2
    delete_subject(opened(), "ada")
    assert list_subjects(opened()) == []
    with pytest.raises(NotEnrolled):
        find_subject(opened(), "ada")


def test_the_migrations_make_the_tables_that_the_program_knows(opened: Opened) -> None:
    with opened().database.transaction() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_every_failure_counts_however_many_try_at_once(opened: Opened) -> None:
    gallery = opened()
    add_subject(gallery, "ada", enroll(PIPELINE, [noise_image(1)]), consent="form 1")
    galleries = [opened() for _ in range(4)]
    charged = []

    def race(own: Gallery, number: int) -> None:
        for turn in range(3):
            try:
                begin(own, open_session(own, "ada", f"c{number}{turn}"), "fake")
            except LockedOut:
                continue
            charged.append(number)

    threads = [threading.Thread(target=race, args=(own, number)) for number, own in enumerate(galleries)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(charged) == find_subject(gallery, "ada").failures == 5
    numbers = [line["sequence"] for line in gallery.audit.lines() if line["event"] == "attempt"]
    assert len(numbers) == 5 == len(set(numbers))


def test_one_of_several_threads_that_enrol_one_name_wins(opened: Opened) -> None:
    opened()
    galleries, enrolments = [opened() for _ in range(4)], [enroll(PIPELINE, [noise_image(seed)]) for seed in range(4)]
    outcomes = []

    def race(number: int) -> None:
        try:
            add_subject(galleries[number], "ada", enrolments[number], consent="form 1")
            outcomes.append("enrolled")
        except AlreadyEnrolled:
            outcomes.append("refused")

    threads = [threading.Thread(target=race, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["enrolled", "refused", "refused", "refused"]


def test_sqlite_waits_for_the_disk_and_overwrites_what_is_deleted(gallery: Gallery) -> None:
    expected = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1}
    with gallery.database.transaction() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in expected}
    assert found == expected and set(expected) < set(PRAGMAS)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://host/name", "not in mysql"),
        ("://", "not one"),
        ("postgresql://host:port/name", "not one"),
    ],
)
def test_a_place_that_forgets_or_is_unknown_is_refused(where: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Database(where)


def test_postgresql_needs_an_audit_log(master_key: LocalKey) -> None:
    with pytest.raises(UsageError, match="audit log"):
        Gallery("postgresql://nobody@localhost/nothing", master_key)


def test_a_server_that_does_not_answer_is_said(master_key: LocalKey, tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    where = f"postgresql://nobody@/nothing?host={tmp_path}"
    with pytest.raises(GalleryUnavailable, match="cannot be used"):
        Gallery(where, master_key, audit_log=tmp_path / "audit.jsonl")


def test_without_being_asked_no_gallery_is_made(master_key: LocalKey, tmp_path: Path) -> None:
    with pytest.raises(GalleryUnavailable, match="no gallery at"):
        Gallery(tmp_path / "none.sqlite", master_key)
    assert not (tmp_path / "none.sqlite").exists()

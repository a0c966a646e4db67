"""The search within PostgreSQL: the table proposes, sealed templates decide, and what is deleted is gone from it."""

import os
import re
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import GalleryTampered, GalleryUnavailable, NotEnrolled, TemplateMismatch, UsageError
from faceauth.gallery import (
    DatabaseIndex,
    Gallery,
    Index,
    LocalKey,
    add_subject,
    delete_subject,
    enroll,
    identify,
    rekey,
)
from faceauth.gallery import database_search as searching
from faceauth.results import Reason
from tests.pipelines import noise_image

from .searching import PIPELINE, ROOT, enrolment_of, on_the_sphere, template_of


def forget_everything(gallery_url: str) -> None:
    import psycopg

    with psycopg.connect(gallery_url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS faceauth CASCADE")
        connection.execute("CREATE SCHEMA faceauth")


@pytest.fixture
def url(pgvector: str) -> str:
    """With an empty schema of the test's own; the extension lies in ``public``."""
    forget_everything(pgvector)
    return f"{pgvector}&options=-csearch_path%3Dfaceauth,public"


@pytest.fixture
def gallery(url: str, master_key: LocalKey, tmp_path: Path) -> Gallery:
    return Gallery(url, master_key, audit_log=tmp_path / "audit.jsonl", create=True)


@pytest.fixture
def index(gallery: Gallery) -> DatabaseIndex:
    return DatabaseIndex(gallery, "fake")


Enrol = Callable[..., None]


@pytest.fixture
def enrol(gallery: Gallery) -> Enrol:
    def enrol(name: str, seed: int, **facts: object) -> None:
        enrolment = enroll(PIPELINE, [noise_image(seed)])
        add_subject(gallery, name, enrolment, **{"consent": "form 1", **facts})  # type: ignore[arg-type]

    return enrol


def executed(gallery: Gallery, statement: str) -> list[tuple[object, ...]]:
    with gallery.database.transaction() as connection:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


def test_the_person_is_found_and_a_stranger_is_nobody(gallery: Gallery, enrol: Enrol, index: DatabaseIndex) -> None:
    enrol("ada", 1)
    enrol("bob", 2)
    found = identify(gallery, PIPELINE, index, noise_image(2), client="c")
    assert (found.subject, found.verification.reason) == ("bob", Reason.LIVE_AND_MATCHED)
    stranger = identify(gallery, PIPELINE, index, noise_image(3), client="c")
    assert (stranger.subject, stranger.verification.reason) == (None, Reason.NOT_MATCHED)


def test_it_finds_what_the_search_in_memory_finds(
    gallery: Gallery, index: DatabaseIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "BATCH", 7)
    vectors = on_the_sphere(60, 128)
    for number, some in enumerate(np.split(vectors, 20)):
        add_subject(gallery, f"person {number}", enrolment_of(some), consent="form 1")
    in_memory = Index(gallery, "fake")
    assert index.refresh() == in_memory.refresh() == 60
    for probe in on_the_sphere(30, 128, seed=1):
        found, expected = index.nearest(template_of(probe)), in_memory.nearest(template_of(probe))
        assert found.subject == expected.subject == f"person {int((vectors @ probe).argmax()) // 3}"
        assert found.similarity == pytest.approx(expected.similarity, abs=1e-6)


def test_who_is_deleted_leaves_the_table_in_the_same_transaction(
    gallery: Gallery, enrol: Enrol, index: DatabaseIndex
) -> None:
    enrol("ada", 1)
    enrol("bob", 2)
    assert index.refresh() == 2
    delete_subject(gallery, "bob")
    assert executed(gallery, "SELECT count(*) FROM turned_templates") == [(1,)]
    assert index.nearest(PIPELINE.embed(noise_image(2))).subject == "ada"
    assert index.refresh() == 1


def test_who_enrols_anew_is_found_by_the_new_templates_alone(
    gallery: Gallery, enrol: Enrol, index: DatabaseIndex
) -> None:
    enrol("ada", 1)
    index.refresh()
    enrol("ada", 2, replace=True)
    assert identify(gallery, PIPELINE, index, noise_image(1), client="c").subject is None
    assert identify(gallery, PIPELINE, index, noise_image(2), client="c").subject == "ada"


def test_whose_time_is_over_is_not_found(gallery: Gallery, enrol: Enrol, index: DatabaseIndex) -> None:
    enrol("ada", 1, keep_days=1)
    enrol("bob", 2)
    assert index.refresh() == 2
    executed(gallery, "UPDATE subjects SET keep_until_s = 1 WHERE name = 'ada'")
    assert index.nearest(PIPELINE.embed(noise_image(1))).subject == "bob"
    assert DatabaseIndex(gallery, "fake").refresh() == 1
    executed(gallery, "UPDATE subjects SET keep_until_s = 1")
    with pytest.raises(NotEnrolled):
        DatabaseIndex(gallery, "fake").refresh()
    with pytest.raises(NotEnrolled):
        index.nearest(PIPELINE.embed(noise_image(1)))


def test_whoever_changes_the_table_lets_nobody_in(gallery: Gallery, enrol: Enrol, index: DatabaseIndex) -> None:
    """Bob's vectors under ada's name: the sealed record of ada decides."""
    enrol("ada", 1)
    index.refresh()
    enrol("bob", 2)
    index.refresh()
    bob = executed(gallery, "SELECT template_id FROM templates WHERE subject = 'bob'")[0][0]
    executed(
        gallery,
        f"UPDATE turned_templates SET turned = (SELECT turned FROM turned_templates WHERE template_id = '{bob}') "
        f"WHERE template_id != '{bob}'",
    )
    executed(gallery, f"DELETE FROM turned_templates WHERE template_id = '{bob}'")
    found = identify(gallery, PIPELINE, index, noise_image(2), client="c")
    assert (found.subject, found.verification.reason) == (None, Reason.NOT_MATCHED)


def test_a_sealed_template_under_another_name_opens_for_nobody(
    gallery: Gallery, enrol: Enrol, index: DatabaseIndex
) -> None:
    enrol("ada", 1)
    enrol("bob", 2)
    index.refresh()
    executed(gallery, "UPDATE templates SET subject = 'ada' WHERE subject = 'bob'")
    with pytest.raises(GalleryTampered):
        identify(gallery, PIPELINE, index, noise_image(2), client="c")


def test_the_table_holds_no_template_as_it_was_embedded(gallery: Gallery, index: DatabaseIndex) -> None:
    vectors = on_the_sphere(20, 128)
    add_subject(gallery, "ada", enrolment_of(vectors), consent="form 1")
    index.refresh()
    rows = executed(gallery, "SELECT turned::text FROM turned_templates")
    kept = np.array([[float(number) for number in str(row[0]).strip("[]").split(",")] for row in rows])
    assert kept.shape == (20, 128) and np.abs(kept @ vectors.T).max() < 0.6


def test_the_tables_are_in_no_write_ahead_log(gallery: Gallery, index: DatabaseIndex) -> None:
    kinds = "SELECT relpersistence::text FROM pg_class WHERE relname IN ('turned_templates', 'turned_until')"
    assert executed(gallery, kinds) == [("u",), ("u",)]


def test_what_a_crash_emptied_is_filled_again(gallery: Gallery, enrol: Enrol, index: DatabaseIndex) -> None:
    enrol("ada", 1)
    index.refresh()
    executed(gallery, "TRUNCATE turned_templates, turned_until")  # what the server does to unlogged tables
    with pytest.raises(NotEnrolled, match="refresh"):
        index.nearest(PIPELINE.embed(noise_image(1)))
    assert identify(gallery, PIPELINE, index, noise_image(1), client="c").subject == "ada"


def test_a_rekeyed_gallery_is_searched_as_before(gallery: Gallery, enrol: Enrol, index: DatabaseIndex) -> None:
    enrol("ada", 1)
    index.refresh()
    rekey(gallery)
    assert identify(gallery, PIPELINE, index, noise_image(1), client="c").subject == "ada"


def test_an_error_of_the_database_does_not_tell_what_was_searched_for(
    gallery: Gallery, enrol: Enrol, index: DatabaseIndex
) -> None:
    enrol("ada", 1)
    index.refresh()
    executed(gallery, "DROP TABLE turned_templates")
    with pytest.raises(GalleryUnavailable) as raised:
        index.nearest(PIPELINE.embed(noise_image(1)))
    told = "".join(traceback.format_exception(raised.value))
    assert "hide_parameters" in told and re.search(r"\[-?0\.\d+,", told) is None


def test_templates_of_another_model_are_not_searched(gallery: Gallery, enrol: Enrol, index: DatabaseIndex) -> None:
    enrol("ada", 1)
    index.refresh()
    other = DatabaseIndex(gallery, "other")
    with pytest.raises(NotEnrolled, match="other"):
        other.refresh()
    with pytest.raises(NotEnrolled):
        other.nearest(template_of(on_the_sphere(1, 16)[0], model_id="other"))
    with pytest.raises(TemplateMismatch):
        other.nearest(template_of(on_the_sphere(1, 16)[0]))


KILLED = """
import os, signal, sys
from sqlalchemy import event
from faceauth.gallery import DatabaseIndex, Gallery, LocalKey
from faceauth.gallery import database_search

database_search.BATCH = 4
gallery = Gallery(sys.argv[1], LocalKey.from_file(sys.argv[2]), audit_log=sys.argv[3])
index = DatabaseIndex(gallery, "fake")
left = [int(sys.argv[4])]

def kill(*_):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(gallery.database.engine, "after_cursor_execute", kill)
index.refresh()
"""


@pytest.mark.slow
def test_killed_while_the_table_is_filled_another_process_fills_it(gallery: Gallery, url: str, tmp_path: Path) -> None:
    vectors = on_the_sphere(12, 16)
    add_subject(gallery, "ada", enrolment_of(vectors), consent="form 1")
    ended, counts = [], []
    for statements in (1, 5, 9, 14, 1000):
        with gallery.database.transaction() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS turned_templates, turned_until")
        arguments = [url, str(tmp_path / "keys" / "master.key"), str(tmp_path / "audit.jsonl"), str(statements)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", KILLED, *arguments], env=environment, timeout=120)
        ended.append(done.returncode)
        counts += executed(gallery, "SELECT count(*) FROM turned_templates")[0]
        again = DatabaseIndex(gallery, "fake")
        assert again.refresh() == 12
        assert all(again.nearest(template_of(one)).similarity > 0.999 for one in vectors)
    assert ended == [-signal.SIGKILL] * 4 + [0]
    assert counts[0] == 0 and counts[-1] == 12 and len(set(counts)) > 2, counts


def test_a_gallery_in_sqlite_is_refused(tmp_path: Path, master_key: LocalKey) -> None:
    with pytest.raises(UsageError, match="this one is in SQLite"):
        DatabaseIndex(Gallery(tmp_path / "gallery.sqlite", master_key, create=True), "fake")


def test_a_database_without_pgvector_is_refused(postgresql: str, tmp_path: Path, master_key: LocalKey) -> None:
    gallery = Gallery(postgresql, master_key, audit_log=tmp_path / "audit.jsonl", create=True)
    with pytest.raises(UsageError, match="CREATE EXTENSION vector"):
        DatabaseIndex(gallery, "fake")

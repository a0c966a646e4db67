"""What is kept about people, and that what is deleted is gone."""

import os
import sqlite3
import stat
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import AlreadyEnrolled, GalleryUnavailable, NotEnrolled, UsageError
from faceauth.gallery import (
    Gallery,
    add_subject,
    delete_subject,
    enroll,
    export_subject,
    find_subject,
    list_subjects,
    login,
    outdated_subjects,
    purge_expired,
)
from faceauth.gallery.database import PRAGMAS
from faceauth.gallery.subjects import DAY_S, LONGEST_NAME
from faceauth.results import Reason
from faceauth.testing import FakeEmbedder
from tests.pipelines import fake_pipeline, noise_image

from .conftest import PIPELINE, Clock, Enrol

OTHER_MODEL = fake_pipeline(embedder=FakeEmbedder(model_id="other"))


def files_of(gallery: Gallery) -> dict[str, bytes]:
    """Every file of the database, the write-ahead log included."""
    path = gallery.database.path
    assert path is not None
    return {one.name: one.read_bytes() for one in path.parent.glob(f"{path.name}*") if one != gallery.audit.path}


def test_a_person_is_shown_with_consent_and_times(gallery: Gallery, enrol: Enrol, clock: Clock) -> None:
    enrol("ada", 1, keep_days=30)
    (ada,) = list_subjects(gallery)
    assert (ada.name, ada.consent, ada.templates, ada.failures) == ("ada", "form 1", {"fake": 1}, 0)
    assert ada.keep_until == ada.enrolled + timedelta(days=30)
    assert find_subject(gallery, "ada") == ada


def test_nobody_is_enrolled_twice_unless_it_is_asked_for(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    with pytest.raises(AlreadyEnrolled):
        enrol("ada", 2)
    assert login(gallery, PIPELINE, "ada", noise_image(1), client="c").accepted
    enrol("ada", 2, replace=True)
    assert login(gallery, PIPELINE, "ada", noise_image(2), client="c").accepted
    assert login(gallery, PIPELINE, "ada", noise_image(1), client="c").reason is Reason.NOT_MATCHED


def test_an_enrolment_anew_forgets_no_failed_attempt(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    login(gallery, PIPELINE, "ada", noise_image(2), client="c")
    enrol("ada", 1, replace=True)
    assert find_subject(gallery, "ada").failures == 1


@pytest.mark.parametrize(
    "name", ["", " ada", "a\nb", "a\x00", "x" * (LONGEST_NAME + 1), "a\u0308", "a\u200b"], ids=repr
)
def test_a_name_that_can_be_mistaken_is_refused(enrol: Enrol, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a name"):
        enrol(name, 1)


def test_nobody_is_enrolled_without_consent(enrol: Enrol) -> None:
    with pytest.raises(UsageError, match="consent"):
        enrol("ada", 1, consent=" ")


@pytest.mark.parametrize("days", [0.0, -1.0, 1e9, float("inf"), float("nan")], ids=str)
def test_a_time_that_no_calendar_knows_is_refused(gallery: Gallery, enrol: Enrol, days: float) -> None:
    """It would close the gallery, or mean for ever."""
    with pytest.raises(UsageError, match="100,000 days"):
        enrol("ada", 1, keep_days=days)
    assert list_subjects(gallery) == []


def test_templates_of_two_embedders_are_never_compared(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    with pytest.raises(NotEnrolled, match=r"enrolled with fake; the embedder in use is other.*Enrol the person again"):
        login(gallery, OTHER_MODEL, "ada", noise_image(1), client="c")
    assert outdated_subjects(gallery, "other") == ["ada"] and outdated_subjects(gallery, "fake") == []


def test_another_embedder_keeps_the_old_templates(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    enrol("ada", 1, pipeline=OTHER_MODEL, replace=True)
    assert find_subject(gallery, "ada").templates == {"fake": 1, "other": 1}
    for pipeline in (PIPELINE, OTHER_MODEL):
        assert login(gallery, pipeline, "ada", noise_image(1), client="c").accepted
    assert {model: len(found) for model, found in export_subject(gallery, "ada")["templates"].items()} == {
        "fake": 1,
        "other": 1,
    }


def test_templates_are_not_used_after_their_time(gallery: Gallery, enrol: Enrol, clock: Clock) -> None:
    enrol("ada", 1, keep_days=1)
    clock.now_s += DAY_S - 1
    assert login(gallery, PIPELINE, "ada", noise_image(1), client="c").accepted
    clock.now_s += 2
    with pytest.raises(NotEnrolled, match="retention time"):
        login(gallery, PIPELINE, "ada", noise_image(1), client="c")


def test_purge_deletes_whose_time_is_over_and_nobody_else(gallery: Gallery, enrol: Enrol, clock: Clock) -> None:
    enrol("ada", 1, keep_days=1)
    enrol("bob", 2, keep_days=3)
    enrol("eve", 3)
    clock.now_s += 2 * DAY_S
    assert purge_expired(gallery) == ["ada"]
    assert [one.name for one in list_subjects(gallery)] == ["bob", "eve"]


def test_deleted_means_that_no_byte_of_it_is_left_in_the_database(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada-to-be-deleted", 1)
    login(gallery, PIPELINE, "ada-to-be-deleted", noise_image(1), client="c")
    with gallery.database.transaction() as connection:
        sealed = connection.exec_driver_sql("SELECT sealed FROM templates").scalar_one()
    assert any(b"ada-to-be-deleted" in content for content in files_of(gallery).values())
    delete_subject(gallery, "ada-to-be-deleted")
    for content in files_of(gallery).values():
        assert b"ada-to-be-deleted" not in content and sealed[:24] not in content
    with pytest.raises(NotEnrolled):
        login(gallery, PIPELINE, "ada-to-be-deleted", noise_image(1), client="c")


def test_deleted_is_gone_even_while_others_read_the_database(gallery: Gallery, enrol: Enrol) -> None:
    """They keep the write-ahead log open, which SQLite would otherwise remove."""
    reader = sqlite3.connect(str(gallery.database.path))
    reader.execute("SELECT count(*) FROM subjects").fetchall()
    enrol("ada-to-be-deleted", 1)
    delete_subject(gallery, "ada-to-be-deleted")
    assert not [name for name, content in files_of(gallery).items() if b"ada-to-be-deleted" in content]
    reader.close()


def test_what_a_reader_keeps_in_the_files_is_said_until_it_is_gone(
    gallery: Gallery, enrol: Enrol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRAGMAS, "busy_timeout", "50")
    enrol("ada-to-be-deleted", 1)
    reader = sqlite3.connect(str(gallery.database.path), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM subjects").fetchall()
    with pytest.raises(GalleryUnavailable, match="still hold what was deleted"):
        delete_subject(gallery, "ada-to-be-deleted")
    assert list_subjects(gallery) == []
    reader.close()
    purge_expired(gallery)
    assert not [name for name, content in files_of(gallery).items() if b"ada-to-be-deleted" in content]


def test_a_database_that_goes_away_after_a_deletion_is_said(gallery: Gallery) -> None:
    Path(str(gallery.database.path)).unlink()
    with pytest.raises(GalleryUnavailable, match="cannot be used"):
        gallery.database.forget_deleted()


def test_deleting_nobody_is_an_error(gallery: Gallery) -> None:
    with pytest.raises(NotEnrolled):
        delete_subject(gallery, "nobody")


def test_an_export_holds_everything_and_the_templates_in_the_clear(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    enrol("bob", 2)
    login(gallery, PIPELINE, "ada", noise_image(1), client="c")
    found = export_subject(gallery, "ada")
    assert found["subject"]["consent"] == "form 1"
    assert found["templates"]["fake"][0] == pytest.approx(PIPELINE.embed(noise_image(1)).vector, abs=1e-6)
    assert [line["event"] for line in found["audit"]] == ["enrolled", "attempt", "judged", "exported"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_every_file_is_its_owners_alone(gallery: Gallery, enrol: Enrol) -> None:
    before = os.umask(0)
    try:
        enrol("ada", 1)
    finally:
        os.umask(before)
    with gallery.database.transaction():  # while it is open, the write-ahead log is there
        places = [*Path(str(gallery.database.path)).parent.glob("gallery.sqlite*")]
        assert len(places) >= 3
        assert {stat.S_IMODE(path.stat().st_mode) for path in places} == {0o600}


def test_the_database_holds_no_template_in_the_clear(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    vector = np.asarray(PIPELINE.embed(noise_image(1)).vector)
    for content in files_of(gallery).values():
        for dtype in ("<f4", "<f8"):
            assert vector.astype(dtype)[:2].tobytes() not in content


def test_an_enrolment_of_several_templates_logs_in_with_any(gallery: Gallery) -> None:
    enrolment = enroll(PIPELINE, [noise_image(1), noise_image(1)[:, ::-1][:, ::-1]])
    add_subject(gallery, "ada", enrolment, consent="form 1")
    assert login(gallery, PIPELINE, "ada", noise_image(1), client="c").accepted

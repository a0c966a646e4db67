"""Whoever writes into the database or the audit log, or sends odd text, gets a no in plain words, and nothing else."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from faceauth.errors import (
    FaceAuthError,
    GalleryError,
    GalleryTampered,
    GalleryUnavailable,
    NotEnrolled,
    SessionClosed,
    UsageError,
)
from faceauth.gallery import (
    Gallery,
    Index,
    LocalKey,
    Session,
    accept_restored,
    add_subject,
    answer,
    delete_subject,
    enroll,
    export_subject,
    find_subject,
    list_subjects,
    login,
    open_session,
    reset_attempts,
)
from faceauth.gallery.cameras import add_levels, profile_of, reset_camera
from faceauth.results import Reason, Template, Verification
from tests.pipelines import noise_image

from .conftest import PIPELINE, SPOOFED, Enrol

ODD = ["\ud800", "\udcff", "a\0b", "", "x" * 100_000, "ada\u200b", "\u202eada", "ada ", "e\u0301", "ada\n"]


def attempt(gallery: Gallery, seed: int = 1) -> Verification:
    return login(gallery, PIPELINE, "ada", noise_image(seed), client="c")


def execute(gallery: Gallery, statement: str) -> None:
    with gallery.database.transaction() as connection:
        connection.exec_driver_sql(statement)


# Odd text.


@pytest.mark.parametrize("name", ODD, ids=ascii)
@pytest.mark.parametrize(
    "act",
    [find_subject, delete_subject, reset_attempts, export_subject],
    ids=lambda act: act.__name__,
)
def test_a_name_that_nobody_can_have_is_that_of_nobody(
    gallery: Gallery, enrol: Enrol, act: Callable[[Gallery, str], object], name: str
) -> None:
    enrol("ada", 1)
    with pytest.raises(NotEnrolled):
        act(gallery, name)
    assert attempt(gallery).accepted


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_nobody_is_enrolled_or_judged_under_a_name_that_cannot_be_read(gallery: Gallery, name: str) -> None:
    enrolment = enroll(PIPELINE, [noise_image(1)])
    for act in (
        lambda: add_subject(gallery, name, enrolment, consent="form 1"),
        lambda: open_session(gallery, name, "c"),
        lambda: login(gallery, PIPELINE, name, noise_image(1), client="c"),
        lambda: add_levels(gallery, name, enrolment.verifications),
        lambda: profile_of(gallery, name),
        lambda: reset_camera(gallery, name),
    ):
        with pytest.raises(UsageError, match="cannot be a name"):
            act()
    assert list_subjects(gallery) == [] and gallery.audit.lines() == []


@pytest.mark.parametrize("consent", ["\ud800", "form\0", " \n"], ids=ascii)
def test_a_consent_that_cannot_be_stored_is_none(gallery: Gallery, enrol: Enrol, consent: str) -> None:
    with pytest.raises(UsageError, match="consent"):
        enrol("ada", 1, consent=consent)


@pytest.mark.parametrize("session_id", ODD, ids=ascii)
def test_a_session_that_a_client_made_up_is_closed(gallery: Gallery, enrol: Enrol, session_id: str) -> None:
    enrol("ada", 1)
    with pytest.raises(SessionClosed):
        answer(gallery, Session(session_id, "ada", "c"), "fake", lambda found: PIPELINE.verify(noise_image(1), found))


@pytest.mark.parametrize("place", ["\ud800", "a\0b"], ids=ascii)
def test_a_path_that_can_be_none_is_refused(tmp_path: Path, master_key: LocalKey, place: str) -> None:
    with pytest.raises(UsageError, match="path of a file"):
        Gallery(tmp_path / place, master_key, create=True)
    with pytest.raises(UsageError, match="path of a file"):
        Gallery(f"sqlite:///{tmp_path}/{place}", master_key, create=True)
    with pytest.raises(UsageError, match="path of a file"):
        Gallery(tmp_path / "good.sqlite", master_key, audit_log=tmp_path / place, create=True)
    with pytest.raises(GalleryError):
        LocalKey.from_file(tmp_path / place)


@pytest.mark.parametrize("name", ["50 % #?.sqlite", "gr\u00fc\u00df.sqlite", "bytes \udcff.sqlite"], ids=ascii)
def test_a_gallery_opens_whatever_its_file_is_called(tmp_path: Path, master_key: LocalKey, name: str) -> None:
    try:
        (tmp_path / name).touch(mode=0o600)
    except (OSError, UnicodeError):
        pytest.skip("needs a file system that takes the name")
    Gallery(tmp_path / name, master_key, create=True)
    assert list_subjects(Gallery(tmp_path / name, master_key)) == []


@pytest.mark.parametrize("text", ["\ud800", "k" * 43, "\0" * 44, "=" * 44], ids=ascii)
def test_a_variable_that_holds_no_key_is_refused(text: str) -> None:
    with pytest.raises(GalleryError):
        LocalKey.from_environment({"FACEAUTH_MASTER_KEY": text})


# The database, edited by somebody without the key.


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lockouts SET failures = 'none'",
        "UPDATE lockouts SET failures = -50",
        "UPDATE lockouts SET failures = 0.5",
        "UPDATE lockouts SET locked_until_at = 'now'",
        "UPDATE lockouts SET locked_until_at = -9e999",
        "UPDATE gallery_state SET sequence = 'first'",
        "UPDATE gallery_state SET sequence = -1",
        "UPDATE gallery_state SET clock_at = 9e999",
        "UPDATE gallery_state SET clock_at = 'late'",
        "UPDATE gallery_state SET wall_s = 'late'",
        "UPDATE subjects SET keep_until_s = 'for ever'",
        "UPDATE subjects SET consented_s = 9e99",
        "UPDATE templates SET sealed = 'text'",
        "UPDATE templates SET sealed = x''",
        "UPDATE templates SET version = 'new'",
        "UPDATE rotations SET sealed = x'00'",
    ],
)
def test_a_row_that_faceauth_never_writes_lets_nobody_in(gallery: Gallery, enrol: Enrol, statement: str) -> None:
    enrol("ada", 1)
    attempt(gallery, 2)
    execute(gallery, statement)
    for one in (gallery, Gallery(str(gallery.database.path), gallery.keys.master)):
        with pytest.raises(GalleryTampered):
            attempt(one)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE subjects SET keep_until_s = 'for ever'",
        "UPDATE subjects SET keep_until_s = 9e999",
        "UPDATE gallery_state SET revision = 'first'",
    ],
)
def test_a_row_that_faceauth_never_writes_is_not_searched(gallery: Gallery, enrol: Enrol, statement: str) -> None:
    enrol("ada", 1)
    index = Index(gallery, "fake")
    execute(gallery, statement)
    with pytest.raises(GalleryTampered):
        index.refresh()


def test_a_session_that_was_edited_lets_nobody_in(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    session = open_session(gallery, "ada", "c")
    execute(gallery, "UPDATE sessions SET opened_at = 9e999")
    with pytest.raises(GalleryTampered):
        answer(gallery, session, "fake", lambda found: PIPELINE.verify(noise_image(1), found))


@pytest.mark.parametrize("seed", [1, 2])
def test_failures_that_were_edited_while_a_face_was_judged_let_nobody_in(
    gallery: Gallery, enrol: Enrol, seed: int
) -> None:
    def judge(found: Sequence[Template]) -> Verification:
        execute(gallery, "UPDATE lockouts SET failures = 'none'")
        return PIPELINE.verify(noise_image(seed), found)

    enrol("ada", 1)
    with pytest.raises(GalleryTampered):
        answer(gallery, open_session(gallery, "ada", "c"), "fake", judge)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM gallery_state",
        "UPDATE gallery_state SET gallery_id = 'another'",
        "UPDATE data_keys SET wrapped = 'text'",
        "UPDATE data_keys SET wrapped = x'00'",
        "UPDATE data_keys SET active = 0",
        "UPDATE data_keys SET key_id = 'another'",
        "UPDATE alembic_version SET version_num = 'another'",
        "DROP TABLE sessions",
        "DROP TABLE lockouts",
    ],
)
def test_a_gallery_whose_own_records_were_edited_lets_nobody_in(gallery: Gallery, enrol: Enrol, statement: str) -> None:
    enrol("ada", 1)
    with gallery.database.engine.connect() as connection:  # foreign keys are whatever the editor wants them to be
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql(statement)
    with pytest.raises(GalleryError):
        attempt(Gallery(str(gallery.database.path), gallery.keys.master))


def test_a_gallery_that_lost_its_own_record_is_not_begun_anew(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    gallery.audit.path.unlink()  # which would tell
    execute(gallery, "DELETE FROM gallery_state")
    for create in (False, True):
        with pytest.raises(GalleryTampered, match="lost its own record"):
            Gallery(str(gallery.database.path), gallery.keys.master, create=create)


def test_templates_of_two_people_that_were_swapped_let_neither_in_as_the_other(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    enrol("eve", 2)
    execute(gallery, "UPDATE templates SET subject = CASE subject WHEN 'ada' THEN 'eve' ELSE 'ada' END")
    for name, seed in (("ada", 2), ("eve", 1), ("ada", 1)):
        with pytest.raises(GalleryTampered):
            login(gallery, PIPELINE, name, noise_image(seed), client="c")


def test_attempts_that_were_rolled_back_with_the_database_are_noticed(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    path = Path(str(gallery.database.path))
    shutil.copy2(path, path.with_name("before"))
    for _ in range(4):
        attempt(gallery, 2)
    shutil.copy2(path.with_name("before"), path)
    with pytest.raises(GalleryError, match="backup was restored"):
        attempt(gallery, 2)
    accept_restored(gallery)
    assert find_subject(gallery, "ada").failures == 4


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX")
@pytest.mark.parametrize("called", ["gallery", "master key"])
def test_root_uses_no_gallery_and_no_key_that_others_may_change(
    gallery: Gallery, enrol: Enrol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str
) -> None:
    enrol("ada", 1)
    theirs = {"gallery": Path(str(gallery.database.path)), "master key": tmp_path / "keys" / "master.key"}[called]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        "faceauth.trusted_files.writable_by_others", lambda path: path if path.name == theirs.name else None
    )
    with pytest.raises(UsageError, match=f"{called} .* others than root may change"):
        attempt(Gallery(str(gallery.database.path), LocalKey.from_file(tmp_path / "keys" / "master.key")))


# The audit log, edited.


@pytest.mark.parametrize(
    "line",
    [
        '{"sequence": 1e400, "event": "judged"}',
        '{"sequence": 99999999999999999999999999, "event": "judged"}',
        '{"sequence": true, "event": "judged"}',
        '{"sequence": -5, "event": "judged"}',
        '{"sequence": "50", "event": "judged"}',
        '{"sequence": 50}',
        '{"sequence": 50, "event": "enrolled", "subject": "ada"}',
        '{"sequence": 50, "event": "deleted"}',
        '{"sequence": 50, "event": "judged", "subject": ["ada"], "failures": 3}',
        '{"sequence": 50, "event": "judged", "subject": "ada", "failures": "0"}',
        '{"sequence": 50, "event": "judged", "subject": "ada", "failures": -3}',
        '{"sequence": 50, "event": "judged", "failures": 3}',
        "[]",
        "null",
        pytest.param("[" * 100_000, id="nested"),
    ],
)
def test_a_line_that_faceauth_never_writes_closes_the_gallery(gallery: Gallery, enrol: Enrol, line: str) -> None:
    enrol("ada", 1)
    whole = gallery.audit.path.read_bytes()
    with gallery.audit.path.open("ab") as file:
        file.write(line.encode() + b"\n")
    for act in (lambda: attempt(gallery), lambda: accept_restored(gallery), lambda: export_subject(gallery, "ada")):
        with pytest.raises(GalleryUnavailable, match=r"audit log .* never writes"):
            act()
    gallery.audit.path.write_bytes(whole)
    assert attempt(gallery).accepted


def test_every_line_that_faceauth_writes_is_read_back(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    attempt(gallery, 1), attempt(gallery, 2)
    reset_attempts(gallery, "ada")
    export_subject(gallery, "ada")
    delete_subject(gallery, "ada")
    assert len(gallery.audit.lines()) == len(gallery.audit.path.read_text().splitlines()) == 8


# Results.


def accepted() -> dict[str, Any]:
    return {"accepted": True, "verdict": "accept", "reason": Reason.LIVE_AND_MATCHED}


@pytest.mark.parametrize("seed", [1, 2], ids=["attack", "stranger"])
def test_a_result_that_was_changed_after_it_was_built_lets_nobody_in(gallery: Gallery, enrol: Enrol, seed: int) -> None:
    enrol("ada", 1)
    pipeline = SPOOFED if seed == 1 else PIPELINE
    with pytest.raises(UsageError, match="evidence"):
        answer(
            gallery,
            open_session(gallery, "ada", "c"),
            "fake",
            lambda found: pipeline.verify(noise_image(seed), found).model_copy(update=accepted()),
        )
    assert find_subject(gallery, "ada").failures == 1


def test_what_only_looks_like_a_result_lets_nobody_in(gallery: Gallery, enrol: Enrol) -> None:
    class Yes:
        accepted, reason, verdict, liveness, thresholds, stages = (
            True,
            Reason.LIVE_AND_MATCHED,
            "accept",
            None,
            None,
            (),
        )

    enrol("ada", 1)
    with pytest.raises(UsageError, match="evidence"):
        answer(gallery, open_session(gallery, "ada", "c"), "fake", lambda found: Yes())  # type: ignore[type-var]
    assert find_subject(gallery, "ada").failures == 1


@pytest.mark.parametrize("change", ['"accepted":true', '"reason":"live_and_matched"', '"verdict":"accept"'])
def test_a_result_as_json_cannot_be_turned_into_a_yes(change: str) -> None:
    text = SPOOFED.verify(noise_image(1), PIPELINE.embed(noise_image(1))).model_dump_json()
    key = change.partition(":")[0]
    start = text.index(key)
    forged = text.replace(text[start : text.index(",", start)], change)
    assert forged != text
    with pytest.raises(ValueError, match=r"accepted|reason|verdict"):
        Verification.model_validate_json(forged)


def test_every_error_is_one_of_faceauth_and_one_line(gallery: Gallery) -> None:
    for name in ODD:
        with pytest.raises(FaceAuthError) as refused:
            find_subject(gallery, name)
        assert str(refused.value).isprintable()

"""Sealed records open for whom they were sealed, with the right key, and for nobody else."""

import base64
import os
from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import GalleryTampered, KeyRefused
from faceauth.gallery import Gallery, LocalKey, add_subject, change_master_key, enroll, login, rekey
from faceauth.gallery.rotation import rotation_for, turned, turned_back
from faceauth.results import Template
from faceauth.testing import FakeEmbedder
from tests.pipelines import fake_pipeline, noise_image

from .conftest import PIPELINE, Enrol

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


def execute(gallery: Gallery, statement: str, *values: object) -> None:
    """What somebody does who can write into the database, but has no key."""
    with gallery.database.transaction() as connection:
        connection.exec_driver_sql(statement, tuple(values))


def enters(gallery: Gallery, name: str, seed: int) -> bool:
    return login(gallery, PIPELINE, name, noise_image(seed), client="c").accepted


def reopened(gallery: Gallery, key: LocalKey) -> Gallery:
    return Gallery(str(gallery.database.path), key)


@pytest.mark.parametrize(
    "swap",
    [
        "UPDATE templates SET sealed = (SELECT sealed FROM templates WHERE subject = 'eve') WHERE subject = 'ada'",
        "DELETE FROM templates WHERE subject = 'ada';UPDATE templates SET subject = 'ada' WHERE subject = 'eve'",
        "UPDATE templates SET model_id = 'fake', version = 2",
    ],
    ids=["content moved", "record moved", "version changed"],
)
def test_a_template_opens_for_no_other_person_or_version(gallery: Gallery, enrol: Enrol, swap: str) -> None:
    enrol("ada", 1)
    enrol("eve", 2)
    for statement in swap.split(";"):
        execute(gallery, statement)
    with pytest.raises(GalleryTampered, match="Nobody is let in"):
        enters(gallery, "ada", 2)


def test_a_template_that_was_replaced_does_not_open_under_the_id_of_the_new_one(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    with gallery.database.transaction() as connection:
        old = connection.exec_driver_sql("SELECT sealed FROM templates").scalar_one()
    enrol("ada", 2, replace=True)
    execute(gallery, "UPDATE templates SET sealed = ?", old)
    with pytest.raises(GalleryTampered):
        enters(gallery, "ada", 1)


def test_a_template_does_not_open_as_one_of_another_model(gallery: Gallery, enrol: Enrol) -> None:
    other = fake_pipeline(embedder=FakeEmbedder(model_id="other"))
    enrol("ada", 1)
    enrol("eve", 2, pipeline=other)
    execute(gallery, "UPDATE templates SET model_id = 'other' WHERE subject = 'ada'")
    with pytest.raises(GalleryTampered):
        login(gallery, other, "ada", noise_image(1), client="c")


def test_people_who_were_renamed_in_the_database_do_not_get_in(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    enrol("eve", 2)
    with gallery.database.transaction() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for table, column in (("subjects", "name"), ("templates", "subject")):
            connection.exec_driver_sql(f"UPDATE {table} SET {column} = 'tmp' WHERE {column} = 'ada'")
            connection.exec_driver_sql(f"UPDATE {table} SET {column} = 'ada' WHERE {column} = 'eve'")
    with pytest.raises(GalleryTampered):
        enters(gallery, "ada", 2)


@pytest.mark.parametrize("table", ["templates", "rotations"])
def test_a_changed_bit_is_noticed(gallery: Gallery, enrol: Enrol, table: str) -> None:
    enrol("ada", 1)
    with gallery.database.transaction() as connection:
        sealed = bytearray(connection.exec_driver_sql(f"SELECT sealed FROM {table}").scalar_one())
    sealed[20] ^= 1
    execute(gallery, f"UPDATE {table} SET sealed = ?", bytes(sealed))
    with pytest.raises(GalleryTampered):
        enters(gallery, "ada", 1)


def test_another_master_key_opens_nothing_and_loses_nothing(
    gallery: Gallery, enrol: Enrol, master_key: LocalKey
) -> None:
    enrol("ada", 1)
    with pytest.raises(KeyRefused, match="name the right key"):
        reopened(gallery, LocalKey(b"x" * 32))
    assert enters(reopened(gallery, master_key), "ada", 1)


def test_a_master_key_that_claims_to_be_the_right_one_is_found_out(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    impostor = LocalKey(b"x" * 32)
    impostor.key_id = gallery.keys.master.key_id
    with pytest.raises(KeyRefused, match="does not open"):
        reopened(gallery, impostor)


def test_a_data_key_of_another_gallery_does_not_open(gallery: Gallery, tmp_path: Path, master_key: LocalKey) -> None:
    other = Gallery(tmp_path / "other.sqlite", master_key, create=True)
    with other.database.transaction() as connection:
        wrapped, key_id = connection.exec_driver_sql("SELECT wrapped, key_id FROM data_keys").one()
    execute(gallery, "UPDATE data_keys SET wrapped = ?, key_id = ?", wrapped, key_id)
    with pytest.raises(KeyRefused):
        reopened(gallery, master_key)


def test_every_record_names_its_key_and_is_sealed_differently(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    enrol("eve", 1)
    with gallery.database.transaction() as connection:
        rows = connection.exec_driver_sql("SELECT key_id, sealed FROM templates").all()
    assert len({row.sealed for row in rows}) == 2 and {row.key_id for row in rows} == {gallery_key(gallery)}


def gallery_key(gallery: Gallery) -> str:
    with gallery.database.transaction() as connection:
        return gallery.keys.active(connection)


def test_rekey_changes_key_and_content_of_every_record(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    before, key = records(gallery), gallery_key(gallery)
    assert rekey(gallery) == 2  # the template, and the rotation
    after = records(gallery)
    assert not set(before) & set(after) and gallery_key(gallery) != key
    with gallery.database.transaction() as connection:
        assert len(connection.exec_driver_sql("SELECT key_id FROM data_keys").all()) == 1
    assert enters(gallery, "ada", 1)


def records(gallery: Gallery) -> list[tuple[str, bytes]]:
    with gallery.database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT key_id, sealed FROM templates UNION ALL SELECT key_id, sealed FROM rotations"
        )
        return [(row.key_id, row.sealed) for row in rows]


def test_another_process_goes_on_after_a_rekey(gallery: Gallery, enrol: Enrol, master_key: LocalKey) -> None:
    enrol("ada", 1)
    other = reopened(gallery, master_key)
    assert enters(other, "ada", 1)
    rekey(gallery)
    assert enters(other, "ada", 1)


def test_a_new_master_key_shuts_the_old_one_out(gallery: Gallery, enrol: Enrol, master_key: LocalKey) -> None:
    enrol("ada", 1)
    new = LocalKey(b"n" * 32)
    change_master_key(gallery, new)
    with pytest.raises(KeyRefused):
        reopened(gallery, master_key)
    assert enters(reopened(gallery, new), "ada", 1)
    assert enters(gallery, "ada", 1) and rekey(gallery) == 2


def test_two_galleries_turn_one_face_differently(gallery: Gallery, tmp_path: Path, enrol: Enrol) -> None:
    enrol("ada", 1)
    other = Gallery(tmp_path / "other.sqlite", LocalKey(b"o" * 32), create=True)
    add_subject(other, "ada", enroll(PIPELINE, [noise_image(1)]), consent="form 1")
    template = PIPELINE.embed(noise_image(1))
    turns = []
    for each in (gallery, other):
        with each.database.transaction() as connection:
            rotation = rotation_for(connection, each.keys, "fake")
        assert rotation is not None
        turns.append(turned(template, rotation))
        assert abs(float(turns[-1] @ np.asarray(template.vector))) < 0.9
        assert turned_back(turns[-1], rotation, "fake").vector == pytest.approx(template.vector, abs=1e-6)
    assert abs(float(turns[0] @ turns[1])) < 0.9


def test_a_rotation_leaves_cosines_as_they_are(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    with gallery.database.transaction() as connection:
        rotation = rotation_for(connection, gallery.keys, "fake")
    assert rotation is not None
    one, other = (PIPELINE.embed(noise_image(seed)) for seed in (1, 2))
    assert float(turned(one, rotation) @ turned(other, rotation)) == pytest.approx(
        float(np.dot(one.vector, other.vector)), abs=1e-6
    )


class TestMasterKeyFile:
    def test_it_is_made_for_its_owner_alone_and_read_back(self, tmp_path: Path) -> None:
        made = LocalKey.create_file(tmp_path / "new" / "key")
        assert LocalKey.from_file(tmp_path / "new" / "key").key_id == made.key_id
        if os.name == "posix":
            assert (tmp_path / "new" / "key").stat().st_mode & 0o777 == 0o600

    def test_it_is_never_overwritten(self, tmp_path: Path) -> None:
        LocalKey.create_file(tmp_path / "key")
        with pytest.raises(KeyRefused, match="cannot be created"):
            LocalKey.create_file(tmp_path / "key")

    @posix
    def test_one_that_others_may_read_is_refused(self, tmp_path: Path) -> None:
        LocalKey.create_file(tmp_path / "key")
        (tmp_path / "key").chmod(0o640)
        with pytest.raises(KeyRefused, match=r"mode 640.*chmod 600"):
            LocalKey.from_file(tmp_path / "key")

    @pytest.mark.parametrize("content", [b"", b"short", base64.b64encode(b"x" * 31), b"\xff" * 44], ids=repr)
    def test_one_that_holds_no_key_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "key"
        path.touch(mode=0o600)
        path.write_bytes(content)
        with pytest.raises(KeyRefused):
            LocalKey.from_file(path)

    def test_a_missing_one_is_refused_and_no_new_one_is_made(self, tmp_path: Path) -> None:
        with pytest.raises(KeyRefused, match="a new one does not open the gallery"):
            LocalKey.from_file(tmp_path / "key")
        assert not (tmp_path / "key").exists()

    def test_a_variable_holds_one_too(self) -> None:
        text = base64.b64encode(b"k" * 32).decode()
        assert LocalKey.from_environment({"FACEAUTH_MASTER_KEY": text}).key_id == LocalKey(b"k" * 32).key_id
        with pytest.raises(KeyRefused, match="is not set"):
            LocalKey.from_environment({})


def test_a_key_of_a_kms_is_a_class_of_three_names(gallery: Gallery, tmp_path: Path) -> None:
    class Kms:
        key_id = "arn:kms:1"

        def wrap(self, data_key: bytes, context: bytes) -> bytes:
            return bytes(byte ^ 0x55 for byte in data_key) + context

        def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
            assert wrapped.endswith(context)
            return bytes(byte ^ 0x55 for byte in wrapped[:32])

    kept = Gallery(tmp_path / "kms.sqlite", Kms(), create=True)
    add_subject(kept, "ada", enroll(PIPELINE, [noise_image(1)]), consent="form 1")
    assert enters(Gallery(tmp_path / "kms.sqlite", Kms()), "ada", 1)


def test_a_template_keeps_its_length_through_the_gallery(gallery: Gallery) -> None:
    template = Template(model_id="m", vector=(0.6, 0.8))
    rotation = np.array([[0, 1], [-1, 0]], np.float32)
    assert turned_back(turned(template, rotation), rotation, "m").vector == pytest.approx((0.6, 0.8))

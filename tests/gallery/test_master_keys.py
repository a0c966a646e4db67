"""A master key of any kind: the rules that it keeps, and what happens when it is down, lies or loses its rights."""

import secrets
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from examples.kms_key import KmsKey
from faceauth.errors import GalleryUnavailable, KeyRefused
from faceauth.gallery import Gallery, LocalKey, MasterKey, add_subject, change_master_key, enroll, login, rekey
from faceauth.gallery.master_key_testing import MakeKey, MasterKeyConformance
from tests.pipelines import noise_image

from .conftest import PIPELINE, Enrol


class InvalidCiphertext(Exception):
    pass


class IncorrectKey(Exception):
    pass


class StubKms:
    """Answers like AWS KMS, unless ``down``, or ``forbidden`` to do one of the two."""

    exceptions = SimpleNamespace(InvalidCiphertextException=InvalidCiphertext, IncorrectKeyException=IncorrectKey)

    def __init__(self) -> None:
        self.down = False
        self.forbidden: str | None = None
        self.asked: list[str] = []
        self._key = AESGCM(secrets.token_bytes(32))

    def encrypt(self, *, KeyId: str, Plaintext: bytes, EncryptionContext: dict[str, str]) -> dict[str, Any]:
        self._check("encrypt")
        nonce = secrets.token_bytes(12)
        sealed = self._key.encrypt(nonce, Plaintext, repr((KeyId, EncryptionContext)).encode())
        return {"CiphertextBlob": nonce + sealed, "KeyId": KeyId}

    def decrypt(self, *, KeyId: str, CiphertextBlob: bytes, EncryptionContext: dict[str, str]) -> dict[str, Any]:
        self._check("decrypt")
        bound = repr((KeyId, EncryptionContext)).encode()
        try:
            return {"Plaintext": self._key.decrypt(CiphertextBlob[:12], CiphertextBlob[12:], bound), "KeyId": KeyId}
        except (InvalidTag, ValueError):
            raise InvalidCiphertext from None

    def _check(self, act: str) -> None:
        self.asked.append(act)
        if self.down:
            raise ConnectionError("Could not connect to the endpoint URL")
        if act == self.forbidden:
            raise PermissionError(f"not authorized to perform: kms:{act}")


KEY_ID = "arn:aws:kms:eu-central-1:111122223333:key/1"


@pytest.fixture
def kms() -> StubKms:
    return StubKms()


@pytest.fixture
def kept(tmp_path: Path, kms: StubKms) -> Callable[[], Gallery]:
    """Opens a gallery whose key is in the KMS, as a new process would; ada is enrolled in it."""

    def opened() -> Gallery:
        return Gallery(tmp_path / "kms.sqlite", KmsKey(kms, KEY_ID))

    gallery = Gallery(tmp_path / "kms.sqlite", KmsKey(kms, KEY_ID), create=True)
    add_subject(gallery, "ada", enroll(PIPELINE, [noise_image(1)]), consent="form 1")
    return opened


def enters(gallery: Gallery) -> bool:
    return login(gallery, PIPELINE, "ada", noise_image(1), client="c").accepted


class TestLocalKey(MasterKeyConformance):
    @pytest.fixture
    def make(self) -> MakeKey:
        return lambda: LocalKey(b"k" * 32)


class TestKmsKey(MasterKeyConformance):
    @pytest.fixture
    def make(self, kms: StubKms) -> MakeKey:
        return lambda: KmsKey(kms, KEY_ID)


class Reversed:
    """A key that keeps none of the rules but that it opens what it closed."""

    key_id = "reversed"

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        return data_key[::-1]

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return wrapped[::-1]


@pytest.mark.parametrize("rule", ["test_another_context_is_refused", "test_what_was_changed_is_refused"])
def test_the_rules_find_a_key_that_protects_nothing(rule: str) -> None:
    with pytest.raises(AssertionError, match="has to raise KeyRefused"):
        getattr(MasterKeyConformance(), rule)(Reversed)


class TestKmsDown:
    def test_a_gallery_does_not_open_says_so_and_loses_nothing(self, kept: Callable[[], Gallery], kms: StubKms) -> None:
        kms.down = True
        with pytest.raises(GalleryUnavailable, match=r"\(ConnectionError.*Nobody is let in and nothing is lost"):
            kept()
        kms.down = False
        assert enters(kept())

    def test_a_gallery_that_is_open_goes_on_without_it(self, kept: Callable[[], Gallery], kms: StubKms) -> None:
        gallery = kept()
        kms.down = True
        assert enters(gallery)

    def test_no_gallery_is_made(self, tmp_path: Path, kms: StubKms) -> None:
        kms.down = True
        path = tmp_path / "new.sqlite"
        with pytest.raises(GalleryUnavailable):
            Gallery(path, KmsKey(kms, KEY_ID), create=True)
        kms.down = False
        gallery = Gallery(path, KmsKey(kms, KEY_ID), create=True)
        add_subject(gallery, "ada", enroll(PIPELINE, [noise_image(1)]), consent="form 1")
        assert enters(gallery)

    def test_a_rekey_changes_nothing(self, kept: Callable[[], Gallery], kms: StubKms) -> None:
        gallery = kept()
        kms.down = True
        with pytest.raises(GalleryUnavailable):
            rekey(gallery)
        kms.down = False
        assert enters(gallery) and enters(kept()) and rekey(kept()) == 2


class TestNewMasterKey:
    def test_one_in_a_kms_takes_the_place_of_a_file(
        self, gallery: Gallery, enrol: Enrol, kms: StubKms, master_key: LocalKey
    ) -> None:
        enrol("ada", 1)
        change_master_key(gallery, KmsKey(kms, KEY_ID))
        assert enters(Gallery(str(gallery.database.path), KmsKey(kms, KEY_ID)))
        with pytest.raises(KeyRefused):
            Gallery(str(gallery.database.path), master_key)

    @pytest.mark.parametrize("forbidden", ["encrypt", "decrypt"])
    def test_one_that_may_not_do_both_changes_nothing(
        self, gallery: Gallery, enrol: Enrol, kms: StubKms, master_key: LocalKey, forbidden: str
    ) -> None:
        enrol("ada", 1)
        kms.forbidden = forbidden
        with pytest.raises(GalleryUnavailable, match="not authorized"):
            change_master_key(gallery, KmsKey(kms, KEY_ID))
        assert enters(gallery) and enters(Gallery(str(gallery.database.path), master_key))

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda data_key: data_key,
            lambda data_key: b"header" + data_key,
            lambda data_key: data_key.hex(),
            lambda data_key: None,
            lambda data_key: b"something else",
        ],
        ids=["as it is", "with a header", "no bytes", "nothing", "another"],
    )
    def test_one_that_closes_nothing_changes_nothing(
        self, gallery: Gallery, enrol: Enrol, master_key: LocalKey, wrap: Callable[[bytes], Any]
    ) -> None:
        enrol("ada", 1)
        key = Reversed()
        key.wrap = lambda data_key, context: wrap(data_key)  # type: ignore[method-assign]
        key.unwrap = lambda wrapped, context: bytes(32)  # type: ignore[method-assign]
        with pytest.raises(KeyRefused, match="cannot decrypt what it encrypted"):
            change_master_key(gallery, key)
        assert enters(Gallery(str(gallery.database.path), master_key))


@pytest.mark.parametrize("unwrapped", [b"", b"x" * 16, b"x" * 33, "x" * 32, None], ids=repr)
def test_what_is_no_data_key_opens_nothing(kept: Callable[[], Gallery], kms: StubKms, unwrapped: Any) -> None:
    def lying() -> MasterKey:
        key = KmsKey(kms, KEY_ID)
        key.unwrap = lambda wrapped, context: unwrapped  # type: ignore[method-assign]
        return key

    path = str(kept().database.path)
    with pytest.raises(KeyRefused, match="not a data key of 32 bytes"):
        Gallery(path, lying())


@pytest.mark.parametrize("key_id", ["", "x" * 129, "a\nb", "\ud800", None], ids=repr)
def test_an_id_that_cannot_be_kept_is_refused(tmp_path: Path, kms: StubKms, key_id: Any) -> None:
    with pytest.raises(KeyRefused, match="1 to 128 printable characters"):
        Gallery(tmp_path / "new.sqlite", KmsKey(kms, key_id), create=True)


def test_a_key_whose_id_is_behind_the_network_too_may_be_down(tmp_path: Path, kept: Callable[[], Gallery]) -> None:
    class Remote(LocalKey):
        @property
        def key_id(self) -> str:  # type: ignore[override]
            raise TimeoutError("no answer")

        @key_id.setter
        def key_id(self, value: str) -> None:
            pass

    with pytest.raises(GalleryUnavailable, match="TimeoutError"):
        Gallery(str(kept().database.path), Remote(b"k" * 32))


def test_a_kms_is_asked_when_a_gallery_opens_and_not_by_each_login(kept: Callable[[], Gallery], kms: StubKms) -> None:
    gallery = kept()
    kms.asked.clear()
    assert enters(gallery) and enters(gallery)
    assert kms.asked == []

"""The rules of a master key, as tests to inherit when you write one for a KMS or a keystore.

A class inherits :class:`MasterKeyConformance` and supplies a fixture named ``make``, which gives another object for the
same key at each call, as the next process would::

    class TestMyKey(MasterKeyConformance):
        @pytest.fixture
        def make(self):
            return lambda: MyKey("key 1")

They need no test framework, and no gallery.
"""

import secrets
from collections.abc import Callable

from faceauth.errors import KeyRefused
from faceauth.gallery.master_keys import KEY_BYTES, MasterKey, id_of, unwrap_with, wrap_with

MakeKey = Callable[[], MasterKey]

CONTEXT = b'["faceauth data key", "gallery", "key"]'


class MasterKeyConformance:
    """Each method is a rule, and raises ``AssertionError`` or a ``GalleryError`` where it is broken."""

    def test_its_id_is_short_readable_and_always_the_same(self, make: MakeKey) -> None:
        """The database stores it unencrypted, to tell which key a gallery needs."""
        assert id_of(make()) == id_of(make())

    def test_another_process_unwraps_what_was_wrapped(self, make: MakeKey) -> None:
        """Whatever the data key: nothing may depend on the object that wrapped it."""
        for data_key in (secrets.token_bytes(KEY_BYTES), bytes(KEY_BYTES)):
            assert unwrap_with(make(), wrap_with(make(), data_key, CONTEXT), CONTEXT) == data_key

    def test_two_data_keys_are_wrapped_differently(self, make: MakeKey) -> None:
        """Or one would be kept for the other."""
        key = make()
        assert key.wrap(b"a" * KEY_BYTES, CONTEXT) != key.wrap(b"b" * KEY_BYTES, CONTEXT)

    def test_another_context_is_refused(self, make: MakeKey) -> None:
        """A wrapped key may not be moved to another gallery."""
        wrapped = make().wrap(secrets.token_bytes(KEY_BYTES), CONTEXT)
        for context in (CONTEXT + b" ", CONTEXT[:-1], b""):
            _refuses(make(), wrapped, context)

    def test_what_was_changed_is_refused(self, make: MakeKey) -> None:
        """By one bit at the start, within or at the end, or by a byte too few or too many."""
        wrapped = make().wrap(secrets.token_bytes(KEY_BYTES), CONTEXT)
        for place in (0, len(wrapped) // 2, -1):
            changed = bytearray(wrapped)
            changed[place] ^= 1
            _refuses(make(), bytes(changed), CONTEXT)
        for changed_length in (wrapped[:-1], wrapped + b"\0", b""):
            _refuses(make(), changed_length, CONTEXT)


def _refuses(key: MasterKey, wrapped: bytes, context: bytes) -> None:
    try:
        key.unwrap(wrapped, context)
    except KeyRefused:
        return
    raise AssertionError(f"{type(key).__name__}.unwrap has to raise KeyRefused for what it did not wrap like that")

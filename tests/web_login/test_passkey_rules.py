"""Which passkeys open which names, without a browser: each rule by a device in software that breaks it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("webauthn", reason="needs the extra dev")

from examples.web_login import passkeys as passkeys_module
from examples.web_login.passkeys import CHALLENGE_S, Passkeys, Place
from examples.web_login.refusals import SiteRefusal
from tests.web_login.software_device import SoftwareDevice

HERE = Place("localhost", "http://localhost:8080")


class Clock:
    """Seconds that a test turns."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Door:
    """Passkeys, and devices before them."""

    def __init__(self, file: Path) -> None:
        self.file, self.clock = file, Clock()
        self.passkeys = Passkeys(file, clock=self.clock)

    def make(self, device: SoftwareDevice, name: str = "ada", **changed: Any) -> None:
        options = self.passkeys.creation_options("visitor", name, HERE)
        answer = device.create(options | changed, HERE.origin)
        self.passkeys.keep(*self.passkeys.created("visitor", name, answer, HERE))

    def ask(self, name: str = "ada", visitor: str = "visitor") -> dict[str, Any]:
        return self.passkeys.request_options(visitor, name, HERE)

    def opens(self, answer: str, name: str = "ada", visitor: str = "visitor") -> bool:
        return not is_refused(lambda: self.passkeys.prove(visitor, name, answer, HERE))


def is_refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except SiteRefusal as refusal:
        assert (refusal.status, refusal.reason) == (403, "passkey_refused")
        return True
    return False


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path / "passkeys.json")


@pytest.fixture
def device(door: Door) -> SoftwareDevice:
    """Which opens the name of Ada."""
    made = SoftwareDevice()
    door.make(made)
    return made


def test_the_passkey_of_a_name_opens_it_also_after_a_restart(door: Door, device: SoftwareDevice) -> None:
    assert door.opens(device.show(door.ask(), HERE.origin))
    door.passkeys = Passkeys(door.file, clock=door.clock)
    assert door.opens(device.show(door.ask(), HERE.origin))


def test_what_was_signed_serves_once(door: Door, device: SoftwareDevice) -> None:
    answer = device.show(door.ask(), HERE.origin)
    assert door.opens(answer) and not door.opens(answer)
    door.ask()
    assert not door.opens(answer)


def test_a_question_is_for_one_visitor_one_name_and_a_while(door: Door, device: SoftwareDevice) -> None:
    assert not door.opens(device.show(door.ask(visitor="other"), HERE.origin))
    assert not door.opens(device.show(door.ask("grace"), HERE.origin))
    answer = device.show(door.ask(), HERE.origin)
    door.clock.now_s += CHALLENGE_S
    assert not door.opens(answer)


def test_what_a_device_was_asked_to_show_makes_no_passkey(door: Door) -> None:
    """Whoever has no code may ask for that."""
    asked = door.ask()
    assert is_refused(lambda: door.passkeys.created("visitor", "ada", "{}", HERE))
    assert is_refused(lambda: door.make(SoftwareDevice(), challenge=asked["challenge"]))


def test_another_name_another_site_and_another_key_open_nothing(door: Door, device: SoftwareDevice) -> None:
    other = SoftwareDevice()
    door.make(other, "grace")
    assert not door.opens(other.show(door.ask(), HERE.origin))
    assert not door.opens(device.show(door.ask(), "http://evil.example"))
    assert not door.opens(device.show({**door.ask(), "rpId": "evil.example"}, HERE.origin))
    assert not door.opens(SoftwareDevice(device.credential_id).show(door.ask(), HERE.origin))


def test_a_device_that_does_not_verify_its_user_opens_and_makes_nothing(door: Door, device: SoftwareDevice) -> None:
    device.verifies = False
    assert not door.opens(device.show(door.ask(), HERE.origin))
    careless = SoftwareDevice()
    careless.verifies = False
    assert is_refused(lambda: door.make(careless))


def test_a_copy_of_a_device_that_counts_is_noticed(door: Door, device: SoftwareDevice) -> None:
    device.count = 5
    assert door.opens(device.show(door.ask(), HERE.origin))
    device.count = 3
    assert not door.opens(device.show(door.ask(), HERE.origin))


def test_nobody_takes_the_place_of_a_passkey_by_its_id(door: Door, device: SoftwareDevice) -> None:
    for name in ("eve", "ada"):
        thief = SoftwareDevice(device.credential_id)
        assert is_refused(lambda: door.make(thief, name))  # noqa: B023  # called at once
    assert door.opens(device.show(door.ask(), HERE.origin))


def test_a_passkey_that_is_sent_again_goes_on_counting(door: Door, device: SoftwareDevice) -> None:
    before = device.create(door.passkeys.creation_options("visitor", "ada", HERE), HERE.origin)
    assert door.opens(device.show(door.ask(), HERE.origin))
    door.passkeys.keep(*door.passkeys.created("visitor", "ada", before, HERE))
    device.count = 0
    assert not door.opens(device.show(door.ask(), HERE.origin))


@pytest.mark.parametrize("shown", ["", "{}", "[]", "nothing", '{"id": "AAAA"}', '{"id": ["AAAA"]}', "[" * 10_000])
def test_what_is_no_answer_opens_nothing(door: Door, shown: str) -> None:
    door.ask()
    assert not door.opens(shown)


def test_so_many_questions_are_kept_and_the_newest_of_them(
    door: Door, device: SoftwareDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passkeys_module, "MOST_QUESTIONS", 3)
    first = device.show(door.ask(), HERE.origin)
    for visitor in ("b", "c", "d"):
        last = device.show(door.ask(visitor=visitor), HERE.origin)
    assert not door.opens(first) and door.opens(last, visitor="d")

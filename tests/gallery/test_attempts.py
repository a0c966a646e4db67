"""Who may try how often, and what a failed try costs."""

from collections.abc import Callable

import pytest

from faceauth.errors import LockedOut, NotEnrolled, SessionClosed, UsageError
from faceauth.gallery import Gallery, answer, find_subject, login, open_session, reset_attempts
from faceauth.gallery.attempts import (
    CLIENT_ATTEMPTS,
    MOST_FAILURES,
    NOT_CHARGED,
    SESSION_S,
    begin,
    set_failures,
    settle,
    wait_after_s,
)
from faceauth.pipeline import Pipeline
from faceauth.results import Reason
from faceauth.testing import FakeDetector, FakeLiveness
from tests.pipelines import fake_pipeline, noise_image, operating_points

from .conftest import PIPELINE, SPOOFED, Clock, Enrol

UNCERTAIN = fake_pipeline(
    liveness=FakeLiveness(0.4, operating_points=operating_points(0.3, 0.5, 0.9)), threshold="balanced"
)
NO_FACE = fake_pipeline(detector=FakeDetector([]))
BROKEN = fake_pipeline(liveness=FakeLiveness(error=RuntimeError("fell over")))


@pytest.fixture
def attempt(gallery: Gallery, enrol: Enrol) -> Callable[..., Reason]:
    """One attempt to be ada, who is the face 1; each from a client of its own unless one is named."""
    enrol("ada", 1)
    clients = iter(range(10_000))

    def attempt(seed: int, *, pipeline: Pipeline = PIPELINE, client: str | None = None) -> Reason:
        return login(gallery, pipeline, "ada", noise_image(seed), client=client or f"client {next(clients)}").reason

    return attempt


Attempt = Callable[..., Reason]


def failures(gallery: Gallery) -> int:
    return find_subject(gallery, "ada").failures


def test_waits_begin_at_the_fifth_failure_and_double_to_an_hour() -> None:
    waits = [wait_after_s(failures) for failures in range(MOST_FAILURES + 1)]
    assert waits[:9] == [0, 0, 0, 0, 0, 30, 60, 120, 240]
    assert waits[12:50] == [3600] * 38 and waits[50] is None


def test_right_person_gets_in_and_a_stranger_does_not(attempt: Attempt) -> None:
    assert attempt(1) is Reason.LIVE_AND_MATCHED
    assert attempt(2) is Reason.NOT_MATCHED


def test_five_failures_lock_even_the_right_person_out_for_half_a_minute(
    gallery: Gallery, attempt: Attempt, clock: Clock
) -> None:
    for _ in range(5):
        assert attempt(2) is Reason.NOT_MATCHED
    with pytest.raises(LockedOut) as refused:
        attempt(1)
    assert refused.value.retry_after_s == pytest.approx(30)
    clock.now_s += 31
    assert attempt(1) is Reason.LIVE_AND_MATCHED
    assert failures(gallery) == 0


def test_fifty_failures_switch_the_face_off_until_another_factor(
    gallery: Gallery, attempt: Attempt, clock: Clock
) -> None:
    with gallery.change() as change:
        set_failures(change, "ada", MOST_FAILURES - 1)
    clock.now_s += 3601
    assert attempt(2) is Reason.NOT_MATCHED
    clock.now_s += 1e9
    with pytest.raises(LockedOut) as refused:
        attempt(1)
    assert refused.value.retry_after_s is None
    reset_attempts(gallery, "ada")
    assert attempt(1) is Reason.LIVE_AND_MATCHED


@pytest.mark.parametrize(
    ("pipeline", "reason", "charged"),
    [
        (UNCERTAIN, Reason.LIVENESS_UNCERTAIN, 1),
        (SPOOFED, Reason.ATTACK_SUSPECTED, 1),
        (BROKEN, Reason.STAGE_FAILED, 1),
        (NO_FACE, Reason.NO_FACE, 0),
    ],
    ids=["uncertain", "attack", "failed stage", "no face"],
)
def test_what_counts_as_a_failure(
    gallery: Gallery, attempt: Attempt, pipeline: Pipeline, reason: Reason, charged: int
) -> None:
    assert attempt(1, pipeline=pipeline) is reason
    assert failures(gallery) == charged


def test_every_reason_is_either_charged_or_says_that_there_was_no_face_to_judge() -> None:
    charged = {
        Reason.ATTACK_SUSPECTED, Reason.LIVENESS_UNCERTAIN, Reason.NOT_MATCHED, Reason.REFERENCE_UNUSABLE,
        Reason.STAGE_FAILED, Reason.LIVE, Reason.MATCHED, Reason.TRACK_BROKEN, Reason.FROZEN_STREAM,
        Reason.LOOPED_STREAM, Reason.FRAMES_OUT_OF_ORDER, Reason.CHALLENGE_FAILED, Reason.CHALLENGE_UNCLEAR,
        Reason.CHALLENGE_EXPIRED,
    }  # fmt: skip
    assert charged | NOT_CHARGED | {Reason.LIVE_AND_MATCHED} == set(Reason) and not charged & NOT_CHARGED


def test_an_image_that_cannot_be_read_costs_nothing(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    assert login(gallery, PIPELINE, "ada", b"no image", client="c").reason is Reason.IMAGE_UNUSABLE
    assert failures(gallery) == 0


def test_a_reason_of_the_gate_gives_back_the_attempt_and_the_wait_that_it_cost(
    gallery: Gallery, attempt: Attempt
) -> None:
    for _ in range(4):
        attempt(2)
    assert attempt(1, pipeline=NO_FACE) is Reason.NO_FACE
    assert failures(gallery) == 4
    assert attempt(1) is Reason.LIVE_AND_MATCHED


def test_an_attempt_is_charged_before_anything_is_judged(gallery: Gallery, attempt: Attempt) -> None:
    seen = []

    def judge(templates: object) -> object:
        seen.append(failures(gallery))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answer(gallery, open_session(gallery, "ada", "c"), "fake", judge)  # type: ignore[arg-type]
    assert seen == [1] and failures(gallery) == 1


def test_sessions_that_are_opened_and_left_lock_nobody_out_but_their_client(gallery: Gallery, attempt: Attempt) -> None:
    for _ in range(CLIENT_ATTEMPTS):
        open_session(gallery, "ada", "attacker")
    with pytest.raises(LockedOut, match="attacker"):
        open_session(gallery, "ada", "attacker")
    assert failures(gallery) == 0
    assert attempt(1, client="ada's own") is Reason.LIVE_AND_MATCHED


def test_sessions_opened_beforehand_are_no_way_around_the_lock(gallery: Gallery, attempt: Attempt) -> None:
    beforehand = [open_session(gallery, "ada", f"c{number}") for number in range(6)]
    for session in beforehand[:5]:
        begin(gallery, session, "fake")
    with pytest.raises(LockedOut):
        begin(gallery, beforehand[5], "fake")


def test_a_client_has_twenty_attempts_a_minute(gallery: Gallery, attempt: Attempt, clock: Clock) -> None:
    for _ in range(CLIENT_ATTEMPTS):
        attempt(1, client="door")
    with pytest.raises(LockedOut) as refused:
        attempt(1, client="door")
    assert refused.value.retry_after_s == pytest.approx(60)
    clock.now_s += 61
    assert attempt(1, client="door") is Reason.LIVE_AND_MATCHED


def test_asking_for_nobody_is_charged_to_the_client(gallery: Gallery) -> None:
    for _ in range(CLIENT_ATTEMPTS):
        with pytest.raises(NotEnrolled):
            login(gallery, PIPELINE, "nobody", noise_image(1), client="c")
    with pytest.raises(LockedOut):
        login(gallery, PIPELINE, "nobody", noise_image(1), client="c")


def test_a_session_is_used_once(gallery: Gallery, attempt: Attempt) -> None:
    session = open_session(gallery, "ada", "c")
    begin(gallery, session, "fake")
    with pytest.raises(SessionClosed):
        begin(gallery, session, "fake")
    settle(gallery, session, PIPELINE.verify(noise_image(2), PIPELINE.embed(noise_image(1))))
    with pytest.raises(SessionClosed):
        settle(gallery, session, PIPELINE.verify(noise_image(1), PIPELINE.embed(noise_image(1))))
    assert failures(gallery) == 1


def test_a_session_expires(gallery: Gallery, attempt: Attempt, clock: Clock) -> None:
    session = open_session(gallery, "ada", "c")
    clock.now_s += SESSION_S + 1
    with pytest.raises(SessionClosed):
        begin(gallery, session, "fake")


@pytest.mark.parametrize("other", [{"subject": "bob"}, {"client": "d"}, {"session_id": "made up"}], ids=str)
def test_a_session_is_of_one_person_and_one_client(
    gallery: Gallery, attempt: Attempt, enrol: Enrol, other: dict[str, str]
) -> None:
    enrol("bob", 2)
    session = open_session(gallery, "ada", "c")
    with pytest.raises(SessionClosed):
        begin(gallery, session._replace(**other), "fake")


def test_attempts_survive_a_restart(gallery: Gallery, attempt: Attempt, clock: Clock) -> None:
    for _ in range(5):
        attempt(2)
    again = Gallery(gallery.database.path, gallery.keys.master, wall=clock)  # type: ignore[arg-type]
    with pytest.raises(LockedOut):
        login(again, PIPELINE, "ada", noise_image(1), client="c")


@pytest.mark.parametrize("jump_s", [-3600.0, -1e9])
def test_a_clock_that_jumps_back_ends_no_wait_and_lengthens_none(
    gallery: Gallery, attempt: Attempt, clock: Clock, jump_s: float
) -> None:
    for _ in range(5):
        attempt(2)
    clock.now_s += jump_s
    with pytest.raises(LockedOut) as refused:
        attempt(1)
    assert refused.value.retry_after_s == pytest.approx(30)
    clock.now_s += 31
    assert attempt(1) is Reason.LIVE_AND_MATCHED


def test_a_clock_that_jumped_forward_and_back_leaves_no_wait_of_years(
    gallery: Gallery, attempt: Attempt, clock: Clock
) -> None:
    clock.now_s += 1e9
    for _ in range(5):
        attempt(2)
    clock.now_s -= 1e9
    with pytest.raises(LockedOut):
        attempt(1)
    clock.now_s += 31
    assert attempt(1) is Reason.LIVE_AND_MATCHED


def test_nobody_is_let_in_without_a_match(gallery: Gallery, attempt: Attempt) -> None:
    session = open_session(gallery, "ada", "c")
    with pytest.raises(UsageError, match="a live face that matches"):
        answer(gallery, session, "fake", lambda templates: PIPELINE.verify(noise_image(1)))
    assert failures(gallery) == 1


def test_nobody_logs_in_without_liveness(gallery: Gallery, attempt: Attempt) -> None:
    with pytest.raises(UsageError, match="liveness"):
        attempt(1, pipeline=fake_pipeline(require_liveness=False))


@pytest.mark.parametrize("client", ["", "x" * 129, "a\nb", "a\x00"], ids=repr)
def test_a_client_has_a_name_that_can_be_read(gallery: Gallery, attempt: Attempt, client: str) -> None:
    with pytest.raises(UsageError, match="client"):
        open_session(gallery, "ada", client)


def test_a_name_that_nobody_can_have_opens_no_session(gallery: Gallery) -> None:
    with pytest.raises(UsageError, match="cannot be a name"):
        open_session(gallery, "x" * 100_000, "c")
    assert gallery.audit.lines() == []

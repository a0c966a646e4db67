"""A session accepts only when the challenge was passed and the presentation holds, once, in time, and when opened."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from faceauth.challenge import ChallengeResult, ChallengeSession
from faceauth.challenge.answering import follow_challenge
from faceauth.challenge.challenge_session import LIFETIME_S, MAX_DRIFT_S
from faceauth.challenge.challenge_testing import FakeChallenge, head_mesh
from faceauth.errors import BackendNotFound, CameraLost, UsageError
from faceauth.gate import GatePolicy
from faceauth.results import Face, Reason, Verdict
from faceauth.stages import ChallengeFrame, ChallengeState, Image, MeshPoints
from faceauth.video.camera import Camera
from faceauth.video.streams import own_frames
from tests.video.scenes import BACKGROUND, Scene, Shot, changed, growing

PENDING, PASSED = ChallengeState(), ChallengeState(passed=True, progress=1.0)


class FakeMesh:
    """Finds the mesh that it is told, or none."""

    def __init__(self, mesh_px: MeshPoints | None) -> None:
        self._mesh_px = mesh_px

    def points(self, image: Image, face: Face) -> MeshPoints | None:
        return self._mesh_px


class Clock:
    """Tells the time that it is set to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def session_of(
    scene: Scene,
    challenge: object = None,
    *,
    mesh_px: MeshPoints | None = None,
    clock: Clock | None = None,
    **other: object,
) -> ChallengeSession:
    mesh = FakeMesh(head_mesh() if mesh_px is None else mesh_px)
    given = {"mesh": mesh, "clock": clock or Clock(), **other}
    return ChallengeSession(scene.pipeline, challenge or FakeChallenge([PASSED]), **given)  # type: ignore[arg-type]


def run(
    scene: Scene, challenge: object = None, *, drift: Callable[[float], float] = lambda time_s: 0.0, **other: object
) -> ChallengeResult:
    """The result of a session that is opened and fed the scene, whose clock keeps time with the frames."""
    clock = Clock()
    session = session_of(scene, challenge, clock=clock, **other)
    session.open(session.nonce)
    for time_s, image in scene.frames():
        clock.now_s = 1000.0 + time_s + drift(time_s)
        if session.feed(image, time_s).result is not None:
            return session.result
    session.finish()
    return session.result


def test_a_live_person_who_answers_is_accepted() -> None:
    result = run(Scene(growing(2.5)), FakeChallenge([PENDING, PASSED]))
    assert (result.accepted, result.answered, result.reason) == (True, True, Reason.LIVE)
    assert result.challenge.stage == "challenge" and result.challenge.distribution == "injected"


def test_a_live_person_who_does_not_answer_is_not_accepted() -> None:
    result = run(Scene(growing(2.5)), FakeChallenge([PENDING]))
    assert (result.verdict, result.reason, result.answered) == (Verdict.UNCERTAIN, Reason.STREAM_ENDED, False)


def test_a_right_answer_does_not_help_an_attack() -> None:
    result = run(Scene(changed(growing(2.5), 0.0, p_live=0.01)), FakeChallenge([PASSED]))
    assert (result.verdict, result.reason) == (Verdict.REJECT, Reason.ATTACK_SUSPECTED)


@pytest.mark.parametrize("reason", [Reason.CHALLENGE_FAILED, Reason.CHALLENGE_UNCLEAR, Reason.TOO_BRIGHT])
def test_the_challenges_reason_is_that_of_the_result(reason: Reason) -> None:
    result = run(Scene(growing(2.5)), FakeChallenge([PENDING, ChallengeState(reason=reason, message="Because.")]))
    assert (result.accepted, result.reason, result.message) == (False, reason, "Because.")


@pytest.mark.parametrize(
    ("reason", "instead"),
    [
        (Reason.LIVE, Reason.CHALLENGE_UNCLEAR),
        (Reason.LIVENESS_UNCERTAIN, Reason.CHALLENGE_UNCLEAR),
        (Reason.ATTACK_SUSPECTED, Reason.CHALLENGE_FAILED),
        (Reason.NOT_MATCHED, Reason.CHALLENGE_FAILED),
        (Reason.STAGE_FAILED, Reason.CHALLENGE_FAILED),
    ],
)
def test_a_challenge_cannot_end_for_a_reason_that_is_not_its_to_give(reason: Reason, instead: Reason) -> None:
    result = run(Scene(growing(2.5)), FakeChallenge([ChallengeState(reason=reason)]))
    assert (result.accepted, result.reason) == (False, instead)


def test_a_progress_that_is_no_number_counts_as_none() -> None:
    session = session_of(scene := Scene(growing(1.0)), FakeChallenge([ChallengeState(progress=float("nan"))]))
    session.open(session.nonce)
    assert session.feed(scene.image(0), 0.0).progress == 0.0


def test_after_the_answer_it_waits_until_enough_frames_differ() -> None:
    scene = Scene(growing(2.5))
    clock = Clock()
    session = session_of(scene, FakeChallenge([PASSED]), clock=clock)
    session.open(session.nonce)
    seen = []
    for time_s, image in scene.frames():
        clock.now_s = 1000.0 + time_s
        seen.append(session.feed(image, time_s))
        if seen[-1].result is not None:
            break
    assert seen[1].prompt.action == "move" and seen[1].result is None
    assert seen[-1].result is not None and len(seen[-1].result.presentation.kept) >= 5


def test_what_breaks_the_track_ends_the_challenge() -> None:
    result = run(Scene(changed(growing(2.5), 0.7, other=0.9)), FakeChallenge([PENDING]))
    assert result.reason is Reason.TRACK_BROKEN


def test_another_face_in_the_middle_ends_it_even_when_everything_was_answered() -> None:
    result = run(Scene(changed(growing(2.5), 0.5, person=80.0)), FakeChallenge([PASSED]))
    assert (result.accepted, result.reason) == (False, Reason.TRACK_BROKEN)


class AnsweredBetween(FakeChallenge):
    """Passed by whoever is seen in enough frames between two times."""

    def __init__(self, after_s: float, until_s: float, *, frames: int = 1) -> None:
        super().__init__([*[PENDING] * (frames - 1), PASSED])
        self._times = after_s, until_s

    def feed(self, frame: ChallengeFrame) -> None:
        if self._times[0] <= frame.time_s < self._times[1]:
            super().feed(frame)


DARK = (BACKGROUND * 0.1).astype(np.uint8)


def test_nobody_answers_before_the_first_kept_frame() -> None:
    helper = [(number / 30, Shot(side_px=60.0, person=80.0)) for number in range(30)]
    result = run(Scene([*helper, *growing(2.5, start_s=1.0)]), AnsweredBetween(0.0, 1.0))
    assert (result.accepted, result.reason) == (False, Reason.STREAM_ENDED)


def test_nobody_answers_while_the_face_cannot_be_judged() -> None:
    scene = Scene(changed(growing(3.0), 0.5, 1.5, person=80.0, image=DARK))
    result = run(scene, AnsweredBetween(1.0, 1.5))
    assert (result.accepted, result.reason) == (False, Reason.STREAM_ENDED)


@pytest.mark.parametrize(
    ("person", "reason"), [(59.0, Reason.LIVE), (61.0, Reason.TRACK_BROKEN)], ids=["the same", "another"]
)
def test_nobody_else_answers_in_a_pose_that_was_kept_before(person: float, reason: Reason) -> None:
    still = [(1.2 + number / 30, Shot(side_px=80.0 * 1.1**6)) for number in range(60)]
    scene = Scene([*growing(1.2), *changed(still, 1.8, 2.6, person=person)])
    result = run(scene, AnsweredBetween(1.8, 2.6, frames=20))
    assert (result.accepted, result.reason) == (reason is Reason.LIVE, reason)


def test_a_moment_in_which_the_face_cannot_be_judged_does_no_harm() -> None:
    scene = Scene(changed(growing(2.5), 0.5, 0.8, image=DARK))
    assert run(scene, AnsweredBetween(0.6, 0.8)).accepted


def test_frames_without_a_mesh_do_not_reach_the_challenge() -> None:
    challenge = FakeChallenge([PASSED])
    scene = Scene(growing(2.5))
    session = session_of(scene, challenge)
    session._mesh = FakeMesh(None)  # type: ignore[assignment]
    session.open(session.nonce)
    for time_s, image in scene.frames()[:20]:
        session._clock.now_s = 1000.0 + time_s  # type: ignore[attr-defined]
        session.feed(image, time_s)
    assert challenge.seen == []


def test_the_challenge_sees_the_very_frames_that_are_judged() -> None:
    challenge = FakeChallenge([PENDING])
    scene = Scene(growing(1.0))
    run(scene, challenge)
    for number, frame in enumerate(challenge.seen):
        assert np.array_equal(frame.image, scene.image(number)) and not frame.image.flags.writeable
        assert frame.time_s == scene.script[number][0]


class Raising(FakeChallenge):
    def feed(self, frame: ChallengeFrame) -> None:
        raise RuntimeError("out of order")


def test_a_challenge_that_raises_denies() -> None:
    result = run(Scene(growing(2.5)), Raising())
    assert (result.verdict, result.reason) == (Verdict.REJECT, Reason.STAGE_FAILED)
    assert result.presentation.failed == "challenge" and "out of order" in result.message


# One use, in time, on purpose.


def test_frames_before_the_opening_are_refused() -> None:
    scene = Scene(growing(1.0))
    with pytest.raises(UsageError, match="not open"):
        session_of(scene).feed(scene.image(0), 0.0)


@pytest.mark.parametrize("nonce", ["", "\ud800", "\udcff", "a\0b", "\u0661", "x" * 100_000], ids=ascii)
def test_a_nonce_that_is_any_text_opens_nothing(nonce: str) -> None:
    session = session_of(Scene(growing(1.0)))
    for given in (nonce, session.nonce + nonce if nonce else session.nonce[:-1]):
        with pytest.raises(UsageError, match="another session"):
            session.open(given)
    session.open(session.nonce)


def test_a_session_opens_once_and_for_its_own_nonce_only() -> None:
    first, second = session_of(Scene(growing(1.0))), session_of(Scene(growing(1.0)))
    assert first.nonce != second.nonce and len(first.nonce) >= 22
    with pytest.raises(UsageError, match="another session"):
        first.open(second.nonce)
    first.open(first.nonce)
    with pytest.raises(UsageError, match="only once"):
        first.open(first.nonce)


def test_an_ended_session_keeps_its_result() -> None:
    scene = Scene(growing(2.5))
    session = session_of(scene, FakeChallenge([ChallengeState(reason=Reason.CHALLENGE_FAILED)]))
    session.open(session.nonce)
    first = session.feed(scene.image(0), 0.0)
    assert first.result is not None
    assert session.feed(scene.image(1), 1 / 30) is first


def test_a_challenge_that_was_answered_before_is_refused() -> None:
    challenge = FakeChallenge([PASSED])
    assert run(Scene(growing(2.5)), challenge).accepted
    with pytest.raises(UsageError, match="used only once"):
        session_of(Scene(growing(2.5)), challenge)


def test_a_session_lives_for_two_minutes() -> None:
    assert LIFETIME_S == 120.0
    scene, clock = Scene(growing(2.5)), Clock()
    session = session_of(scene, clock=clock)
    session.open(session.nonce)
    clock.now_s += LIFETIME_S + 0.1
    status = session.feed(scene.image(0), 0.0)
    assert status.result is not None and status.result.reason is Reason.CHALLENGE_EXPIRED


def stretched(share: float) -> Callable[[float], float]:
    return lambda time_s: share * time_s


@pytest.mark.parametrize("share", [-0.6, 0.6])
def test_a_clock_of_the_frames_that_parts_from_ours_ends_it(share: float) -> None:
    result = run(Scene(growing(2.5)), FakeChallenge([PENDING]), drift=stretched(share))
    assert result.reason is Reason.CHALLENGE_UNCLEAR and "clock" in result.message


def test_a_clock_that_jumps_ends_it() -> None:
    result = run(Scene(growing(2.5)), FakeChallenge([PENDING]), drift=lambda time_s: 1.1 * (time_s > 1))
    assert MAX_DRIFT_S == 1.0 and result.reason is Reason.CHALLENGE_UNCLEAR


def test_a_frame_late_by_less_than_a_second_is_judged() -> None:
    assert run(Scene(growing(2.5)), FakeChallenge([PASSED]), drift=lambda time_s: 0.9 * (time_s > 1)).accepted


@pytest.mark.parametrize("order", [(0, 2, 1), (0, 1, 1)])
def test_reordered_and_repeated_frames_end_it(order: Sequence[int]) -> None:
    scene = Scene(growing(2.5))
    session = session_of(scene, FakeChallenge([PENDING]))
    session.open(session.nonce)
    for number in order:
        session.feed(scene.image(number), number / 30)
    assert session.result.reason is Reason.FRAMES_OUT_OF_ORDER


@pytest.mark.parametrize("every", [2, 5])
def test_dropped_frames_do_no_harm(every: int) -> None:
    scene = Scene(growing(2.5)[::every])
    assert run(scene, FakeChallenge([PENDING, PASSED])).accepted


def test_a_time_that_is_no_number_ends_it() -> None:
    scene = Scene(growing(1.0))
    session = session_of(scene, FakeChallenge([PENDING]))
    session.open(session.nonce)
    session.feed(scene.image(0), float("nan"))
    assert session.result.reason is Reason.FRAMES_OUT_OF_ORDER


# The camera.


def test_a_recording_cannot_be_watched_under_a_challenge() -> None:
    scene = Scene(growing(1.0))
    with pytest.raises(UsageError, match="needs a camera"):
        next(follow_challenge(session_of(scene), own_frames(scene.frames())))


def camera_of(scene: Scene, *, lost: bool) -> Camera:
    """A camera that shows the scene, and then is gone."""

    class Scripted(Camera):
        def __init__(self) -> None:
            self.name = "scripted"

        def __iter__(self) -> object:  # type: ignore[override]
            yield from scene.frames()
            if lost:
                raise CameraLost("The camera is gone.")

        @property
        def dropped(self) -> int:
            return 0

        def close(self) -> None:
            pass

    return Scripted()


@pytest.mark.parametrize(("lost", "reason"), [(True, Reason.CAMERA_LOST), (False, Reason.STREAM_ENDED)])
def test_a_camera_that_ends_early_ends_it(lost: bool, reason: Reason) -> None:
    scene = Scene(growing(0.9))
    *_, last = follow_challenge(session_of(scene, FakeChallenge([PENDING])), camera_of(scene, lost=lost))
    assert last.result is not None and last.result.reason is reason


# The result, and which challenge it is.


def test_a_result_cannot_accept_without_an_answer() -> None:
    result = run(Scene(growing(2.5)), FakeChallenge([PASSED]))
    with pytest.raises(ValidationError, match="challenge was not passed"):
        ChallengeResult.model_validate({**result.model_dump(), "answered": False})
    with pytest.raises(TypeError, match=r"result\.accepted"):
        bool(result)


def test_a_result_round_trips_through_json() -> None:
    result = run(Scene(growing(2.5)), FakeChallenge([PASSED]))
    assert ChallengeResult.model_validate_json(result.model_dump_json()) == result


def test_a_challenge_is_loaded_by_name_or_refused() -> None:
    scene = Scene(growing(1.0))
    assert session_of(scene, "turn").status.prompt.action == "look_straight"
    with pytest.raises(BackendNotFound, match=r"No challenge backend 'wink'\. Installed: .*turn"):
        session_of(scene, "wink")


def test_the_message_is_what_keeps_the_face_from_being_judged() -> None:
    scene = Scene([(0.0, Shot()), (0.2, Shot(side_px=60.0))], gate=GatePolicy(min_face_px=64))
    session = session_of(scene, FakeChallenge([PENDING]))
    session.open(session.nonce)
    assert session.feed(scene.image(0), 0.0).message == "Wait."
    assert "Move closer" in session.feed(scene.image(1), 0.2).message

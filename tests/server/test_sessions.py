"""Sessions over HTTP: used once, fed in order, seen by their own key alone, and charged as the gallery says."""

import asyncio
import threading
from typing import Any

import pytest

from faceauth.challenge.challenge_testing import head_mesh
from faceauth.gallery import add_subject
from faceauth.gallery.enrolment import Enrolment
from faceauth.results import Template
from faceauth.server.live_sessions import KEPT_S
from faceauth.server.uploads import TimedFrame
from faceauth.server.work_queue import WorkQueue
from faceauth.stages import Prompt
from faceauth.testing import FakeDetector

from ..challenge.answers import turned
from ..pipelines import fake_pipeline
from ..video.scenes import Shot, changed, growing
from .conftest import Running, Serve, jpeg
from .presented import Presented

LIVE = growing(2.5, rate=10.0)
ADA = Template(model_id="fake", vector=(1.0, 0.0))


def with_ada(serve: Serve, presented: Presented, queue: WorkQueue | None = None) -> Running:
    running = serve(presented.pipeline, mesh=presented, queue=queue)
    add_subject(running.gallery, "ada", Enrolment(templates=(ADA,), verifications=(), refused=()), consent="form 1")
    return running


def send_all(running: Running, session_id: str, presented: Presented) -> Any:
    """The last answer; the service's clock goes as that of the frames."""
    start_s, answer = running.clock.now_s, None
    for number, chunk in enumerate(presented.chunks()):
        running.clock.now_s = start_s + chunk[0][0] / 1000
        answer = running.send(session_id, number, *chunk)
        assert answer.status_code == 200, answer.text
        if answer.json()["state"] == "ended":
            break
    return answer


def log_in(running: Running, presented: Presented, subject: str | None = "ada") -> Any:
    session_id = running.open(subject).json()["id"]
    send_all(running, session_id, presented)
    return running.result(session_id).json()


# What a session says.


def test_a_live_person_is_let_in_and_a_stranger_is_not(serve: Serve) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    assert log_in(running, presented) == {
        "verdict": "accept",
        "reason": "live_and_matched",
        "message": "A live person, and the person in the reference.",
        "subject": "ada",
    }
    assert running.failures("ada") == 0


def test_a_stranger_is_refused_is_not_named_and_costs_an_attempt(serve: Serve) -> None:
    presented = Presented(changed(LIVE, 0.0, person=90.0))
    running = with_ada(serve, presented)
    found = log_in(running, presented)
    assert (found["verdict"], found["reason"], found["subject"]) == ("reject", "not_matched", None)
    assert running.failures("ada") == 1


def test_an_attack_is_refused(serve: Serve) -> None:
    presented = Presented(changed(LIVE, 0.0, p_live=0.01))
    assert log_in(with_ada(serve, presented), presented)["verdict"] != "accept"


@pytest.mark.parametrize("kind", ["passive", "turn"])
def test_a_session_in_which_a_stage_failed_does_not_say_how(serve: Serve, kind: str) -> None:
    def broken(_: object) -> list[Any]:
        raise RuntimeError("/secret/path 0.4321")

    presented = Presented(LIVE)
    presented.pipeline = fake_pipeline(detector=FakeDetector(broken))
    running = with_ada(serve, presented)
    session_id = running.open("ada", kind=kind).json()["id"]
    answers = [running.send(session_id, 0, *presented.chunks()[0]), running.result(session_id)]
    assert answers[1].json()["reason"] == "stage_failed"
    for answer in answers:
        assert "gave no usable answer" in answer.text and "secret" not in answer.text


def test_without_a_subject_a_session_says_live_and_names_nobody(serve: Serve) -> None:
    presented = Presented(LIVE)
    found = log_in(with_ada(serve, presented), presented, subject=None)
    assert (found["verdict"], found["reason"], found["subject"]) == ("accept", "live", None)


def test_the_person_is_told_what_to_do_and_what_is_in_the_way(serve: Serve) -> None:
    presented = Presented(changed(LIVE, 0.0, side_px=None))
    running = with_ada(serve, presented)
    session = running.open("ada").json()
    assert session["prompt"]["action"] == "look" and session["expires_in_s"] == 120.0
    prompt = running.send(session["id"], 0, *presented.chunks()[0]).json()["prompt"]
    assert prompt["obstacle"] == "no_face" and "face" in prompt["message"]


# Used once.


def test_a_session_is_used_once(serve: Serve) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    send_all(running, session_id, presented)
    used = running.send(session_id, 25, *presented.chunks()[0])
    assert (used.status_code, used.json()["reason"]) == (409, "session_used")
    assert running.result(session_id).json()["verdict"] == "accept"


def test_a_session_that_the_gallery_knows_as_used_is_not_judged(serve: Serve) -> None:
    """Whatever this process remembers: two of them, or one that was started anew, share the gallery."""
    from faceauth.gallery.attempts import begin

    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    (live,) = running.service.sessions._sessions.values()
    begin(running.gallery, live.of_gallery, "fake")
    used = running.send(session_id, 0, *presented.chunks()[0])
    assert (used.status_code, used.json()["reason"]) == (409, "session_used")


def test_a_session_expires_after_120_seconds(serve: Serve) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    running.clock.now_s += 120.5
    late = running.send(session_id, 0, *presented.chunks()[0])
    assert (late.status_code, late.json()["reason"]) == (409, "session_used")


def test_what_expires_ends_as_timed_out_and_is_forgotten_later(serve: Serve) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    left, begun = running.open("ada").json()["id"], running.open("ada").json()["id"]
    running.send(begun, 0, *presented.chunks()[0])
    sweep(running, 121.0)
    for session_id in (left, begun):
        assert running.result(session_id).json()["reason"] == "timed_out"
    assert running.failures("ada") == 1  # of the one in which a face was judged
    sweep(running, 121.0)
    assert running.result(left).status_code == 404


def sweep(running: Running, later_s: float) -> None:
    running.clock.now_s += later_s
    running.on_loop(running.service.sessions.sweep)


def test_a_bug_in_one_session_keeps_no_other_from_ending(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps: list[None] = []
    ended: list[BaseException] = []

    async def failing() -> None:
        sweeps.append(None)
        raise RuntimeError("a bug") if len(sweeps) == 1 else asyncio.CancelledError  # the end of the service

    running = with_ada(serve, Presented(LIVE))
    monkeypatch.setattr("faceauth.server.live_sessions.SWEEP_EVERY_S", 0.0)
    monkeypatch.setattr(running.service.sessions, "sweep", failing)

    async def sweep_on() -> None:
        try:
            await running.service.sessions.keep_sweeping()
        except BaseException as error:
            ended.append(error)

    running.on_loop(sweep_on)
    assert [type(error) for error in ended] == [asyncio.CancelledError]


def test_ids_are_long_and_random(running: Running) -> None:
    found = {running.open().json()["id"] for _ in range(10)}
    assert len(found) == 10 and all(len(one) >= 43 for one in found)


# Chunks.


def test_a_chunk_sent_again_gets_the_same_answer_and_is_not_judged_again(serve: Serve) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    first = running.send(session_id, 0, *presented.chunks()[0])
    again = running.send(session_id, 0, *presented.chunks()[0])
    assert (again.status_code, again.json()) == (200, first.json())
    running.clock.now_s += 0.3
    second = running.send(session_id, 1, *presented.chunks()[1])
    assert second.json()["state"] == "running"  # frames that came again would have ended it


def test_the_last_chunk_sent_again_gets_its_answer_after_the_end_too(serve: Serve) -> None:
    presented = Presented(changed(LIVE, 0.0, p_live=0.01))
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    last = send_all(running, session_id, presented)
    number = int(str(last.request.url).rpartition("/")[2])
    assert running.send(session_id, number, *presented.chunks()[number]).json() == last.json()


@pytest.mark.parametrize("what", ["bytes", "times", "count"])
def test_a_chunk_sent_again_with_other_frames_is_refused(serve: Serve, what: str) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    chunk = presented.chunks()[0]
    running.send(session_id, 0, *chunk)
    other = {"bytes": [*chunk[:2], (chunk[2][0], jpeg(5))], "times": [(ms + 1, one) for ms, one in chunk]}
    refused = running.send(session_id, 0, *other.get(what, chunk[:2]))
    assert (refused.status_code, refused.json()["reason"]) == (409, "chunk_changed")


def test_a_gap_between_chunks_is_refused_and_harms_nothing(serve: Serve) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    gap = running.send(session_id, 1, *presented.chunks()[1])
    assert (gap.status_code, gap.json()["reason"]) == (409, "chunk_missing")
    assert running.failures("ada") == 0
    send_all(running, session_id, presented)
    assert running.result(session_id).json()["verdict"] == "accept"


def test_the_same_chunk_twice_at_once_is_judged_once(serve: Serve) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    answers: list[Any] = []

    def send() -> None:
        answers.append(running.send(session_id, 0, *presented.chunks()[0]).json())

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4 and all(one == answers[0] for one in answers)
    assert answers[0]["state"] == "running"


def test_a_client_that_hangs_up_takes_nothing_back_and_gets_its_answer_when_it_asks_again(serve: Serve) -> None:
    """However far its chunk had got: it waits in the queue here, and is judged once."""
    presented, go_on = Presented(LIVE), threading.Event()
    running = with_ada(serve, presented, queue=WorkQueue(threads=1))
    session_id = running.open("ada").json()["id"]
    first, second = presented.chunks()[:2]
    (live,) = running.service.sessions._sessions.values()

    async def hang_up() -> "asyncio.Task[Any]":
        before = asyncio.create_task(running.service.queue.run(go_on.wait))
        frames = [TimedFrame(ms / 1000, content) for ms, content in first]
        chunk = asyncio.create_task(running.service.sessions.take(live, 0, frames))
        while running.service.queue.length < 2:
            await asyncio.sleep(0)
        chunk.cancel()
        await asyncio.wait([chunk])
        return before

    async def wait(before: "asyncio.Task[Any]") -> None:
        go_on.set()
        await before

    before = running.on_loop(hang_up)
    is_held = live.lock.locked()
    running.on_loop(wait, before)
    assert is_held
    again = running.send(session_id, 0, *first)
    assert (again.status_code, again.json()["state"]) == (200, "running")  # judged twice, the frames would end it
    assert running.failures("ada") == 1
    running.clock.now_s += 0.3
    assert running.send(session_id, 1, *second).json()["state"] == "running"


def test_frames_are_jpegs_with_a_time_as_their_name(running: Running) -> None:
    session_id = running.open().json()["id"]
    path, auth = f"/v1/sessions/{session_id}/chunks/0", running.auth()
    png = running.http.put(path, files=[("frames", ("1", b"x", "image/png"))], headers=auth)
    assert png.status_code == 415
    for name in ("soon", "nan", "-1", "inf"):
        untimed = running.http.put(path, files=[("frames", (name, jpeg(), "image/jpeg"))], headers=auth)
        assert (untimed.status_code, untimed.json()["reason"]) == (422, "invalid")
    whole = ("frames", ("1", jpeg(), "image/jpeg"))
    for other in (("photo", ("2", jpeg(), "image/jpeg")), ("frames", (None, "a frame, as text")), ("x", (None, "y"))):
        refused = running.http.put(path, files=[whole, other], headers=auth)
        assert (refused.status_code, refused.json().get("reason")) == (422, "invalid"), other


def test_a_clock_of_frames_that_goes_slower_than_the_one_here_ends_it(serve: Serve) -> None:
    """Or a sender could take its time, and write down that it had not."""
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    running.send(session_id, 0, *presented.chunks()[0])
    running.clock.now_s += 5.0
    answer = running.send(session_id, 1, *presented.chunks()[1]).json()
    assert answer["state"] == "ended"
    assert running.result(session_id).json()["reason"] == "frames_out_of_order"


def test_a_frame_that_is_no_image_ends_the_session(running: Running) -> None:
    session_id = running.open().json()["id"]
    assert running.send(session_id, 0, (1.0, b"\xff\xd8nothing")).json()["state"] == "ended"
    assert running.result(session_id).json()["reason"] == "image_unusable"


# Whose it is, and what it costs.


def test_a_session_of_another_key_is_not_found(serve: Serve) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    assert running.send(session_id, 0, *presented.chunks()[0], key="web").status_code == 404
    assert running.result(session_id, key="web").status_code == 404
    path = f"/v1/sessions/{session_id}"
    assert running.http.delete(path, headers=running.auth("web")).status_code == 404
    assert running.result(session_id).status_code == 409  # untouched


def test_there_is_no_result_before_the_end(running: Running) -> None:
    session_id = running.open().json()["id"]
    early = running.result(session_id)
    assert (early.status_code, early.json()["reason"]) == (409, "session_running")


def test_opening_and_leaving_costs_the_person_nothing(serve: Serve) -> None:
    running = with_ada(serve, Presented(LIVE))
    for _ in range(10):
        path = f"/v1/sessions/{running.open('ada').json()['id']}"
        assert running.http.delete(path, headers=running.auth()).status_code == 204
        assert running.http.delete(path, headers=running.auth()).status_code == 404
    assert running.failures("ada") == 0


def test_leaving_after_a_face_was_judged_costs_an_attempt(serve: Serve) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    running.send(session_id, 0, *presented.chunks()[0])
    running.http.delete(f"/v1/sessions/{session_id}", headers=running.auth())
    assert running.failures("ada") == 1


def test_the_attempt_is_charged_before_anything_is_judged(serve: Serve) -> None:
    presented = Presented(changed(LIVE, 0.0, side_px=None))
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    running.send(session_id, 0, *presented.chunks()[0])
    assert running.failures("ada") == 1
    running.http.delete(f"/v1/sessions/{session_id}", headers=running.auth())
    assert running.failures("ada") == 0  # there was no face to judge


def test_a_service_that_is_told_to_end_gives_back_what_was_charged_for_no_face(serve: Serve) -> None:
    from faceauth.gallery import find_subject

    presented = Presented(changed(LIVE, 0.0, side_px=None))
    running = with_ada(serve, presented)
    running.send(running.open("ada").json()["id"], 0, *presented.chunks()[0])
    assert running.failures("ada") == 1
    running.on_loop(running.service.close)
    assert find_subject(running.gallery, "ada").failures == 0


def test_a_session_that_fails_on_the_way_gives_no_answer_and_stays_charged(serve: Serve) -> None:
    presented = Presented(LIVE)
    running = with_ada(serve, presented)
    session_id = running.open("ada").json()["id"]
    running.send(session_id, 0, *presented.chunks()[0])
    running.gallery.audit.path.unlink()
    running.gallery.audit.path.mkdir()  # it cannot be written now
    failed = send_rest(running, session_id, presented)
    assert (failed.status_code, failed.json()["reason"]) == (503, "unavailable")
    assert running.result(session_id).status_code == 409


def send_rest(running: Running, session_id: str, presented: Presented) -> Any:
    start_s, answer = running.clock.now_s, None
    for number, chunk in list(enumerate(presented.chunks()))[1:]:
        running.clock.now_s = start_s + chunk[0][0] / 1000
        answer = running.send(session_id, number, *chunk)
        if answer.status_code != 200:
            break
    return answer


# Too many.


def test_a_person_who_is_locked_out_gets_423_and_when_to_come_again(serve: Serve) -> None:
    presented = Presented(changed(LIVE, 0.0, person=90.0))
    running = with_ada(serve, presented)
    for _ in range(5):
        assert log_in(running, presented)["verdict"] == "reject"
    locked = running.open("ada")
    assert (locked.status_code, locked.json()["reason"]) == (423, "locked_out")
    assert 1 <= int(locked.headers["Retry-After"]) <= 30
    assert running.open(None).status_code == 201


def test_a_client_has_20_attempts_a_minute_and_then_gets_429(running: Running) -> None:
    for _ in range(20):
        assert running.open().status_code == 201
    limited = running.open()
    assert (limited.status_code, limited.json()["reason"]) == (429, "rate_limited")
    assert 1 <= int(limited.headers["Retry-After"]) <= 60
    assert running.open(key="web").status_code == 201


def test_so_many_sessions_are_kept_and_the_next_is_told_when_to_come_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceauth.server.live_sessions.MOST_SESSIONS", 2)
    assert [running.open().status_code for _ in range(2)] == [201, 201]
    full = running.open()
    assert (full.status_code, full.json()["reason"]) == (503, "busy")
    assert int(full.headers.get("Retry-After", 0)) >= 1
    sweep(running, KEPT_S + 1)
    assert running.open().status_code == 201


def test_nobody_opens_a_session_for_who_is_not_there(running: Running) -> None:
    missing = running.open("nobody")
    assert (missing.status_code, missing.json()["reason"]) == (404, "not_enrolled")


@pytest.mark.parametrize(
    "body", [{}, {"kind": "dance"}, {"kind": "turn", "more": 1}, {"kind": "turn", "subject": 7}, []]
)
def test_a_session_of_no_known_kind_is_refused(running: Running, body: object) -> None:
    refused = running.http.post("/v1/sessions", json=body, headers=running.auth())
    assert (refused.status_code, refused.json()["reason"]) == (422, "invalid")


# Challenges.


def test_a_challenge_is_loaded_beside_the_loop_which_others_wait_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded_by: list[str] = []

    def noted(pipeline: object, kind: object) -> None:
        loaded_by.append(threading.current_thread().name)

    monkeypatch.setattr("faceauth.server.live_sessions.new_challenge", noted)
    assert running.open(kind="turn").status_code == 201
    assert [name.startswith("faceauth work") for name in loaded_by] == [True]


def test_a_turn_that_is_asked_for_lets_in_and_nothing_else_does(serve: Serve) -> None:
    assert turn_session(serve, follow=True)["reason"] == "live_and_matched"


def test_who_does_not_turn_is_not_let_in(serve: Serve) -> None:
    found = turn_session(serve, follow=False)
    assert (found["verdict"], found["reason"]) == ("uncertain", "challenge_unclear")


def turn_session(serve: Serve, *, follow: bool) -> Any:
    """Every prompt is answered by the next chunks, as a person would."""
    presented = Presented([])
    running = with_ada(serve, presented)
    session = running.open("ada", kind="turn").json()
    assert session["prompt"]["action"] == "look_straight"
    answer, action, since_s, number = turned(), "look_straight", 0.0, 0
    for chunk_number in range(200):
        chunk = []
        for _ in range(3):
            time_s = number / 15
            prompt = Prompt(action if follow else "look_straight", "")
            mesh = answer(time_s, prompt, time_s - since_s)
            shot = Shot(side_px=80.0 * 1.1 ** (time_s / 1.0))
            chunk.append((time_s * 1000, presented.jpeg(number, shot, mesh)))
            number += 1
        running.clock.now_s = 1000.0 + chunk[0][0] / 1000
        told = running.send(session["id"], chunk_number, *chunk).json()
        if told["state"] == "ended":
            break
        if told["prompt"]["action"] != action:
            action, since_s = told["prompt"]["action"], number / 15
    return running.result(session["id"]).json()


def test_light_says_what_to_paint_now_and_next_in_the_clock_of_the_frames(serve: Serve) -> None:
    presented = Presented([(number / 10, Shot()) for number in range(30)])
    running = with_ada(serve, presented)
    for key in list(presented._shots):
        presented.meshes[key] = head_mesh()
    session = running.open(kind="light").json()
    assert session["prompt"]["screen"] == {"left": [160, 160, 160], "right": [160, 160, 160]}
    coming: list[Any] = []
    for number, chunk in enumerate(presented.chunks(2)):
        running.clock.now_s = 1000.0 + chunk[0][0] / 1000
        prompt = running.send(session["id"], number, *chunk).json()["prompt"]
        if prompt["next_screen"]:
            coming.append((chunk[-1][0], prompt["next_screen"]))
    assert coming
    for last_ms, colors in coming:
        assert 0 < colors["at_ms"] - last_ms <= 500
        assert len(colors["left"]) == len(colors["right"]) == 3

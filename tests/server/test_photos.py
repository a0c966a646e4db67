"""One photo: enrolment, login and search over HTTP."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as Photo

from faceauth.results import Reason
from faceauth.testing import FakeLiveness

from ..gallery.test_search import PIPELINE
from ..pipelines import fake_pipeline, noise_image
from .conftest import Running, Serve, jpeg, photos


def enrol(running: Running, name: str = "ada", *contents: bytes, **fields: str) -> Any:
    key = {"Idempotency-Key": fields.pop("key")} if "key" in fields else {}
    return running.http.post(
        f"/v1/subjects/{name}/templates",
        files=photos(*(contents or (jpeg(1),))),
        data={"consent": "form 1", **fields},
        headers=running.auth(**key),
    )


# Login.


def test_the_person_gets_in_and_a_stranger_does_not(running: Running) -> None:
    running.enrol("ada", 1)
    assert running.verify("ada", jpeg(1)).json()["verdict"] == "accept"
    stranger = running.verify("ada", jpeg(2)).json()
    assert (stranger["verdict"], stranger["reason"], stranger["subject"]) == ("reject", "not_matched", None)
    assert running.failures("ada") == 1


def test_five_failures_lock_the_person_out(running: Running) -> None:
    running.enrol("ada", 1)
    for _ in range(5):
        assert running.verify("ada", jpeg(2)).status_code == 200
    locked = running.verify("ada", jpeg(1))
    assert (locked.status_code, locked.json()["reason"]) == (423, "locked_out")
    running.wall.now_s += 31
    assert running.verify("ada", jpeg(1)).json()["verdict"] == "accept"


def test_after_fifty_failures_no_time_is_named(running: Running) -> None:
    running.enrol("ada", 1)
    for _ in range(50):
        running.wall.now_s += 4000
        assert running.verify("ada", jpeg(2)).status_code == 200
    running.wall.now_s += 4000
    locked = running.verify("ada", jpeg(1))
    assert locked.status_code == 423 and "Retry-After" not in locked.headers
    assert "another factor" in locked.json()["detail"]


def test_nobody_is_compared_with_who_is_not_there(running: Running) -> None:
    missing = running.verify("nobody", jpeg(1))
    assert (missing.status_code, missing.json()["reason"]) == (404, "not_enrolled")


def test_what_is_no_image_is_uncertain_and_costs_nothing(running: Running) -> None:
    running.enrol("ada", 1)
    found = running.verify("ada", b"nothing").json()
    assert (found["verdict"], found["reason"]) == ("uncertain", "image_unusable")
    assert running.failures("ada") == 0


def test_a_failed_stage_says_that_it_failed_and_not_how(serve: Serve) -> None:
    running = serve()
    running.enrol("ada", 1)
    failing = fake_pipeline(liveness=FakeLiveness(error=RuntimeError("/secret/path 0.4321")))
    running.service.pipeline = failing
    found = running.verify("ada", jpeg(1))
    assert (found.status_code, found.json()["verdict"], found.json()["reason"]) == (200, "reject", "stage_failed")
    assert "secret" not in found.text


@pytest.mark.parametrize("seeds", [[1], [1, 1]])
def test_an_enrolment_in_which_a_stage_failed_does_not_say_how(serve: Serve, seeds: list[int]) -> None:
    """Of one photo, which enrols nobody, and of one beside another."""
    answers: Any = iter([ZeroDivisionError("/secret/path 0.4321"), np.float32(0.9)])

    def score(crops: Any) -> Any:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return np.array([found])

    running = serve(fake_pipeline(liveness=FakeLiveness(score)))
    answer = enrol(running, "ada", *map(jpeg, seeds))
    assert answer.status_code == (422 if len(seeds) == 1 else 201)
    assert "gave no usable answer" in answer.text and "secret" not in answer.text and "Zero" not in answer.text


TEXT = ("photo", (None, "a photo, as text"))


@pytest.mark.parametrize("path", ["/v1/subjects/ada/verify", "/v1/identify"])
@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([TEXT], "There is no image"),
        ([*photos(jpeg(1), name="photo"), TEXT], "'photo' is no field of this request"),
        ([*photos(jpeg(1), name="photo"), ("more", (None, "text"))], "'more' is no field of this request"),
        (photos(jpeg(1), name="image"), "'image' is no part of this request"),
        (photos(jpeg(1), jpeg(1), name="photo"), "Too many files"),
    ],
)
def test_one_photo_is_one_part_called_photo(serve: Serve, path: str, files: list[tuple[str, Any]], told: str) -> None:
    running = serve(PIPELINE)
    running.enrol("ada", 1)
    answer = running.http.post(path, headers=running.auth(), files=files)
    assert (answer.status_code, told in answer.text) in ((400, True), (422, True)), answer.text
    assert running.failures("ada") == 0


# Enrolment.


def test_who_was_enrolled_is_listed_shown_and_deleted(running: Running) -> None:
    made = enrol(running, "ada", jpeg(1), keep_days="30")
    assert (made.status_code, made.json()) == (201, {"name": "ada", "templates": 1, "refused": []})
    (listed,) = running.http.get("/v1/subjects", headers=running.auth()).json()["subjects"]
    shown = running.http.get("/v1/subjects/ada", headers=running.auth()).json()
    assert listed == shown and shown["consent"] == "form 1" and shown["keep_until"] is not None
    assert running.http.delete("/v1/subjects/ada", headers=running.auth()).status_code == 204
    for method in ("GET", "DELETE"):
        assert running.http.request(method, "/v1/subjects/ada", headers=running.auth()).status_code == 404


def test_a_person_is_added_under_the_name_in_the_form(running: Running) -> None:
    form = {"name": "ada", "consent": "form 1"}
    made = running.http.post("/v1/subjects", files=photos(jpeg(1)), data=form, headers=running.auth())
    assert (made.status_code, made.json()["name"]) == (201, "ada")
    for name in ("", "a/b"):
        refused = running.http.post(
            "/v1/subjects", files=photos(jpeg(1)), data={**form, "name": name}, headers=running.auth()
        )
        assert refused.status_code == 422


def test_nobody_is_enrolled_without_consent_or_twice_or_by_half(running: Running) -> None:
    assert enrol(running, consent="").status_code == 422
    assert enrol(running).status_code == 201
    twice = enrol(running)
    assert (twice.status_code, twice.json()["reason"]) == (409, "already_enrolled")
    assert enrol(running, replace="true").status_code == 201
    assert enrol(running, "bob", keep_days="soon").status_code == 422
    assert enrol(running, "bob", replace="yes").status_code == 422
    assert enrol(running, "bob", consnet="a").status_code == 422  # a misspelt field is not left out in silence
    assert running.http.get("/v1/subjects/bob", headers=running.auth()).status_code == 404


def test_an_attack_enrols_nobody_and_the_answer_says_why(serve: Serve) -> None:
    running = serve(fake_pipeline(liveness=FakeLiveness(0.1)))
    refused = enrol(running)
    assert (refused.status_code, refused.json()["reason"]) == (422, "enrolment_refused")
    assert "photo or a screen" in refused.json()["detail"]


def test_photos_of_two_people_enrol_nobody_and_no_threshold_is_told(serve: Serve) -> None:
    refused = enrol(serve(fake_pipeline(match_threshold=0.6421)), "ada", jpeg(1), jpeg(2))
    assert (refused.status_code, refused.json()["reason"]) == (422, "enrolment_refused")
    assert "do not show one person" in refused.text and "0.64" not in refused.text


def test_a_photo_that_was_not_used_is_named(running: Running) -> None:
    made = enrol(running, "ada", jpeg(1), b"nothing").json()
    assert [(one["photo"], one["reason"]) for one in made["refused"]] == [(1, "image_unusable")]


def test_a_name_is_plain_text(running: Running) -> None:
    assert enrol(running, "%20ada").status_code == 422


# Sent again.


def test_an_enrolment_sent_again_with_its_key_gets_its_answer_and_is_not_done_twice(running: Running) -> None:
    first, again = enrol(running, key="k1"), enrol(running, key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    enrolled = [line for line in running.gallery.audit.lines() if line["event"] == "enrolled"]
    assert len(enrolled) == 1


@pytest.mark.parametrize("change", [{"consent": "form 2"}, {"photo": "other"}, {"name": "bob"}])
def test_a_key_of_another_request_is_refused(running: Running, change: dict[str, str]) -> None:
    enrol(running, key="k1")
    photo = jpeg(2) if "photo" in change else jpeg(1)
    reused = enrol(running, change.get("name", "ada"), photo, key="k1", consent=change.get("consent", "form 1"))
    assert (reused.status_code, reused.json().get("reason")) == (422, "idempotency_key_reused")


def test_two_api_keys_may_use_the_same_idempotency_key(running: Running) -> None:
    from faceauth.server import Scope

    enrol(running, key="k1")
    other = running.key_file.add("other", [Scope.SUBJECTS])
    headers = {"Authorization": f"Bearer {other}", "Idempotency-Key": "k1"}
    data = {"consent": "form 2"}
    assert running.http.post("/v1/subjects/bob/templates", files=photos(jpeg(1)), data=data, headers=headers).is_success


def test_an_enrolment_that_failed_may_be_sent_again_with_its_key(serve: Serve) -> None:
    scores = iter(np.float32([0.1, 0.9]))
    running = serve(fake_pipeline(liveness=FakeLiveness(lambda crops: np.array([next(scores)]))))
    assert enrol(running, key="k1").status_code == 422
    assert enrol(running, key="k1").status_code == 201


# Search.


def test_a_face_is_found_and_a_stranger_is_not(serve: Serve) -> None:
    running = serve(PIPELINE)
    running.enrol("ada", 1)
    running.enrol("bob", 2)
    found = ask(running, jpeg(2))
    assert found.json()["subject"] == "bob"
    assert ask(running, jpeg(3)).json()["subject"] is None


def ask(running: Running, content: bytes) -> Any:
    return running.http.post("/v1/identify", files=photos(content, name="photo"), headers=running.auth())


def test_without_measured_thresholds_nobody_is_searched_for(running: Running) -> None:
    running.enrol("ada", 1)
    refused = ask(running, jpeg(1))
    assert (refused.status_code, refused.json()["reason"]) == (422, "invalid")


# What an answer holds.


def test_no_answer_holds_a_score_a_similarity_or_a_threshold(serve: Serve) -> None:
    """Of the fakes, every one of these is a number with these digits."""
    running = serve(fake_pipeline(liveness=FakeLiveness(0.8765), threshold=0.7531, match_threshold=0.6421), mesh=None)
    running.enrol("ada", 1)
    answers = [running.verify("ada", jpeg(1)), running.verify("ada", jpeg(2)), ask(running, jpeg(1))]
    session_id = running.open("ada").json()["id"]
    answers += [running.send(session_id, 0, (0.0, jpeg(1)), (99.0, jpeg(1))), running.result(session_id)]
    for answer in answers:
        assert not any(digits in answer.text for digits in ("0.87", "0.75", "0.64", "score", "similar", "p_live"))
    for answer in answers[:2]:
        assert set(answer.json()) == {"verdict", "reason", "message", "subject"}
    assert set(answers[-1].json()) == {"verdict", "reason", "message", "subject"}


def test_every_reason_of_a_result_is_one_of_ours(running: Running) -> None:
    document = running.http.get("/openapi.json").json()
    assert set(document["components"]["schemas"]["Reason"]["enum"]) == {str(reason) for reason in Reason}


def test_photos_may_be_png_and_webp(running: Running) -> None:
    running.enrol("ada", 1)
    for kind in ("PNG", "WEBP"):
        file = io.BytesIO()
        Photo.fromarray(noise_image(1)).save(file, kind)
        files = photos(file.getvalue(), name="photo", kind=f"image/{kind.lower()}")
        answer = running.http.post("/v1/subjects/ada/verify", files=files, headers=running.auth())
        assert answer.json()["verdict"] == "accept"

"""The audit log says who did what when, and nothing that helps an attacker."""

import json
import logging
import os
import re

import pytest

from faceauth.errors import LockedOut, NotEnrolled
from faceauth.gallery import Gallery, answer, delete_subject, login, open_session, rekey
from tests.pipelines import noise_image

from .conftest import PIPELINE, SPOOFED, Enrol


def events(gallery: Gallery) -> list[str]:
    return [line["event"] for line in gallery.audit.lines()]


def test_every_step_has_a_line(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    login(gallery, PIPELINE, "ada", noise_image(1), client="c")
    rekey(gallery)
    delete_subject(gallery, "ada")
    assert events(gallery) == ["enrolled", "attempt", "judged", "rekeying", "rekeyed", "deleted"]


def test_an_attempt_is_in_the_log_before_it_is_judged(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    seen: list[str] = []

    def judge(templates: object) -> object:
        seen.extend(events(gallery))
        return PIPELINE.verify(noise_image(1), templates)  # type: ignore[arg-type]

    answer(gallery, open_session(gallery, "ada", "c"), "fake", judge)  # type: ignore[arg-type]
    assert seen[-1] == "attempt"


def test_a_judged_line_names_who_when_policy_models_verdict_and_reason(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    login(gallery, SPOOFED, "ada", noise_image(1), client="door 3")
    line = gallery.audit.lines()[-1]
    assert (line["subject"], line["client"], line["verdict"], line["reason"], line["failures"]) == (
        "ada", "door 3", "reject", "attack_suspected", 1,
    )  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"])
    assert line["policy"] == {"liveness": {"FakeLiveness": 0.5}, "match": 0.5}
    assert line["backends"]["FakeDetector"] == {"version": "injected", "weights_sha256": {}}


def test_a_refusal_is_in_the_log(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    for number in range(5):
        login(gallery, PIPELINE, "ada", noise_image(2), client=f"c{number}")
    with pytest.raises(LockedOut):
        login(gallery, PIPELINE, "ada", noise_image(1), client="c")
    assert gallery.audit.lines()[-1]["why"] == "LockedOut"


def test_no_line_holds_a_score_or_a_template(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    result = login(gallery, PIPELINE, "ada", noise_image(1), client="c")
    assert result.liveness is not None and result.match is not None
    text = gallery.audit.path.read_text()
    vector = PIPELINE.embed(noise_image(1)).vector
    for secret in (result.liveness.p_live, result.match.similarity, vector[0], vector[5]):
        assert f"{secret:.5f}"[:6] not in text
    assert not {"p_live", "similarity", "vector", "face", "embedding"} & {
        key for line in gallery.audit.lines() for key in line
    }


def test_a_name_cannot_forge_a_line(gallery: Gallery) -> None:
    forged = 'eve"}, {"sequence": 99999, "event": "forged"}'
    with pytest.raises(NotEnrolled):
        login(gallery, PIPELINE, forged, noise_image(1), client=forged)
    lines = gallery.audit.path.read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["refused"]


def test_the_logger_gets_the_same_lines(gallery: Gallery, enrol: Enrol, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="faceauth.audit"):
        enrol("ada", 1)
    assert [json.loads(record.getMessage()) for record in caplog.records] == gallery.audit.lines()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_the_log_is_its_owners_alone_and_only_grows(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    before = gallery.audit.path.read_bytes()
    login(gallery, PIPELINE, "ada", noise_image(1), client="c")
    assert gallery.audit.path.read_bytes().startswith(before)
    assert gallery.audit.path.stat().st_mode & 0o777 == 0o600

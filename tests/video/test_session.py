"""What a session makes of the frames that it is fed: the one decision, and every way in which it ends before."""

import math

import numpy as np
import pytest

from faceauth.errors import UsageError
from faceauth.results import DECIDED, Reason, Template, Verdict
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness
from faceauth.video import PresentationResult, PresentationSession, State

from ..pipelines import noise_image
from .scenes import BACKGROUND, Scene, Shot, changed, growing


def ended(scene: Scene, session: PresentationSession | None = None) -> PresentationResult:
    result = scene.run(session).result
    assert result is not None
    return result


def template(person: float) -> Template:
    angle = math.radians(person)
    return Template(model_id="fake", vector=(math.cos(angle), math.sin(angle)))


# The decision.


@pytest.mark.parametrize("rate", [6, 12, 30, 60])
def test_a_live_person_is_accepted_at_any_frame_rate(rate: float) -> None:
    result = ended(Scene(growing(2.5, rate=rate)))
    assert (result.accepted, result.reason) == (True, Reason.LIVE)
    assert len(result.kept) >= 5 and result.kept[-1].time_s - result.kept[0].time_s >= 1.0


def test_nobody_is_accepted_in_less_than_a_second() -> None:
    state = Scene(growing(1.0)).run()
    assert state.kept >= 5 and state.result is not None and state.result.reason is Reason.STREAM_ENDED


def test_nobody_is_accepted_by_four_frames() -> None:
    shots = [Shot(side_px=80.0 * 1.1 ** min(int(time_s / 0.4), 3)) for time_s, _ in growing(3.0)]
    result = ended(Scene([(time_s, shot) for (time_s, _), shot in zip(growing(3.0), shots, strict=True)]))
    assert (len(result.kept), result.reason) == (4, Reason.STREAM_ENDED)


def test_a_still_face_gives_one_frame_however_long_it_stays() -> None:
    result = ended(Scene([(number / 30, Shot()) for number in range(90)]))
    assert (len(result.kept), result.reason) == (1, Reason.STREAM_ENDED)


@pytest.mark.parametrize("first", [0.99, 0.01])
def test_the_median_decides_and_not_the_mean_or_the_best_frame(first: float) -> None:
    scores = iter([first, 0.6, first, 0.6, 0.6, 0.6, 0.6, 0.6])
    scene = Scene(growing(2.0), liveness=FakeLiveness(lambda crops: np.array([next(scores)], np.float32)))
    result = ended(scene)
    assert result.accepted and result.liveness is not None
    assert result.liveness.p_live == pytest.approx(0.6)


def test_the_spread_of_the_logits_is_told() -> None:
    scores = iter([0.9, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])
    scene = Scene(growing(2.0), liveness=FakeLiveness(lambda crops: np.array([next(scores)], np.float32)))
    spread = ended(scene).logit_spread
    assert spread == pytest.approx(math.log(0.9 / 0.1) - math.log(0.6 / 0.4), abs=1e-5)


def test_an_attack_is_refused_after_three_frames() -> None:
    result = ended(Scene(changed(growing(2.0), 0.0, p_live=0.1)))
    assert (result.verdict, result.reason, len(result.kept)) == (Verdict.REJECT, Reason.ATTACK_SUSPECTED, 3)


def test_an_attack_that_two_live_frames_precede_is_refused_after_three_more() -> None:
    result = ended(Scene(changed(growing(2.0), 0.35, p_live=0.1)))
    assert (result.reason, len(result.kept)) == (Reason.ATTACK_SUSPECTED, 5)


def test_a_median_between_attack_and_live_is_uncertain(operating_points: object) -> None:
    liveness = FakeLiveness(0.6, operating_points=operating_points)  # type: ignore[arg-type]
    result = ended(Scene(growing(2.0), liveness=liveness, threshold="strict"))
    assert (result.verdict, result.reason) == (Verdict.UNCERTAIN, Reason.LIVENESS_UNCERTAIN)


def test_each_member_of_a_combination_is_judged_by_its_own_median(operating_points: object) -> None:
    class Other(FakeLiveness):
        pass

    sure = FakeLiveness(0.95, operating_points=operating_points)  # type: ignore[arg-type]
    unsure = Other(0.55, operating_points=operating_points)  # type: ignore[arg-type]
    scene = Scene(growing(2.0), liveness=[sure, unsure], combine="all", threshold="strict")
    result = ended(scene)
    assert result.reason is Reason.LIVENESS_UNCERTAIN and result.liveness is not None
    assert result.liveness.p_live_of("Other") == pytest.approx(0.55)


def test_the_same_frames_give_the_same_result() -> None:
    first, second = (ended(Scene(growing(2.0))).model_dump(exclude={"elapsed_ms"}) for _ in range(2))
    for result in (first, second):
        for part in (result["liveness"], *(frame["liveness"] for frame in result["kept"])):
            part["members"][0].pop("elapsed_ms")
    assert first == second


# The match.


def test_a_match_holds_over_all_kept_frames() -> None:
    session = PresentationSession((scene := Scene(growing(2.0))).pipeline, template(10.0))
    result = ended(scene, session)
    assert result.reason is Reason.LIVE_AND_MATCHED and result.match is not None
    assert all(frame.match is not None for frame in result.kept)


def test_one_frame_that_does_not_match_refuses_all() -> None:
    scene = Scene(changed(growing(2.0), 0.35, 0.45, person=25.0))
    result = ended(scene, PresentationSession(scene.pipeline, template(-50.0)))
    assert (result.verdict, result.reason) == (Verdict.REJECT, Reason.NOT_MATCHED)
    assert result.match is not None and result.match.similarity == pytest.approx(math.cos(math.radians(75)), abs=1e-5)


def test_an_attack_is_never_matched() -> None:
    scene = Scene(changed(growing(2.0), 0.0, p_live=0.1))
    result = ended(scene, PresentationSession(scene.pipeline, template(0.0)))
    assert result.reason is Reason.ATTACK_SUSPECTED and result.match is None
    assert result.skipped["match"] == "a face that is not accepted as live is never matched"


def test_a_doubtful_face_is_never_matched(operating_points: object) -> None:
    liveness = FakeLiveness(0.6, operating_points=operating_points)  # type: ignore[arg-type]
    scene = Scene(growing(2.0), liveness=liveness, threshold="strict")
    result = ended(scene, PresentationSession(scene.pipeline, template(0.0)))
    assert result.reason is Reason.LIVENESS_UNCERTAIN
    assert result.match is None and all(frame.match is None for frame in result.kept)


def test_a_reference_without_a_face_is_no_acceptance() -> None:
    scene = Scene(growing(2.0))
    reference = scene.image(0)
    scene.script[0] = (0.0, Shot(side_px=None))
    result = ended(scene, PresentationSession(scene.pipeline, reference))
    assert (result.verdict, result.reason) == (Verdict.UNCERTAIN, Reason.REFERENCE_UNUSABLE)


def test_a_match_alone_can_be_asked_for() -> None:
    scene = Scene(growing(2.0), require_liveness=False)
    result = ended(scene, PresentationSession(scene.pipeline, template(0.0)))
    assert result.reason is Reason.MATCHED and result.liveness is None and scene.liveness.seen == []


def test_reference_none_is_an_error_and_a_required_one_cannot_be_left_out() -> None:
    with pytest.raises(UsageError, match="None"):
        PresentationSession(Scene([]).pipeline, None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="A match is required"):
        PresentationSession(Scene([], require_match=True).pipeline)


# The track.


@pytest.mark.parametrize(("gone_s", "reason"), [(0.35, Reason.LIVE), (0.55, Reason.TRACK_BROKEN)])
def test_a_face_may_be_gone_for_less_than_0_4_seconds(gone_s: float, reason: Reason) -> None:
    result = ended(Scene(changed(growing(2.5), 0.45, 0.45 + gone_s, side_px=None)))
    assert result.reason is reason


@pytest.mark.parametrize(("gap_s", "reason"), [(0.39, Reason.LIVE), (0.41, Reason.TRACK_BROKEN)])
def test_no_frame_may_be_missing_for_longer_than_0_4_seconds(gap_s: float, reason: Reason) -> None:
    before = [one for one in growing(2.5) if one[0] <= 0.4 + 1e-9]
    after = [(time_s + gap_s - 1 / 30, shot) for time_s, shot in growing(2.5) if time_s > 0.4 + 1e-9]
    result = ended(Scene([*before, *after]))
    assert result.reason is reason
    if reason is Reason.TRACK_BROKEN:
        assert "no face was seen for 0.4 s" in result.message


def test_a_clock_that_jumps_ahead_breaks_the_track() -> None:
    script = [*growing(0.5), *growing(2.0, start_s=3600.0)]
    assert ended(Scene(script)).reason is Reason.TRACK_BROKEN


@pytest.mark.parametrize(("jump_px", "reason"), [(45.0, Reason.LIVE), (60.0, Reason.TRACK_BROKEN)])
def test_a_face_that_jumps_by_more_than_half_its_width_breaks_the_track(jump_px: float, reason: Reason) -> None:
    result = ended(Scene(changed(growing(2.0), 0.41, x_px=160.0 + jump_px)))
    assert result.reason is reason


def test_a_second_face_breaks_the_track() -> None:
    result = ended(Scene(changed(growing(2.0), 0.45, other=0.95)))
    assert result.reason is Reason.TRACK_BROKEN and "second face" in result.message


@pytest.mark.parametrize(("p_live", "reason"), [(0.99, Reason.LIVE), (0.55, Reason.SEVERAL_FACES)])
def test_somebody_in_the_background_asks_for_a_surer_median(p_live: float, reason: Reason) -> None:
    result = ended(Scene(changed(growing(2.0), 0.0, other=0.3, p_live=p_live)))
    assert (result.reason, result.accepted) == (reason, reason is Reason.LIVE)


def test_before_the_first_kept_frame_a_second_face_is_an_obstacle_only() -> None:
    scene = Scene(changed(growing(3.0), 0.0, 0.5, other=0.95))
    assert PresentationSession(scene.pipeline).feed(scene.image(0), 0.0).obstacle is Reason.SEVERAL_FACES
    assert ended(scene).accepted


def test_a_cut_breaks_the_track() -> None:
    result = ended(Scene(changed(growing(2.0), 0.45, image=noise_image(1))))
    assert result.reason is Reason.TRACK_BROKEN and "scene" in result.message


@pytest.mark.parametrize(("share", "reason"), [(0.45, Reason.LIVE), (0.7, Reason.TRACK_BROKEN)])
def test_a_cut_is_a_likeness_below_one_half(share: float, reason: Reason) -> None:
    """Blended so that the correlation with the frame before is 0.75 and 0.35."""
    mixed = ((1 - share) * BACKGROUND.astype(float) + share * noise_image(1)).astype(np.uint8)
    assert ended(Scene(changed(growing(2.0), 0.45, image=mixed))).reason is reason


def test_frames_of_another_size_break_the_track() -> None:
    scene = Scene(growing(1.0))
    session = PresentationSession(scene.pipeline)
    session.feed(scene.image(0), 0.0)
    larger = np.kron(scene.image(1), np.ones((2, 2, 1), np.uint8))
    assert session.feed(larger, 1 / 30).obstacle is Reason.TRACK_BROKEN


@pytest.mark.parametrize(("person", "reason"), [(59.0, Reason.LIVE), (61.0, Reason.TRACK_BROKEN)])
def test_a_swap_for_another_person_breaks_the_track(person: float, reason: Reason) -> None:
    """The threshold is the pipeline's own for a match, here 0.5."""
    result = ended(Scene(changed(growing(2.0), 0.45, person=person)))
    assert result.reason is reason
    if reason is Reason.TRACK_BROKEN:
        assert "another face" in result.message


def test_a_slow_change_of_person_breaks_the_track_too() -> None:
    script = [(time_s, changed([(time_s, shot)], 0.0, person=80.0 * time_s)[0][1]) for time_s, shot in growing(2.0)]
    assert ended(Scene(script)).reason is Reason.TRACK_BROKEN


# The stream.


def repeated(scene: Scene, order: list[int]) -> PresentationResult:
    """The frames in that order, at the times of a steady camera."""
    session = PresentationSession(scene.pipeline)
    for number, frame in enumerate(order):
        if session.feed(scene.image(frame), number / 30).result is not None:
            break
    return session.finish().result  # type: ignore[return-value]


def test_a_frame_that_comes_twice_in_a_row_is_refused() -> None:
    result = repeated(Scene(growing(2.0)), [0, 1, 2, 2, *range(3, 60)])
    assert (result.verdict, result.reason) == (Verdict.REJECT, Reason.FROZEN_STREAM)


def test_every_frame_twice_is_refused() -> None:
    assert repeated(Scene(growing(2.0)), [n // 2 for n in range(120)]).reason is Reason.FROZEN_STREAM


@pytest.mark.parametrize("length", [2, 7, 20])
def test_a_loop_is_refused(length: int) -> None:
    result = repeated(Scene(growing(2.0)), list(range(length)) * 30)
    assert (result.verdict, result.reason) == (Verdict.REJECT, Reason.LOOPED_STREAM)


def test_a_clip_forth_and_back_is_refused() -> None:
    assert repeated(Scene(growing(2.0)), [*range(20), *reversed(range(19))]).reason is Reason.LOOPED_STREAM


def test_a_frame_from_before_the_first_kept_one_may_not_come_again_either() -> None:
    scene = Scene(changed(growing(2.0), 0.0, 0.2, side_px=None))
    assert repeated(scene, [*range(15), 2, *range(15, 60)]).reason is Reason.LOOPED_STREAM


def test_black_frames_of_a_camera_that_starts_are_no_frozen_stream() -> None:
    black = np.zeros_like(BACKGROUND)
    scene = Scene(growing(3.0, start_s=1.0))
    scene.detector._answer = lambda image: scene._detect(image) if image.any() else []
    session = PresentationSession(scene.pipeline)
    assert all(session.feed(black, n / 30).obstacle is Reason.NO_FACE for n in range(9))
    assert ended(scene, session).accepted


@pytest.mark.parametrize("second", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_capture_times_that_do_not_increase_end_it(second: float) -> None:
    session = PresentationSession((scene := Scene(growing(1.0))).pipeline)
    session.feed(scene.image(0), 0.0)
    result = session.feed(scene.image(1), second).result
    assert result is not None and (result.verdict, result.reason) == (Verdict.UNCERTAIN, Reason.FRAMES_OUT_OF_ORDER)


@pytest.mark.parametrize("first", [math.nan, math.inf])
def test_a_first_capture_time_that_is_no_number_ends_it(first: float) -> None:
    scene = Scene(growing(1.0))
    assert PresentationSession(scene.pipeline).feed(scene.image(0), first).obstacle is Reason.FRAMES_OUT_OF_ORDER


def test_reordered_frames_are_never_accepted() -> None:
    scene = Scene(growing(2.0))
    session = PresentationSession(scene.pipeline)
    frames = scene.frames()
    frames[10], frames[12] = frames[12], frames[10]
    for time_s, image in frames:
        session.feed(image, time_s)
    assert session.result.reason is Reason.FRAMES_OUT_OF_ORDER


def test_dropped_frames_are_told_and_do_no_harm() -> None:
    scene = Scene(growing(3.0))
    session = PresentationSession(scene.pipeline)
    kept = [frame for number, frame in enumerate(scene.frames()) if number % 3 != 1]
    for number, (time_s, image) in enumerate(kept):
        session.feed(image, time_s, dropped=number)
    assert session.result.accepted and session.result.frames.dropped == session.result.frames.seen - 1


def test_a_stream_that_ends_early_is_uncertain() -> None:
    result = ended(Scene(growing(0.7)))
    assert (result.verdict, result.reason) == (Verdict.UNCERTAIN, Reason.STREAM_ENDED)
    assert "4 of at least 5 different frames came in" in result.message


def test_a_stream_without_frames_is_uncertain() -> None:
    state = PresentationSession(Scene([]).pipeline).finish()
    assert state.result is not None and state.result.reason is Reason.STREAM_ENDED and state.time_s is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"side_px": None}, Reason.NO_FACE),
        ({"side_px": 40.0}, Reason.FACE_TOO_SMALL),
        ({"other": 0.95}, Reason.SEVERAL_FACES),
        ({"image": (BACKGROUND * 0.1).astype(np.uint8)}, Reason.TOO_DARK),
    ],
)
@pytest.mark.parametrize("seconds", [1.0, 20.0])
def test_what_never_could_be_judged_ends_with_the_reason_of_verify(
    changes: dict[str, object], reason: Reason, seconds: float
) -> None:
    script = changed([(n / 10, Shot()) for n in range(round(seconds * 10))], 0.0, **changes)
    result = ended(Scene(script))
    assert (result.reason, result.kept) == (reason, ())


@pytest.mark.parametrize(("seconds", "reason"), [(15.0, Reason.STREAM_ENDED), (15.2, Reason.TIMED_OUT)])
def test_a_presentation_without_a_decision_ends_after_15_seconds(seconds: float, reason: Reason) -> None:
    assert ended(Scene([(n / 10, Shot()) for n in range(round(seconds * 10) + 1)])).reason is reason


def test_an_image_that_cannot_be_read_ends_it() -> None:
    session = PresentationSession(Scene([]).pipeline)
    assert session.feed(b"no image", 0.0).obstacle is Reason.IMAGE_UNUSABLE
    result = session.result
    assert (result.verdict, result.accepted) == (Verdict.UNCERTAIN, False)


@pytest.mark.parametrize(
    ("stage", "backend"),
    [
        ("detection", {"detector": FakeDetector(error=RuntimeError("broken"))}),
        ("liveness", {"liveness": FakeLiveness(math.nan)}),
        ("embedding", {"embedder": FakeEmbedder(error=RuntimeError("broken"))}),
    ],
)
def test_a_stage_that_fails_denies(stage: str, backend: dict[str, object]) -> None:
    result = ended(Scene(growing(2.0), **backend))
    assert (result.verdict, result.reason, result.failed) == (Verdict.REJECT, Reason.STAGE_FAILED, stage)


# Which frames are searched, and which are kept.


@pytest.mark.parametrize(("rate", "every"), [(6, 1), (12, 1), (15, 1), (24, 2), (30, 3), (60, 6)])
def test_the_face_is_looked_for_every_tenth_of_a_second_or_in_every_frame(rate: float, every: int) -> None:
    scene = Scene([(number / rate, Shot()) for number in range(60)])
    assert len(scene.run().result.kept) == 1  # type: ignore[union-attr]
    searched = [int(image[0, 0, 0]) for image in scene.detector.seen if image.shape == BACKGROUND.shape]
    assert searched == list(range(0, 60, every))
    assert every / rate <= 0.15 or every == 1


def test_the_backends_score_at_most_five_frames_a_second() -> None:
    scene = Scene([(n / 30, Shot(turn=0.03 * (n % 40 - 20))) for n in range(33)])
    session = PresentationSession(scene.pipeline, held=True)
    for time_s, image in scene.frames():
        session.feed(image, time_s)
    assert 1 <= len(scene.liveness.seen) <= 6


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (Shot(side_px=80.0 * 1.07), 1),
        (Shot(side_px=80.0 * 1.09), 2),
        (Shot(turn=0.015), 1),
        (Shot(turn=0.018), 2),
        (Shot(nod=0.01), 1),
        (Shot(nod=0.017), 2),
        (Shot(image=(BACKGROUND * 0.92).astype(np.uint8)), 1),
        (Shot(image=(BACKGROUND * 0.88).astype(np.uint8)), 2),
    ],
    ids=["7 % closer", "9 %", "turn by 4.6 degrees", "5.6", "nod by 3.4 degrees", "5.8", "8 % darker", "12 %"],
)
def test_a_frame_counts_when_pose_distance_or_light_differ_enough(other: Shot, kept: int) -> None:
    script = [(n / 10, Shot() if n < 5 else other) for n in range(10)]
    assert len(ended(Scene(script)).kept) == kept


def test_a_view_that_was_there_before_does_not_count_again() -> None:
    script = [(n / 30, Shot(turn=0.04 * (n // 15 % 2))) for n in range(300)]
    assert len(ended(Scene(script)).kept) == 2


# The session as an object.


def test_progress_and_messages_lead_to_the_end() -> None:
    scene = Scene(growing(2.0))
    session, states = PresentationSession(scene.pipeline), []
    assert session.state == State() and session.image is None
    for time_s, image in scene.frames():
        states.append(session.feed(image, time_s))
    progress = [state.progress for state in states]
    assert progress == sorted(progress) and progress[0] == 0.2 and progress[-1] == 1.0
    assert states[0].message.startswith("Turn your head") and states[0].face is not None
    assert states[-1].message == "A live person."


def test_a_session_that_has_ended_keeps_its_result() -> None:
    scene = Scene(growing(2.0))
    session = PresentationSession(scene.pipeline)
    first = scene.run(session)
    assert session.feed(scene.image(0), 99.0) is first
    assert session.finish() is first or session.finish() == first
    assert session.close(Reason.TRACK_BROKEN) == first


def test_finishing_a_session_that_has_ended_matches_nobody() -> None:
    scene = Scene(changed(growing(2.5), 1.6, other=0.95))
    reference = scene.image(0)
    session = PresentationSession(scene.pipeline, reference, held=True)
    assert scene.run(session).result.reason is Reason.TRACK_BROKEN  # type: ignore[union-attr]
    embedded = len(scene.embedder.seen)
    assert session.finish() is session.state and len(scene.embedder.seen) == embedded


def test_an_unfinished_session_has_no_result() -> None:
    with pytest.raises(UsageError, match="no result yet"):
        _ = PresentationSession(Scene([]).pipeline).result


def test_a_held_session_gathers_until_it_is_told_to_finish() -> None:
    scene = Scene(growing(2.5))
    session = PresentationSession(scene.pipeline, held=True)
    for time_s, image in scene.frames():
        assert session.feed(image, time_s).result is None
    assert session.finish().result.accepted  # type: ignore[union-attr]


def test_a_held_session_still_refuses_early() -> None:
    scene = Scene(changed(growing(2.0), 0.0, p_live=0.1))
    assert ended(scene, PresentationSession(scene.pipeline, held=True)).reason is Reason.ATTACK_SUSPECTED


def test_no_caller_can_make_a_session_decide() -> None:
    session = PresentationSession(Scene([]).pipeline)
    for reason in DECIDED:
        with pytest.raises(UsageError, match="decides by itself"):
            session.close(reason)


def test_the_frame_fed_last_can_be_drawn_but_not_changed() -> None:
    scene = Scene(growing(1.0))
    session = PresentationSession(scene.pipeline)
    own = scene.image(0)
    session.feed(own[..., ::-1], 0.0, color="rgb")
    assert session.image is not None and (session.image == own).all() and not session.image.flags.writeable


def test_a_presentation_does_not_hold_on_to_its_images() -> None:
    scene = Scene(growing(2.0))
    session = PresentationSession(scene.pipeline, held=True)
    for time_s, image in scene.frames():
        session.feed(image, time_s)
    assert all(one.image is None for one in session._searched)

"""Records become scores by the network alone or by the whole pipeline; what drew no response never gets a score."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth import PipelineConfig
from faceauth.calibration.operating_points import choose_points
from faceauth.errors import ImageTooLarge, ImageUnreadable, ScoreError, StageTimeout, UsageError
from faceauth.evaluation.records import Record
from faceauth.evaluation.scoring import (
    BATCH,
    Scored,
    Threshold,
    backend_threshold,
    score_records,
    verify_records,
    with_detected_boxes,
    without_face,
)
from faceauth.imaging.limits import ImageLimits
from faceauth.pipeline import Pipeline
from faceauth.results import (
    VERDICT_OF,
    Box,
    Face,
    LivenessResult,
    LivenessScore,
    MatchResult,
    Reason,
    StageName,
    Template,
    Verdict,
    Verification,
)
from faceauth.stages import Crops, CropSpec, Image
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, face_in
from faceauth.thresholds import LivenessThreshold, MatchThreshold, Thresholds

TEMPLATE = Template(model_id="toy", vector=(1.0, 0.0))
HALF = LivenessThreshold(backend="toy", live=0.5, attack=0.5)
FACE = face_in(np.zeros((100, 100, 3), np.uint8))


def grey_records(folder: Path, levels: list[int], **fields: object) -> list[Record]:
    """Images of one grey each, 60 x 40 with a box of 20 x 10; even ones live, odd ones prints."""
    records = []
    for i, level in enumerate(levels):
        path = folder / f"{i}.png"
        cv2.imwrite(str(path), np.full((40, 60, 3), level, np.uint8))
        label, species = i % 2, ("none", "print")[i % 2]
        record = Record(path, label, species, "cam", "test", box_xyxy=(20.0, 10.0, 40.0, 20.0), size_wh=(60, 40))
        records.append(replace(record, **fields))
    return records


def brightness(crops: Sequence[Crops]) -> np.ndarray:
    """P(live) that tells the faces apart."""
    return (crops[0].mean(axis=(1, 2, 3)) / 255).astype(np.float32)


class Scripted:
    """A pipeline that answers from a list, and remembers the references that it was given."""

    def __init__(self, *answers: Verification | Exception) -> None:
        self.answers = list(answers)
        self.embedded: list[Path] = []
        self.references: list[Template | None] = []

    def verify(self, image: Path, reference: Template | None = None, /) -> Verification:
        self.references.append(reference)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def embed(self, image: Path, /) -> Template:
        self.embedded.append(image)
        return TEMPLATE


def liveness(p_live: float) -> LivenessResult:
    """Of one backend."""
    score = LivenessScore(backend="toy", p_live=p_live, elapsed_ms=1.0)
    return LivenessResult(backend="toy", p_live=p_live, members=(score,), crop_outside=0.0, crop_scale=2.0)


def judged(p_live: float, *, limits: LivenessThreshold = HALF) -> Verification:
    """An answer with a liveness score."""
    live = p_live >= limits.live
    return Verification(
        accepted=live,
        verdict=Verdict.ACCEPT if live else Verdict.REJECT,
        reason=Reason.LIVE if live else Reason.ATTACK_SUSPECTED,
        message="",
        face=FACE,
        faces=(FACE,),
        liveness=liveness(p_live),
        thresholds=Thresholds(liveness=(limits,)),
    )


def matched(similarity: float | None, reason: Reason, **fields: object) -> Verification:
    """An answer of a pipeline that found the face live at 0.9 and was to match it from 0.4 on."""
    return Verification(
        accepted=VERDICT_OF[reason] is Verdict.ACCEPT,
        verdict=VERDICT_OF[reason],
        reason=reason,
        message="Said so.",
        face=FACE,
        faces=(FACE,),
        match=None if similarity is None else MatchResult(similarity=similarity, model_id="toy"),
        **{
            "liveness": liveness(0.9),
            "thresholds": Thresholds(liveness=(HALF,), match=MatchThreshold(similarity=0.4)),
            **fields,
        },
    )


NO_FACE = Verification(accepted=False, verdict=Verdict.UNCERTAIN, reason=Reason.NO_FACE, message="", faces=())


def test_scores_keep_the_order_of_the_records_over_several_batches(tmp_path: Path) -> None:
    levels = [5 * i for i in range(BATCH + 3)]
    records, backend = grey_records(tmp_path, levels), FakeLiveness(brightness)
    scored = score_records(records, backend)
    assert [len(crops[0]) for crops in backend.seen] == [BATCH, 3]
    assert [one.record for one in scored] == records
    assert [one.p_live for one in scored] == pytest.approx([level / 255 for level in levels])
    assert {one.no_response for one in scored} == {None}
    assert {one.context for one in scored} == {3.0}, "60 px of picture for 20 px of face"


def test_no_records_give_no_scores_and_ask_no_backend() -> None:
    backend = FakeLiveness()
    assert score_records([], backend) == []
    assert backend.seen == []


def test_progress_ends_at_all(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    records = grey_records(tmp_path, [1] * (BATCH + 1))
    score_records(records, FakeLiveness(), progress=lambda done, of: told.append((done, of)))
    assert told == [(BATCH, BATCH + 1), (BATCH + 1, BATCH + 1)]


def test_a_change_acts_before_the_crop_is_cut(tmp_path: Path) -> None:
    backend = FakeLiveness(brightness)
    (scored,) = score_records(
        grey_records(tmp_path, [51]), backend, change=lambda image, box: (image * 2, (0.0, 0.0, 30.0, 30.0))
    )
    assert scored.p_live == pytest.approx(0.4)
    assert scored.context == 2.0


def test_a_record_without_a_box_needs_a_detector_or_the_pipeline(tmp_path: Path) -> None:
    records = grey_records(tmp_path, [1, 2], box_xyxy=None)
    with pytest.raises(UsageError, match="2 records have no face box"):
        score_records(records, FakeLiveness())


def test_a_box_outside_its_picture_is_an_error_of_the_manifest(tmp_path: Path) -> None:
    records = grey_records(tmp_path, [1], box_xyxy=(100.0, 10.0, 120.0, 20.0))
    with pytest.raises(UsageError, match=r"0\.png: The face box .* lies outside the 60 x 40 image"):
        score_records(records, FakeLiveness())


def test_a_backend_that_wants_aligned_faces_needs_the_pipeline(tmp_path: Path) -> None:
    backend = FakeLiveness(crops=(CropSpec(size_wh=(112, 112), scale=1.0, kind="arcface", color="bgr"),))
    with pytest.raises(UsageError, match="no aligned face"):
        score_records(grey_records(tmp_path, [1]), backend)


def test_an_unreadable_picture_is_an_error_of_the_manifest(tmp_path: Path) -> None:
    records = grey_records(tmp_path, [1])
    records[0].path.write_text("no picture")
    with pytest.raises(ImageUnreadable):
        score_records(records, FakeLiveness())


@pytest.mark.parametrize("answer", [[np.nan, 0.5], [0.5], [1.5, 0.5], [[0.5, 0.5], [0.5, 0.5]]])
def test_a_backend_that_returns_no_scores_is_refused(tmp_path: Path, answer: list[object]) -> None:
    with pytest.raises(ScoreError):
        score_records(grey_records(tmp_path, [1, 2]), FakeLiveness(lambda crops: np.array(answer)))


@pytest.mark.parametrize("error", [RuntimeError("no device"), SystemExit(0)])
def test_a_backend_that_raises_is_a_score_error(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(ScoreError, match=type(error).__name__):
        score_records(grey_records(tmp_path, [1]), FakeLiveness(error=error))


def test_the_limits_of_the_configuration_hold(tmp_path: Path) -> None:
    records = grey_records(tmp_path, [1])
    with pytest.raises(ImageTooLarge):
        score_records(records, FakeLiveness(), config=PipelineConfig(limits=ImageLimits(max_pixels=2000)))
    late = FakeLiveness(delay_s=1.0)
    with pytest.raises(StageTimeout):
        score_records(records, late, config=PipelineConfig(stage_timeout_s=0.02))


POINTS = choose_points(
    [0.9, 0.8, 0.3, 0.1], [0, 0, 1, 1], np.full(4, "print"), np.full(4, "cam"), measured_on="toy, val"
)


def test_an_explicit_threshold_is_used_as_given() -> None:
    assert backend_threshold("toy", FakeLiveness(), 0.3) == Threshold(0.3, "explicit")
    assert backend_threshold("toy", FakeLiveness(operating_points=POINTS), 0.2).origin == "explicit"


def test_a_named_operating_point_says_where_it_was_measured() -> None:
    assert backend_threshold("toy", FakeLiveness(operating_points=POINTS), "strict") == Threshold(
        POINTS.strict.threshold, "operating point strict, measured on toy, val"
    )


def test_without_operating_points_a_threshold_must_be_given() -> None:
    with pytest.raises(UsageError, match="or set threshold"):
        backend_threshold("toy", FakeLiveness(), "balanced")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="points"):
        backend_threshold("toy", FakeLiveness(), 0.5, points=tmp_path / "absent.json")
    with pytest.raises(UsageError, match="profile"):
        backend_threshold("toy", FakeLiveness(), 0.5, camera_profile=tmp_path / "absent.json")


def test_a_record_without_a_box_gets_that_of_its_largest_face(tmp_path: Path) -> None:
    def two_faces(image: Image) -> list[object]:
        return [face_in(image, share=0.2), face_in(image, share=0.5)]

    boxless, boxed = grey_records(tmp_path, [1], box_xyxy=None, size_wh=None)[0], grey_records(tmp_path, [2])[0]
    detector = FakeDetector(two_faces)
    told: list[tuple[int, int]] = []
    found, kept = with_detected_boxes([boxless, boxed], detector, progress=lambda done, of: told.append((done, of)))
    assert found == replace(boxless, box_xyxy=Box(20.0, 10.0, 40.0, 30.0), size_wh=(60, 40))
    assert kept is boxed and len(detector.seen) == 1
    assert told == [(1, 2), (2, 2)]


def test_a_record_in_which_no_face_is_found_draws_no_response(tmp_path: Path) -> None:
    (record,) = with_detected_boxes(grey_records(tmp_path, [1], box_xyxy=None), FakeDetector([]))
    assert record.box_xyxy is None
    assert without_face(record) == Scored(record, None, "no_face", None)


def test_a_detector_that_fails_ends_the_evaluation(tmp_path: Path) -> None:
    records = grey_records(tmp_path, [1], box_xyxy=None)
    with pytest.raises(ScoreError, match="no device"):
        with_detected_boxes(records, FakeDetector(error=RuntimeError("no device")))
    with pytest.raises(StageTimeout):
        with_detected_boxes(records, FakeDetector(delay_s=1.0), config=PipelineConfig(stage_timeout_s=0.02))


def test_a_backend_gets_one_array_for_each_of_its_crops(tmp_path: Path) -> None:
    crops = (
        CropSpec(size_wh=(8, 4), scale=1.0, kind="box", color="bgr"),
        CropSpec(size_wh=(16, 16), scale=2.0, kind="square", color="rgb"),
    )
    backend = FakeLiveness(brightness, crops=crops)
    score_records(grey_records(tmp_path, [10, 20, 30]), backend)
    ((box, square),) = backend.seen
    assert (box.shape, square.shape) == ((3, 4, 8, 3), (3, 16, 16, 3))
    assert box.mean(axis=(1, 2, 3)).tolist() == square.mean(axis=(1, 2, 3)).tolist() == [10, 20, 30]


def test_what_drew_no_response_has_a_reason_and_no_score(tmp_path: Path) -> None:
    records = grey_records(tmp_path, [1, 2, 3])
    told: list[tuple[int, int]] = []
    answers = Scripted(judged(0.9), NO_FACE, ImageUnreadable("broken"))
    scored, threshold = verify_records(records, answers, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [(one.p_live, one.no_response) for one in scored] == [
        (0.9, None),
        (None, "no_face"),
        (None, "image_unusable"),
    ]
    assert threshold == Threshold(0.5, "explicit")
    assert {one.accepted for one in scored} == {None}, "nothing was matched"


def test_a_score_that_decided_nothing_is_no_response(tmp_path: Path) -> None:
    unsure = judged(0.6).model_copy(
        update={"accepted": False, "verdict": Verdict.UNCERTAIN, "reason": Reason.SEVERAL_FACES}
    )
    scored, _ = verify_records(grey_records(tmp_path, [1, 2]), Scripted(judged(0.9), unsure))
    assert [(one.p_live, one.no_response) for one in scored] == [(0.9, None), (None, "several_faces")]


@pytest.mark.parametrize(
    ("limits", "origin"),
    [
        (HALF, "explicit with a camera profile"),
        (
            LivenessThreshold(backend="toy", live=0.5, attack=0.5, point="balanced"),
            "operating point balanced with a camera profile",
        ),
    ],
)
def test_a_threshold_that_a_camera_profile_moved_says_so(
    limits: LivenessThreshold, origin: str, tmp_path: Path
) -> None:
    moved = limits.model_copy(update={"profile_sha256": "d" * 64})
    _, threshold = verify_records(grey_records(tmp_path, [1]), Scripted(judged(0.9, limits=moved)))
    assert threshold == Threshold(0.5, origin)


def test_a_record_with_a_reference_says_whether_the_whole_system_let_it_in(tmp_path: Path) -> None:
    records = grey_records(tmp_path, [1, 2, 3, 4], reference=tmp_path / "enrolled.png")
    records.append(replace(records[0], reference=None))
    answers = Scripted(
        matched(0.4, Reason.LIVE_AND_MATCHED),
        matched(0.39, Reason.NOT_MATCHED),
        NO_FACE,
        ImageUnreadable("broken"),
        judged(0.9),
    )
    scored, threshold = verify_records(records, answers)
    assert answers.embedded == [tmp_path / "enrolled.png"], "once for all its records"
    assert answers.references == [TEMPLATE] * 4 + [None]
    assert [one.accepted for one in scored] == [True, False, False, False, None]
    assert [one.p_live for one in scored] == [0.9, 0.9, None, None, 0.9], "the match does not change the score"
    assert threshold == Threshold(0.5, "explicit", match=0.4)


def test_a_match_that_could_not_be_made_is_not_counted_as_a_refusal(tmp_path: Path) -> None:
    records = grey_records(tmp_path, [1], reference=tmp_path / "enrolled.png")
    with pytest.raises(ScoreError, match=r"0.png could not be judged"):
        verify_records(records, Scripted(matched(None, Reason.STAGE_FAILED, failed="embedding")))


@pytest.mark.parametrize("stage", ["detection", "liveness"])
def test_an_attack_that_a_broken_stage_did_not_judge_is_not_counted_as_refused(
    stage: StageName, tmp_path: Path
) -> None:
    broken = NO_FACE.model_copy(
        update={"verdict": Verdict.REJECT, "reason": Reason.STAGE_FAILED, "failed": stage, "message": "timed out"}
    )
    with pytest.raises(ScoreError, match=r"1.png could not be judged: timed out"):
        verify_records(grey_records(tmp_path, [1, 2]), Scripted(judged(0.9), broken))


@pytest.mark.parametrize(("reference", "said"), [("no picture", "enrolled.png cannot be used"), (None, "No face")])
def test_a_reference_that_cannot_be_used_is_an_error_of_the_manifest(
    tmp_path: Path, reference: str | None, said: str
) -> None:
    records = grey_records(tmp_path, [1, 2], reference=tmp_path / "enrolled.png")
    records[0].path.rename(tmp_path / "enrolled.png")
    if reference is not None:
        (tmp_path / "enrolled.png").write_text(reference)
    liveness = FakeLiveness()
    pipeline = Pipeline(detector=FakeDetector([]), liveness=liveness, embedder=FakeEmbedder(), threshold=0.5)
    with pytest.raises(UsageError, match=said):
        verify_records(records[1:], pipeline)
    assert liveness.seen == [], "found before anything is judged"


def test_the_pipelines_operating_point_is_named_as_the_origin(tmp_path: Path) -> None:
    at = POINTS.balanced.threshold
    limits = LivenessThreshold(backend="toy", live=at, attack=at, point="balanced", measured=POINTS.balanced)
    _, threshold = verify_records(grey_records(tmp_path, [1]), Scripted(judged(0.9, limits=limits)))
    assert threshold == Threshold(at, "operating point balanced, measured on toy, val")


def test_without_sizes_in_the_manifest_the_context_is_unknown(tmp_path: Path) -> None:
    (record,) = grey_records(tmp_path, [1], size_wh=None)
    (scored,), _ = verify_records([record], Scripted(judged(0.9)))
    assert scored.context is None


def test_a_pipeline_that_answers_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="None of 2 images"):
        verify_records(grey_records(tmp_path, [1, 2]), Scripted(NO_FACE, NO_FACE))


def test_a_threshold_that_changes_on_the_way_is_an_error(tmp_path: Path) -> None:
    other = LivenessThreshold(backend="toy", live=0.6, attack=0.6)
    with pytest.raises(ScoreError, match="changed on the way"):
        verify_records(grey_records(tmp_path, [1, 2]), Scripted(judged(0.9), judged(0.9, limits=other)))


def test_a_configuration_without_liveness_cannot_be_measured(tmp_path: Path) -> None:
    only_match = matched(
        0.9, Reason.MATCHED, liveness=None, thresholds=Thresholds(match=MatchThreshold(similarity=0.4))
    )
    with pytest.raises(UsageError, match="does not judge liveness"):
        verify_records(grey_records(tmp_path, [1]), Scripted(only_match))


def test_several_thresholds_have_no_error_rate_in_common(tmp_path: Path) -> None:
    both = Thresholds(liveness=(HALF, HALF.model_copy(update={"backend": "other"})))
    answer = judged(0.9).model_copy(update={"thresholds": both})
    with pytest.raises(UsageError, match="judged by several thresholds"):
        verify_records(grey_records(tmp_path, [1]), Scripted(answer))


def test_the_real_pipeline_is_measured_at_the_threshold_it_echoes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    records = grey_records(tmp_path, [0, 0])
    for record, level in zip(records, (70, 150), strict=True):
        pixels = np.clip(rng.normal(level, 25, (400, 400, 3)), 0, 255).astype(np.uint8)
        cv2.imwrite(str(record.path), pixels)
    pipeline = Pipeline(detector=FakeDetector(), liveness=FakeLiveness(brightness), threshold=0.5)
    scored, threshold = verify_records(records, pipeline)
    assert threshold == Threshold(0.5, "explicit")
    assert [one.p_live for one in scored] == pytest.approx([70 / 255, 150 / 255], abs=0.02)


def test_a_box_is_in_pixels_of_the_file_also_where_the_image_is_decoded_smaller(tmp_path: Path) -> None:
    """A JPEG of more pixels than the limit comes out at half its size: boxes of the manifest and of the detector."""
    pixels = np.zeros((400, 600, 3), np.uint8)
    pixels[100:200, 200:300] = 200
    path = tmp_path / "large.jpg"
    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])
    half = PipelineConfig(limits=ImageLimits(max_pixels=100_000))
    record = Record(path, 0, "none", "cam", "test", box_xyxy=(200.0, 100.0, 300.0, 200.0))
    backend = FakeLiveness(brightness, crops=(CropSpec(size_wh=(16, 16), scale=0.8, kind="square", color="bgr"),))
    for config in (half, PipelineConfig()):
        (scored,) = score_records([record], backend, config=config)
        assert scored.p_live == pytest.approx(200 / 255, abs=0.02)
        assert scored.context == pytest.approx(6.0)

    def bright(image: Image) -> list[Face]:
        rows, columns = np.nonzero(image[:, :, 0] > 100)
        x, y, side = columns.min(), rows.min(), np.ptp(columns) + 1
        middle = ((float(x + side / 2), float(y + side / 2)),) * 5
        return [Face(box_xyxy=Box(x, y, x + side, y + side), score=0.9, landmarks_px=middle)]

    for config in (half, PipelineConfig()):
        (found,) = with_detected_boxes([replace(record, box_xyxy=None)], FakeDetector(bright), config=config)
        assert found.box_xyxy == pytest.approx(record.box_xyxy, abs=4) and found.size_wh == (600, 400)

"""Rows become scores by the network alone or by the whole pipeline; what drew no response never gets a score."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth import PipelineConfig, Policy
from faceauth.calibration.operating_points import operating_points
from faceauth.errors import ImageTooLarge, ImageUnreadable, ScoreError, StageTimeout, UsageError
from faceauth.evaluation.records import Record
from faceauth.evaluation.scoring import BATCH, Threshold, backend_threshold, score_records, verify_records
from faceauth.imaging.decoding import ImageLimits
from faceauth.pipeline import Pipeline
from faceauth.results import VERDICT_OF, LivenessResult, MatchResult, Reason, StageName, Template, Verdict, Verification
from faceauth.stages import Crops, CropSpec
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness
from faceauth.thresholds import Thresholds

TEMPLATE = Template(model_id="toy", vector=(1.0, 0.0))
LIMITS = Thresholds(live=0.5, attack=0.5, operating_point=None, measured=None, match=None)


def grey_records(folder: Path, levels: list[int], **fields: object) -> list[Record]:
    """Pictures of one grey each, 60 x 40 with a box of 20 x 10; even ones live, odd ones prints."""
    rows = []
    for i, level in enumerate(levels):
        path = folder / f"{i}.png"
        cv2.imwrite(str(path), np.full((40, 60, 3), level, np.uint8))
        label, species = i % 2, ("none", "print")[i % 2]
        row = Record(path, label, species, "cam", "test", box_xyxy=(20.0, 10.0, 40.0, 20.0), size_wh=(60, 40))
        rows.append(replace(row, **fields))
    return rows


def brightness(crops: Crops) -> np.ndarray:
    """P(live) that tells the crops apart."""
    return (crops.mean(axis=(1, 2, 3)) / 255).astype(np.float32)


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


def judged(p_live: float, *, limits: Thresholds | None = LIMITS, accepted: bool | None = None) -> Verification:
    """An answer with a liveness score."""
    live = limits is not None and limits.live is not None and p_live >= limits.live if accepted is None else accepted
    return Verification(
        accepted=live,
        verdict=Verdict.ACCEPT if live else Verdict.REJECT,
        reason=Reason.LIVE if live else Reason.ATTACK_SUSPECTED,
        message="",
        liveness=LivenessResult(p_live=p_live, crop_outside=0.0, crop_scale=2.0),
        thresholds=limits,
    )


def matched(similarity: float | None, reason: Reason, **fields: object) -> Verification:
    """An answer of a pipeline that found the face live at 0.9 and was to match it from 0.4 on."""
    return Verification(
        accepted=VERDICT_OF[reason] is Verdict.ACCEPT,
        verdict=VERDICT_OF[reason],
        reason=reason,
        message="Said so.",
        liveness=LivenessResult(p_live=0.9, crop_outside=0.0, crop_scale=2.0),
        match=None if similarity is None else MatchResult(similarity=similarity, model_id="toy"),
        thresholds=LIMITS.model_copy(update={"match": 0.4}),
        **fields,
    )


NO_FACE = Verification(accepted=False, verdict=Verdict.UNCERTAIN, reason=Reason.NO_FACE, message="")


def test_scores_keep_the_order_of_the_rows_over_several_batches(tmp_path: Path) -> None:
    levels = [5 * i for i in range(BATCH + 3)]
    rows, backend = grey_records(tmp_path, levels), FakeLiveness(brightness)
    scored = score_records(rows, backend)
    assert [len(crops) for crops in backend.seen] == [BATCH, 3]
    assert [one.record for one in scored] == rows
    assert [one.p_live for one in scored] == pytest.approx([level / 255 for level in levels])
    assert {one.no_response for one in scored} == {None}
    assert {one.context for one in scored} == {3.0}, "60 px of picture for 20 px of face"


def test_no_rows_give_no_scores_and_ask_no_backend() -> None:
    backend = FakeLiveness()
    assert score_records([], backend) == []
    assert backend.seen == []


def test_progress_ends_at_all(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    rows = grey_records(tmp_path, [1] * (BATCH + 1))
    score_records(rows, FakeLiveness(), progress=lambda done, of: told.append((done, of)))
    assert told == [(BATCH, BATCH + 1), (BATCH + 1, BATCH + 1)]


def test_a_change_acts_before_the_crop_is_cut(tmp_path: Path) -> None:
    backend = FakeLiveness(brightness)
    (scored,) = score_records(
        grey_records(tmp_path, [51]), backend, change=lambda image, box: (image * 2, (0.0, 0.0, 30.0, 30.0))
    )
    assert scored.p_live == pytest.approx(0.4)
    assert scored.context == 2.0


def test_a_row_without_a_box_needs_the_pipeline(tmp_path: Path) -> None:
    rows = grey_records(tmp_path, [1, 2], box_xyxy=None)
    with pytest.raises(UsageError, match="2 rows have no face box"):
        score_records(rows, FakeLiveness())


def test_a_box_outside_its_picture_is_an_error_of_the_manifest(tmp_path: Path) -> None:
    rows = grey_records(tmp_path, [1], box_xyxy=(100.0, 10.0, 120.0, 20.0))
    with pytest.raises(UsageError, match=r"0\.png: The face box .* lies outside the 60 x 40 picture"):
        score_records(rows, FakeLiveness())


def test_a_backend_that_wants_aligned_faces_needs_the_pipeline(tmp_path: Path) -> None:
    backend = FakeLiveness(crop=CropSpec(size_wh=(112, 112), scale=1.0, kind="arcface", color="bgr"))
    with pytest.raises(UsageError, match="not arcface"):
        score_records(grey_records(tmp_path, [1]), backend)


def test_an_unreadable_picture_is_an_error_of_the_manifest(tmp_path: Path) -> None:
    rows = grey_records(tmp_path, [1])
    rows[0].path.write_text("no picture")
    with pytest.raises(ImageUnreadable):
        score_records(rows, FakeLiveness())


@pytest.mark.parametrize("answer", [[np.nan, 0.5], [0.5], [1.5, 0.5], [[0.5, 0.5], [0.5, 0.5]]])
def test_a_backend_that_returns_no_scores_is_refused(tmp_path: Path, answer: list[object]) -> None:
    with pytest.raises(ScoreError):
        score_records(grey_records(tmp_path, [1, 2]), FakeLiveness(lambda crops: np.array(answer)))


@pytest.mark.parametrize("error", [RuntimeError("no device"), SystemExit(0)])
def test_a_backend_that_raises_is_a_score_error(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(ScoreError, match=type(error).__name__):
        score_records(grey_records(tmp_path, [1]), FakeLiveness(error=error))


def test_the_limits_of_the_configuration_hold(tmp_path: Path) -> None:
    rows = grey_records(tmp_path, [1])
    with pytest.raises(ImageTooLarge):
        score_records(rows, FakeLiveness(), config=PipelineConfig(limits=ImageLimits(max_pixels=2000)))
    late = FakeLiveness(delay_s=1.0)
    with pytest.raises(StageTimeout):
        score_records(rows, late, config=PipelineConfig(policy=Policy(stage_timeout_s=0.02)))


def test_an_explicit_threshold_is_used_as_given() -> None:
    assert backend_threshold(FakeLiveness(), threshold=0.3) == Threshold(0.3, "explicit")
    with pytest.raises(UsageError, match=r"in \[0, 1\], not at 1.5"):
        backend_threshold(FakeLiveness(), threshold=1.5)


def test_a_named_operating_point_says_where_it_was_measured() -> None:
    points = operating_points(
        [0.9, 0.8, 0.3, 0.1], [0, 0, 1, 1], np.full(4, "print"), np.full(4, "cam"), measured_on="toy, val"
    )
    backend = FakeLiveness(operating_points=points)
    assert backend_threshold(backend, point="strict") == Threshold(
        points.strict.threshold, "operating point strict, measured on toy, val"
    )
    assert backend_threshold(backend, threshold=0.2).origin == "explicit"


def test_without_operating_points_a_threshold_must_be_given() -> None:
    with pytest.raises(UsageError, match="give a threshold"):
        backend_threshold(FakeLiveness())


def test_what_drew_no_response_has_a_reason_and_no_score(tmp_path: Path) -> None:
    rows = grey_records(tmp_path, [1, 2, 3])
    told: list[tuple[int, int]] = []
    answers = Scripted(judged(0.9), NO_FACE, ImageUnreadable("broken"))
    scored, threshold = verify_records(rows, answers, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [(one.p_live, one.no_response) for one in scored] == [
        (0.9, None),
        (None, "no_face"),
        (None, "image_unusable"),
    ]
    assert threshold == Threshold(0.5, "explicit")
    assert {one.accepted for one in scored} == {None}, "nothing was matched"


def test_a_row_with_a_reference_says_whether_the_whole_system_let_it_in(tmp_path: Path) -> None:
    rows = grey_records(tmp_path, [1, 2, 3, 4], reference=tmp_path / "enrolled.png")
    rows.append(replace(rows[0], reference=None))
    answers = Scripted(
        matched(0.4, Reason.LIVE_AND_MATCHED),
        matched(0.39, Reason.NOT_MATCHED),
        NO_FACE,
        ImageUnreadable("broken"),
        judged(0.9),
    )
    scored, threshold = verify_records(rows, answers)
    assert answers.embedded == [tmp_path / "enrolled.png"], "once for all its rows"
    assert answers.references == [TEMPLATE] * 4 + [None]
    assert [one.accepted for one in scored] == [True, False, False, False, None]
    assert [one.p_live for one in scored] == [0.9, 0.9, None, None, 0.9], "the match does not change the score"
    assert threshold == Threshold(0.5, "explicit", match=0.4)


def test_a_match_that_could_not_be_made_is_not_counted_as_a_refusal(tmp_path: Path) -> None:
    rows = grey_records(tmp_path, [1], reference=tmp_path / "enrolled.png")
    with pytest.raises(ScoreError, match=r"0.png could not be judged"):
        verify_records(rows, Scripted(matched(None, Reason.STAGE_FAILED, failed="embedding")))


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
    rows = grey_records(tmp_path, [1, 2], reference=tmp_path / "enrolled.png")
    rows[0].path.rename(tmp_path / "enrolled.png")
    if reference is not None:
        (tmp_path / "enrolled.png").write_text(reference)
    liveness = FakeLiveness()
    config = PipelineConfig(policy=Policy(live_threshold=0.5))
    pipeline = Pipeline(config, detector=FakeDetector([]), liveness=liveness, embedder=FakeEmbedder())
    with pytest.raises(UsageError, match=said):
        verify_records(rows[1:], pipeline)
    assert liveness.seen == [], "found before anything is judged"


def test_the_pipelines_operating_point_is_named_as_the_origin(tmp_path: Path) -> None:
    points = operating_points(
        [0.9, 0.8, 0.3, 0.1], [0, 0, 1, 1], np.full(4, "print"), np.full(4, "cam"), measured_on="toy, val"
    )
    at = points.balanced.threshold
    limits = Thresholds(live=at, attack=at, operating_point="balanced", measured=points.balanced, match=None)
    _, threshold = verify_records(grey_records(tmp_path, [1]), Scripted(judged(0.9, limits=limits)))
    assert threshold == Threshold(at, "operating point balanced, measured on toy, val")


def test_without_sizes_in_the_manifest_the_context_is_unknown(tmp_path: Path) -> None:
    (row,) = grey_records(tmp_path, [1], size_wh=None)
    (scored,), _ = verify_records([row], Scripted(judged(0.9)))
    assert scored.context is None


def test_a_pipeline_that_answers_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="None of 2 pictures"):
        verify_records(grey_records(tmp_path, [1, 2]), Scripted(NO_FACE, NO_FACE))


def test_a_threshold_that_changes_on_the_way_is_an_error(tmp_path: Path) -> None:
    other = Thresholds(live=0.6, attack=0.6, operating_point=None, measured=None, match=None)
    with pytest.raises(ScoreError, match="changed on the way"):
        verify_records(grey_records(tmp_path, [1, 2]), Scripted(judged(0.9), judged(0.9, limits=other)))


def test_a_pipeline_that_refuses_against_its_threshold_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="accepted = False"):
        verify_records(grey_records(tmp_path, [1]), Scripted(judged(0.9, accepted=False)))


def test_a_policy_without_liveness_cannot_be_measured(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not judge liveness"):
        verify_records(grey_records(tmp_path, [1]), Scripted(judged(0.9, limits=None, accepted=False)))


def test_the_real_pipeline_is_measured_at_the_threshold_it_echoes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = grey_records(tmp_path, [0, 0])
    for row, level in zip(rows, (70, 150), strict=True):
        picture = np.clip(rng.normal(level, 25, (400, 400, 3)), 0, 255).astype(np.uint8)
        cv2.imwrite(str(row.path), picture)
    config = PipelineConfig(policy=Policy(live_threshold=0.5))
    pipeline = Pipeline(config, detector=FakeDetector(), liveness=FakeLiveness(brightness))
    scored, threshold = verify_records(rows, pipeline)
    assert threshold == Threshold(0.5, "explicit")
    assert [one.p_live for one in scored] == pytest.approx([70 / 255, 150 / 255], abs=0.02)

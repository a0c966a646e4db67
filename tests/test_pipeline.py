"""The way from picture to verdict, with the shipped fakes in every stage."""

import io
import json
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pil

from faceauth.config import PipelineConfig
from faceauth.cropping.five_point import FivePointAligner
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.errors import (
    ImageError,
    ImageUnreadable,
    ScoreError,
    TemplateMismatch,
    UsageError,
)
from faceauth.pipeline import Pipeline
from faceauth.policy import Policy
from faceauth.results import Face, Reason, Template, Verdict, Verification
from faceauth.stages import Aligner, Crop, Crops, CropSpec, Image
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, face_in
from faceauth.thresholds import MeasuredRate, OperatingPoint, OperatingPoints


def picture(seed: int = 0) -> Image:
    """Coarse noise, 240 x 320: sharp and of medium brightness, so that it passes the gate; two seeds do not match."""
    tiles = np.random.default_rng(seed).integers(40, 216, (12, 16, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(tiles, np.ones((20, 20, 1), np.uint8)))


def pipeline(
    policy: dict[str, object] | None = None,
    *,
    detector: FakeDetector | None = None,
    liveness: FakeLiveness | None = None,
    embedder: FakeEmbedder | None = None,
    aligner: Aligner | None = None,
) -> Pipeline:
    return Pipeline(
        PipelineConfig.model_validate({"policy": {"live_threshold": 0.5, **(policy or {})}}),
        detector=detector or FakeDetector(),
        liveness=liveness or FakeLiveness(),
        embedder=embedder or FakeEmbedder(),
        aligner=aligner,
    )


def by_brightness(crops: Crops) -> np.ndarray:
    """P(live) that differs from picture to picture, and never hangs on the batch."""
    return (crops.mean(axis=(1, 2, 3), dtype=np.float64) / 255).astype(np.float32)


def points(convenience: float, balanced: float, strict: float) -> OperatingPoints:
    rate = MeasuredRate(errors=1, n=10, value=0.1, low=0.0, high=0.4, interval="wilson 95 %")

    def at(threshold: float) -> OperatingPoint:
        return OperatingPoint(threshold=threshold, apcer={"print": rate}, bpcer=rate, measured_on="invented")

    return OperatingPoints(convenience=at(convenience), balanced=at(balanced), strict=at(strict))


class TestVerify:
    def test_accepts_a_live_face(self) -> None:
        result = pipeline().verify(picture())
        assert (result.accepted, result.verdict, result.reason) == (True, Verdict.ACCEPT, Reason.LIVE)
        assert result.liveness is not None and result.liveness.p_live == pytest.approx(0.9)
        assert result.thresholds is not None and result.thresholds.live == 0.5
        assert result.match is None and result.skipped == {"match": "no reference was given"}

    def test_rejects_an_attack(self) -> None:
        result = pipeline(liveness=FakeLiveness(0.1)).verify(picture())
        assert (result.accepted, result.verdict, result.reason) == (False, Verdict.REJECT, Reason.ATTACK_SUSPECTED)

    def test_a_score_at_the_threshold_is_accepted(self) -> None:
        assert pipeline({"live_threshold": 0.25}, liveness=FakeLiveness(0.25)).verify(picture()).accepted

    def test_between_two_operating_points_is_uncertain(self) -> None:
        liveness = FakeLiveness(0.5, operating_points=points(0.4, 0.6, 0.8))
        config = PipelineConfig(policy=Policy(operating_point="balanced"))
        result = Pipeline(config, detector=FakeDetector(), liveness=liveness).verify(picture())
        assert (result.verdict, result.reason) == (Verdict.UNCERTAIN, Reason.LIVENESS_UNCERTAIN)
        assert result.thresholds is not None and result.thresholds.measured == points(0.4, 0.6, 0.8).balanced

    def test_accepts_the_person_of_the_reference(self) -> None:
        result = pipeline().verify(picture(1), picture(1))
        assert (result.accepted, result.reason) == (True, Reason.LIVE_AND_MATCHED)
        assert result.match is not None and result.match.similarity == pytest.approx(1.0)
        assert result.skipped == {}

    def test_rejects_another_person_than_the_reference(self) -> None:
        result = pipeline().verify(picture(1), picture(2))
        assert (result.accepted, result.reason) == (False, Reason.NOT_MATCHED)

    def test_a_face_that_is_not_live_is_never_matched(self) -> None:
        embedder = FakeEmbedder()
        result = pipeline(liveness=FakeLiveness(0.1), embedder=embedder).verify(picture(1), picture(1))
        assert result.reason is Reason.ATTACK_SUSPECTED and result.match is None
        assert result.skipped["match"] == "a face that is not accepted as live is never matched"
        assert embedder.seen == []

    def test_an_uncertain_face_is_never_matched(self) -> None:
        embedder, liveness = FakeEmbedder(), FakeLiveness(0.5, operating_points=points(0.4, 0.6, 0.8))
        result = Pipeline(PipelineConfig(), detector=FakeDetector(), liveness=liveness, embedder=embedder).verify(
            picture(1), picture(1)
        )
        assert result.reason is Reason.LIVENESS_UNCERTAIN and embedder.seen == []

    def test_no_face_is_a_result(self) -> None:
        result = pipeline(detector=FakeDetector([])).verify(picture())
        assert (result.accepted, result.verdict, result.reason) == (False, Verdict.UNCERTAIN, Reason.NO_FACE)
        assert result.faces_found == 0 and result.face is None and result.thresholds is None
        assert result.skipped["liveness"] == "an earlier stage ended the presentation: no_face"

    def test_two_faces_are_refused_unless_the_policy_takes_the_largest(self) -> None:
        small, large = face_in(picture(), share=0.4), face_in(picture(), share=0.6)
        result = pipeline(detector=FakeDetector([small, large])).verify(picture())
        assert (result.accepted, result.reason, result.faces_found) == (False, Reason.SEVERAL_FACES, 2)
        result = pipeline({"faces": "largest"}, detector=FakeDetector([small, large])).verify(picture())
        assert (result.accepted, result.face, result.faces_found) == (True, large, 2)

    def test_a_face_that_the_gate_refuses_is_never_scored(self) -> None:
        liveness = FakeLiveness()
        tiny = FakeDetector([face_in(picture(), share=0.05)])
        result = pipeline(detector=tiny, liveness=liveness).verify(picture())
        assert (result.accepted, result.reason) == (False, Reason.FACE_TOO_SMALL)
        assert liveness.seen == [] and result.message

    def test_the_same_detection_goes_to_liveness_and_match(self) -> None:
        detector = FakeDetector()
        image, reference = picture(1), picture(1)
        pipeline(detector=detector).verify(image, reference)
        assert len(detector.seen) == 2  # one for the presentation, one for the reference

    def test_the_picture_is_read_only_for_a_backend_and_unchanged_for_the_caller(self) -> None:
        def scribble(image: Image) -> object:
            image[:] = 0
            return [face_in(image)]

        image = picture()
        result = pipeline(detector=FakeDetector(scribble)).verify(image)
        assert result.reason is Reason.STAGE_FAILED
        assert np.array_equal(image, picture()) and image.flags.writeable

    def test_every_backend_that_took_part_is_named(self) -> None:
        result = pipeline().verify(picture(1), picture(1))
        assert [(p.stage, p.name, p.distribution) for p in result.stages] == [
            ("detection", "FakeDetector", "injected"),
            ("liveness", "FakeLiveness", "injected"),
            ("embedding", "FakeEmbedder", "injected"),
        ]

    def test_every_stage_that_ran_is_timed(self) -> None:
        result = pipeline().verify(picture(1), picture(1))
        assert set(result.elapsed_ms) == {
            "decode", "detection", "gate", "alignment", "liveness", "embedding", "match", "reference"
        }  # fmt: skip
        assert all(value >= 0 for value in result.elapsed_ms.values())

    def test_a_path_is_named_in_the_result_and_pixels_are_not(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.png"
        cv2.imwrite(str(path), picture())
        assert pipeline().verify(path).source == str(path)
        assert pipeline().verify(picture()).source is None

    def test_path_bytes_file_and_pixels_give_one_answer(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.png"
        cv2.imwrite(str(path), picture())
        verifier = pipeline(liveness=FakeLiveness(by_brightness))
        sources = [path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), picture()]
        assert len({verifier.verify(source).liveness for source in sources}) == 1

    def test_an_unreadable_picture_raises(self, tmp_path: Path) -> None:
        with pytest.raises(ImageUnreadable):
            pipeline().verify(tmp_path / "missing.jpg")

    def test_an_unreadable_reference_raises_even_for_an_attack(self, tmp_path: Path) -> None:
        with pytest.raises(ImageUnreadable):
            pipeline(liveness=FakeLiveness(0.0)).verify(picture(), tmp_path / "missing.jpg")

    def test_a_reference_without_a_face_denies(self) -> None:
        detector = FakeDetector(lambda image: [] if (image == 128).all() else [face_in(image)])
        result = pipeline(detector=detector).verify(picture(), np.full((240, 320, 3), 128, np.uint8))
        assert (result.accepted, result.verdict, result.reason) == (
            False, Verdict.UNCERTAIN, Reason.REFERENCE_UNUSABLE
        )  # fmt: skip
        assert result.match is None and "match" in result.skipped

    def test_a_reference_may_be_dark_and_blurred_but_not_tiny(self) -> None:
        dark = np.full((240, 320, 3), 3, np.uint8)
        assert pipeline({"match_threshold": -1.0}).verify(picture(), dark).reason is Reason.LIVE_AND_MATCHED
        tiny = FakeDetector(lambda image: [face_in(image, share=0.05 if (image == 3).all() else 0.5)])
        assert pipeline(detector=tiny).verify(picture(), dark).reason is Reason.REFERENCE_UNUSABLE

    def test_a_result_survives_json(self) -> None:
        result = pipeline().verify(picture(1), picture(2))
        assert Verification.model_validate_json(result.model_dump_json()) == result
        assert json.loads(result.model_dump_json())["reason"] == "not_matched"

    def test_one_pipeline_serves_several_threads(self) -> None:
        shared, results = pipeline(liveness=FakeLiveness(by_brightness, delay_s=0.01)), {}
        images = {seed: picture(seed) + np.uint8(10) * np.uint8(seed) for seed in range(4)}
        threads = [
            threading.Thread(target=lambda seed=seed: results.setdefault(seed, shared.verify(images[seed])))
            for seed in images
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for seed, image in images.items():
            assert results[seed].liveness == shared.verify(image).liveness


class TestTemplates:
    def test_a_template_is_a_reference(self) -> None:
        verifier = pipeline()
        template = verifier.embed(picture(1))
        assert template.model_id == "fake"
        assert verifier.verify(picture(1), template).reason is Reason.LIVE_AND_MATCHED
        assert verifier.verify(picture(2), template).reason is Reason.NOT_MATCHED

    def test_a_template_of_another_model_is_refused(self) -> None:
        template = pipeline(embedder=FakeEmbedder(model_id="other")).embed(picture(1))
        with pytest.raises(TemplateMismatch, match=r"'other'.*'fake'") as refused:
            pipeline().verify(picture(1), template)
        assert (refused.value.found, refused.value.expected) == ("other", "fake")

    def test_a_template_of_another_length_is_refused(self) -> None:
        with pytest.raises(TemplateMismatch, match="2 numbers"):
            pipeline().verify(picture(1), Template(model_id="fake", vector=(0.6, 0.8)))

    def test_embedding_a_picture_without_a_face_raises(self) -> None:
        with pytest.raises(ImageError, match="No face"):
            pipeline(detector=FakeDetector([])).embed(picture())

    def test_embedding_with_a_broken_embedder_raises(self) -> None:
        with pytest.raises(ScoreError, match="embedding stage"):
            pipeline(embedder=FakeEmbedder(error=OSError("gone"))).embed(picture())

    @pytest.mark.parametrize(
        "numbers", [(10.0,) * 64, (float("nan"),) * 64, (float("inf"),) * 64, ("a",) * 64, None], ids=str
    )
    def test_a_template_that_was_not_checked_when_it_was_made_is_checked_here(self, numbers: object) -> None:
        """As one from a pickle or of ``model_copy``: a longer vector would be similar to everybody."""
        made_up = Template.model_construct(model_id="fake", vector=numbers)
        with pytest.raises(TemplateMismatch, match="no valid template") as refused:
            pipeline().verify(picture(1), made_up)
        assert refused.value.__cause__ is None

    def test_a_template_keeps_its_numbers_out_of_logs(self) -> None:
        assert "0.6" not in repr(Template(model_id="fake", vector=(0.6, 0.8)))


class TestVerifyMany:
    def test_gives_the_results_of_verify_in_order(self) -> None:
        images = [np.clip(picture(seed).astype(int) + 8 * seed, 0, 255).astype(np.uint8) for seed in range(7)]
        verifier = pipeline(liveness=FakeLiveness(by_brightness))
        many = list(verifier.verify_many(images, images[3], batch_size=3))
        alone = [verifier.verify(image, images[3]) for image in images]
        untimed = {"elapsed_ms": {}}
        assert [one.model_copy(update=untimed) for one in many] == [one.model_copy(update=untimed) for one in alone]
        assert {one.reason for one in many} >= {Reason.LIVE_AND_MATCHED, Reason.NOT_MATCHED}

    def test_scores_in_batches(self) -> None:
        liveness = FakeLiveness()
        list(pipeline(liveness=liveness).verify_many([picture()] * 5, batch_size=2))
        assert [len(crops) for crops in liveness.seen] == [2, 2, 1]

    def test_takes_no_more_pictures_than_a_batch_ahead(self) -> None:
        taken = 0

        def endless() -> Iterator[Image]:
            nonlocal taken
            while True:
                taken += 1
                yield picture()

        results = pipeline().verify_many(endless(), batch_size=4)
        assert taken == 0
        next(results)
        assert taken == 4

    def test_holds_no_more_pictures_than_a_batch(self) -> None:
        given: list[weakref.ref[Image]] = []
        most = 0

        def tracked() -> Iterator[Image]:
            nonlocal most
            for seed in range(9):
                image = picture(seed)
                given.append(weakref.ref(image))
                most = max(most, sum(one() is not None for one in given))
                yield image
                del image

        class Forgetful(FakeDetector):
            def detect(self, image: Image) -> list[Face]:
                return [face_in(image)]

        results = list(pipeline(detector=Forgetful()).verify_many(tracked(), batch_size=3))
        assert len(results) == 9 and most <= 4  # the batch, and the one that the caller is about to hand over

    def test_an_unreadable_picture_is_a_result_and_does_not_stop_the_stream(self, tmp_path: Path) -> None:
        bad = tmp_path / "text.jpg"
        bad.write_text("no picture")
        first, second, third = pipeline().verify_many([picture(), bad, picture()])
        assert (second.accepted, second.verdict, second.reason) == (
            False, Verdict.UNCERTAIN, Reason.IMAGE_UNUSABLE
        )  # fmt: skip
        assert str(bad) in second.message and second.source == str(bad)
        assert first.accepted and third.accepted

    def test_an_array_that_the_caller_fills_again_is_judged_as_it_was_given(self) -> None:
        def camera() -> Iterator[Image]:
            frame = np.empty_like(picture())
            for darker in (4, 1, 4):
                frame[:] = picture() // darker
                yield frame

        results = pipeline({"live_threshold": 0.3}, liveness=FakeLiveness(by_brightness)).verify_many(camera())
        assert [one.accepted for one in results] == [False, True, False]

    def test_an_aligner_that_fills_one_array_again_mixes_no_presentations(self) -> None:
        class Thrifty(FivePointAligner):
            pixels = np.empty((32, 32, 3), np.uint8)

            def align(self, image: Image, face: Face, spec: CropSpec) -> Crop:
                crop = super().align(image, face, spec)
                self.pixels[:] = crop.pixels
                return Crop(self.pixels, crop.outside, crop.scale)

        verifier = pipeline({"live_threshold": 0.3}, liveness=FakeLiveness(by_brightness), aligner=Thrifty())
        assert [one.accepted for one in verifier.verify_many([picture() // 4, picture()])] == [False, True]

    def test_of_nothing_is_nothing(self) -> None:
        assert list(pipeline().verify_many([])) == []

    def test_one_bad_score_denies_only_its_own_presentation(self) -> None:
        def nan_for_white(crops: Crops) -> object:
            return np.where((crops == 255).any(axis=(1, 2, 3)), np.nan, 0.9).astype(np.float32)

        spotted = picture(2)
        spotted[100:140, 140:180] = 255
        verifier = pipeline(liveness=FakeLiveness(nan_for_white))
        results = list(verifier.verify_many([picture(1), spotted, picture(3)]))
        assert [one.accepted for one in results] == [True, False, True]
        assert results[1].reason is Reason.STAGE_FAILED

    def test_the_reference_is_embedded_once(self) -> None:
        detector = FakeDetector()
        list(pipeline(detector=detector).verify_many([picture(1)] * 4, picture(1), batch_size=2))
        assert len(detector.seen) == 5

    def test_an_unusable_reference_raises_before_the_first_picture_is_taken(self, tmp_path: Path) -> None:
        with pytest.raises(ImageUnreadable):
            pipeline().verify_many(iter([picture()]), tmp_path / "missing.jpg")

    def test_refuses_an_empty_batch_size(self) -> None:
        with pytest.raises(UsageError, match="batch_size is 0"):
            pipeline().verify_many([], batch_size=0)


class TestPolicy:
    def test_liveness_switched_off_is_said_in_the_result(self) -> None:
        liveness = FakeLiveness()
        result = pipeline({"require_liveness": False}, liveness=liveness).verify(picture(1), picture(1))
        assert (result.accepted, result.reason) == (True, Reason.MATCHED)
        assert result.skipped == {"liveness": "the policy does not require liveness"} and liveness.seen == []

    def test_a_policy_that_requires_nothing_is_refused(self) -> None:
        with pytest.raises(UsageError, match="Nothing to verify"):
            pipeline({"require_liveness": False}).verify(picture())

    def test_a_required_match_needs_a_reference(self) -> None:
        with pytest.raises(UsageError, match="pass a reference"):
            pipeline({"require_match": True}).verify(picture())

    def test_a_backend_without_operating_points_needs_a_threshold(self) -> None:
        with pytest.raises(UsageError, match=r"policy\.live_threshold"):
            Pipeline(PipelineConfig(), detector=FakeDetector(), liveness=FakeLiveness())

    def test_an_embedder_without_a_match_threshold_needs_one(self) -> None:
        with pytest.raises(UsageError, match=r"policy\.match_threshold"):
            pipeline(embedder=FakeEmbedder(match_threshold=None)).verify(picture(), picture())


def test_a_result_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"result\.accepted"):
        bool(pipeline().verify(picture()))


def test_the_built_in_detector_and_embedder_know_a_mirrored_portrait_again(astronaut: Image) -> None:
    config = PipelineConfig(policy=Policy(live_threshold=0.5))
    verifier = Pipeline(config, detector=YuNet(), liveness=FakeLiveness(), embedder=SFace())
    result = verifier.verify(astronaut, np.ascontiguousarray(astronaut[:, ::-1]))
    assert result.reason is Reason.LIVE_AND_MATCHED and result.faces_found == 1
    assert result.match is not None and result.match.similarity < 0.9999
    assert all(len(stage.weights_sha256) == 1 for stage in result.stages if stage.name != "FakeLiveness")


@pytest.mark.parametrize(
    "one",
    [
        "photo.jpg",
        Path("photo.jpg"),
        b"photo",
        bytearray(b"photo"),
        io.BytesIO(b"photo"),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((64, 64), np.uint8),
        Pil.new("RGB", (64, 64)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_verify_many_refuses_one_picture_instead_of_taking_it_apart(one: object) -> None:
    with pytest.raises(UsageError, match=r"one picture: use verify\(\), or give a list"):
        pipeline().verify_many(one)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "policy",
    [
        Policy(live_threshold=0.3).model_copy(update={"operating_point": "strict"}),
        Policy().model_copy(update={"faces": "exactly-one"}),
    ],
)
def test_settings_that_were_changed_unchecked_are_checked_when_a_pipeline_is_made(policy: Policy) -> None:
    with pytest.raises(UsageError, match="policy"):
        Pipeline(PipelineConfig.model_construct(policy=policy), liveness=FakeLiveness())

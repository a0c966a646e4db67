"""From image to verdict, with the shipped fakes in every stage."""

import io
import json
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pytest
from PIL import Image as Pil
from pydantic import ValidationError

from faceauth.backends.answers import check_embeddings
from faceauth.backends.time_limit import Guard
from faceauth.config import PipelineConfig
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.errors import (
    ImageError,
    ImageTooLarge,
    ImageUnreadable,
    ScoreError,
    TemplateMismatch,
    UsageError,
    WeightsMissing,
)
from faceauth.imaging.limits import ImageLimits
from faceauth.pipeline import Pipeline
from faceauth.results import Box, Face, Reason, Template, Verdict, Verification
from faceauth.stages import Crops, CropSpec, Image, Scores
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, face_in
from tests.pipelines import fake_pipeline as pipeline
from tests.pipelines import match_points, noise_image
from tests.pipelines import operating_points as points


def by_brightness(crops: Sequence[Crops]) -> np.ndarray:
    """P(live) that differs from image to image."""
    return (crops[0].mean(axis=(1, 2, 3), dtype=np.float64) / 255).astype(np.float32)


def p_live(result: Verification) -> float:
    assert result.liveness is not None
    return result.liveness.p_live


def face_at(left: float, top: float, side: float) -> Face:
    middle = face_in(np.zeros((1000, 1000, 3), np.uint8), share=side / 1000)
    x, y = left - middle.box_xyxy.left, top - middle.box_xyxy.top
    landmarks = tuple((px + x, py + y) for px, py in middle.landmarks_px)
    return Face(box_xyxy=Box(left, top, left + side, top + side), score=0.9, landmarks_px=landmarks)  # type: ignore[arg-type]


def whole_images(detector: FakeDetector) -> int:
    """How many images a detector was asked for, crops that it sees turned apart."""
    return sum(image.shape == noise_image().shape for image in detector.seen)


class TestVerify:
    def test_accepts_a_live_face(self) -> None:
        result = pipeline().verify(noise_image())
        assert (result.accepted, result.verdict, result.reason) == (True, Verdict.ACCEPT, Reason.LIVE)
        assert result.liveness is not None and result.liveness.p_live == pytest.approx(0.9)
        assert result.thresholds is not None and result.thresholds.liveness[0].live == 0.5
        assert result.match is None and result.skipped == {"match": "no reference was given"}

    def test_rejects_an_attack(self) -> None:
        result = pipeline(liveness=FakeLiveness(0.1)).verify(noise_image())
        assert (result.accepted, result.verdict, result.reason) == (False, Verdict.REJECT, Reason.ATTACK_SUSPECTED)

    def test_a_score_at_the_threshold_is_accepted(self) -> None:
        assert pipeline(threshold=0.25, liveness=FakeLiveness(0.25)).verify(noise_image()).accepted

    def test_between_two_operating_points_is_uncertain(self) -> None:
        liveness = FakeLiveness(0.5, operating_points=points(0.4, 0.6, 0.8))
        result = Pipeline(detector=FakeDetector(), liveness=liveness, threshold="balanced").verify(noise_image())
        assert (result.verdict, result.reason) == (Verdict.UNCERTAIN, Reason.LIVENESS_UNCERTAIN)
        assert (
            result.thresholds is not None and result.thresholds.liveness[0].measured == points(0.4, 0.6, 0.8).balanced
        )

    def test_accepts_the_person_of_the_reference(self) -> None:
        result = pipeline().verify(noise_image(1), noise_image(1))
        assert (result.accepted, result.reason) == (True, Reason.LIVE_AND_MATCHED)
        assert result.match is not None and result.match.similarity == pytest.approx(1.0)
        assert result.skipped == {}

    def test_rejects_another_person_than_the_reference(self) -> None:
        result = pipeline().verify(noise_image(1), noise_image(2))
        assert (result.accepted, result.reason) == (False, Reason.NOT_MATCHED)

    def test_a_face_that_is_not_live_is_never_matched(self) -> None:
        embedder = FakeEmbedder()
        result = pipeline(liveness=FakeLiveness(0.1), embedder=embedder).verify(noise_image(1), noise_image(1))
        assert result.reason is Reason.ATTACK_SUSPECTED and result.match is None
        assert result.skipped["match"] == "a face that is not accepted as live is never matched"
        assert embedder.seen == []

    def test_an_uncertain_face_is_never_matched(self) -> None:
        embedder, liveness = FakeEmbedder(), FakeLiveness(0.5, operating_points=points(0.4, 0.6, 0.8))
        verifier = pipeline(liveness=liveness, embedder=embedder, threshold="balanced")
        result = verifier.verify(noise_image(1), noise_image(1))
        assert result.reason is Reason.LIVENESS_UNCERTAIN and embedder.seen == []

    def test_no_face_is_a_result(self) -> None:
        result = pipeline(detector=FakeDetector([])).verify(noise_image())
        assert (result.accepted, result.verdict, result.reason) == (False, Verdict.UNCERTAIN, Reason.NO_FACE)
        assert result.faces == () and result.face is None and result.thresholds is None
        assert result.skipped["liveness"] == "an earlier stage ended the presentation: no_face"

    def test_two_faces_are_refused_unless_the_largest_is_asked_for(self) -> None:
        small, large = face_in(noise_image(), share=0.55), face_in(noise_image(), share=0.6)
        result = pipeline(detector=FakeDetector([small, large])).verify(noise_image())
        assert (result.accepted, result.reason, result.faces) == (False, Reason.SEVERAL_FACES, (small, large))
        result = pipeline(faces="largest", detector=FakeDetector([small, large])).verify(noise_image())
        assert (result.accepted, result.face, result.faces) == (True, large, (small, large))

    def test_a_small_face_in_the_background_is_listed_and_not_judged(self) -> None:
        small, large = face_at(5, 5, 40), face_at(120, 60, 130)
        result = pipeline(detector=FakeDetector([small, large])).verify(noise_image())
        assert (result.accepted, result.face, result.faces) == (True, large, (small, large))

    def test_beside_a_face_in_the_background_a_score_near_the_threshold_is_not_enough(self) -> None:
        small, large = face_at(5, 5, 40), face_at(120, 60, 130)
        for p_live, faces, expected in (
            (0.74, [small, large], Reason.SEVERAL_FACES),
            (0.76, [small, large], Reason.LIVE),
            (0.74, [large], Reason.LIVE),
        ):
            verifier = pipeline(detector=FakeDetector(faces), liveness=FakeLiveness(p_live))
            assert verifier.verify(noise_image()).reason is expected
        asked_for = pipeline(detector=FakeDetector([small, large]), liveness=FakeLiveness(0.5), faces="largest")
        assert asked_for.verify(noise_image()).accepted

    def test_an_image_on_its_side_or_on_its_head_is_refused_and_never_scored(self, astronaut: Image) -> None:
        liveness = FakeLiveness()
        verifier = pipeline(detector=YuNet(), liveness=liveness)  # type: ignore[arg-type]
        for quarters in (1, 2, 3):
            result = verifier.verify(np.ascontiguousarray(np.rot90(astronaut, quarters)))
            assert (result.verdict, result.reason) == (Verdict.UNCERTAIN, Reason.FACE_TURNED_AWAY)
        assert liveness.seen == []
        assert verifier.verify(astronaut).accepted

    def test_an_image_on_its_side_or_on_its_head_is_no_reference(self, astronaut: Image) -> None:
        verifier = pipeline(detector=YuNet())  # type: ignore[arg-type]
        assert verifier.verify(astronaut, astronaut).accepted
        for quarters in (1, 2, 3):
            turned = np.ascontiguousarray(np.rot90(astronaut, quarters))
            assert verifier.verify(astronaut, turned).reason is Reason.REFERENCE_UNUSABLE
            with pytest.raises(ImageError):
                verifier.embed(turned)

    def test_a_second_face_beyond_all_measure_denies(self) -> None:
        vast = face_in(noise_image()).model_copy(update={"box_xyxy": Box(-1e308, -1e308, 1e308, 1e308)})
        result = pipeline(detector=FakeDetector([face_in(noise_image()), vast])).verify(noise_image())
        assert not result.accepted

    @pytest.mark.parametrize("answer", [None, [1], [face_in(noise_image()).model_copy(update={"score": float("nan")})]])
    def test_a_detector_that_breaks_its_contract_on_the_second_look_denies(self, answer: object) -> None:
        detector = FakeDetector(lambda image: [face_in(image)] if image.shape == noise_image().shape else answer)
        result = pipeline(detector=detector).verify(noise_image())
        assert (result.reason, result.failed) == (Reason.STAGE_FAILED, "detection")

    def test_a_face_that_the_gate_refuses_is_never_scored(self) -> None:
        liveness = FakeLiveness()
        tiny = FakeDetector([face_in(noise_image(), share=0.05)])
        result = pipeline(detector=tiny, liveness=liveness).verify(noise_image())
        assert (result.accepted, result.reason) == (False, Reason.FACE_TOO_SMALL)
        assert liveness.seen == [] and result.message

    def test_liveness_and_match_see_the_judged_face_and_no_other(self) -> None:
        """The crops of both stages show the pixels of the larger face: an image with one flat patch for each face."""
        image = noise_image()
        small, large = face_at(10, 10, 70), face_at(120, 60, 130)
        for face, value in ((small, 60), (large, 140)):
            left, top, right, bottom = map(int, face.box_xyxy)
            texture = noise_image(1)[top:bottom, left:right] // 4  # 10 to 53: sharp enough for the gate
            image[top:bottom, left:right] = value + texture - 30
        within = CropSpec(size_wh=(32, 32), scale=0.8, kind="square", color="bgr")
        liveness, embedder = FakeLiveness(crops=(within,)), FakeEmbedder()
        detector = FakeDetector([small, large])
        verifier = pipeline(
            faces="largest", detector=detector, liveness=liveness, embedder=embedder, match_threshold=-1
        )
        assert verifier.verify(image, image).face == large
        assert liveness.seen[0][0].mean() == pytest.approx(140, abs=10)
        assert embedder.seen[0][0, 40:80, 40:80].mean() == pytest.approx(140, abs=15)
        assert whole_images(detector) == 2  # one for the presentation, one for the reference

    @pytest.mark.parametrize("fault", ["hangs", "raises"])
    def test_a_gate_that_fails_denies(self, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> None:
            if fault == "raises":
                raise cv2.error("no memory")
            release.wait(5)

        release = threading.Event()
        monkeypatch.setattr("faceauth.gate.check", broken)
        result = pipeline(stage_timeout_s=0.2).verify(noise_image())
        release.set()
        assert (result.reason, result.failed) == (Reason.STAGE_FAILED, "gate")
        assert result.message.startswith("The gate stage (faceauth) ")

    def test_the_picture_is_read_only_for_a_backend_and_unchanged_for_the_caller(self) -> None:
        def scribble(image: Image) -> object:
            image[:] = 0
            return [face_in(image)]

        image = noise_image()
        result = pipeline(detector=FakeDetector(scribble)).verify(image)
        assert result.reason is Reason.STAGE_FAILED
        assert np.array_equal(image, noise_image()) and image.flags.writeable

    def test_every_backend_that_took_part_is_named(self) -> None:
        result = pipeline().verify(noise_image(1), noise_image(1))
        assert [(p.stage, p.name, p.distribution) for p in result.stages] == [
            ("detection", "FakeDetector", "injected"),
            ("liveness", "FakeLiveness", "injected"),
            ("embedding", "FakeEmbedder", "injected"),
        ]

    def test_every_stage_that_ran_is_timed(self) -> None:
        result = pipeline().verify(noise_image(1), noise_image(1))
        assert set(result.elapsed_ms) == {
            "decode", "detection", "gate", "cropping", "liveness", "embedding", "match", "reference"
        }  # fmt: skip
        assert all(value >= 0 for value in result.elapsed_ms.values())

    def test_each_member_of_liveness_is_timed_in_milliseconds(self) -> None:
        result = pipeline(liveness=FakeLiveness(delay_s=0.05)).verify(noise_image())
        assert result.liveness is not None
        assert 50 <= result.liveness.members[0].elapsed_ms < 10_000

    def test_an_array_in_rgb_is_judged_as_the_same_array_in_bgr(self) -> None:
        image = noise_image() // np.array([1, 2, 3], np.uint8)  # three different channels
        liveness = FakeLiveness()
        verifier = pipeline(liveness=liveness)
        verifier.verify(image)
        verifier.verify(np.ascontiguousarray(image[:, :, ::-1]), color="rgb")
        verifier.verify(image, color="rgb")
        bgr, rgb, swapped = (batch[0] for batch in liveness.seen)
        assert np.array_equal(bgr, rgb)
        assert not np.array_equal(bgr, swapped)

    def test_the_limits_of_the_configuration_hold_for_every_image(self) -> None:
        small = pipeline(limits=ImageLimits(max_pixels=1000))
        with pytest.raises(ImageTooLarge, match="at most 1,000 are allowed"):
            small.verify(noise_image())

    def test_a_path_is_named_in_the_result_and_pixels_are_not(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.png"
        cv2.imwrite(str(path), noise_image())
        assert pipeline().verify(path).source == str(path)
        assert pipeline().verify(noise_image()).source is None

    def test_path_bytes_file_and_pixels_give_one_answer(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.png"
        cv2.imwrite(str(path), noise_image())
        verifier = pipeline(liveness=FakeLiveness(by_brightness))
        sources = [path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), noise_image()]
        assert len({p_live(verifier.verify(source)) for source in sources}) == 1

    def test_an_unreadable_picture_raises(self, tmp_path: Path) -> None:
        with pytest.raises(ImageUnreadable):
            pipeline().verify(tmp_path / "missing.jpg")

    def test_an_unreadable_reference_raises_even_for_an_attack(self, tmp_path: Path) -> None:
        with pytest.raises(ImageUnreadable):
            pipeline(liveness=FakeLiveness(0.0)).verify(noise_image(), tmp_path / "missing.jpg")

    def test_a_reference_without_a_face_denies(self) -> None:
        detector = FakeDetector(lambda image: [] if (image == 128).all() else [face_in(image)])
        result = pipeline(detector=detector).verify(noise_image(), np.full((240, 320, 3), 128, np.uint8))
        assert (result.accepted, result.verdict, result.reason) == (
            False, Verdict.UNCERTAIN, Reason.REFERENCE_UNUSABLE
        )  # fmt: skip
        assert result.match is None and "match" in result.skipped

    def test_without_a_reference_only_liveness_is_checked(self) -> None:
        assert pipeline().verify(noise_image()).reason is Reason.LIVE

    def test_a_reference_of_none_is_an_error_and_opens_no_door(self) -> None:
        with pytest.raises(UsageError, match="is the person enrolled"):
            pipeline().verify(noise_image(), reference=None)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="is the person enrolled"):
            pipeline().verify_many([noise_image()], None)  # type: ignore[arg-type]

    def test_a_reference_may_be_dark_and_grey(self) -> None:
        dark = np.repeat(noise_image()[:, :, :1] // 8, 3, axis=2)
        verifier = pipeline(match_threshold=-1.0)
        assert verifier.verify(noise_image(), dark).reason is Reason.LIVE_AND_MATCHED
        assert verifier.verify(dark).reason is Reason.TOO_DARK

    @pytest.mark.parametrize("face", [face_at(100, 100, 40), face_at(-60, 60, 120)], ids=["tiny", "half outside"])
    def test_a_face_that_the_gate_refuses_is_no_reference(self, face: Face) -> None:
        reference = noise_image(1)
        detector = FakeDetector(lambda image: [face if np.array_equal(image, reference) else face_in(image)])
        verifier = pipeline(detector=detector, match_threshold=-1.0)
        assert verifier.verify(noise_image(), reference).reason is Reason.REFERENCE_UNUSABLE
        assert verifier.verify(reference, noise_image()).accepted is False

    def test_a_result_survives_json(self) -> None:
        result = pipeline().verify(noise_image(1), noise_image(2))
        assert Verification.model_validate_json(result.model_dump_json()) == result
        assert json.loads(result.model_dump_json())["reason"] == "not_matched"

    def test_one_pipeline_serves_several_threads(self) -> None:
        shared, results = pipeline(liveness=FakeLiveness(by_brightness, delay_s=0.01)), {}
        images = {seed: noise_image(seed) + np.uint8(10) * np.uint8(seed) for seed in range(4)}
        threads = [
            threading.Thread(target=lambda seed=seed: results.setdefault(seed, shared.verify(images[seed])))
            for seed in images
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for seed, image in images.items():
            assert p_live(results[seed]) == p_live(shared.verify(image))


class TestTemplates:
    def test_a_template_is_a_reference(self) -> None:
        verifier = pipeline()
        template = verifier.embed(noise_image(1))
        assert template.model_id == "fake"
        assert verifier.verify(noise_image(1), template).reason is Reason.LIVE_AND_MATCHED
        assert verifier.verify(noise_image(2), template).reason is Reason.NOT_MATCHED

    def test_of_several_templates_the_most_similar_one_decides_and_is_named(self) -> None:
        verifier = pipeline()
        templates = [verifier.embed(noise_image(seed)) for seed in (3, 1, 2)]
        result = verifier.verify(noise_image(1), templates)
        assert result.reason is Reason.LIVE_AND_MATCHED
        assert result.match is not None and result.match.template == 1
        assert verifier.verify(noise_image(1), templates[::2]).reason is Reason.NOT_MATCHED

    @pytest.mark.parametrize("reference", [[], (), [None], ["photo.jpg"]], ids=str)
    def test_a_list_that_is_not_of_templates_is_refused(self, reference: object) -> None:
        with pytest.raises(UsageError, match="one or more templates"):
            pipeline().verify(noise_image(1), reference)  # type: ignore[arg-type]

    def test_one_template_of_another_model_among_several_is_refused(self) -> None:
        templates = [pipeline(embedder=FakeEmbedder(model_id=name)).embed(noise_image(1)) for name in ("fake", "other")]
        with pytest.raises(TemplateMismatch):
            pipeline().verify(noise_image(1), templates)

    def test_an_image_is_judged_and_embedded_from_one_detection(self) -> None:
        detector = FakeDetector()
        verifier = pipeline(detector=detector, require_match=True)
        result, template = verifier.verify_and_embed(noise_image(1))
        assert result.reason is Reason.LIVE
        assert [image.shape for image in detector.seen].count(
            noise_image().shape
        ) == 1  # the others are its face, turned
        assert template == verifier.embed(noise_image(1))

    def test_an_image_that_is_not_accepted_gives_no_template(self) -> None:
        result, template = pipeline(liveness=FakeLiveness(0.1)).verify_and_embed(noise_image(1))
        assert (result.reason, template) == (Reason.ATTACK_SUSPECTED, None)

    def test_an_embedder_that_fails_gives_no_template(self) -> None:
        result, template = pipeline(embedder=FakeEmbedder(error=OSError("gone"))).verify_and_embed(noise_image(1))
        assert (result.reason, result.failed, template) == (Reason.STAGE_FAILED, "embedding", None)

    def test_without_liveness_no_image_is_judged_for_an_enrolment(self) -> None:
        with pytest.raises(UsageError, match="require_liveness"):
            pipeline(require_liveness=False).verify_and_embed(noise_image(1))

    def test_a_template_of_another_model_is_refused(self) -> None:
        template = pipeline(embedder=FakeEmbedder(model_id="other")).embed(noise_image(1))
        with pytest.raises(TemplateMismatch, match=r"'other'.*'fake'") as refused:
            pipeline().verify(noise_image(1), template)
        assert (refused.value.found, refused.value.expected) == ("other", "fake")

    def test_a_template_of_another_length_is_refused(self) -> None:
        with pytest.raises(TemplateMismatch, match="2 numbers"):
            pipeline().verify(noise_image(1), Template(model_id="fake", vector=(0.6, 0.8)))

    def test_embedding_a_picture_without_a_face_raises(self) -> None:
        with pytest.raises(ImageError, match="No face"):
            pipeline(detector=FakeDetector([])).embed(noise_image())

    def test_embedding_with_a_broken_embedder_raises(self) -> None:
        with pytest.raises(ScoreError, match="embedding stage"):
            pipeline(embedder=FakeEmbedder(error=OSError("gone"))).embed(noise_image())

    @pytest.mark.parametrize(
        "numbers", [(10.0,) * 64, (float("nan"),) * 64, (float("inf"),) * 64, ("a",) * 64, None], ids=str
    )
    def test_a_template_that_was_not_checked_when_it_was_made_is_checked_here(self, numbers: object) -> None:
        """As one from a pickle or of ``model_copy``: a longer vector would be similar to everybody."""
        made_up = Template.model_construct(model_id="fake", vector=numbers)
        with pytest.raises(TemplateMismatch, match="not a valid template") as refused:
            pipeline().verify(noise_image(1), made_up)
        assert refused.value.__cause__ is None

    def test_an_invalid_template_raises_even_for_an_attack(self) -> None:
        made_up = Template.model_construct(model_id="fake", vector=(10.0,) * 16)
        with pytest.raises(TemplateMismatch, match="not a valid template"):
            pipeline(liveness=FakeLiveness(0.0)).verify(noise_image(1), made_up)

    def test_a_template_keeps_its_numbers_out_of_logs(self) -> None:
        assert "0.6" not in repr(Template(model_id="fake", vector=(0.6, 0.8)))
        for wrong in ({"vector": (0.6, 0.9)}, {"vector": (0.6, 0.8), "name": "x"}, {"vector": ("0.6", "a")}):
            with pytest.raises(ValidationError) as refused:
                Template.model_validate({"model_id": "fake", **wrong})
            assert "0.6" not in str(refused.value)

    def test_a_template_as_json_is_no_path_and_keeps_its_numbers_out_of_messages(self) -> None:
        template = pipeline().embed(noise_image(1))
        number = str(template.vector[0])
        for text in (template.model_dump_json(), template.model_dump_json()[:600], str(list(template.vector))):
            for source in (text, text.encode(), Path(text)):
                with pytest.raises(ImageError) as refused:
                    pipeline().verify(noise_image(), source)
                assert number not in str(refused.value)
                (result,) = pipeline().verify_many([source])
                assert number not in result.model_dump_json()


class TestVerifyMany:
    def test_gives_the_results_of_verify_in_order(self) -> None:
        images = [np.clip(noise_image(seed).astype(int) + 8 * seed, 0, 255).astype(np.uint8) for seed in range(7)]
        verifier = pipeline(liveness=FakeLiveness(by_brightness))
        many = list(verifier.verify_many(images, images[3]))
        alone = [verifier.verify(image, images[3]) for image in images]
        assert [(one.reason, p_live(one)) for one in many] == [(one.reason, p_live(one)) for one in alone]
        assert {one.reason for one in many} >= {Reason.LIVE_AND_MATCHED, Reason.NOT_MATCHED}

    def test_takes_an_image_only_when_its_result_is_asked_for(self) -> None:
        taken = 0

        def endless() -> Iterator[Image]:
            nonlocal taken
            while True:
                taken += 1
                yield noise_image()

        results = pipeline().verify_many(endless())
        assert taken == 0
        next(results)
        assert taken == 1

    def test_holds_one_image_at_a_time(self) -> None:
        given: list[weakref.ref[Image]] = []
        most = 0

        def tracked() -> Iterator[Image]:
            nonlocal most
            for seed in range(9):
                image = noise_image(seed)
                given.append(weakref.ref(image))
                most = max(most, sum(one() is not None for one in given))
                yield image
                del image

        class Forgetful(FakeDetector):
            def detect(self, image: Image) -> list[Face]:
                return [face_in(image)]

        results = list(pipeline(detector=Forgetful()).verify_many(tracked()))
        assert len(results) == 9 and most <= 2  # the judged one, and the one that the caller is about to hand over

    def test_an_iterator_that_raises_once_loses_nothing_before_and_nothing_behind(self) -> None:
        class Camera:
            frames = 0

            def __iter__(self) -> Self:
                return self

            def __next__(self) -> Image:
                self.frames += 1
                if self.frames == 2:
                    raise OSError("unplugged")
                if self.frames == 4:
                    raise StopIteration
                return noise_image()

        results = pipeline().verify_many(Camera())
        assert next(results).accepted
        with pytest.raises(OSError, match="unplugged"):
            next(results)
        assert next(results).accepted and next(results, None) is None

    def test_an_item_that_raises_is_a_result(self) -> None:
        class Odd(os.PathLike[str]):
            def __fspath__(self) -> str:
                raise RuntimeError("odd path")

        first, second, third = pipeline().verify_many([noise_image(), Odd(), noise_image()])
        assert (second.verdict, second.reason) == (Verdict.UNCERTAIN, Reason.IMAGE_UNUSABLE)
        assert "odd path" in second.message and first.accepted and third.accepted

    def test_an_unreadable_picture_is_a_result_and_does_not_stop_the_stream(self, tmp_path: Path) -> None:
        bad = tmp_path / "text.jpg"
        bad.write_text("no picture")
        first, second, third = pipeline().verify_many([noise_image(), bad, noise_image()])
        assert (second.accepted, second.verdict, second.reason) == (
            False, Verdict.UNCERTAIN, Reason.IMAGE_UNUSABLE
        )  # fmt: skip
        assert str(bad) in second.message and second.source == str(bad)
        assert first.accepted and third.accepted

    def test_an_array_that_the_caller_fills_again_is_judged_as_it_was_given(self) -> None:
        def camera() -> Iterator[Image]:
            frame = np.empty_like(noise_image())
            for darker in (4, 1, 4):
                frame[:] = noise_image() // darker
                yield frame

        results = pipeline(threshold=0.3, liveness=FakeLiveness(by_brightness)).verify_many(camera())
        assert [one.accepted for one in results] == [False, True, False]

    def test_a_backend_that_fills_one_array_again_mixes_no_presentations(self) -> None:
        """Each answer is copied before the next call overwrites it."""

        class Thrifty(FakeEmbedder):
            rows = np.empty((1, 16), np.float32)

            def embed(self, crops: Crops) -> Scores:
                self.rows[:] = super().embed(crops)
                return self.rows

        guard = Guard("embedding", "thrifty", timeout_s=5)
        backend, crops = Thrifty(), np.random.default_rng(0).integers(0, 256, (2, 1, 112, 112, 3), np.uint8)
        first, second = (guard.call(lambda one=one: check_embeddings(backend.embed(one), 1)) for one in crops)
        assert not np.array_equal(first, second)

    def test_of_nothing_is_nothing(self) -> None:
        assert list(pipeline().verify_many([])) == []

    def test_one_bad_score_denies_only_its_own_presentation(self) -> None:
        def nan_for_white(crops: Sequence[Crops]) -> object:
            return np.where((crops[0] == 255).any(axis=(1, 2, 3)), np.nan, 0.9).astype(np.float32)

        spotted = noise_image(2)
        spotted[100:140, 140:180] = 255
        verifier = pipeline(liveness=FakeLiveness(nan_for_white))
        results = list(verifier.verify_many([noise_image(1), spotted, noise_image(3)]))
        assert [one.accepted for one in results] == [True, False, True]
        assert results[1].reason is Reason.STAGE_FAILED

    def test_the_reference_is_embedded_once(self) -> None:
        detector = FakeDetector()
        list(pipeline(detector=detector).verify_many([noise_image(1)] * 4, noise_image(1)))
        assert whole_images(detector) == 5

    def test_an_unusable_reference_raises_before_the_first_picture_is_taken(self, tmp_path: Path) -> None:
        with pytest.raises(ImageUnreadable):
            pipeline().verify_many(iter([noise_image()]), tmp_path / "missing.jpg")


class TestConfiguration:
    def test_liveness_switched_off_is_said_in_the_result(self) -> None:
        liveness = FakeLiveness()
        result = pipeline(require_liveness=False, liveness=liveness).verify(noise_image(1), noise_image(1))
        assert (result.accepted, result.reason) == (True, Reason.MATCHED)
        assert result.skipped == {"liveness": "the configuration does not require liveness"} and liveness.seen == []

    def test_a_configuration_that_requires_nothing_is_refused(self) -> None:
        with pytest.raises(UsageError, match="Nothing to verify"):
            pipeline(require_liveness=False).verify(noise_image())

    def test_a_required_match_needs_a_reference(self) -> None:
        with pytest.raises(UsageError, match="pass a reference"):
            pipeline(require_match=True).verify(noise_image())

    def test_a_required_match_loads_the_embedder_with_the_pipeline_and_not_at_the_first_face(self) -> None:
        with pytest.raises(UsageError, match="match_threshold = 'strict' means nothing"):
            pipeline(require_match=True, match_threshold="strict")

    def test_liveness_alone_never_loads_the_embedder(self) -> None:
        asked: list[str] = []

        class Asked(FakeEmbedder):
            @property
            def model_id(self) -> str:  # type: ignore[override]
                asked.append("model_id")
                return "fake"

            @model_id.setter
            def model_id(self, _: str) -> None: ...

        verifier = pipeline(embedder=Asked())
        verifier.verify(noise_image())
        assert asked == []
        verifier.verify(noise_image(), noise_image())
        assert asked

    def test_a_backend_without_operating_points_needs_a_number(self) -> None:
        with pytest.raises(UsageError, match="faceauth calibrate"):
            Pipeline(detector=FakeDetector(), liveness=FakeLiveness())

    def test_an_embedder_without_match_points_needs_a_number(self) -> None:
        with pytest.raises(UsageError, match="match_threshold"):
            pipeline(match_threshold="strict").verify(noise_image(), noise_image())

    def test_a_named_match_point_is_echoed_with_its_rates(self) -> None:
        offered = match_points(0.3, 0.4, 0.5)
        verifier = pipeline(embedder=FakeEmbedder(match_points=offered), match_threshold="strict")
        match = verifier.verify(noise_image(1), noise_image(1)).thresholds.match  # type: ignore[union-attr]
        assert match is not None
        assert (match.similarity, match.point, match.measured) == (0.5, "strict", offered.strict)

    def test_the_environment_has_no_say_unless_it_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FACEAUTH_FACES", "largest")
        monkeypatch.setenv("FACEAUTH_WEIGHTS", "nowhere")
        assert Pipeline().config == PipelineConfig()
        with pytest.raises(WeightsMissing, match="nowhere"):
            Pipeline.from_env()
        monkeypatch.delenv("FACEAUTH_WEIGHTS")
        assert Pipeline.from_env().config.faces == "largest"
        assert Pipeline.from_env(faces="exactly_one").config.faces == "exactly_one"

    def test_the_configuration_cannot_be_replaced_behind_the_pipeline(self) -> None:
        verifier = pipeline()
        with pytest.raises(AttributeError):
            verifier.config = PipelineConfig()  # type: ignore[misc]
        with pytest.raises(ValidationError, match="frozen"):
            verifier.config.threshold = 0.1  # type: ignore[misc]

    def test_keywords_replace_single_settings_of_a_configuration(self) -> None:
        config = PipelineConfig(threshold=0.95, faces="largest")
        verifier = Pipeline(config, detector=FakeDetector(), liveness=FakeLiveness(), threshold=0.5)
        assert (verifier.config.faces, verifier.config.threshold) == ("largest", 0.5)

    def test_a_number_chosen_for_one_backend_does_not_outlive_it(self) -> None:
        with pytest.raises(UsageError, match="chosen for liveness = spoofnet"):
            Pipeline(PipelineConfig(threshold=0.2), liveness=FakeLiveness())

    def test_a_setting_that_was_changed_unchecked_is_checked_when_a_pipeline_is_made(self) -> None:
        config = PipelineConfig().model_copy(update={"faces": "exactly-one"})
        with pytest.raises(UsageError, match="faces"):
            Pipeline(config, liveness=FakeLiveness(), threshold=0.5)


def test_a_result_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"result\.accepted"):
        bool(pipeline().verify(noise_image()))


def test_the_built_in_detector_and_embedder_know_a_mirrored_portrait_again(astronaut: Image) -> None:
    verifier = Pipeline(detector=YuNet(), liveness=FakeLiveness(), embedder=SFace(), threshold=0.5)
    result = verifier.verify(astronaut, np.ascontiguousarray(astronaut[:, ::-1]))
    assert result.reason is Reason.LIVE_AND_MATCHED and len(result.faces or ()) == 1
    assert result.match is not None and result.match.similarity < 0.9999
    assert all(len(stage.weights_sha256) >= 1 for stage in result.stages if stage.name != "FakeLiveness")


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
def test_verify_many_refuses_one_image_instead_of_taking_it_apart(one: object) -> None:
    with pytest.raises(UsageError, match=r"one image\. Use verify\(\), or give a list"):
        pipeline().verify_many(one)  # type: ignore[arg-type]

"""The stages of a pipeline, one at a time: ``Pipeline`` runs them on one image, ``faceauth.video`` on many.

Each step writes into the notes of a :class:`~faceauth.presentation.Presentation`, and whatever fails in it denies.
"""

import time
from collections.abc import Sequence
from typing import Literal, cast

import numpy as np

from faceauth import gate
from faceauth.backends.answers import best_score, check_embeddings, check_faces, check_p_live
from faceauth.backends.loading import Backends, Instances, Stage
from faceauth.backends.time_limit import Guard
from faceauth.config import PipelineConfig
from faceauth.cropping.crops import crop_face
from faceauth.errors import ScoreError
from faceauth.gate import GatePolicy
from faceauth.imaging.decoding import ImageSource, load_image
from faceauth.policy import choose_face, liveness_thresholds, match_threshold, sure_beside_others
from faceauth.presentation import Presentation
from faceauth.results import Face, LivenessResult, LivenessScore, MatchResult, Reason, Template, decide
from faceauth.stages import Crop, CropSpec, Image, LivenessBackend
from faceauth.templates import similarity
from faceauth.thresholds import LivenessThreshold, MatchPoints, Thresholds

Color = Literal["bgr", "rgb"]


class Steps:
    """The stages that a configuration names, each behind its guard.

    Raises:
        FaceAuthError: a backend, a weight file or a threshold is not usable.
    """

    def __init__(self, config: PipelineConfig, given: Instances) -> None:
        self._config = config
        self._backends = Backends(config, given)
        self._liveness_thresholds = self._chosen_thresholds()
        self._gate_guard = Guard("gate", "faceauth", timeout_s=config.stage_timeout_s)
        if config.require_match:
            self.thresholds(matching=True)

    def thresholds(self, *, matching: bool) -> Thresholds:
        """The thresholds in force; with ``matching`` the embedder is loaded.

        Raises:
            FaceAuthError: the embedder is not usable, or has no such match point.
        """
        offered = self._backends.embedding().facts.match_points if matching else None
        return Thresholds(
            liveness=self._liveness_thresholds,
            match=match_threshold(self._config.match_threshold, offered) if matching else None,
        )

    def model_id(self) -> str:
        """The embedding space of the embedder, which the first call loads."""
        return self._backends.embedding().facts.model_id

    def match_points(self) -> MatchPoints | None:
        """The measured thresholds of the embedder, which the first call loads."""
        return self._backends.embedding().facts.match_points

    def decode(self, source: ImageSource, color: Color) -> Image:
        """The image, read-only, so that every stage judges the same pixels.

        Raises:
            ImageError: it cannot be read.
        """
        image = load_image(source, self._config.limits, color=color)
        if isinstance(source, np.ndarray):  # a camera loop fills one array again and again, perhaps while it is judged
            image = image.copy()
        image.flags.writeable = False
        return image

    def find_face(self, one: Presentation, gate_policy: GatePolicy) -> None:
        """Detection, the choice of the face, and the gate."""
        image, stage = cast(Image, one.image), self._backends.detection
        one.took_part(stage.provenance)
        try:
            with one.timed("detection"):
                one.faces = tuple(stage.guard.call(lambda: check_faces(stage.backend.detect(image), image)))
            found, rule = one.faces, self._config.faces
            chosen = self._gate_guard.call(lambda: choose_face(image, found, rule))
            if isinstance(chosen, Reason):
                return one.close(chosen, at="detection")
            one.face = chosen
            with one.timed("gate"):
                rejection = self._gate_guard.call(lambda: gate.check(image, chosen, gate_policy))
            if rejection is None:
                with one.timed("detection"):
                    rejection = stage.guard.call(
                        lambda: gate.check_upright(image, chosen, lambda crop: best_score(stage.backend.detect(crop)))
                    )
            if rejection is not None:
                one.close(rejection.reason, rejection.message, at="gate")
        except ScoreError as error:
            one.fail(error)

    def check_liveness(self, one: Presentation) -> None:
        """P(live) by each member; a presentation that is not live ends here."""
        liveness = self._backends.liveness
        self.score(one, stop_early=liveness is not None and liveness.combination.stops_early)
        if liveness is not None and one.reason is None:
            reason = decide(Thresholds(liveness=self._liveness_thresholds), one.liveness, None)
            if reason is not Reason.LIVE:
                one.close(reason, at="liveness")
            elif not self.alone_or_sure(one, one.liveness):
                one.close(Reason.SEVERAL_FACES, at="liveness")

    def alone_or_sure(self, one: Presentation, liveness: LivenessResult | None) -> bool:
        """Whether no other face stands behind the judged one, or P(live) is so high that it does not matter."""
        if self._config.faces != "exactly_one" or len(one.faces or ()) < 2 or liveness is None:
            return True
        return sure_beside_others(liveness, self._liveness_thresholds)

    def score(self, one: Presentation, *, stop_early: bool) -> None:
        """P(live), without a decision; nothing where the configuration switches liveness off.

        Args:
            one: its face is scored.
            stop_early: leave out the members after one that refuses, whatever they would say.
        """
        liveness = self._backends.liveness
        if liveness is None:
            return
        attack = {threshold.backend: threshold.attack for threshold in self._liveness_thresholds}
        scores: list[LivenessScore] = []
        first: Crop | None = None
        try:
            for stage in liveness.members:
                crops = _cropped(one, stage.facts.crops)
                first = first or crops[0]
                scores.append(_score(one, stage, crops))
                if stop_early and scores[-1].p_live < attack[scores[-1].backend]:
                    break
        except ScoreError as error:
            return one.fail(error)
        assert first is not None  # a backend asks for at least one crop
        one.liveness = LivenessResult(
            backend=liveness.combination.label,
            p_live=liveness.combination.p_live(scores),
            members=tuple(scores),
            crop_outside=first.outside,
            crop_scale=first.scale,
        )

    def match(self, one: Presentation, enrolled: Presentation) -> None:
        """Similarity to the reference, whose template is made when the first face needs it."""
        with one.timed("reference"):
            if not enrolled.templates and enrolled.reason is None:
                self.find_template(enrolled)
        if not enrolled.templates:
            for provenance in enrolled.provenance:
                one.took_part(provenance)
            failed = enrolled.failed is not None
            reason = Reason.STAGE_FAILED if failed else Reason.REFERENCE_UNUSABLE
            return one.close(reason, f"The reference cannot be used: {enrolled.message}", at="reference")
        if not one.templates:
            self.embed(one)
        for own in one.templates:
            with one.timed("match"):
                found = [similarity(own, template) for template in enrolled.templates]
            best = max(range(len(found)), key=found.__getitem__)
            one.match = MatchResult(similarity=found[best], model_id=own.model_id, template=best)

    def find_template(self, one: Presentation) -> None:
        """Detection, the gate for references, and the embedding of an image that is not a presentation."""
        self.find_face(one, self._config.gate.for_reference())
        if one.reason is None:
            self.embed(one)
        one.image = None

    def embed(self, one: Presentation) -> None:
        """The template of its face."""
        stage = self._backends.embedding()
        one.took_part(stage.provenance)
        try:
            (crop,) = _cropped(one, (stage.facts.crop,))
            with one.timed("embedding"):
                rows = stage.guard.call(lambda: check_embeddings(stage.backend.embed(crop.pixels[None]), 1))
            one.templates = (Template(model_id=stage.facts.model_id, vector=tuple(rows[0].tolist())),)
        except ScoreError as error:
            one.fail(error)

    def _chosen_thresholds(self) -> tuple[LivenessThreshold, ...]:
        liveness = self._backends.liveness
        if liveness is None:
            return ()
        own_points = {stage.provenance.name: stage.facts.operating_points for stage in liveness.members}
        return liveness_thresholds(
            liveness.combination, self._config.threshold, own_points, liveness.points, liveness.profile
        )


def _score(one: Presentation, stage: Stage[LivenessBackend], crops: Sequence[Crop]) -> LivenessScore:
    one.took_part(stage.provenance)
    start = time.perf_counter()
    batch = [crop.pixels[None] for crop in crops]
    with one.timed("liveness"):
        (p_live,) = stage.guard.call(lambda: check_p_live(stage.backend.score(batch), 1)).tolist()
    elapsed_ms = (time.perf_counter() - start) * 1000
    return LivenessScore(backend=stage.provenance.name, p_live=p_live, elapsed_ms=elapsed_ms)


def _cropped(one: Presentation, specs: Sequence[CropSpec]) -> list[Crop]:
    """The crops of the judged face.

    Raises:
        ScoreError: the landmarks or the box give no crop.
    """
    try:
        with one.timed("cropping"):
            return [crop_face(cast(Image, one.image), cast(Face, one.face), spec) for spec in specs]
    except ValueError as error:
        raise ScoreError(f"The cropping stage failed: {error}", stage="cropping") from error

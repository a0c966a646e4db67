"""Scores records: by the liveness network alone on face boxes, or by the whole pipeline.

What drew no response keeps its reason, and never gets a score.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from faceauth.backends.answers import check_faces, check_p_live
from faceauth.backends.attributes import Facts
from faceauth.backends.combination import combine
from faceauth.backends.time_limit import Guard
from faceauth.calibration.camera_profile import read_profile
from faceauth.calibration.points_file import find_points
from faceauth.config import PipelineConfig
from faceauth.cropping.crops import crop_box
from faceauth.errors import ImageError, ScoreError, UsageError
from faceauth.evaluation.records import Record
from faceauth.imaging.decoding import decoded_scale, load_image
from faceauth.imaging.limits import ImageLimits
from faceauth.policy import choose_face, liveness_thresholds
from faceauth.results import DECIDED, Face, Reason, Template, Verification
from faceauth.stages import Crop, Crops, CropSpec, Detector, Image, LivenessBackend, Scores
from faceauth.thresholds import LivenessThreshold, PointName

BATCH = 32
"""Faces a call: chosen, not measured."""

_DEFAULTS = PipelineConfig()

Box = tuple[float, float, float, float]
Progress = Callable[[int, int], None]
"""Called with the number of images done and the number of all."""
Change = Callable[[Image, Box], tuple[Image, Box]]
"""An image and its face box -> the changed image and the box in it."""


class Verifier(Protocol):
    """The part of the pipeline that an evaluation needs."""

    def verify(self, image: Path, reference: Template = ..., /) -> Verification:
        """The answer to one image, matched with ``reference`` where there is one."""
        ...

    def embed(self, image: Path, /) -> Template:
        """The template of a reference."""
        ...


@dataclass(frozen=True)
class Threshold:
    """A threshold on P(live) and where it comes from, for example "operating point balanced, measured on ...".

    Attributes:
        match: cosine similarity to a reference that makes it the same person; None where nothing is matched.
    """

    value: float
    origin: str
    match: float | None = None


@dataclass(frozen=True)
class Scored:
    """A record and what came back.

    Attributes:
        p_live: in [0, 1]; None for a presentation that drew no response.
        no_response: why there is no ``p_live``, as a reason code; None where there is one.
        context: longer side of the image / longer side of the face box; None where a size is unknown.
        accepted: whether the whole system, match included, let the presentation in, which it never does without a
            response; None where the record has no reference to match.
    """

    record: Record
    p_live: float | None
    no_response: str | None
    context: float | None
    accepted: bool | None = None


def backend_threshold(
    name: str,
    facts: Facts,
    threshold: PointName | float,
    *,
    points: Path | None = None,
    camera_profile: Path | None = None,
) -> Threshold:
    """The threshold of a single backend: a number, or one of its named operating points.

    Args:
        name: of the backend.
        facts: what it says about itself.
        threshold: as in the configuration.
        points: file of operating points that replace the backend's own.
        camera_profile: file of a camera profile that moves the threshold.

    Raises:
        UsageError: the point was not measured for this backend, or a file is of another.
    """
    weights = {name: facts.weights_sha256}
    found = find_points(points, weights)
    profile = None if camera_profile is None else read_profile(camera_profile, weights)
    combination = combine(None, weights, found, None)
    (limits,) = liveness_thresholds(combination, threshold, {name: facts.operating_points}, found, profile)
    return _threshold(limits, None)


def with_detected_boxes(
    records: Sequence[Record],
    detector: Detector,
    *,
    config: PipelineConfig = _DEFAULTS,
    progress: Progress | None = None,
) -> list[Record]:
    """The same records, each without a face box with that of its largest face; None stays where no face is found.

    Args:
        records: those that have a box are left as they are.
        detector: of the face boxes.
        config: the limits of an image and the time limit of a call; nothing else of it is used.
        progress: told after each record.

    Raises:
        ImageError: an image cannot be used.
        ScoreError: the detector raises, hangs, or returns what is not a face.
    """
    guard = Guard("detection", type(detector).__name__, timeout_s=config.stage_timeout_s)
    boxed: list[Record] = []
    for record in records:
        if record.box_xyxy is None:
            image = load_image(record.path, config.limits)
            face = choose_face(image, guard.call(partial(_detected, detector, image)), "largest")
            stored = 1 / decoded_scale(record.path, image)
            box = _times(face.box_xyxy, stored) if isinstance(face, Face) else None
            size_wh = (round(image.shape[1] * stored), round(image.shape[0] * stored))
            boxed.append(replace(record, box_xyxy=box, size_wh=size_wh))
        else:
            boxed.append(record)
        if progress is not None:
            progress(len(boxed), len(records))
    return boxed


def score_records(
    records: Sequence[Record],
    backend: LivenessBackend,
    *,
    config: PipelineConfig = _DEFAULTS,
    change: Change | None = None,
    progress: Progress | None = None,
) -> list[Scored]:
    """P(live) of the network alone, on the face box of each record: no detector, no gate, no refusal.

    Args:
        records: each with a face box.
        backend: any that needs no landmarks.
        config: the limits of an image and the time limit of a call; nothing else of it is used.
        change: applied to image and box before the face is cropped.
        progress: told after each batch.

    Raises:
        UsageError: a record has no face box or one outside its image, or the backend wants an aligned face, which a
            box does not give.
        ImageError: an image cannot be used.
        ScoreError: the backend raises, hangs, or does not return one number in [0, 1] for each face.
    """
    guard = Guard("liveness", type(backend).__name__, timeout_s=config.stage_timeout_s)
    specs = guard.call(lambda: backend.crops)
    if any(spec.kind == "arcface" for spec in specs):
        raise UsageError("A face box gives no aligned face, which this backend wants: evaluate the whole pipeline.")
    boxless = [record for record in records if record.box_xyxy is None]
    if boxless:
        raise UsageError(
            f"{len(boxless)} records have no face box, the first is {boxless[0].path}: evaluate the whole pipeline."
        )
    scored: list[Scored] = []
    for start in range(0, len(records), BATCH):
        part = records[start : start + BATCH]
        faces = [_cropped(record, specs, change, config.limits) for record in part]
        batch = [np.stack([crops[i].pixels for crops, _ in faces]) for i in range(len(specs))]
        p_live = guard.call(partial(_p_live, backend, batch))
        scored += [
            Scored(record, float(p), None, near) for record, p, (_, near) in zip(part, p_live, faces, strict=True)
        ]
        if progress is not None:
            progress(len(scored), len(records))
    return scored


def without_face(record: Record) -> Scored:
    """A record in which no face was found."""
    return Scored(record, None, str(Reason.NO_FACE), None)


def verify_records(
    records: Sequence[Record], verifier: Verifier, *, progress: Progress | None = None
) -> tuple[list[Scored], Threshold]:
    """P(live) of the whole pipeline with its detector and gate, and the thresholds that it says were in force.

    A record with a reference is matched too. A score that decided nothing, as beside a second face, is no response. A
    stage that fails ends the evaluation: attacks that it did not judge would count as refused, and flatter APCER and
    IAPAR. References are looked at before anything is judged.

    Raises:
        UsageError: a reference cannot be used, no image came to a threshold, or liveness is not judged.
        ScoreError: the pipeline changed a threshold on the way, or a stage of it failed.
    """
    templates = {
        reference: _enrol(reference, verifier) for reference in dict.fromkeys(record.reference for record in records)
    }
    scored: list[Scored] = []
    live: set[Threshold] = set()
    match: set[float] = set()
    for record in records:
        answer = _verify(record, templates[record.reference], verifier)
        let_in = None if record.reference is None else answer is not None and answer.accepted
        if answer is not None and answer.thresholds is not None and not answer.thresholds.liveness:
            raise UsageError("The configuration does not judge liveness: nothing can be measured.")
        if answer is None or answer.liveness is None or answer.reason not in DECIDED:
            reason = Reason.IMAGE_UNUSABLE if answer is None else answer.reason
            scored.append(Scored(record, None, str(reason), _context(record), let_in))
        else:
            limits = _in_force(answer, record)
            live.add(replace(limits, match=None))
            match |= set() if limits.match is None else {limits.match}
            scored.append(Scored(record, answer.liveness.p_live, None, _context(record), let_in))
        if progress is not None:
            progress(len(scored), len(records))
    if not live:
        raise UsageError(f"None of {len(records)} images came to a liveness score: look at the reasons, or the gate.")
    if len(live) > 1 or len(match) > 1:
        raise ScoreError(f"The pipeline's threshold changed on the way: {live}, {match}.", stage="liveness")
    return scored, replace(live.pop(), match=match.pop() if match else None)


def _enrol(reference: Path | None, verifier: Verifier) -> Template | None:
    if reference is None:
        return None
    try:
        return verifier.embed(reference)
    except ImageError as error:
        raise UsageError(
            f"The reference {reference} cannot be used: {error} Name another image of the person in the manifest."
        ) from error


def _verify(record: Record, reference: Template | None, verifier: Verifier) -> Verification | None:
    """The pipeline's answer; None for an image that it refuses to read."""
    try:
        answer = verifier.verify(record.path) if reference is None else verifier.verify(record.path, reference)
    except ImageError:
        return None
    if answer.failed is not None:
        raise ScoreError(f"{record.path} could not be judged: {answer.message}", stage=answer.failed)
    return answer


def _in_force(answer: Verification, record: Record) -> Threshold:
    """The thresholds that decided."""
    limits = answer.thresholds
    assert limits is not None  # a score was compared with one
    if len(limits.liveness) > 1:
        raise UsageError(f"{record.path} was judged by several thresholds: evaluate a single backend or a mean.")
    return _threshold(limits.liveness[0], None if limits.match is None else limits.match.similarity)


def _threshold(limits: LivenessThreshold, match: float | None) -> Threshold:
    origin = "explicit" if limits.point is None else f"operating point {limits.point}"
    if limits.profile_sha256 is not None:
        origin += " with a camera profile"
    if limits.measured is not None:
        origin += f", measured on {limits.measured.measured_on}"
    return Threshold(limits.live, origin, match)


def _cropped(
    record: Record, specs: Sequence[CropSpec], change: Change | None, limits: ImageLimits
) -> tuple[list[Crop], float]:
    """The crops of one record, and its context."""
    image = load_image(record.path, limits)
    assert record.box_xyxy is not None  # checked for all records before the first is opened
    box = _times(record.box_xyxy, decoded_scale(record.path, image))
    if change is not None:
        image, box = change(image, box)
    longer = max(box[2] - box[0], box[3] - box[1])
    try:
        crops = [crop_box(image, box, spec) for spec in specs]
    except ValueError as error:
        raise UsageError(f"{record.path}: {error} Correct its box in the manifest.") from error
    return crops, max(image.shape[:2]) / longer


def _times(box_xyxy: Box, scale: float) -> Box:
    """The box in an image of ``scale`` times the size."""
    left, top, right, bottom = box_xyxy
    return left * scale, top * scale, right * scale, bottom * scale


def _context(record: Record) -> float | None:
    if record.size_wh is None or record.box_xyxy is None:
        return None
    left, top, right, bottom = record.box_xyxy
    return max(record.size_wh) / max(right - left, bottom - top)


def _detected(detector: Detector, image: Image) -> list[Face]:
    return check_faces(detector.detect(image), image)


def _p_live(backend: LivenessBackend, batch: Sequence[Crops]) -> Scores:
    return check_p_live(backend.score(batch), len(batch[0]))

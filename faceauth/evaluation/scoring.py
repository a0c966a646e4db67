"""Scores labelled images: by the network alone on the manifest's boxes, or by the whole pipeline.

What drew no response is counted with its reason, and never gets a score.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from faceauth.backends.answers import check_p_live
from faceauth.backends.attributes import Facts
from faceauth.backends.combination import combine
from faceauth.backends.time_limit import Guard
from faceauth.config import PipelineConfig
from faceauth.cropping.crops import crop_box
from faceauth.errors import ImageError, ScoreError, UsageError
from faceauth.evaluation.records import Record
from faceauth.imaging.decoding import ImageLimits, load_image
from faceauth.policy import liveness_thresholds
from faceauth.results import Reason, Template, Verification
from faceauth.stages import Crop, CropSpec, Image, LivenessBackend
from faceauth.thresholds import LivenessThreshold, PointName

BATCH = 32
"""Crops a call: chosen, not measured."""

_DEFAULTS = PipelineConfig()

Box = tuple[float, float, float, float]
Progress = Callable[[int, int], None]
"""Called with the number of pictures done and the number of all."""
Change = Callable[[Image, Box], tuple[Image, Box]]
"""A picture and its face box -> the changed picture and the box in it."""


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
        match: cosine similarity to a reference, from which on it is the same person; None where nothing is matched.
    """

    value: float
    origin: str
    match: float | None = None


@dataclass(frozen=True)
class Scored:
    """A row and what came back.

    Attributes:
        p_live: in [0, 1]; None for a presentation that drew no response.
        no_response: why there is no ``p_live``, as a reason code; None where there is one.
        context: longer side of the picture / longer side of the face box; None where a size is unknown.
        accepted: whether the whole system, match included, let the presentation in, which it never does without a
            response; None where the row has no reference to match.
    """

    record: Record
    p_live: float | None
    no_response: str | None
    context: float | None
    accepted: bool | None = None


def backend_threshold(name: str, facts: Facts, threshold: PointName | float) -> Threshold:
    """The threshold of a single backend: a number, or one of its named operating points.

    Raises:
        UsageError: the point was not measured for this backend.
    """
    combination = combine(None, {name: facts.weights_sha256}, None, None)
    (limits,) = liveness_thresholds(combination, threshold, {name: facts.operating_points}, None)
    return _threshold(limits, None)


def score_records(
    rows: Sequence[Record],
    backend: LivenessBackend,
    *,
    config: PipelineConfig = _DEFAULTS,
    change: Change | None = None,
    progress: Progress | None = None,
) -> list[Scored]:
    """P(live) of the network alone, on the face boxes of the manifest: no detector, no gate, no refusal.

    Args:
        rows: each with a face box.
        backend: any that looks at context crops.
        config: the limits of a picture and the time limit of a call; nothing else of it is used.
        change: applied to picture and box before the crop is cut.
        progress: told after each batch.

    Raises:
        UsageError: a row has no face box or one outside its picture, or the backend wants an aligned face, which a
            box does not give.
        ImageError: a picture cannot be used.
        ScoreError: the backend raises, hangs, or does not return one number in [0, 1] for each crop.
    """
    guard = Guard("liveness", type(backend).__name__, timeout_s=config.stage_timeout_s)
    specs = guard.call(lambda: backend.crops)
    if any(spec.kind == "arcface" for spec in specs):
        raise UsageError("A manifest's boxes give no aligned faces, which this backend wants: evaluate the pipeline.")
    boxless = [row for row in rows if row.box_xyxy is None]
    if boxless:
        raise UsageError(
            f"{len(boxless)} rows have no face box, the first is {boxless[0].path}: evaluate the whole pipeline."
        )
    scored: list[Scored] = []
    for part in _batches(rows, BATCH):
        cropped = [_cropped(row, specs, change, config.limits) for row in part]
        batches = [np.stack([crops[i].pixels for crops, _ in cropped]) for i in range(len(specs))]
        p_live = guard.call(lambda: check_p_live(backend.score(batches), len(part)))
        scored += [
            Scored(row, float(p), None, context) for row, p, (_, context) in zip(part, p_live, cropped, strict=True)
        ]
        if progress is not None:
            progress(len(scored), len(rows))
    return scored


def verify_records(
    rows: Sequence[Record], verifier: Verifier, *, progress: Progress | None = None
) -> tuple[list[Scored], Threshold]:
    """P(live) of the whole pipeline with its detector and gate, and the thresholds that it says were in force.

    A row with a reference is matched too. A stage that fails ends the evaluation: attacks that it did not judge would
    count as refused, and flatter APCER and IAPAR. References are looked at before anything is judged.

    Raises:
        UsageError: a reference cannot be used, no picture came to a threshold, or liveness is not judged.
        ScoreError: the pipeline changed a threshold on the way, accepted against it, or a stage of it failed.
    """
    templates = {reference: _enrol(reference, verifier) for reference in dict.fromkeys(row.reference for row in rows)}
    scored: list[Scored] = []
    live: set[Threshold] = set()
    match: set[float] = set()
    for row in rows:
        answer = _verify(row, templates[row.reference], verifier)
        let_in = None if row.reference is None else answer is not None and answer.accepted
        if answer is None or answer.liveness is None:
            reason = Reason.IMAGE_UNUSABLE if answer is None else answer.reason
            scored.append(Scored(row, None, str(reason), _context(row), let_in))
        else:
            limits = _in_force(answer, row)
            live.add(replace(limits, match=None))
            match |= set() if limits.match is None else {limits.match}
            scored.append(Scored(row, answer.liveness.p_live, None, _context(row), let_in))
        if progress is not None:
            progress(len(scored), len(rows))
    if not live:
        raise UsageError(f"None of {len(rows)} pictures came to a liveness score: look at the reasons, or the gate.")
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
            f"The reference {reference} cannot be used: {error} Name another picture of the person in the manifest."
        ) from error


def _verify(row: Record, reference: Template | None, verifier: Verifier) -> Verification | None:
    """The pipeline's answer; None for a picture that it refuses to read."""
    try:
        answer = verifier.verify(row.path) if reference is None else verifier.verify(row.path, reference)
    except ImageError:
        return None
    if answer.failed is not None:
        raise ScoreError(f"{row.path} could not be judged: {answer.message}", stage=answer.failed)
    return answer


def _in_force(answer: Verification, row: Record) -> Threshold:
    """The thresholds that decided."""
    limits = answer.thresholds
    if limits is None or not limits.liveness:
        raise UsageError("The configuration does not judge liveness: nothing can be measured.")
    if len(limits.liveness) > 1:
        raise UsageError(f"{row.path} was judged by several thresholds: evaluate a single backend or a mean.")
    return _threshold(limits.liveness[0], None if limits.match is None else limits.match.similarity)


def _threshold(limits: LivenessThreshold, match: float | None) -> Threshold:
    if limits.point is None or limits.measured is None:
        return Threshold(limits.live, "explicit", match)
    return Threshold(limits.live, f"operating point {limits.point}, measured on {limits.measured.measured_on}", match)


def _cropped(
    row: Record, specs: Sequence[CropSpec], change: Change | None, limits: ImageLimits
) -> tuple[list[Crop], float]:
    """The crops of one record, and its context."""
    image, box = load_image(row.path, limits), row.box_xyxy
    assert box is not None  # checked for all rows before the first is opened
    if change is not None:
        image, box = change(image, box)
    longer = max(box[2] - box[0], box[3] - box[1])
    try:
        crops = [crop_box(image, box, spec) for spec in specs]
    except ValueError as error:
        raise UsageError(f"{row.path}: {error} Correct its box in the manifest.") from error
    return crops, max(image.shape[:2]) / longer


def _context(row: Record) -> float | None:
    if row.size_wh is None or row.box_xyxy is None:
        return None
    left, top, right, bottom = row.box_xyxy
    return max(row.size_wh) / max(right - left, bottom - top)


def _batches(rows: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]

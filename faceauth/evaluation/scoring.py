"""Rows of a manifest in, P(live) of each out: by the network alone on the manifest's boxes, or by the whole pipeline.

Knows no error rate. What drew no response is said so with its reason, and never gets a score.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from faceauth.backends.attributes import Facts
from faceauth.backends.guard import Guard
from faceauth.config import PipelineConfig
from faceauth.cropping.square import context_crop
from faceauth.errors import ImageError, ScoreError, UsageError
from faceauth.evaluation.records import Record
from faceauth.imaging.decoding import ImageLimits, load_image
from faceauth.results import OperatingPoint, OperatingPointName, Reason, Template, Thresholds, Verification
from faceauth.stages import Crop, CropSpec, Image, LivenessBackend
from faceauth.views import cut_views, score_views

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

    def verify(self, image: Path, reference: Template | None = None, /) -> Verification:
        """The answer to one picture, matched with ``reference`` where there is one."""
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


def backend_threshold(
    backend: LivenessBackend | Facts, *, threshold: float | None = None, point: OperatingPointName = "balanced"
) -> Threshold:
    """The explicit threshold where one is given, else the backend's named operating point.

    Raises:
        UsageError: ``threshold`` is not in [0, 1], or it is needed because the backend has no operating points.
    """
    if threshold is not None:
        if not 0 <= threshold <= 1:
            raise UsageError(f"A threshold on P(live) lies in [0, 1], not at {threshold}.")
        return Threshold(threshold, "explicit")
    if backend.operating_points is None:
        raise UsageError("This liveness backend has no measured operating points: give a threshold.")
    chosen = {
        "convenience": backend.operating_points.convenience,
        "balanced": backend.operating_points.balanced,
        "strict": backend.operating_points.strict,
    }[point]
    return Threshold(chosen.threshold, _origin(point, chosen))


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
    guard = Guard("liveness", type(backend).__name__, timeout_s=config.policy.stage_timeout_s)
    spec = guard.call(lambda: backend.crop)
    if spec.kind != "context":
        raise UsageError(f"A manifest's boxes give context crops, not {spec.kind}: evaluate the pipeline.")
    boxless = [row for row in rows if row.box_xyxy is None]
    if boxless:
        raise UsageError(
            f"{len(boxless)} rows have no face box, the first is {boxless[0].path}: evaluate the whole pipeline."
        )
    scored: list[Scored] = []
    for part in _batches(rows, BATCH):
        cut = [_cut(row, spec, change, config.limits) for row in part]
        p_live = guard.call(partial(score_views, [views for views, _ in cut], backend.score))
        scored += [Scored(row, float(p), None, context) for row, p, (_, context) in zip(part, p_live, cut, strict=True)]
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
        answer = verifier.verify(row.path, reference)
    except ImageError:
        return None
    if answer.failed is not None:
        raise ScoreError(f"{row.path} could not be judged: {answer.message}", stage=answer.failed)
    return answer


def _in_force(answer: Verification, row: Record) -> Threshold:
    """The thresholds that decided, after a check that they did."""
    limits: Thresholds | None = answer.thresholds
    if limits is None or limits.live is None or answer.liveness is None:
        raise UsageError("The pipeline's policy does not judge liveness: nothing can be measured.")
    matched = limits.match is None or (answer.match is not None and answer.match.similarity >= limits.match)
    if answer.accepted != (answer.liveness.p_live >= limits.live and matched):
        raise ScoreError(
            f"The pipeline says accepted = {answer.accepted} ({answer.reason}) at P(live) {answer.liveness.p_live} "
            f"and threshold {limits.live}.",
            stage="liveness",
        )
    if limits.operating_point is None or limits.measured is None:
        return Threshold(limits.live, "explicit", limits.match)
    return Threshold(limits.live, _origin(limits.operating_point, limits.measured), limits.match)


def _origin(name: OperatingPointName, point: OperatingPoint) -> str:
    return f"operating point {name}, measured on {point.measured_on}"


def _cut(row: Record, spec: CropSpec, change: Change | None, limits: ImageLimits) -> tuple[list[Crop], float]:
    """The views of one row, and its context."""
    image, box = load_image(row.path, limits), row.box_xyxy
    assert box is not None  # checked for all rows before the first is opened
    if change is not None:
        image, box = change(image, box)
    longer = max(box[2] - box[0], box[3] - box[1])
    try:
        views = cut_views(spec, partial(context_crop, image, box))
    except ValueError as error:
        raise UsageError(f"{row.path}: {error} Correct its box in the manifest.") from error
    return views, max(image.shape[:2]) / longer


def _context(row: Record) -> float | None:
    if row.size_wh is None or row.box_xyxy is None:
        return None
    left, top, right, bottom = row.box_xyxy
    return max(row.size_wh) / max(right - left, bottom - top)


def _batches(rows: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]

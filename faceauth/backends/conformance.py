"""Checks whether a backend keeps the contract of its stage, on images that need no data set.

A backend that keeps every rule here may still be a bad judge of faces. A rule is a function that raises
:class:`Broken`; :mod:`faceauth.testing` offers the same rules as tests to inherit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from faceauth.backends.answers import ContractBroken, check_embeddings, check_faces, check_p_live
from faceauth.backends.attributes import BackendStage, contract_violations
from faceauth.results import Face
from faceauth.stages import Crops, CropSpec, Detector, Embedder, Image, LivenessBackend, Scores

TOLERANCE = 1e-4
"""Largest difference that neighbours, order or memory layout may make: chosen; float32 sums in another order stay
below it."""

SubjectT = TypeVar("SubjectT")


class Broken(AssertionError):
    """A rule does not hold; the text says what was seen and what was expected."""


@dataclass(frozen=True)
class Finding:
    """What one rule found; ``detail`` says what was seen where it is broken, and is empty where it is kept."""

    rule: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class CropStage:
    """A stage that takes crops of faces and answers with one row of float32 for each face.

    Attributes:
        crops: what its crops look like, one spec for each array that it takes.
        call: the backend's method.
        check: what the pipeline checks its answer for N faces with.
    """

    crops: tuple[CropSpec, ...]
    call: Callable[[Sequence[Crops]], object]
    check: Callable[[object, int], Scores]

    def rows(self, crops: Sequence[Crops]) -> Scores:
        """The answer to ``crops``, or ``Broken`` where the pipeline would refuse it."""
        answer = self.call(crops)
        try:
            return self.check(answer, len(crops[0]))
        except ContractBroken as refused:
            raise Broken(str(refused)) from None


def liveness_stage(backend: LivenessBackend) -> CropStage:
    """``backend`` as the rules see it."""
    return CropStage(backend.crops, backend.score, check_p_live)


def embedding_stage(backend: Embedder) -> CropStage:
    """``backend`` as the rules see it."""
    return CropStage((backend.crop,), lambda crops: backend.embed(crops[0]), check_embeddings)


def check_liveness_backend(backend: LivenessBackend) -> list[Finding]:
    """Whether ``backend`` keeps the promises of :class:`faceauth.stages.LivenessBackend`, as a list; raises nothing."""
    return _findings("liveness", backend, lambda: _run_on_crops(liveness_stage, backend))


def check_embedder(backend: Embedder) -> list[Finding]:
    """Whether ``backend`` keeps the promises of :class:`faceauth.stages.Embedder`, as a list; raises nothing."""
    return _findings("embedding", backend, lambda: _run_on_crops(embedding_stage, backend))


def check_detector(backend: Detector, *, portrait: Image | None = None) -> list[Finding]:
    """Whether ``backend`` keeps the promises of :class:`faceauth.stages.Detector`, as a list; raises nothing.

    Args:
        backend: the detector.
        portrait: uint8, H x W x 3, BGR: an upright, frontal face. Without it no rule needs a face to be found.
    """

    def rules() -> list[Finding]:
        found = run_rules(DETECTOR_RULES, backend)
        if portrait is not None:
            found += run_rules({"finds the face of a portrait": lambda one: finds_the_face(one, portrait)}, backend)
        return found

    return _findings("detection", backend, rules)


def run_rules(rules: Mapping[str, Callable[[SubjectT], None]], subject: SubjectT) -> list[Finding]:
    """Every rule on ``subject``; an exception of the backend is a broken rule."""
    return [_run(name, rule, subject) for name, rule in rules.items()]


def keeps_its_contract(stage: BackendStage, backend: object) -> None:
    """The attributes of ``backend`` are those of its stage; loading it checks the same."""
    if violations := contract_violations(stage, backend):
        raise Broken("; ".join(violations))


def answers_an_empty_batch(stage: CropStage) -> None:
    """No faces give no rows, with the dtype and number of axes of any answer."""
    stage.rows(_noise(stage, 0))


def answers_every_face(stage: CropStage) -> None:
    """One row a face: float32, finite, in range, for one face and for several."""
    for n in (1, 3):
        stage.rows(_noise(stage, n))


def survives_flat_crops(stage: CropStage) -> None:
    """Black, white and grey crops, and one of a single channel, get a row like any other."""
    crops = [np.zeros_like(noise) for noise in _noise(stage, 4)]
    for batch in crops:
        batch[1], batch[2], batch[3, ..., 0] = 255, 128, 255
    stage.rows(crops)


def tells_crops_apart(stage: CropStage) -> None:
    """Noise, black and white do not all get the same row: such a backend ignores its crops."""
    crops = _noise(stage, 4)
    for batch in crops:
        batch[2], batch[3] = 0, 255
    rows = stage.rows(crops)
    if (rows == rows[0]).all():
        raise Broken("gave noise, black and white the same answer: it does not look at its crops")


def ignores_neighbours(stage: CropStage) -> None:
    """A face's row is the same alone and in a batch."""
    crops = _noise(stage, 4)
    alone = np.concatenate([stage.rows([batch[i : i + 1] for batch in crops]) for i in range(4)])
    _same(stage.rows(crops), alone, "in one batch and one by one")


def keeps_the_order(stage: CropStage) -> None:
    """Reversing the batch reverses the rows."""
    crops = _noise(stage, 4)
    reverse = [np.ascontiguousarray(batch[::-1]) for batch in crops]
    _same(stage.rows(reverse)[::-1], stage.rows(crops), "in another order")


def repeats_itself(stage: CropStage) -> None:
    """The same crops get the same rows again."""
    crops = _noise(stage, 2)
    _same(stage.rows(crops), stage.rows(crops), "at a second call")


def leaves_crops_alone(stage: CropStage) -> None:
    """The caller's arrays are not written to."""
    crops = _noise(stage, 2)
    before = [batch.copy() for batch in crops]
    stage.rows(crops)
    if not all(np.array_equal(batch, kept) for batch, kept in zip(crops, before, strict=True)):
        raise Broken("wrote into an array that it was given")


def takes_any_layout(stage: CropStage) -> None:
    """A read-only view with unusual strides is read as the pixels it shows."""
    crops = _noise(stage, 2)
    views = [np.asfortranarray(batch) for batch in crops]
    for view in views:
        view.flags.writeable = False
    _same(stage.rows(views), stage.rows(crops), "for a read-only view in another memory layout")


CROP_RULES: Mapping[str, Callable[[CropStage], None]] = MappingProxyType(
    {
        "answers an empty batch": answers_an_empty_batch,
        "answers every face with float32 in range": answers_every_face,
        "stays finite and in range on flat crops": survives_flat_crops,
        "tells different crops apart": tells_crops_apart,
        "gives a face the same row whatever its neighbours": ignores_neighbours,
        "keeps the order of the faces": keeps_the_order,
        "gives the same rows again": repeats_itself,
        "does not write into its input": leaves_crops_alone,
        "reads a read-only, non-contiguous view": takes_any_layout,
    }
)


def survives_any_image(detector: Detector) -> None:
    """Noise, black, white, a single pixel and a strip give a list of well-formed faces, best first; often none."""
    flat = [np.full((48, 64, 3), value, np.uint8) for value in (0, 255)]
    odd = [_image(height, width) for height, width in ((97, 131), (1, 1), (400, 3), (3, 400))]
    for image in flat + odd:
        _faces(detector, image)


def detects_the_same_again(detector: Detector) -> None:
    """The same image gives the same faces again."""
    image = _image(240, 320)
    if _faces(detector, image) != _faces(detector, image):
        raise Broken("found other faces in the same image at a second call")


def leaves_image_alone(detector: Detector) -> None:
    """The caller's image is not written to, and a read-only, non-contiguous view is read as the pixels it shows."""
    image = _image(240, 320)
    before = image.copy()
    found = _faces(detector, image)
    if not np.array_equal(image, before):
        raise Broken("wrote into the image that it was given")
    view = np.asfortranarray(image)
    view.flags.writeable = False
    if _faces(detector, view) != found:
        raise Broken("found other faces in a read-only view of the same image in another memory layout")


def finds_the_face(detector: Detector, portrait: Image) -> None:
    """A portrait has a face whose landmarks are in the documented order: the person's right is image left."""
    faces = _faces(detector, portrait)
    if not faces:
        raise Broken("found no face in the portrait")
    right_eye, left_eye, nose, right_mouth, left_mouth = faces[0].landmarks_px
    if not (right_eye[0] < left_eye[0] and right_mouth[0] < left_mouth[0]):
        raise Broken(f"landmarks are not right before left, image left first: {faces[0].landmarks_px}")
    if not max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1]):
        raise Broken(f"landmarks are not eyes, nose, mouth from top to bottom: {faces[0].landmarks_px}")


DETECTOR_RULES: Mapping[str, Callable[[Detector], None]] = MappingProxyType(
    {
        "answers any image with faces, best first": survives_any_image,
        "finds the same faces again": detects_the_same_again,
        "does not write into its input": leaves_image_alone,
    }
)


def _findings(stage: BackendStage, backend: object, rules: Callable[[], list[Finding]]) -> list[Finding]:
    contract = _run("keeps the contract of its stage", lambda one: keeps_its_contract(stage, one), backend)
    return [contract, *rules()] if contract.passed else [contract]


def _run_on_crops(stage_of: Callable[[SubjectT], CropStage], backend: SubjectT) -> list[Finding]:
    """The rules for crops; each reads the backend's attributes once more, which may raise."""
    rules = ((name, partial(_on_crops, stage_of, rule)) for name, rule in CROP_RULES.items())
    return [_run(name, rule, backend) for name, rule in rules]


def _on_crops(stage_of: Callable[[SubjectT], CropStage], rule: Callable[[CropStage], None], backend: SubjectT) -> None:
    rule(stage_of(backend))


def _run(name: str, rule: Callable[[SubjectT], None], subject: SubjectT) -> Finding:
    try:
        rule(subject)
    except Broken as broken:
        return Finding(name, False, str(broken))
    except (Exception, SystemExit) as error:  # a backend must not end the check, least of all with status 0, "done"
        return Finding(name, False, f"raised {type(error).__name__}: {error}")
    return Finding(name, True, "")


def _faces(detector: Detector, image: Image) -> list[Face]:
    answer: object = detector.detect(image)
    try:
        faces = check_faces(answer, image)
    except ContractBroken as refused:
        raise Broken(str(refused)) from None
    if [face.score for face in faces] != sorted((face.score for face in faces), reverse=True):
        raise Broken(f"faces are not sorted from the best score down: {[face.score for face in faces]}")
    return faces


def _same(found: Scores, expected: Scores, when: str) -> None:
    if found.shape != expected.shape:
        raise Broken(f"answered with shape {found.shape} instead of {expected.shape} {when}")
    difference = float(np.abs(found - expected).max())
    if difference > TOLERANCE:
        raise Broken(f"answers differ by {difference:.2g} {when}, expected at most {TOLERANCE:g}")


def _noise(stage: CropStage, n: int) -> list[Crops]:
    """A batch of N crops for each spec of the stage."""
    rng = np.random.default_rng(0)
    sizes_wh = [spec.size_wh for spec in stage.crops]
    return [rng.integers(0, 256, (n, height, width, 3), np.uint8) for width, height in sizes_wh]


def _image(height: int, width: int) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)

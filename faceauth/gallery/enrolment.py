"""Enrolment: makes templates from images of one live person, and says which images were refused and why."""

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np

from faceauth.errors import EnrolmentRefused
from faceauth.imaging.decoding import ImageSource
from faceauth.pipeline import Pipeline
from faceauth.policy import match_threshold
from faceauth.presentation import message_for_anybody
from faceauth.results import Reason, Template, Verification
from faceauth.steps import Color
from faceauth.templates import similarity
from faceauth.thresholds import Frozen

MOST_TEMPLATES = 5
"""Of one person: more of them let more strangers in, since the most similar one decides. Chosen, not measured."""


class RefusedImage(Frozen):
    """An image that gave no template.

    Attributes:
        image: its place among the images, counted from 0.
        source: its path, where it had one.
        reason: of the verification; ``another_person`` for a face that does not match the others.
        message: one sentence for people.
    """

    image: int
    source: str | None
    reason: Reason | Literal["another_person"]
    message: str


class Enrolment(Frozen):
    """Templates of one person, all similar to each other, from images that were accepted as live.

    Attributes:
        templates: at most ``MOST_TEMPLATES``, as different from each other as the images allow.
        verifications: of every image, in order; they hold scores.
        refused: the images that count for nothing.
    """

    templates: tuple[Template, ...]
    verifications: tuple[Verification, ...]
    refused: tuple[RefusedImage, ...]


def enroll(pipeline: Pipeline, images: Iterable[ImageSource], *, color: Color = "bgr") -> Enrolment:
    """Templates from images, or from the frames of one presentation.

    Each image is read once, judged as :meth:`Pipeline.verify` judges it, and embedded from exactly the pixels that were
    judged. An image whose face does not match all others is refused; if no group of more than half of the images
    matches, enrolment is refused.

    Args:
        pipeline: requires liveness; its match threshold says what one person is.
        images: paths, bytes, arrays or PIL images.
        color: channel order of arrays.

    Raises:
        EnrolmentRefused: no image was accepted, or they show several people.
        UsageError: the pipeline does not require liveness, or its embedder has no match threshold.
    """
    same_person = match_threshold(pipeline.config.match_threshold, pipeline.match_points).similarity
    verifications: list[Verification] = []
    refused: list[RefusedImage] = []
    templates: dict[int, Template] = {}
    for number, image in enumerate(images):
        result, template = pipeline.verify_and_embed(image, color=color)
        verifications.append(result)
        if template is not None:
            templates[number] = template
        else:
            refused.append(_refused(number, result, result.reason, result.message))
    if not templates:
        raise EnrolmentRefused(
            _none_of(refused, lambda one: one.message),
            for_anybody=_none_of(refused, lambda one: message_for_anybody(one.reason, one.message)),
        )
    one_person = _one_person(templates, same_person)
    for number in sorted(templates.keys() - one_person.keys()):
        refused.append(
            _refused(number, verifications[number], "another_person", "The face does not match the other images.")
        )
    return Enrolment(
        templates=tuple(_most_different(list(one_person.values()))),
        verifications=tuple(verifications),
        refused=tuple(refused),
    )


def _one_person(templates: dict[int, Template], same_person: float) -> dict[int, Template]:
    """The templates that all match each other, left after taking away the ones with the most mismatches."""
    numbers = list(templates)
    cosines = np.array([[similarity(templates[one], templates[other]) for other in numbers] for one in numbers])
    differ = cosines < same_person
    kept = np.full(len(numbers), True)
    while differ[np.ix_(kept, kept)].any():
        mismatches = np.where(kept, (differ & kept).sum(axis=1), -1)
        kept[mismatches.argmax()] = False
    if kept.sum() * 2 <= len(numbers):
        raise EnrolmentRefused(
            f"The {len(numbers)} accepted images do not show one person: at most {kept.sum()} of them match each "
            "other. Use images of a single person."
        )
    return {number: templates[number] for number, keep in zip(numbers, kept, strict=True) if keep}


def _most_different(templates: list[Template]) -> list[Template]:
    """The template most similar to all, then always the one least similar to those chosen."""
    cosines = np.array([[similarity(one, other) for other in templates] for one in templates])
    chosen = [int(cosines.sum(axis=1).argmax())]
    while len(chosen) < min(len(templates), MOST_TEMPLATES):
        nearest = cosines[:, chosen].max(axis=1)
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
    return [templates[number] for number in chosen]


def _refused(
    number: int, result: Verification, reason: Reason | Literal["another_person"], message: str
) -> RefusedImage:
    return RefusedImage(image=number, source=result.source, reason=reason, message=message)


def _none_of(refused: list[RefusedImage], message_of: Callable[[RefusedImage], str]) -> str:
    told = " ".join(f"{one.source or f'image {one.image}'}: {message_of(one)}" for one in refused)
    return f"None of the {len(refused)} images can be used: {told or 'there were none.'}"

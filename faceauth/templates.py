"""The cosine similarity of two templates. What a similarity means is said by a threshold, not here."""

import numpy as np
from pydantic import ValidationError

from faceauth.errors import TemplateMismatch
from faceauth.results import Template


def similarity(found: Template, reference: Template) -> float:
    """Cosine similarity in [-1, 1]; 1 for the same face in the same image.

    Raises:
        TemplateMismatch: the templates come from two models, have two lengths, or one is not a valid template.
    """
    found, reference = checked_template(found), checked_template(reference)
    if found.model_id != reference.model_id:
        raise mismatch(found=reference.model_id, expected=found.model_id)
    sizes = (len(found.vector), len(reference.vector))
    if sizes[0] != sizes[1]:
        raise TemplateMismatch(
            f"Both templates name the model {found.model_id!r}, but one has {sizes[1]} numbers and the other "
            f"{sizes[0]}: enrol the person again.",
            found=str(sizes[1]),
            expected=str(sizes[0]),
        )
    return float(np.clip(np.dot(found.vector, reference.vector), -1.0, 1.0))


def checked_template(template: Template) -> Template:
    """``template``, checked once more: a pickle, ``model_copy`` or ``model_construct`` checks nothing.

    Raises:
        TemplateMismatch: it is not a vector of unit length with the name of its model.
    """
    try:
        return Template.model_validate(template)
    except ValidationError as invalid:
        raise TemplateMismatch(
            f"This is not a valid template ({invalid.errors()[0]['msg']}): enrol the person again.",
            found="an invalid template",
            expected="a vector of unit length and its model",
        ) from None  # the cause would carry the vector


def mismatch(*, found: str, expected: str) -> TemplateMismatch:
    """The error for a template of the model ``found`` where one of ``expected`` is needed."""
    return TemplateMismatch(
        f"A template of {found!r} cannot be compared with one of {expected!r}: "
        "enrol the person again with the embedder in use, or choose the embedder of the enrolment.",
        found=found,
        expected=expected,
    )

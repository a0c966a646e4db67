"""Similarity of templates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceauth.errors import TemplateMismatch
from faceauth.results import Template
from faceauth.templates import similarity


def template(*vector: float, model_id: str = "m") -> Template:
    return Template(model_id=model_id, vector=vector)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [((1.0, 0.0), (1.0, 0.0), 1.0), ((1.0, 0.0), (0.0, 1.0), 0.0), ((0.6, 0.8), (-0.6, -0.8), -1.0)],
)
def test_similarity_is_the_cosine(first: tuple[float, ...], second: tuple[float, ...], expected: float) -> None:
    assert similarity(template(*first), template(*second)) == pytest.approx(expected)


@given(st.floats(0.9995, 1.0005))
def test_rounding_never_leaves_the_range(length: float) -> None:
    assert similarity(template(length), template(length)) <= 1.0


def test_templates_of_two_models_refuse_comparison() -> None:
    with pytest.raises(TemplateMismatch) as refused:
        similarity(template(1.0, model_id="a"), template(1.0, model_id="b"))
    assert str(refused.value) == (
        "A template of 'b' cannot be compared with one of 'a': enrol the person again with the embedder in use, or "
        "choose the embedder of the enrolment."
    )
    assert (refused.value.found, refused.value.expected) == ("b", "a")


def test_templates_of_two_lengths_refuse_comparison() -> None:
    with pytest.raises(TemplateMismatch) as refused:
        similarity(template(0.6, 0.8), template(1.0))
    assert str(refused.value) == (
        "Both templates name the model 'm', but one has 1 numbers and the other 2: enrol the person again."
    )
    assert (refused.value.found, refused.value.expected) == ("1", "2")


def test_an_invalid_template_says_what_is_wrong_with_it() -> None:
    with pytest.raises(TemplateMismatch) as refused:
        similarity(Template.model_construct(model_id="m", vector=(6.0, 8.0)), template(0.6, 0.8))
    assert str(refused.value) == (
        "This is not a valid template (Value error, a template has unit length, not 10.0000): enrol the person again."
    )
    assert refused.value.found == "an invalid template"
    assert refused.value.expected == "a vector of unit length and its model"


def test_the_similarity_of_opposite_templates_is_at_least_minus_1() -> None:
    assert similarity(template(1.0005), template(-1.0005)) == -1.0


@pytest.mark.parametrize("numbers", [(6.0, 8.0), (float("nan"), 1.0), ("0.6", "a"), None, ()], ids=str)
def test_a_template_that_was_not_checked_when_it_was_made_is_refused(numbers: object) -> None:
    """As one from a pickle or of ``model_copy``; the error holds none of its numbers, nor does a cause."""
    made_up = Template.model_construct(model_id="m", vector=numbers)
    for pair in ((template(0.6, 0.8), made_up), (made_up, template(0.6, 0.8))):
        with pytest.raises(TemplateMismatch, match="not a valid template") as refused:
            similarity(*pair)
        assert refused.value.__cause__ is None and "0.6" not in str(refused.value)

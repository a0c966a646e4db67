"""Beyond what is multiplied: compressed templates propose, the templates themselves decide. The limit is small here."""

import sys
from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import UsageError
from faceauth.gallery import Gallery, Index, add_subject, delete_subject
from faceauth.gallery import blocks as in_blocks
from faceauth.gallery import search as searching

from .searching import enrolment_of, on_the_sphere, template_of

TEMPLATES = 1500
EACH = 30
DIMENSIONS = 128


@pytest.fixture
def faiss() -> None:
    pytest.importorskip("faiss", reason="needs the extra faiss")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MOST_MULTIPLIED", 1000)
    for module in (searching, in_blocks):
        monkeypatch.setattr(module, "BLOCK", 700)


@pytest.fixture
def vectors(gallery: Gallery) -> np.ndarray:
    """Of ``TEMPLATES`` templates, ``EACH`` of them a person's; row i is one of ``person i // EACH``."""
    drawn = on_the_sphere(TEMPLATES, DIMENSIONS)
    for first in range(0, TEMPLATES, EACH):
        add_subject(gallery, f"person {first // EACH}", enrolment_of(drawn[first : first + EACH]), consent="form 1")
    return drawn


@pytest.fixture
def index(gallery: Gallery, vectors: np.ndarray, faiss: None) -> Index:
    index = Index(gallery, "fake", method="faiss")
    assert index.refresh() == TEMPLATES
    return index


def near(vector: np.ndarray, cosine: float, *, seed: int = 1) -> np.ndarray:
    """A vector at this cosine to another one, in a direction drawn at random."""
    (other,) = on_the_sphere(1, len(vector), seed=seed)
    across = other - (other @ vector) * vector
    return np.asarray(cosine * vector + np.sqrt(1 - cosine**2) * across / np.linalg.norm(across))


def is_compressed(index: Index) -> bool:
    return all(block.codes is not None for block in index._held.blocks)


@pytest.mark.slow
def test_it_is_compressed_and_finds_what_a_multiplication_finds(index: Index, vectors: np.ndarray) -> None:
    assert is_compressed(index) and len(index._held.blocks) == 3
    for row in range(0, TEMPLATES, 25):
        probe = near(vectors[row], 0.43, seed=row + 1)
        cosines = vectors @ probe
        found = index.nearest(template_of(probe))
        assert found.subject == f"person {int(cosines.argmax()) // EACH}"
        assert found.similarity == pytest.approx(float(cosines.max()), abs=1e-6)


def test_what_is_proposed_wrongly_is_not_similar(
    index: Index, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the codes say: the similarity is the cosine with the template, so the threshold holds."""
    found = index.nearest(template_of(vectors[7]))
    assert found.subject == "person 0" and found.similarity == pytest.approx(1.0, abs=1e-6)
    rotation = index._held.rotation
    assert rotation is not None
    probe = rotation @ vectors[7]
    blocks = index._held.blocks
    wrong = next(row for row in range(9) if max(float(block.matrix[row] @ probe) for block in blocks) < 0.43)
    monkeypatch.setattr("faceauth.gallery.compression.Codes.rows_near", lambda codes, probe, most: np.array([wrong]))
    cosines = {float(block.matrix[wrong] @ probe): block.subjects[wrong] for block in blocks}
    found = index.nearest(template_of(vectors[7]))
    assert found.subject == cosines[max(cosines)]
    assert found.similarity == pytest.approx(max(cosines), abs=1e-5)


def test_who_is_enrolled_or_deleted_is_found_or_not_from_then_on(
    gallery: Gallery, index: Index, vectors: np.ndarray
) -> None:
    new = on_the_sphere(2, DIMENSIONS, seed=2)
    add_subject(gallery, "eve", enrolment_of(new), consent="form 1")
    delete_subject(gallery, "person 4")
    assert index.refresh() == TEMPLATES + len(new) - EACH and is_compressed(index)
    assert index.nearest(template_of(new[1])).subject == "eve"
    assert index.nearest(template_of(vectors[4 * EACH + 1])).similarity < 0.5
    kept = {template_id for block in index._held.blocks for template_id in block.template_ids}
    assert len(kept) == TEMPLATES + len(new) - EACH


@pytest.mark.slow
def test_a_gallery_that_shrinks_to_what_is_multiplied_is_multiplied(
    gallery: Gallery, index: Index, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a limit that rises, so that there are blocks that nobody left."""
    monkeypatch.setattr(searching, "MOST_MULTIPLIED", TEMPLATES)
    delete_subject(gallery, "person 0")
    add_subject(gallery, "person 0", enrolment_of(vectors[:1]), consent="form 1")
    assert index.refresh() == TEMPLATES - EACH + 1
    assert [block.codes for block in index._held.blocks if block.codes is not None] == []
    assert index.nearest(template_of(vectors[-1])).similarity == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow
def test_without_being_asked_nothing_is_compressed(gallery: Gallery, vectors: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"faceauth\[faiss\].*method='faiss'"):
        Index(gallery, "fake").refresh()


def test_without_faiss_it_is_refused_and_the_extra_is_named(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UsageError, match=r"pip install 'faceauth\[faiss\]'"):
        Index(gallery, "fake", method="faiss")


def test_an_unknown_method_is_refused(gallery: Gallery) -> None:
    with pytest.raises(UsageError, match=r"'hnsw'.*numpy or faiss"):
        Index(gallery, "fake", method="hnsw")  # type: ignore[arg-type]


def test_embeddings_that_cannot_be_split_are_refused(gallery: Gallery, faiss: None) -> None:
    for number, some in enumerate(np.split(on_the_sphere(1100, 16), 11)):
        add_subject(gallery, f"person {number}", enrolment_of(some), consent="form 1")
    with pytest.raises(UsageError, match="multiple of 64 numbers, not of 16"):
        Index(gallery, "fake", method="faiss").refresh()


def test_no_file_is_written(index: Index, gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither beside the gallery nor where temporary files go; and none in the gallery holds a searched vector."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    again = Index(gallery, "fake", method="faiss")
    again.refresh()
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for block in again._held.blocks:
        for row in block.matrix:
            assert row[:3].tobytes() not in content

"""The benchmark behind SFace's match points counts pairs and resamples people as it says."""

from itertools import combinations

import numpy as np
import pytest

from benchmarks.lfw_match import DRAWS, Similarities, all_pairs, fmr, fnmr
from faceauth.metrics.intervals import wilson

PEOPLE, IMAGES, THRESHOLD = 8, 3, 0.7


@pytest.fixture(scope="module")
def vectors() -> dict[str, np.ndarray]:
    """Three images of each of eight people; half of the people look the same in all of theirs, half do not."""
    generator = np.random.default_rng(1)
    spread = np.repeat([0.0, 2.0], PEOPLE // 2)[:, None]
    angles = generator.uniform(0, 2 * np.pi, (PEOPLE, 1)) + spread * generator.normal(0, 1, (PEOPLE, IMAGES))
    return {
        f"Person_{person}_{image:04d}.jpg": np.array([np.cos(angle), np.sin(angle)], np.float32)
        for person, row in enumerate(angles)
        for image, angle in enumerate(row)
    }


@pytest.fixture(scope="module")
def pairs(vectors: dict[str, np.ndarray]) -> Similarities:
    return all_pairs(vectors)


def person(name: str) -> str:
    return name.rsplit("_", 1)[0]


def test_every_pair_of_different_people_counts_once(pairs: Similarities, vectors: dict[str, np.ndarray]) -> None:
    cosines = [float(vectors[a] @ vectors[b]) for a, b in combinations(vectors, 2) if person(a) != person(b)]
    measured = fmr(pairs, THRESHOLD)
    assert (measured.errors, measured.n) == (sum(cosine >= THRESHOLD for cosine in cosines), len(cosines))
    assert 0 < measured.errors < measured.n


def test_every_pair_of_one_person_counts_once(pairs: Similarities, vectors: dict[str, np.ndarray]) -> None:
    cosines = [float(vectors[a] @ vectors[b]) for a, b in combinations(vectors, 2) if person(a) == person(b)]
    measured = fnmr(pairs, THRESHOLD)
    assert (measured.errors, measured.n) == (sum(cosine < THRESHOLD for cosine in cosines), len(cosines))
    assert 0 < measured.errors < measured.n


def test_a_similarity_at_the_threshold_is_a_match(pairs: Similarities) -> None:
    exact = pairs._replace(cosine=np.full_like(pairs.cosine, THRESHOLD))
    assert fmr(exact, float(np.float32(THRESHOLD))).value == 1.0
    assert fnmr(exact, float(np.float32(THRESHOLD))).value == 0.0


@pytest.mark.parametrize("one_person", [False, True], ids=["fmr", "fnmr"])
def test_interval_is_that_of_drawing_whole_people(
    pairs: Similarities, vectors: dict[str, np.ndarray], one_person: bool
) -> None:
    """Drawn here the long way: a pair of strangers counts once for every pair of their copies, nobody for their own."""
    times = np.random.default_rng(0).multinomial(PEOPLE, np.full(PEOPLE, 1 / PEOPLE), size=DRAWS)
    errors, counts = np.zeros(DRAWS), np.zeros(DRAWS)
    for a, b in combinations(vectors, 2):
        first, second = (int(person(name).rpartition("_")[2]) for name in (a, b))
        if (first == second) == one_person:
            weight = times[:, first] * (1 if one_person else times[:, second])
            counts += weight
            errors += weight * ((float(vectors[a] @ vectors[b]) >= THRESHOLD) != one_person)
    measured = (fnmr if one_person else fmr)(pairs, THRESHOLD)
    low, high = np.quantile(errors / counts, (0.025, 0.975))
    floor = wilson(measured.errors, measured.n)
    assert (measured.low, measured.high) == pytest.approx((min(low, floor.low), max(high, floor.high)))
    assert high > floor.high  # or the draws would not show

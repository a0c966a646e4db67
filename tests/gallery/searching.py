"""Points that support a few templates, and templates of directions drawn at random."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from faceauth.gallery import Enrolment
from faceauth.results import Template
from faceauth.testing import FakeEmbedder
from faceauth.thresholds import MatchPoint, MatchPoints, MeasuredRate
from tests.pipelines import RATE, fake_pipeline, match_points

ROOT = Path(__file__).parents[2]


def measured(threshold: float, high: float) -> MatchPoint:
    rate = MeasuredRate(errors=3, n=100_000, value=high / 2, low=0.0, high=high, interval="invented")
    return MatchPoint(threshold=threshold, fmr=rate, fnmr=RATE, measured_on="invented")


CURVE = (measured(0.5, 0.005), measured(0.9, 0.0033))
"""Supports two templates at 0.5 and three at 0.9: 0.01 / 0.0033 = 3.03."""

POINTS = MatchPoints.model_validate({**dict(match_points(0.3, 0.4, 0.5)), "curve": CURVE})
PIPELINE = fake_pipeline(embedder=FakeEmbedder(match_points=POINTS))


def on_the_sphere(n: int, dimensions: int, *, seed: int = 0) -> np.ndarray:
    """float64, n x D, of unit length."""
    drawn = np.random.default_rng(seed).normal(size=(n, dimensions))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def template_of(vector: np.ndarray, *, model_id: str = "fake") -> Template:
    return Template(model_id=model_id, vector=tuple(vector.tolist()))


def enrolment_of(vectors: Iterable[np.ndarray]) -> Enrolment:
    return Enrolment(templates=tuple(template_of(one) for one in vectors), verifications=(), refused=())

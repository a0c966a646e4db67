"""Generated attacks on the public-domain portrait, a few of each kind: what `benchmarks.challenge_attacks` counts."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
from benchmarks.challenge_attacks import SHARES, Source, measure, usable
from benchmarks.challenge_clips import noisy, tilted
from faceauth.imaging.decoding import load_image

COLLINS = Path(__file__).parents[2] / "examples" / "collins.jpg"


@pytest.fixture(scope="module")
def source() -> Source:
    """The portrait; the second image of the same person is its mirror image."""
    image = np.ascontiguousarray(load_image(COLLINS)[:320, 60:380])  # the face has 90 pixels
    found = usable(image, np.ascontiguousarray(image[:, ::-1]))
    assert found is not None
    return found


def test_the_kinds_are_those_of_the_thousand_sequences() -> None:
    assert set(SHARES) == {"planes", "zoom", "cut", "loop", "swap", "order", "delay"}
    assert sum(SHARES.values()) == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("attack", [kind for kind in SHARES if kind != "swap"])
def test_no_attack_passes_turn(source: Source, attack: str) -> None:
    """`swap` needs a second person, whose photo is not in the public domain."""
    row = measure("turn", attack, [source], 2)
    assert row["passed"] == 0, row
    reasons = {"challenge_unclear", "challenge_failed", "track_broken", "stream_ended"}
    assert set(row["reasons"]) <= reasons  # type: ignore[call-overload]


@pytest.mark.slow
def test_a_simulated_head_that_answers_passes_turn(source: Source) -> None:
    assert measure("turn", "head", [source], 3)["passed"] == 3


def test_clips_move_the_pixels_and_never_repeat_a_frame(source: Source) -> None:
    assert not np.array_equal(tilted(source.image, source.face, 20), source.image)
    rng = np.random.default_rng(0)
    assert len({noisy(source.image, rng).tobytes() for _ in range(200)}) == 200

"""Augmentation keeps the shape, the face and the box, whatever it draws."""

import numpy as np
import pytest

from faceauth.stages import Image
from training.train.augmentation import (
    CLOSE,
    Framing,
    augment,
    batch_of,
    context_shown,
    cutmix,
    draw_framing,
    erase,
    framed,
    mixup,
    recolour,
)
from training.train.recipe import AugmentationSettings

SETTINGS = AugmentationSettings(camera=0.7, recolour=0.4, greyscale=0.1, erasing=0.25)


def noise(seed: int, low: int = 0, high: int = 256, size: int = 48) -> Image:
    return np.random.default_rng(seed).integers(low, high, (size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("seed", range(12))
def test_any_framing_and_any_augmentation_give_a_view_of_the_size_asked_for(seed: int) -> None:
    rng = np.random.default_rng(seed)
    view = framed(noise(seed, size=90), (20, 20, 60, 70), draw_framing(SETTINGS, rng), 48)
    view = augment(view, SETTINGS, rng, reference=noise(seed + 100))
    assert view.shape == (48, 48, 3) and view.dtype == np.uint8 and view.flags.c_contiguous


@pytest.mark.parametrize("shift", [(-9.0, 0.0), (9.0, 0.0), (0.0, -9.0), (0.0, 9.0), (-9.0, 9.0)])
@pytest.mark.parametrize("box", [(20, 20, 60, 70), (-39.5, 10, 0.5, 50), (89.5, 89.5, 130, 130)])
def test_no_shift_moves_the_box_out_of_the_image(
    shift: tuple[float, float], box: tuple[float, float, float, float]
) -> None:
    """A box wholly outside is refused, and one bad draw would end a night's training."""
    assert framed(noise(0, size=90), box, Framing(1.5, shift, False), 32).shape == (32, 32, 3)


def test_context_is_drawn_within_its_range_and_fixed_where_the_range_is_a_point() -> None:
    rng = np.random.default_rng(0)
    scales = [draw_framing(SETTINGS, rng).scale for _ in range(200)]
    assert SETTINGS.context_low <= min(scales) < 1.1 and 2.5 < max(scales) <= SETTINGS.context_high
    fixed = AugmentationSettings(context_low=2.7, context_high=2.7)
    assert draw_framing(fixed, rng).scale == pytest.approx(2.7)


@pytest.mark.parametrize(("close", "expected"), [(0.0, 0.18), (0.5, 0.59), (1.0, 1.0)])
def test_a_share_of_the_views_shows_next_to_nothing_but_the_face(close: float, expected: float) -> None:
    """Of a context from 1.0 to 2.7, drawn evenly on a logarithmic scale, 18 in a hundred lie below 1.2 by chance."""
    rng = np.random.default_rng(0)
    settings = AugmentationSettings(context_low=1.0, close=close)
    scales = np.array([draw_framing(settings, rng).scale for _ in range(2000)])
    assert abs((scales <= CLOSE).mean() - expected) < 0.03


def test_an_image_that_ends_at_the_face_shows_no_more_than_it_holds() -> None:
    wide = Framing(2.6, (0, 0), False)
    assert context_shown(noise(0, size=90), (5, 5, 85, 85), wide) == pytest.approx(90 / 80)
    assert context_shown(noise(0, size=90), (30, 30, 60, 60), wide) == pytest.approx(2.6)


def test_a_flip_mirrors_the_view() -> None:
    image, box = noise(0, size=90), (20, 20, 60, 70)
    straight, mirrored = (framed(image, box, Framing(1.5, (0, 0), flip), 48) for flip in (False, True))
    np.testing.assert_array_equal(straight[:, ::-1], mirrored)


def test_recolouring_moves_mean_and_spread_to_the_reference() -> None:
    view, reference = noise(0, 100, 160), noise(1, 20, 110)
    moved = recolour(view, reference, 1.0)
    np.testing.assert_allclose(moved.mean((0, 1)), reference.mean((0, 1)), atol=2)
    np.testing.assert_allclose(moved.std((0, 1)), reference.std((0, 1)), rtol=0.1)
    half = recolour(view, reference, 0.5).mean()
    assert abs(half - (view.mean() + reference.mean()) / 2) < 2


def test_greyscale_leaves_no_colour_and_nothing_leaves_the_view_as_it_is() -> None:
    grey = augment(noise(0), AugmentationSettings(greyscale=1), np.random.default_rng(0), reference=noise(1))
    assert (grey == grey[..., :1]).all()
    same = augment(noise(0), AugmentationSettings(), np.random.default_rng(0), reference=noise(1))
    np.testing.assert_array_equal(same, noise(0))


@pytest.mark.parametrize("seed", range(6))
def test_erasing_covers_at_most_a_sixth(seed: int) -> None:
    view = noise(0)
    changed = (erase(view, np.random.default_rng(seed)) != view).any(axis=2)
    assert 0 < changed.mean() <= 0.4**2


def test_a_batch_turns_bgr_to_rgb() -> None:
    blue = np.zeros((4, 4, 3), np.uint8)
    blue[..., 0] = 255
    assert batch_of([blue, blue])[1, 0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("seed", range(6))
def test_cutmix_shows_one_image_inside_a_rectangle_and_the_other_outside(seed: int) -> None:
    view, other = np.zeros((48, 48, 3), np.uint8), np.full((48, 48, 3), 255, np.uint8)
    mixed = cutmix(view, other, np.random.default_rng(seed))
    rows, columns, _ = (np.unique(places) for places in np.nonzero(mixed))
    assert (mixed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 255).all()
    assert mixed.sum() == 255 * 3 * len(rows) * len(columns)
    assert 0.3 * 48 - 1 < min(len(rows), len(columns)) <= max(len(rows), len(columns)) < 0.9 * 48
    assert not view.any()


def test_mixup_lies_between_its_images() -> None:
    view, other = noise(0), noise(1)
    mixed = mixup(view, other, np.random.default_rng(0)).astype(int)
    assert (mixed >= np.minimum(view, other).astype(int)).all() and (mixed <= np.maximum(view, other)).all()
    assert (mixed != view).any() and (mixed != other).any()

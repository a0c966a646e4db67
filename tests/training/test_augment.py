"""Augmentation keeps the shape, the face and the box, whatever it draws."""

import numpy as np
import pytest

from faceauth.stages import Image
from training.augment import (
    CLOSE,
    Box,
    Framing,
    batch_of,
    blend,
    degrade,
    draw_framing,
    exchange_background,
    face_in_view,
    frame,
    occlude,
    patch,
    recolour,
    texture,
    worsen,
)
from training.config import ViewSettings

SETTINGS = ViewSettings(size=48, worsen=0.5)


def noise(seed: int, low: int = 0, high: int = 256, size: int = 48) -> Image:
    return np.random.default_rng(seed).integers(low, high, (size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("seed", range(12))
def test_any_framing_and_any_nuisance_give_a_view_of_the_size_asked_for(seed: int) -> None:
    rng = np.random.default_rng(seed)
    view = frame(noise(seed, size=90), (20, 20, 60, 70), draw_framing(SETTINGS, rng), SETTINGS.size)
    view = degrade(view, SETTINGS, rng, reference=noise(seed + 100))
    assert view.shape == (48, 48, 3) and view.dtype == np.uint8 and view.flags.c_contiguous


@pytest.mark.parametrize("shift", [(-9.0, 0.0), (9.0, 0.0), (0.0, -9.0), (0.0, 9.0), (-9.0, 9.0)])
@pytest.mark.parametrize("box", [(20, 20, 60, 70), (-39.5, 10, 0.5, 50), (89.5, 89.5, 130, 130)])
def test_no_shift_moves_the_box_out_of_the_picture(
    shift: tuple[float, float], box: tuple[float, float, float, float]
) -> None:
    """``square_crop`` refuses a box wholly outside, and one bad draw would end a night's training."""
    assert frame(noise(0, size=90), box, Framing(1.5, shift, False), 32).shape == (32, 32, 3)


def test_context_is_drawn_within_its_range_and_fixed_where_the_range_is_a_point() -> None:
    rng = np.random.default_rng(0)
    scales = [draw_framing(SETTINGS, rng).scale for _ in range(200)]
    assert SETTINGS.scale_low <= min(scales) < 1.1 and 2.5 < max(scales) <= SETTINGS.scale_high
    fixed = ViewSettings(scale_low=2.7, scale_high=2.7)
    assert draw_framing(fixed, rng).scale == pytest.approx(2.7)


@pytest.mark.parametrize(("close", "expected"), [(0.0, 0.18), (0.5, 0.59), (1.0, 1.0)])
def test_a_share_of_the_views_shows_next_to_nothing_but_the_face(close: float, expected: float) -> None:
    """Of a context from 1.0 to 2.7, drawn evenly on a logarithmic scale, 18 in a hundred lie below 1.2 by chance."""
    rng = np.random.default_rng(0)
    settings = ViewSettings(close=close)
    scales = np.array([draw_framing(settings, rng).scale for _ in range(2000)])
    assert abs((scales <= CLOSE).mean() - expected) < 0.03


@pytest.mark.parametrize(("close_pairs", "expected"), [(None, 0.0), (1.0, 1.0)])
def test_the_two_of_a_pair_have_a_share_of_their_own_if_the_recipe_says_so(
    close_pairs: float | None, expected: float
) -> None:
    rng = np.random.default_rng(0)
    settings = ViewSettings(scale_low=1.19, close=0.0, close_pairs=close_pairs)
    for in_pair, share in ((True, expected), (False, 0.0)):
        close = [draw_framing(settings, rng, in_pair=in_pair).scale <= CLOSE for _ in range(200)]
        assert abs(np.mean(close) - share) < 0.05


def test_a_flip_mirrors_the_view() -> None:
    image, box = noise(0, size=90), (20, 20, 60, 70)
    straight, mirrored = (frame(image, box, Framing(1.5, (0, 0), flip), 48) for flip in (False, True))
    np.testing.assert_array_equal(straight[:, ::-1], mirrored)


def test_recolouring_moves_mean_and_spread_to_the_reference() -> None:
    view, reference = noise(0, 100, 160), noise(1, 20, 110)
    moved = recolour(view, reference, 1.0)
    np.testing.assert_allclose(moved.mean((0, 1)), reference.mean((0, 1)), atol=2)
    np.testing.assert_allclose(moved.std((0, 1)), reference.std((0, 1)), rtol=0.1)
    half = recolour(view, reference, 0.5).mean()
    assert abs(half - (view.mean() + reference.mean()) / 2) < 2


@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.4, 0.6)])
def test_exchanging_the_background_keeps_the_face_and_takes_the_corners(centre: tuple[float, float]) -> None:
    view, background = np.full((64, 64, 3), 200, np.uint8), np.full((64, 64, 3), 30, np.uint8)
    x, y = (round(64 * share) for share in centre)
    for seed in range(10):
        mixed = exchange_background(view, background, np.random.default_rng(seed), (*centre, 0.4))
        assert mixed[y - 4 : y + 4, x - 4 : x + 4].min() >= 198
        assert mixed[[0, 0, -1, -1], [0, -1, 0, -1]].max() <= 32


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("box", [(20.0, 20.0, 50.0, 60.0), (60.0, 10.0, 90.0, 50.0)])
def test_the_face_is_where_it_is_said_to_be_in_the_view(box: Box, flip: bool) -> None:
    """Its box is painted, and the square is shifted where it would leave the picture."""
    image = np.zeros((100, 100, 3), np.uint8)
    image[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = 255
    framing = Framing(1.9, (0.05, -0.05), flip)
    x, y, longer = face_in_view(image, box, framing)
    bright = np.argwhere(frame(image, box, framing, 200)[..., 0] > 127)
    np.testing.assert_allclose(bright.mean(axis=0) / 200, (y, x), atol=0.02)
    assert np.ptp(bright[:, 0]) / 200 == pytest.approx(longer, abs=0.02)


def test_texture_and_occlusion_change_some_pixels_and_no_shape() -> None:
    view = np.full((48, 48, 3), 120, np.uint8)
    for change in (texture, occlude):
        changed = change(view, np.random.default_rng(3))
        assert changed.shape == view.shape and (changed != view).any()
    covered = (occlude(view, np.random.default_rng(3)) != view).any(axis=2).mean()
    assert covered <= 0.4**2


def test_worse_views_are_darker_brighter_softer_or_nothing_of_it() -> None:
    view = noise(0, 60, 200)
    worse = [worsen(view, np.random.default_rng(seed)) for seed in range(60)]
    brightness = [float(w.mean() / view.mean()) for w in worse]
    detail = [float(np.abs(np.diff(w.astype(float), axis=1)).mean() / w.mean()) for w in worse]
    as_it_is = float(np.abs(np.diff(view.astype(float), axis=1)).mean() / view.mean())
    assert min(brightness) < 0.4 and max(brightness) > 1.5
    assert min(detail) < as_it_is / 5
    assert any(np.array_equal(w, view) for w in worse)


def test_a_view_is_made_worse_only_where_the_recipe_says_so() -> None:
    nothing = {"camera": 0, "recolour": 0, "greyscale": 0, "texture": 0, "occlusion": 0}
    never, always = (ViewSettings(size=48, worsen=p, **nothing) for p in (0.0, 1.0))
    view = noise(0)
    changed = [
        [not np.array_equal(degrade(view, s, np.random.default_rng(seed), reference=None), view) for seed in range(40)]
        for s in (never, always)
    ]
    assert not any(changed[0]) and sum(changed[1]) > 30


def test_a_batch_turns_bgr_to_rgb() -> None:
    blue = np.zeros((4, 4, 3), np.uint8)
    blue[..., 0] = 255
    assert batch_of([blue, blue])[1, 0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("seed", range(6))
def test_a_patched_view_is_one_picture_inside_a_rectangle_and_the_other_outside(seed: int) -> None:
    view, other = np.zeros((48, 48, 3), np.uint8), np.full((48, 48, 3), 255, np.uint8)
    patched = patch(view, other, np.random.default_rng(seed))
    rows, columns, _ = (np.unique(places) for places in np.nonzero(patched))
    assert (patched[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 255).all()
    assert patched.sum() == 255 * 3 * len(rows) * len(columns)
    assert 0.3 * 48 - 1 < min(len(rows), len(columns)) <= max(len(rows), len(columns)) < 0.9 * 48
    assert not view.any()


def test_a_blend_lies_between_its_pictures() -> None:
    view, other = noise(0), noise(1)
    mixed = blend(view, other, np.random.default_rng(0)).astype(int)
    assert (mixed >= np.minimum(view, other).astype(int)).all() and (mixed <= np.maximum(view, other)).all()
    assert (mixed != view).any() and (mixed != other).any()

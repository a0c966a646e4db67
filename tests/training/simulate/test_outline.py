"""Scissors: a cut lies where the face is, holes lie on the eyes, and what is behind is seen through them."""

from collections.abc import Callable

import numpy as np
import pytest

from training.simulate.outline import cut_along, face, head, skin_behind, with_eye_holes
from training.simulate.placement import View
from training.simulate.scene import Scene, to_linear
from training.simulate.surface import inside, over, shadow

ViewOf = Callable[..., View]


@pytest.mark.parametrize("outline", [face, head])
@pytest.mark.parametrize("seed", range(5))
def test_a_cut_keeps_the_face_and_drops_the_corners(
    live: Scene, view_of: ViewOf, outline: Callable[[np.random.Generator], np.ndarray], seed: int
) -> None:
    view = view_of(live)
    cover, printed = cut_along(live, outline(np.random.default_rng(seed)), view)
    inner = ((view.x - 110) / 30) ** 2 + ((view.y - 120) / 42) ** 2 < 1
    assert cover[inner].min() > 0.99
    assert cover[:10, :10].max() < 0.01
    assert printed.min() == 1  # without a margin all of it is print


def test_a_margin_leaves_a_white_rim(live: Scene, view_of: ViewOf) -> None:
    cover, printed = cut_along(live, face(np.random.default_rng(0)), view_of(live), margin=0.1)
    rim = (cover > 0.9) & (printed < 0.1)
    assert 0.05 < rim.sum() / (cover > 0.9).sum() < 0.35


def test_a_masks_outline_is_smaller_than_a_heads() -> None:
    for seed in range(10):
        small, large = (np.ptp(outline(np.random.default_rng(seed)), axis=0) for outline in (face, head))
        assert (small < large + 0.1).all() and small[1] < large[1]


def test_eyes_look_through_the_holes(live: Scene, view_of: ViewOf) -> None:
    view = view_of(live)
    paper = np.zeros((*view.shape_hw, 3), np.float32)
    behind = np.ones_like(paper)
    for seed in range(10):
        open_ = with_eye_holes(paper, behind, live, view, np.random.default_rng(seed))[..., 1] > 0.01
        across, down = (view.x - 65) / 90, (view.y - 60) / 120  # in sides of the face box
        for eye in (0.31, 0.69):
            assert open_[(np.abs(across - eye) < 0.03) & (np.abs(down - 0.42) < 0.012)].mean() > 0.9
        assert not open_[(down > 0.55) | (down < 0.3)].any()
        assert not open_[np.abs(across - 0.5) < 0.02].any()
        assert 0.005 < open_.sum() / (np.abs(across - 0.5) < 0.5).sum() < 0.2


def test_behind_a_hole_it_is_darker_than_before_it(live: Scene, view_of: ViewOf) -> None:
    view = view_of(live)
    paper, behind = (np.full((*view.shape_hw, 3), value, np.float32) for value in (0.5, 0.5))
    darkest = [with_eye_holes(paper, behind, live, view, np.random.default_rng(s)).min() for s in range(20)]
    assert max(darkest) < 0.5
    assert min(darkest) < 0.15  # at times nothing is to be seen there


def test_the_skin_behind_is_the_persons_own(live: Scene, view_of: ViewOf) -> None:
    view = view_of(live)
    own = to_linear(live.image)[115:125, 105:115].mean(axis=(0, 1))
    skin = skin_behind(live, view, np.random.default_rng(0))[view.shape_hw[0] // 2, view.shape_hw[1] // 2]
    np.testing.assert_allclose(skin / skin.sum(), own / own.sum(), atol=0.03)


def test_a_box_covers_what_lies_inside_and_a_shadow_only_darkens(live: Scene, view_of: ViewOf) -> None:
    view = view_of(live)
    cover = inside((60.0, 60.0, 160.0, 180.0), view, corner=10.0)
    assert cover.sum() / view.scale**2 == pytest.approx(100 * 120 - (4 - np.pi) * 100, rel=0.02)
    shade = shadow(cover, (8.0, 8.0), 4.0, 0.5)
    assert shade.min() == pytest.approx(0.5, abs=0.02) and shade.max() == pytest.approx(1, abs=1e-3)
    top, below = np.ones((*view.shape_hw, 3), np.float32), np.zeros((*view.shape_hw, 3), np.float32)
    np.testing.assert_array_equal(over(top, cover, below)[..., 0], cover)

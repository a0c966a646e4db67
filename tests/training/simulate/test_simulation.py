"""The recapture simulator keeps its contract: seeded, well-shaped, every species, and the print without its sheet."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from training.simulate import FAMILIES, Scene, recapture, simulation
from training.simulate.scene import Exposure, Image, Lens

FILLING = ["print", "bent_print", "eye_holes", "phone", "monitor"]
LENS = Lens(1.0, 0.0)


def light_of(live: Scene, family: str, seed: int, *, fills: bool, background: Image | None = None) -> np.ndarray:
    return FAMILIES[family].render(live, background, LENS, np.random.default_rng(seed), fills=fills).light


def on_grey(live: Scene) -> Scene:
    return Scene(np.full_like(live.image, 128), live.box_xyxy)


@pytest.mark.parametrize("family", FAMILIES)
def test_same_generator_state_gives_the_same_bytes(live: Scene, family: str) -> None:
    first, _ = recapture(live, live.image, np.random.default_rng(3), family=family)
    second, _ = recapture(live, live.image, np.random.default_rng(3), family=family)
    assert first.box_xyxy == second.box_xyxy
    np.testing.assert_array_equal(first.image, second.image)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(6))
def test_an_attack_is_an_image_with_its_face_inside(live: Scene, family: str, seed: int) -> None:
    attack, name = recapture(live, None, np.random.default_rng(seed), family=family)
    height, width = attack.image.shape[:2]
    x0, y0, x1, y1 = attack.box_xyxy
    assert name == family
    assert attack.image.dtype == np.uint8 and attack.image.shape[2] == 3
    assert x1 - x0 > 20 and y1 - y0 > 20
    shown = (min(x1, width) - max(x0, 0)) * (min(y1, height) - max(y0, 0))
    assert shown > 0.75 * (x1 - x0) * (y1 - y0)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_changes_the_face(live: Scene, family: str) -> None:
    def face(scene: Scene) -> np.ndarray:
        height, width = scene.image.shape[:2]
        x0, y0, x1, y1 = (max(0, round(v)) for v in scene.box_xyxy)
        return cv2.resize(scene.image[y0 : min(y1, height), x0 : min(x1, width)], (64, 64)).astype(int)

    for seed in range(3):
        attack, _ = recapture(live, None, np.random.default_rng(seed), family=family)
        assert np.abs(face(attack) - face(live)).mean() > 3


def test_a_family_is_drawn_by_its_share_when_none_is_named(live: Scene) -> None:
    rng = np.random.default_rng(0)
    drawn = [simulation._draw_family(rng) for _ in range(3000)]
    shares = sum(family.share for family in FAMILIES.values())
    for name, family in FAMILIES.items():
        assert drawn.count(name) / 3000 == pytest.approx(family.share / shares, abs=0.03)
    assert {recapture(live, None, rng)[1] for _ in range(60)} == set(FAMILIES)


def test_every_species_that_a_still_image_can_show_has_a_family() -> None:
    assert {name: family.species for name, family in FAMILIES.items()} == {
        "print": "print",
        "bent_print": "print",
        "eye_holes": "cutout",
        "cutout": "cutout",
        "phone": "replay",
        "monitor": "replay",
        "paper_mask": "mask",
    }


def test_the_live_image_is_left_untouched(live: Scene) -> None:
    before = live.image.copy()
    for family in FAMILIES:
        recapture(live, live.image, np.random.default_rng(2), family=family)
    np.testing.assert_array_equal(live.image, before)


def test_a_box_beyond_a_tight_image_is_accepted(live: Scene) -> None:
    tight = Scene(live.image[60:180, 65:155], (-20.0, -15.0, 95.0, 130.0))
    for family in FAMILIES:
        attack, _ = recapture(tight, None, np.random.default_rng(4), family=family)
        assert attack.image.size > 0


@pytest.mark.parametrize("tight, low, high", [(False, 0.5, 0.7), (True, 0.75, 0.95)])
def test_more_than_half_of_the_media_fill_the_frame(
    live: Scene, monkeypatch: pytest.MonkeyPatch, tight: bool, low: float, high: float
) -> None:
    told = []

    def render(
        scene: Scene, background: Image | None, lens: Lens, rng: np.random.Generator, *, fills: bool
    ) -> Exposure:
        told.append((fills, lens.blur_px))
        return Exposure(np.full((40, 40, 3), 0.2, np.float32), (10.0, 10.0, 30.0, 30.0))

    monkeypatch.setitem(FAMILIES, "print", replace(FAMILIES["print"], render=render))
    scene = Scene(live.image[60:180], (65.0, 0.0, 155.0, 120.0)) if tight else live
    for seed in range(300):
        recapture(scene, None, np.random.default_rng(seed), family="print")
    assert low < np.mean([fills for fills, _ in told]) < high
    assert np.mean([blur / 1.5 < 0.3 for fills, blur in told if fills]) > 0.8  # and are mostly in focus


@pytest.mark.parametrize("family", FILLING)
@pytest.mark.parametrize("seed", range(6))
def test_nothing_behind_a_medium_that_fills_the_frame_is_seen(live: Scene, family: str, seed: int) -> None:
    black, white = (np.full_like(live.image, value) for value in (0, 255))
    one, other = (light_of(live, family, seed, fills=True, background=room) for room in (black, white))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("family", ["print", "bent_print", "phone", "monitor"])
@pytest.mark.parametrize("seed", range(12))
def test_no_edge_hand_or_reflection_is_seen_on_a_medium_that_fills_the_frame(
    live: Scene, family: str, seed: int
) -> None:
    light = light_of(on_grey(live), family, seed, fills=True).mean(axis=2)
    blocks = cv2.resize(light, (12, 12), interpolation=cv2.INTER_AREA)
    assert blocks.max() < 2.5 * blocks.min()  # a white margin, a bezel or a lamp would be more


@pytest.mark.parametrize("family", [*FILLING, "cutout"])
def test_other_media_show_the_room(live: Scene, family: str) -> None:
    black, white = (np.full_like(live.image, value) for value in (0, 255))
    seen = [
        not np.array_equal(*(light_of(live, family, seed, fills=False, background=room) for room in (black, white)))
        for seed in range(6)
    ]
    assert np.mean(seen) > 0.3


def test_a_mask_leaves_the_hair_and_changes_the_face(live: Scene) -> None:
    for seed in range(6):
        light = light_of(live, "paper_mask", seed, fills=True)
        other = light_of(Scene(255 - live.image, live.box_xyxy), "paper_mask", seed, fills=True)
        assert light.shape == other.shape
        corner = light[:12, :12] / light[:12, :12].mean()
        own = (live.image[:12, :12].astype(np.float64) / 255) ** 2.2
        np.testing.assert_allclose(corner.mean(axis=(0, 1)), own.mean(axis=(0, 1)) / own.mean(), rtol=0.6)


def test_an_attack_is_about_as_bright_as_live_images_are(live: Scene) -> None:
    """Brightness may not give the label away."""
    ratio = [
        recapture(live, None, np.random.default_rng(seed))[0].image.mean() / live.image.mean() for seed in range(40)
    ]
    assert 0.8 < np.median(ratio) < 1.35
    assert np.percentile(ratio, 10) < 0.95 < 1.15 < np.percentile(ratio, 90)


def test_the_attackers_copy_is_mostly_the_image_itself(live: Scene) -> None:
    same = [
        np.array_equal(simulation._attackers_copy(live.image, np.random.default_rng(seed)), live.image)
        for seed in range(100)
    ]
    assert 0.7 < np.mean(same) < 0.9

"""The recapture simulator keeps its contract: seeded, well-shaped, and physical where it says so."""

import numpy as np
import pytest

from faceauth.cropping.square import square_crop
from faceauth.weights.cards import CropFacts
from training.simulate import FAMILIES, Scene, camera, recapture
from training.simulate.display import Display, shine
from training.simulate.halftone import RULINGS, blue_noise, clustered_dot, screen
from training.simulate.placement import Bend, Pose, look
from training.simulate.press import draw_press, lay_down, reflect, separate
from training.simulate.scene import Lens


def synthetic_face(height: int = 240, width: int = 220) -> Scene:
    """A bright ellipse with two dark eyes on a slope: enough structure, and no person."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    image = np.stack([60 + x * 0.3, 80 + y * 0.3, 70 + x * 0.1], axis=2)
    image[((x - 110) / 45) ** 2 + ((y - 120) / 60) ** 2 < 1] = (110, 140, 190)
    for eye in (92, 128):
        image[(x - eye) ** 2 + (y - 105) ** 2 < 36] = (20, 20, 20)
    return Scene(image.astype(np.uint8), (65.0, 60.0, 155.0, 180.0))


FACE = CropFacts(size_wh=(64, 64), scale=1.0).spec()


def clean_lens() -> Lens:
    return Lens(sensor_scale=1.0, blur_px=0.0)


def fronto_parallel() -> Pose:
    return Pose(yaw=0.0, pitch=0.0, roll=0.0, distance=4.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_same_generator_state_gives_the_same_bytes(family: str) -> None:
    live = synthetic_face()
    first, _ = recapture(live, live.image, np.random.default_rng(3), family=family)
    second, _ = recapture(live, live.image, np.random.default_rng(3), family=family)
    assert first.box_xyxy == second.box_xyxy
    np.testing.assert_array_equal(first.image, second.image)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(6))
def test_attack_is_a_picture_with_its_face_inside(family: str, seed: int) -> None:
    live = synthetic_face()
    attack, name = recapture(live, None, np.random.default_rng(seed), family=family)
    height, width = attack.image.shape[:2]
    x0, y0, x1, y1 = attack.box_xyxy
    assert name == family
    assert attack.image.dtype == np.uint8 and attack.image.shape[2] == 3
    assert x1 - x0 > 20 and y1 - y0 > 20
    shown = (min(x1, width) - max(x0, 0)) * (min(y1, height) - max(y0, 0))
    assert shown > 0.75 * (x1 - x0) * (y1 - y0)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_changes_the_picture(family: str) -> None:
    live = synthetic_face()
    attack, _ = recapture(live, None, np.random.default_rng(1), family=family)
    before, after = (square_crop(scene.image, scene.box_xyxy, FACE).pixels for scene in (live, attack))
    assert np.abs(before.astype(int) - after).mean() > 3


def test_family_is_drawn_when_none_is_named() -> None:
    live = synthetic_face(160, 220)
    rng = np.random.default_rng(0)
    assert {recapture(live, None, rng)[1] for _ in range(60)} == set(FAMILIES)


def test_live_picture_is_left_untouched() -> None:
    live = synthetic_face()
    before = live.image.copy()
    for family in FAMILIES:
        recapture(live, live.image, np.random.default_rng(2), family=family)
    np.testing.assert_array_equal(live.image, before)


def test_box_beyond_a_tight_picture_is_accepted() -> None:
    live = Scene(synthetic_face().image[60:180, 65:155], (-20.0, -15.0, 95.0, 130.0))
    for family in FAMILIES:
        attack, _ = recapture(live, None, np.random.default_rng(4), family=family)
        assert attack.image.size > 0


@pytest.mark.parametrize("bend", [None, Bend(radius=150.0, upright=True, depth=0.3)])
def test_box_follows_the_pose(bend: Bend | None) -> None:
    """The px that look at the face's ellipse are the ones that the mapped box bounds."""
    live = synthetic_face()
    pose = Pose(yaw=12.0, pitch=-8.0, roll=9.0, distance=4.0, bend=bend)
    view = look(live, (0, 0, 220, 240), pose, clean_lens(), np.random.default_rng(0), fills=False)
    rows, columns = np.nonzero(((view.x - 110) / 45) ** 2 + ((view.y - 120) / 60) ** 2 < 1)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    np.testing.assert_allclose(view.box_xyxy, found, atol=1.5)


def test_camera_keeps_size_and_type_of_a_live_picture() -> None:
    image = synthetic_face(181, 137).image
    rng = np.random.default_rng(0)
    for _ in range(20):
        out = camera(image, rng)
        assert out.shape == image.shape and out.dtype == np.uint8


@pytest.mark.parametrize("thresholds", [*(clustered_dot(a, b) for ruling in RULINGS for a, b in ruling), blue_noise()])
def test_halftone_averages_to_the_tone_it_renders(thresholds: np.ndarray) -> None:
    side = 4 * thresholds.shape[0]
    tones = np.arange(0, 256, 15, dtype=np.uint8)
    means = [screen(np.full((side, side, 1), tone, np.uint8), (thresholds,), (0, 0)).mean() for tone in tones]
    levels = thresholds.size
    assert (np.diff(means) >= 0).all()
    np.testing.assert_allclose(means, tones, atol=255 / levels + 2)


def test_print_gets_lighter_with_the_picture() -> None:
    ramp = np.repeat(np.arange(0, 256, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        press = draw_press(rng)
        light = reflect(lay_down(separate(ramp, press), press, rng), press)
        patches = np.array_split(light.mean(axis=(0, 2)), 8)
        assert (np.diff([patch.mean() for patch in patches]) > -0.01).all()
        assert patches[0].mean() > 0.001 and patches[-1].mean() < 1.0  # paper is no mirror, ink no black hole


def test_moire_emerges_from_sampling_and_vanishes_with_blur() -> None:
    """A flat grey has no structure; seen at 0.97 display px per sensor px its stripes fold to a period of 33 px."""
    flat = Scene(np.full((240, 220, 3), 128, np.uint8), (65.0, 60.0, 155.0, 180.0))
    part = (0.0, 0.0, 220.0, 240.0)

    def beat(pitch: float, blur_px: float) -> float:
        lens = Lens(1.0, blur_px)
        view = look(flat, part, fronto_parallel(), lens, np.random.default_rng(0), fills=True)
        display = Display(pitch, "upright", 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, (1.0, 1.0, 1.0), 1.0, 0.0, 0.0, 1.0)
        light = shine(flat.image, part, view, display, lens, np.random.default_rng(0))
        row = light[light.shape[0] // 2, :, 1]
        spectrum = np.abs(np.fft.rfft((row - row.mean()) * np.hanning(row.size))) / row.size / row.mean()
        return float(spectrum[1 : row.size // 8].max())  # periods above 8 px only

    assert beat(0.97, 0.0) > 0.01
    assert beat(0.97, 1.0) < 1e-3
    assert beat(0.3, 0.0) < 1e-3  # finely sampled: the stripes are seen as stripes, nothing folds down


def test_red_and_blue_of_a_pentile_screen_lie_on_its_diagonals_and_green_has_none() -> None:
    """At 0.25 display px per sensor px: 0.125 cycles along the rows and as many along the columns."""
    flat, part = np.full((240, 220, 3), 128, np.uint8), (0.0, 0.0, 220.0, 240.0)
    lens = Lens(1.0, 0.0)
    scene = Scene(flat, (65.0, 60.0, 155.0, 180.0))
    view = look(scene, part, fronto_parallel(), lens, np.random.default_rng(0), fills=True)
    display = Display(0.25, "pentile", 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, (1.0, 1.0, 1.0), 1.0, 0.0, 0.0, 1.0)
    light = shine(flat, part, view, display, lens, np.random.default_rng(0))
    blue, green = (light[..., channel] / light[..., channel].mean() - 1 for channel in (0, 1))
    assert np.abs(green).max() < 1e-3
    spectrum = np.abs(np.fft.rfft2(blue))
    spectrum[0, 0] = 0
    down, across = np.unravel_index(spectrum.argmax(), spectrum.shape)
    pitch = 0.25 * view.scale
    assert across / blue.shape[1] == pytest.approx(pitch / 2, abs=0.01)
    assert min(down, blue.shape[0] - down) / blue.shape[0] == pytest.approx(pitch / 2, abs=0.01)

"""A camera keeps what it photographs but for the faults that its settings name."""

from dataclasses import replace

import numpy as np
import pytest

from training.simulate import camera
from training.simulate.camera_settings import Camera, draw_camera, steadied
from training.simulate.scene import Lens, Scene, to_linear
from training.simulate.sensor import capture, through_jpeg

PERFECT = Camera(
    lens=Lens(1.0, 0.0),
    motion_px=0.0,
    motion_deg=0.0,
    stops=0.0,
    balance_bgr=(1.0, 1.0, 1.0),
    haze=0.0,
    glow=0.0,
    vignette=0.0,
    bayer=False,
    shot_noise=0.0,
    read_noise=0.0,
    smooth=False,
    gamma=1.0,
    contrast=0.0,
    saturation=1.0,
    sharpen=0.0,
    shrink=1.0,
    jpeg=(),
)


def taken(scene: Scene, settings: Camera) -> np.ndarray:
    height, width = scene.image.shape[:2]
    return capture(to_linear(scene.image), settings, np.random.default_rng(0), (width, height)).astype(np.float64)


def test_a_perfect_camera_gives_back_what_it_sees(live: Scene) -> None:
    np.testing.assert_allclose(taken(live, PERFECT), live.image, atol=1)


def test_the_camera_keeps_size_and_type_of_a_live_image(live: Scene) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        out = camera(live.image[:181, :137], rng)
        assert out.shape == (181, 137, 3) and out.dtype == np.uint8


def test_a_stop_doubles_the_light(grey: Scene) -> None:
    light = [to_linear(taken(grey, replace(PERFECT, stops=s)).astype(np.uint8)).mean() for s in (-1.0, 0.0, 1.0)]
    assert light[1] / light[0] == pytest.approx(2, rel=0.02)
    assert light[2] / light[1] == pytest.approx(2, rel=0.02)


def test_white_balance_casts_and_haze_lifts_the_dark(grey: Scene, live: Scene) -> None:
    blue, green, red = taken(grey, replace(PERFECT, balance_bgr=(1.2, 1.0, 0.8))).mean(axis=(0, 1))
    assert blue > green + 8 and red < green - 8
    assert np.percentile(taken(live, replace(PERFECT, haze=0.3)), 1) > np.percentile(live.image, 1) + 15


def test_blur_motion_and_glow_spread_an_edge(live: Scene) -> None:
    def sharpness(settings: Camera) -> float:
        return float(np.abs(np.diff(taken(live, settings)[..., 1], axis=1)).max())

    sharp = sharpness(PERFECT)
    assert sharpness(replace(PERFECT, lens=Lens(1.0, 1.5))) < 0.5 * sharp
    assert sharpness(replace(PERFECT, motion_px=7.0)) < 0.5 * sharp
    assert sharpness(replace(PERFECT, motion_px=7.0, motion_deg=90.0)) > 0.7 * sharp  # along the edge
    assert sharpness(replace(PERFECT, glow=0.2)) < 0.95 * sharp
    assert sharpness(replace(PERFECT, sharpen=1.0)) > 1.1 * sharp


def test_the_corners_are_darker_by_the_vignette(grey: Scene) -> None:
    light = to_linear(taken(grey, replace(PERFECT, vignette=0.4)).astype(np.uint8))
    assert light[0, 0, 0] / light[120, 110, 0] == pytest.approx(0.6, abs=0.03)


def test_noise_grows_with_the_root_of_the_light(grey: Scene) -> None:
    def noise(shot: float, read: float) -> float:
        light = to_linear(taken(grey, replace(PERFECT, shot_noise=shot, read_noise=read)).astype(np.uint8))
        return float(light[..., 1].std())

    assert noise(4e-3, 0.0) / noise(1e-3, 0.0) == pytest.approx(2, rel=0.1)
    assert noise(1e-3, 0.0) == pytest.approx(np.sqrt(1e-3 * 0.216), rel=0.1)
    assert noise(0.0, 0.02) == pytest.approx(0.02, rel=0.1)


def test_a_denoiser_takes_noise_away(grey: Scene) -> None:
    noisy = replace(PERFECT, read_noise=0.02)
    assert taken(grey, replace(noisy, smooth=True)).std() < 0.6 * taken(grey, noisy).std()


def test_a_mosaic_keeps_a_flat_colour_and_blurs_an_edge(live: Scene) -> None:
    flat = Scene(np.full((40, 40, 3), (60, 120, 200), np.uint8), (5.0, 5.0, 35.0, 35.0))
    np.testing.assert_allclose(taken(flat, replace(PERFECT, bayer=True)), flat.image, atol=1)
    assert np.abs(taken(live, replace(PERFECT, bayer=True)) - live.image).max() > 20


def test_tone_curves(live: Scene) -> None:
    plain = taken(live, PERFECT)
    assert taken(live, replace(PERFECT, gamma=1.3)).mean() < plain.mean() - 10
    assert taken(live, replace(PERFECT, contrast=0.8)).std() > plain.std() + 4
    assert taken(live, replace(PERFECT, saturation=0.4)).std(axis=2).mean() < 0.6 * plain.std(axis=2).mean()
    assert taken(live, replace(PERFECT, shrink=0.4)).std() < plain.std()


def test_poor_jpeg_is_further_from_the_image_than_good_jpeg(live: Scene) -> None:
    poor, good = (np.abs(through_jpeg(live.image, quality).astype(int) - live.image).mean() for quality in (20, 95))
    assert poor > 2 * good


def test_who_takes_care_shoots_sharp_clean_and_evenly(live: Scene) -> None:
    for seed in range(60):
        shot = steadied(draw_camera(np.random.default_rng(seed)))
        assert shot.lens.blur_px <= 0.25 and shot.motion_px == 0 and shot.haze == 0 and shot.glow == 0
        assert shot.shot_noise <= 5e-5 and min(shot.jpeg) >= 80 and shot.shrink == 1 and not shot.smooth
        assert -0.4 <= shot.stops <= 0.5

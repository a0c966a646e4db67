"""Fingerprints of every family and of the camera: a change of the physics that nobody meant shows here first.

A fingerprint is few numbers: mean colours of a 4 x 4 grid, and how the energy is spread over bands of frequency.
After a change that was meant, write them anew: ``python -m tests.training.simulate.test_golden``.
"""

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.simulate import FAMILIES, Scene, camera, recapture

GOLDEN = Path(__file__).with_name("golden.json")
SEEDS = range(8)
CELLS = 4
BANDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)  # cycles per px


def drawn_face() -> Scene:
    """An ellipse with eyes and a mouth before stripes and a slope: no person."""
    y, x = np.mgrid[0:200, 0:180].astype(np.float32)
    image = np.stack([70 + 0.4 * x, 90 + 0.3 * y, 110 + 30 * np.sin(x / 4)], axis=2)
    image[((x - 90) / 40) ** 2 + ((y - 100) / 54) ** 2 < 1] = (120, 150, 205)
    for centre, half in (((75, 88), (6, 4)), ((105, 88), (6, 4)), ((90, 128), (14, 4))):
        image[((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2 < 1] = (40, 30, 70)
    return Scene(image.astype(np.uint8), (50.0, 46.0, 130.0, 154.0))


def fingerprint(image: np.ndarray) -> list[float]:
    """Means of blue, green and red in a grid of cells, then log10 of the energy in each band of the green plane."""
    means = cv2.resize(image.astype(np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA).ravel()
    green = image[..., 1].astype(np.float64)
    power = np.abs(np.fft.fft2((green - green.mean()) * np.outer(*(np.hanning(n) for n in green.shape)))) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(power.shape[1]), np.fft.fftfreq(power.shape[0])))
    bands = [np.log10(power[(radius >= a) & (radius < b)].mean() + 1) for a, b in pairwise(BANDS)]
    return [*(round(float(mean), 1) for mean in means), *(round(float(band), 3) for band in bands)]


def fingerprints(name: str) -> dict[str, list[float]]:
    """Of the camera or of a family, by seed; the size of the image comes first."""
    live = drawn_face()
    found = {}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        image = camera(live.image, rng) if name == "camera" else recapture(live, live.image, rng, family=name)[0].image
        found[str(seed)] = [float(image.shape[0]), float(image.shape[1]), *fingerprint(image)]
    return found


@pytest.mark.parametrize("name", ["camera", *FAMILIES])
def test_the_physics_is_what_it_was(name: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[name]
    cells = slice(2, 2 + 3 * CELLS**2)
    for seed, found in fingerprints(name).items():
        assert found[:2] == golden[seed][:2], f"seed {seed}: another size"
        np.testing.assert_allclose(found[cells], golden[seed][cells], atol=0.7, err_msg=f"seed {seed}: mean colours")
        np.testing.assert_allclose(
            found[cells.stop :], golden[seed][cells.stop :], atol=0.02, err_msg=f"seed {seed}: energy of the bands"
        )


def test_the_golden_file_holds_every_family_and_no_other() -> None:
    assert set(json.loads(GOLDEN.read_text(encoding="utf-8"))) == {"camera", *FAMILIES}


def main() -> None:
    """Write every fingerprint."""
    rows = [f'"{name}": {json.dumps(fingerprints(name))}' for name in ("camera", *FAMILIES)]
    GOLDEN.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""What `light` makes of simulated light: heads and photos lit by a screen, seen by a camera with automatic exposure.

A simulation, and no error rate: real portraits are relit as Lambertian surfaces, a head by the normals of its mesh, a
photo as a plane, the background a tenth as much. The camera gathers the light of all of it, drifts towards a mean
brightness and a grey mean, clips, adds noise and stores sRGB. There is no interreflection, no gloss, no rolling
shutter.

- `head`: as it should be. `photo`: a plane that answers the colours. `still`: a screen that shows a face and answers
  nothing. `replay`: a head that answered the word of another session. `late`: a head that answers after 0.8 s.

``python -m benchmarks.light_simulation --shared ../shared``
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.challenge_attacks import Source, mesh, portraits
from faceauth.challenge.code_book import REST, Floats, draw_symbols, linear
from faceauth.challenge.light import Light
from faceauth.challenge.mesh_pose import SIDES
from faceauth.challenge.shading import normals
from faceauth.stages import ChallengeFrame, ChallengeState, Image, MeshPoints, Screen

RATE = 30.0
SIDE_PX = 160
GAINS = (0.02, 0.05, 0.1, 0.3, 1.5)
KINDS = ("head", "photo", "still", "replay", "late")
DELAY_S = 0.12
EXPOSURE_S, BALANCE_S = 0.4, 2.0
"""Seconds in which the camera makes good two thirds of a change."""
BEHIND = 0.1
RESULTS = Path(__file__).parent / "results"


class Lamp:
    """A face before a screen, as light: what each half of the screen adds to each pixel.

    Args:
        source: of the face.
        flat: a photo of it.
        gain: share by which white light from both halves raises the face.
    """

    def __init__(self, source: Source, *, flat: bool, gain: float) -> None:
        zoom = SIDE_PX / source.image.shape[0]
        image = np.asarray(cv2.resize(source.image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
        points = mesh().points(source.image, source.face)
        assert points is not None  # sources without a mesh are left out
        self.mesh_px: MeshPoints = points * zoom
        box = source.face.box_xyxy
        self.face = source.face.model_copy(update={"box_xyxy": type(box)(*(edge * zoom for edge in box))})
        self._light = linear(image)[..., ::-1]  # RGB
        self._halves = [gain * half for half in _added(self.mesh_px, flat=flat)]

    def seen(self, screen: Screen) -> Floats:
        """Light at each pixel: H x W x 3, RGB."""
        added = sum(
            half[..., None] * linear(color)
            for half, color in zip(self._halves, (screen.left, screen.right), strict=True)
        )
        return np.asarray(self._light * (1 + added), np.float64)


class Auto:
    """A camera with automatic exposure and white balance."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._exposure, self._balance = 0.0, np.zeros(3)
        self._target: Floats | None = None

    def image(self, light: Floats) -> Image:
        """What it stores of the light: BGR."""
        mean = np.log(light.mean(axis=(0, 1)))
        if self._target is None:
            self._target = mean
        step = 1 / RATE
        off = mean - self._target + self._exposure + self._balance
        self._exposure -= off.mean() * (1 - np.exp(-step / EXPOSURE_S))
        self._balance -= (off - off.mean()) * (1 - np.exp(-step / BALANCE_S))
        stored = np.clip(light * np.exp(self._exposure + self._balance), 0, 1)
        srgb = np.where(stored <= 0.0031308, 12.92 * stored, 1.055 * stored ** (1 / 2.4) - 0.055)[..., ::-1]
        return np.clip(255 * srgb + self._rng.normal(0, 1.5, srgb.shape), 0, 255).round().astype(np.uint8)


def _added(mesh_px: MeshPoints, *, flat: bool) -> list[Floats]:
    """Light that each half of the screen adds at each pixel; 0.5 each on average over the face."""
    size = float(np.linalg.norm(mesh_px[SIDES[0][1], :2] - mesh_px[SIDES[0][0], :2]))
    facing = np.zeros((len(mesh_px), 2)) if flat else normals(mesh_px)
    middle = mesh_px[:, 0].mean()
    halves = []
    for side in (1, -1):  # the person's left stands on the right of the image
        towards = np.array([side * 0.5, 0.0, 0.87])
        depth = np.sqrt(1 - (facing**2).sum(axis=1).clip(0, 1))
        cosine = np.maximum(facing @ towards[:2] + depth * towards[2], 0)
        falloff = 1 + 0.1 * side * (mesh_px[:, 0] - middle) / size
        at_points = cosine * falloff
        halves.append(_spread(mesh_px, 0.5 * at_points / at_points.mean(), flat=flat))
    return halves


def _spread(mesh_px: MeshPoints, at_points: Floats, *, flat: bool) -> Floats:
    """From points to pixels: within the face those of the mesh, outside of it a tenth of their mean."""
    weight, light = np.zeros((SIDE_PX, SIDE_PX)), np.zeros((SIDE_PX, SIDE_PX))
    for (x, y, _), value in zip(mesh_px, at_points, strict=True):
        if 0 <= x < SIDE_PX and 0 <= y < SIDE_PX:
            light[int(y), int(x)] += value
            weight[int(y), int(x)] += 1
    blur = SIDE_PX / 40
    light, weight = (cv2.GaussianBlur(plane, (0, 0), blur) for plane in (light, weight))
    hull = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(mesh_px[:, :2].astype(np.int32)), 1)
    inside = cv2.GaussianBlur(hull.astype(np.float64), (0, 0), 2)
    return np.asarray(
        inside * light / np.maximum(weight, 1e-3 * weight.max()) + (1 - inside) * BEHIND * 0.5, np.float64
    )


def outcome(kind: str, source: Source, gain: float, seed: int) -> ChallengeState:
    """The state in which the challenge ends."""
    rng = np.random.default_rng(seed)
    lamp, camera = Lamp(source, flat=kind in ("photo", "still"), gain=0.0 if kind == "still" else gain), Auto(rng)
    challenge = Light(lot=random.Random(seed))
    other = _other_session(random.Random(seed + 1))
    shown: list[tuple[float, Screen]] = []
    delay_s = 0.8 if kind == "late" else DELAY_S
    for number in range(round(12 * RATE)):
        time_s = number / RATE
        screen = challenge.prompt().screen
        assert screen is not None  # light always has one
        shown.append((time_s, other(time_s) if kind == "replay" else screen))
        lit = next((one for at, one in reversed(shown) if at <= time_s - delay_s), Screen(REST, REST))
        image = camera.image(lamp.seen(lit))
        jitter = rng.normal(0, 0.2, (1, 3)) * (1, 1, 0)
        challenge.feed(ChallengeFrame(time_s, image, lamp.face, lamp.mesh_px + jitter))
        if challenge.state.ended:
            break
    return challenge.state


def _other_session(lot: random.Random) -> Callable[[float], Screen]:
    symbols = draw_symbols(lot)

    def shown(time_s: float) -> Screen:
        index = int((time_s - 1.0) // 0.45)
        return symbols[index].screen if 0 <= index < len(symbols) else Screen(REST, REST)

    return shown


def measure(kind: str, gain: float, sources: Sequence[Source], n: int) -> dict[str, object]:
    """How ``n`` simulated presentations end."""
    ends: Counter[str] = Counter()
    for number in range(n):
        state = outcome(kind, sources[number % len(sources)], gain, number)
        ends["passed" if state.passed else str(state.reason)] += 1
    return {"kind": kind, "gain": gain, "presentations": n, "ends": dict(ends)}


def main() -> None:
    """Print the table and write ``results/light_simulation.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/lfw")
    parser.add_argument("--presentations", type=int, default=40, help="of each kind and gain")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    sources = portraits(arguments.shared, 40)
    rows = []
    for kind in KINDS:
        for gain in GAINS if kind != "still" else (0.0,):
            rows.append(measure(kind, gain, sources, arguments.presentations))
            print(rows[-1], flush=True)
    text = json.dumps({"simulation": True, "rate": RATE, "people": len(sources), "rows": rows}, indent=1)
    (RESULTS / "light_simulation.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

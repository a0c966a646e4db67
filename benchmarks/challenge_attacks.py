"""How many generated attacks pass the challenge `turn`, and what passes the others: clips made of real images.

Every sequence is one whole ChallengeSession at 15 frames a second. Detector, mesh, track and embedder are the real
ones, and the liveness backend says "live" to everything, so that what is counted is the challenge and the track alone.
The attacker sees the question and answers at once. Sequences that pass are shown to SpoofNet as well.

- `planes`: a flat photo, tilted by 15 to 40 degrees when a turn is asked, the way that serves it best. `zoom`: it comes
  closer instead. `cut`: another photo of the same person takes its place. `loop`: the same short clip again and again.
  `swap`: another head answers. `order`: the frames of a right answer, shuffled or backwards. `delay`: a right answer,
  too late. These are the 1,000.
- `planes60`, `bent`: photos tilted by 40 to 60 degrees, and sheets bent and turned by up to 40, of real prints that
  were recaptured.
- `recorded`: the right answer to another session, played to this one. `hand`, `zoomed`: `closer`, answered by a photo
  moved by hand, which stops where it was asked to, and by a recording, which cannot.
- `head`: a right answer by a head over a relief. A simulation: no error rate of live people follows from it.

``python -m benchmarks.challenge_attacks --shared ../shared``
"""

import argparse
import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.challenge_clips import Relief, bent, nearer, noisy, tilted
from faceauth import Pipeline
from faceauth.challenge import ChallengeResult, ChallengeSession
from faceauth.challenge.face_mesh import FaceMesh
from faceauth.detection.yunet import YuNet
from faceauth.metrics.intervals import wilson
from faceauth.results import Face
from faceauth.stages import Image, Prompt
from faceauth.testing import FakeLiveness

RATE = 15.0
SIDE_PX = 320
LONGEST_S = 40.0
ANSWERED_S = 4.0
"""Seconds after a question at which a clip of `HELD` ends: an attack that holds its answer for so long has shown it."""

HELD = frozenset({"planes", "zoom", "cut", "loop", "swap", "order", "planes60", "bent"})
RAMP_S = 0.5
"""Seconds that a motion takes from rest to its end."""

TURN_DEG = 33.0
"""Degrees by which a simulated head turns."""

RESULTS = Path(__file__).parent / "results"

SHARES: Mapping[str, float] = MappingProxyType(
    {"planes": 0.4, "zoom": 0.1, "cut": 0.15, "loop": 0.05, "swap": 0.1, "order": 0.1, "delay": 0.1}
)
"""Of the sequences against `turn`."""


class Source(NamedTuple):
    """A face to attack with, another image of the same person, and somebody else's."""

    image: Image
    face: Face
    same: Image
    other: "Source | None"


Clip = Callable[[float, Prompt], Image]
"""What the camera sees at a time, with that prompt on the screen."""


class Asked:
    """Remembers since when the prompt asks what it asks, and how far the answer is."""

    def __init__(self) -> None:
        self._action, self._since_s = "", 0.0
        self._share, self._last_s = 0.0, 0.0

    def seconds(self, time_s: float, prompt: Prompt) -> float:
        """Seconds for which the prompt has asked this."""
        if prompt.action != self._action:
            self._action, self._since_s = prompt.action, time_s
        return time_s - self._since_s

    def share(self, time_s: float, prompt: Prompt, *, delay_s: float = 0.3) -> float:
        """Goes from 0 to 1 in ``RAMP_S`` once a turn is asked, signed the way that it is, and back once it is not."""
        wanted = {"turn_left": 1.0, "turn_right": -1.0}.get(prompt.action, 0.0)
        step, self._last_s = (time_s - self._last_s) / RAMP_S, time_s
        if self.seconds(time_s, prompt) >= delay_s:
            self._share += float(np.clip(wanted - self._share, -step, step))
        return self._share


def planes(source: Source, rng: np.random.Generator, *, deg: tuple[float, float] = (15, 40)) -> Clip:
    tilt, asked = rng.uniform(*deg), Asked()
    return lambda t, prompt: tilted(source.image, source.face, tilt * asked.share(t, prompt))


def planes60(source: Source, rng: np.random.Generator) -> Clip:
    return planes(source, rng, deg=(40, 60))


def sheet(source: Source, rng: np.random.Generator) -> Clip:
    tilt, radius, asked = rng.uniform(20, 40), rng.uniform(0.8, 1.5), Asked()
    sense = rng.choice([-1, 1])
    return lambda t, prompt: bent(source.image, source.face, sense * tilt * asked.share(t, prompt), radius=radius)


def zoom(source: Source, rng: np.random.Generator) -> Clip:
    growth, asked = rng.uniform(1.2, 1.6), Asked()
    return lambda t, prompt: nearer(source.image, source.face, 1 + (growth - 1) * abs(asked.share(t, prompt)))


def cut(source: Source, rng: np.random.Generator) -> Clip:
    asked = Asked()
    return lambda t, prompt: source.same if asked.share(t, prompt) else source.image


def loop(source: Source, rng: np.random.Generator) -> Clip:
    frames = [noisy(tilted(source.image, source.face, deg), rng) for deg in 30 * np.sin(np.linspace(0, 6.28, 20))]
    return lambda t, prompt: frames[round(t * RATE) % len(frames)]


def swap(source: Source, rng: np.random.Generator) -> Clip:
    assert source.other is not None
    head, asked = relief_of(source.other), Asked()
    return lambda t, prompt: head.turned(TURN_DEG * share) if (share := asked.share(t, prompt)) else source.image


def order(source: Source, rng: np.random.Generator) -> Clip:
    head, asked = relief_of(source), Asked()
    steps = [*np.linspace(0, TURN_DEG, 8), *[TURN_DEG] * 6, *np.linspace(TURN_DEG, 0, 8)]
    degrees = rng.permutation(steps) if rng.random() < 0.5 else [TURN_DEG - step for step in steps]

    def frame(t: float, prompt: Prompt) -> Image:
        index = round(asked.seconds(t, prompt) * RATE)
        sign = {"turn_left": 1.0, "turn_right": -1.0}.get(prompt.action, 0.0)
        return head.turned(sign * degrees[index % len(degrees)])

    return frame


def delay(source: Source, rng: np.random.Generator) -> Clip:
    head, asked, late_s = relief_of(source), Asked(), rng.uniform(10.2, 14)
    return lambda t, prompt: head.turned(TURN_DEG * asked.share(t, prompt, delay_s=late_s))


def recorded(source: Source, rng: np.random.Generator) -> Clip:
    """Turns at the times and in the directions of another session, whatever this one asks."""
    head = relief_of(source)
    starts, signs = np.cumsum(rng.uniform(2.2, 4.2, 6)), rng.choice([-1, 1], 6)

    def frame(t: float, _: Prompt) -> Image:
        turns = [
            sign * np.clip(min(t - at, at + 1.6 - t) / RAMP_S, 0, 1) for at, sign in zip(starts, signs, strict=True)
        ]
        return head.turned(TURN_DEG * float(sum(turns)))

    return frame


def head(source: Source, rng: np.random.Generator) -> Clip:
    one, asked, growth = relief_of(source), Asked(), [1.0]

    def frame(t: float, prompt: Prompt) -> Image:
        share = asked.share(t, prompt)
        if prompt.nearer is not None:
            growth[0] = 1 + (prompt.nearer - 1) * min(asked.seconds(t, prompt), 1.0)
        sway = 8 * np.sin(2 * t) if prompt.action == "move" else 0.0
        return nearer(one.turned(TURN_DEG * share + sway), source.face, growth[0])

    return frame


def hand(source: Source, rng: np.random.Generator) -> Clip:
    asked, growth = Asked(), [1.0]

    def frame(t: float, prompt: Prompt) -> Image:
        since_s = asked.seconds(t, prompt)
        if prompt.nearer is not None:
            growth[0] = 1 + (prompt.nearer - 1) * min(since_s / 1.5, 1.0)
        sway = 10 * np.sin(2 * t) if prompt.action == "move" else 0.0
        return tilted(nearer(source.image, source.face, growth[0]), source.face, sway)

    return frame


def zoomed(source: Source, rng: np.random.Generator) -> Clip:
    start_s, growth = rng.uniform(1.0, 3.0), rng.uniform(1.35, 1.7)
    return lambda t, _: nearer(
        source.image, source.face, 1 + (growth - 1) * float(np.clip(min(t - start_s, start_s + 5 - t) / 1.5, 0, 1))
    )


CLIPS: Mapping[str, Callable[[Source, np.random.Generator], Clip]] = MappingProxyType(
    {
        "planes": planes,
        "zoom": zoom,
        "cut": cut,
        "loop": loop,
        "swap": swap,
        "order": order,
        "delay": delay,
        "planes60": planes60,
        "bent": sheet,
        "recorded": recorded,
        "head": head,
        "hand": hand,
        "zoomed": zoomed,
    }
)


@functools.cache
def mesh() -> FaceMesh:
    """One for all sessions."""
    return FaceMesh()


@functools.cache
def detector() -> YuNet:
    """One for all sources."""
    return YuNet()


def relief_of(source: Source) -> Relief:
    """The face of the source as a head that turns."""
    points = mesh().points(source.image, source.face)
    assert points is not None  # sources without a mesh are left out
    return Relief(source.image, source.face, points)


def present(
    pipeline: Pipeline, challenge: str, clip: Clip, rng: np.random.Generator, *, patience_s: float = LONGEST_S
) -> ChallengeResult:
    """One session at ``RATE``, whose clock is that of the frames."""
    now, asked = [0.0], Asked()
    session = ChallengeSession(pipeline, challenge, mesh=mesh(), clock=lambda: now[0])
    session.open(session.nonce)
    status = session.status
    while status.result is None and asked.seconds(now[0], status.prompt) < patience_s:
        status = session.feed(noisy(clip(now[0], status.prompt), rng), now[0])
        now[0] += 1 / RATE
    session.finish()
    return session.result


def measure(challenge: str, attack: str, sources: Sequence[Source], n: int, seed: int = 0) -> dict[str, object]:
    """Counts of ``n`` sequences: what passed the challenge and the track alone, and what SpoofNet left of it."""
    patience_s = ANSWERED_S if attack in HELD else LONGEST_S
    credulous, real = Pipeline(liveness=FakeLiveness(1.0), threshold=0.5), Pipeline()
    passed = passed_both = 0
    reasons: Counter[str] = Counter()
    for number in range(n):
        source = sources[number % len(sources)]

        def shown(pipeline: Pipeline, source: Source = source, number: int = number) -> ChallengeResult:
            rng = np.random.default_rng([seed, number])
            return present(pipeline, challenge, CLIPS[attack](source, rng), rng, patience_s=patience_s)

        result = shown(credulous)
        reasons[result.reason] += 1
        passed += result.accepted
        passed_both += result.accepted and shown(real).accepted
    rates = {name: wilson(count, n) for name, count in (("alone", passed), ("with_spoofnet", passed_both))}
    return {
        "challenge": challenge,
        "attack": attack,
        "sequences": n,
        "sources": min(n, len(sources)),
        "passed": passed,
        "passed_interval": [rates["alone"].low, rates["alone"].high],
        "passed_with_spoofnet": passed_both,
        "passed_with_spoofnet_interval": [rates["with_spoofnet"].low, rates["with_spoofnet"].high],
        "reasons": dict(reasons.most_common()),
    }


def usable(image: Image, same: Image | None = None) -> Source | None:
    """The image as a source, square and small; None where it has no single face with a mesh."""
    small = cv2.resize(_square(image), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    small = np.asarray(small, np.uint8)
    faces = detector().detect(small)
    if len(faces) != 1 or mesh().points(small, faces[0]) is None:
        return None
    second = small if same is None else np.asarray(cv2.resize(same, (SIDE_PX, SIDE_PX)), np.uint8)
    return Source(small, faces[0], second, None)


def _square(image: Image) -> Image:
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


def portraits(shared: Path, n: int) -> list[Source]:
    """``n`` people of LFW with two images each."""
    rows = (shared / "data" / "lfw" / "pairs.csv").read_text(encoding="utf-8").splitlines()
    names = [row.split(",") for row in rows[1:]]
    found: list[Source] = []
    folder = shared / "data" / "lfw" / "images"
    for row in names:
        if row[3].strip() in ("1", "True", "true", "same") and len(found) < n:
            first, second = (cv2.imread(str(folder / Path(name).name)) for name in row[1:3])
            if first is not None and second is not None and (source := usable(first, second)) is not None:
                found.append(source)
    return [one._replace(other=found[(number + 1) % len(found)]) for number, one in enumerate(found)]


def prints(shared: Path) -> list[Source]:
    """Recaptured prints of `light`, in room light."""
    return list(_prints(shared / "data" / "light"))


def _prints(folder: Path) -> Iterator[Source]:
    for row in (folder / "manifest.csv").read_text(encoding="utf-8").splitlines()[1:]:
        path, _, light, label, *_ = row.split(",")
        if light == "room" and label == "spoof":
            image = cv2.imread(str(folder / path))
            if image is not None and (source := usable(image)) is not None:
                yield source


def main() -> None:
    """Print the table and write ``results/challenge_attacks.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/lfw and data/light")
    parser.add_argument("--sequences", type=int, default=1000, help="against `turn`, of all kinds together")
    parser.add_argument("--only", nargs="*", default=[*CLIPS], help="these attacks; the rows of all others stay")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    people, paper, n = portraits(arguments.shared, 200), prints(arguments.shared), arguments.sequences
    plan = [("turn", attack, people, round(share * n)) for attack, share in SHARES.items()]
    plan += [("turn", attack, paper, n // 5) for attack in ("planes60", "bent")]
    plan += [("turn", "recorded", people, n // 10), ("sequence", "recorded", people, n // 5)]
    plan += [("closer", "hand", paper, n // 20), ("closer", "zoomed", people, n // 10)]
    plan += [(challenge, "head", people, n // 20) for challenge in ("turn", "closer", "sequence")]
    for challenge, attack, sources, count in plan:
        if attack in arguments.only:
            row = measure(challenge, attack, sources, count)
            print(row, flush=True)
            _keep(row, people=len(people), prints=len(paper))


def _keep(row: dict[str, object], **facts: object) -> None:
    """Write the row into the result file, in place of the earlier row."""
    path = RESULTS / "challenge_attacks.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    same = ("challenge", "attack")
    rows = [one for one in rows if any(one[key] != row[key] for key in same)] + [row]
    path.write_text(json.dumps({"rate": RATE, **facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

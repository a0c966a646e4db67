"""Weights compared on images that no training used, before ``test`` is scored.

``val`` has few cameras. So its frames are shown in other ways too, and beside them stand held-out portraits and
simulated attacks on people whom no training saw.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.table import Table

from faceauth.cropping.crops import crop_box
from faceauth.errors import UsageError
from faceauth.evaluation.robustness import blur, brightness, context, face_size, jpeg_quality
from faceauth.evaluation.scoring import Box, Change
from faceauth.metrics.error_rates import accepted
from faceauth.stages import Crops, CropSpec, Image
from training.data.manifests import LIVE, SPOOF
from training.data.shards import Shards
from training.evaluate.trained_network import TrainedNetwork
from training.simulate import Scene, recapture
from training.train.validation import BATCH

TRIALS = 6
WIDE = 1.6  # context from which an image shows a device, a sheet or a room; between the collections' 1.0 and 1.9
CHANGED = 3  # every third frame of val is shown in other ways too
PORTRAITS = 400  # at most
SIMULATED = 200
FEWER = 12  # every twelfth of these, of the portraits and of the simulated attacks is made worse

# Chosen before any weights were compared by them; they lie between the levels of the library's robustness curves.
WORSE = (blur(1), blur(2), brightness(0.35), brightness(1.6), face_size(40), jpeg_quality(20))

Rates = dict[str, float]


@dataclass(frozen=True)
class Face:
    """A face that no training saw: its image and box, ``LIVE`` or ``SPOOF``, and its domain."""

    image: Image
    box_xyxy: Box
    label: int
    domain: str


@dataclass(frozen=True)
class Trial:
    """N faces shown in one way; ``crops`` has one array for each crop of the networks, each face for face."""

    name: str
    faces: Sequence[Face]
    crops: Sequence[Crops]


@dataclass(frozen=True)
class Errors:
    """Errors of a network in one trial at equal logits, by domain, 0 to 1; empty for an absent class."""

    apcer: Rates
    bpcer: Rates

    def mean(self) -> float:
        """Over the classes that are there, each the mean of its domains."""
        return float(np.mean([np.mean(list(rates.values())) for rates in (self.apcer, self.bpcer) if rates]))


def trials(content: Shards, specs: tuple[CropSpec, ...]) -> Iterator[Trial]:
    """All trials with the crops of ``specs``; the same for the same shards.

    Raises:
        UsageError: no frame of ``val`` shows surroundings, or there is no portrait of a person held out.
    """
    val, portraits = _frames_of_val(content), _portraits(content)
    changed = val[::CHANGED]
    wide = [face for face in changed if _context(face) >= WIDE]
    if not wide or not portraits:
        raise UsageError(
            "The shards lack frames of val that show surroundings, or portraits of held-out people: prepare both."
        )
    simulated = list(_simulated([face for face in (*wide, *portraits) if face.label == LIVE]))
    some = [face for group in (changed, portraits, simulated) for face in group[::FEWER]]
    yield _trial("val", val, specs)
    yield _trial("val ending at the face", wide, specs, [_end_at_the_face])
    yield _trial("portraits", portraits, specs)
    yield _trial("portraits ending at the face", portraits, specs, [_end_at_the_face])
    yield _trial("simulated attacks", simulated, specs)
    yield _trial("some of these in six worse ways", some, specs, WORSE)


def errors_in(trial: Trial, network: TrainedNetwork) -> Errors:
    """Errors of a network at equal logits."""
    starts = range(0, len(trial.faces), BATCH)
    p_live = [network.score([crops[start : start + BATCH] for crops in trial.crops]) for start in starts]
    took = accepted(np.concatenate(p_live), 0.5)
    return Errors(apcer=_by_domain(took, trial, SPOOF), bpcer=_by_domain(~took, trial, LIVE))


def comparison_table(found: Mapping[str, Sequence[Errors]], names: Sequence[str]) -> Table:
    """A table of percentages, a column for each of ``names``.

    Args:
        found: trial -> errors of each network.
        names: of the networks.
    """
    table = Table("APCER, BPCER in %", *names, box=None, header_style="bold", padding=(0, 1, 0, 0))
    for trial, of_networks in found.items():
        table.add_row(trial, *(_cell(one.apcer, one.bpcer) for one in of_networks))
        for domain in sorted({*of_networks[0].apcer} & {*of_networks[0].bpcer}) if trial == "val" else ():
            at = [({domain: one.apcer[domain]}, {domain: one.bpcer[domain]}) for one in of_networks]
            table.add_row(f"  {domain}", *(_cell(*rates) for rates in at))
    means = np.array([[one.mean() for one in of_networks] for of_networks in found.values()]).mean(axis=0)
    table.add_row("mean error of the trials", *(f"{100 * mean:.2f}" for mean in means))
    return table


def _cell(apcer: Rates, bpcer: Rates) -> str:
    return ", ".join(f"{100 * np.mean(list(rates.values())):.1f}" if rates else "-" for rates in (apcer, bpcer))


def _by_domain(wrong: npt.NDArray[np.bool_], trial: Trial, label: int) -> Rates:
    of_domain: dict[str, list[bool]] = {}
    for face, is_wrong in zip(trial.faces, wrong.tolist(), strict=True):
        if face.label == label:
            of_domain.setdefault(face.domain, []).append(is_wrong)
    return {domain: float(np.mean(of_domain[domain])) for domain in sorted(of_domain)}


def _as_it_is(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
    return image, box_xyxy


def _trial(
    name: str, faces: Sequence[Face], specs: tuple[CropSpec, ...], changes: Sequence[Change] = (_as_it_is,)
) -> Trial:
    """Each face once for each of ``changes``."""
    shown = [(face, *change(face.image, face.box_xyxy)) for face in faces for change in changes]
    crops = [np.stack([crop_box(image, box, spec).pixels for _, image, box in shown]) for spec in specs]
    return Trial(name, [face for face, _, _ in shown], crops)


def _faces(content: Shards, chosen: Iterable[int]) -> list[Face]:
    return [Face(content.image(i), content.box(i), int(content.label[i]), str(content.domain[i])) for i in chosen]


def _frames_of_val(content: Shards) -> list[Face]:
    """By domain and class, so that every nth row is drawn evenly from each."""
    real = np.flatnonzero((content.split == "val") & (content.origin == "real"))
    return _faces(content, real[np.lexsort((content.label[real], content.domain[real]))])


def _portraits(content: Shards) -> list[Face]:
    """At most so many, evenly spread."""
    mine = np.flatnonzero((content.split == "val") & (content.origin == "portrait"))
    return _faces(content, mine[:: max(1, math.ceil(len(mine) / PORTRAITS))])


def _simulated(live: Sequence[Face]) -> Iterator[Face]:
    """Attacks on people of ``live``, with the images of others behind sheet or device."""
    rng = np.random.default_rng(0)
    for _ in range(SIMULATED):
        source, background = (live[int(rng.integers(len(live)))] for _ in range(2))
        attack, _ = recapture(Scene(source.image, source.box_xyxy), background.image, rng)
        yield Face(attack.image, attack.box_xyxy, SPOOF, "simulated")


def _context(face: Face) -> float:
    left, top, right, bottom = face.box_xyxy
    return float(max(face.image.shape[:2]) / max(right - left, bottom - top))


def _end_at_the_face(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
    """As many public collections were cropped by who made them: hardly anything but the face, small and compressed."""
    for change in (context(1.0), face_size(120), jpeg_quality(88)):
        image, box_xyxy = change(image, box_xyxy)
    return image, box_xyxy

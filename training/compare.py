"""Comparing weights before ``test`` is looked at: a pack in, trials of pictures that no training saw, and errors, out.

``val`` has few cameras and hardly a picture that ends at the face. So its frames are shown in other ways too, and
beside them stand held-out portraits and simulated attacks on people whom no training saw.
"""

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from rich.table import Table
from torch import nn

from faceauth.cropping.square import square_crop
from faceauth.errors import UsageError
from faceauth.evaluation.robustness import blur, brightness, context, face_size, jpeg_quality
from faceauth.evaluation.scoring import Box, Change
from faceauth.metrics.error_rates import accepted
from faceauth.stages import Crops, CropSpec, Image
from faceauth.views import cut_views
from training.augment import Framing, face_in_view, frame
from training.furniture import furnish
from training.packs import WIDE, Pack
from training.records import LIVE, SPOOF
from training.scoring import score
from training.simulate import Scene, recapture
from training.validate import BATCH, p_live

TRIALS = 7
CHANGED = 3  # of the frames of val, one in so many is shown in other ways too
PORTRAITS = 400  # at most
SIMULATED = 200
FEWER = 12  # of these, of the portraits and of the simulated attacks, one in so many is made worse
ROOM = Framing(2.7, shift=(0.0, 0.0), flip=False)  # what is kept of a picture that is furnished
ROOM_PX = 448

# Chosen before any weights were compared by them; they lie between the levels of the library's robustness curves.
WORSE = (blur(1), blur(2), brightness(0.35), brightness(1.6), face_size(40), jpeg_quality(20))

Rates = dict[str, float]


@dataclass(frozen=True)
class Picture:
    """A picture that no training saw, its face box, ``LIVE`` or ``SPOOF``, and its domain."""

    image: Image
    box_xyxy: Box
    label: int
    domain: str


@dataclass(frozen=True)
class Trial:
    """N pictures shown in one way.

    Attributes:
        crops: uint8, (N * V, side, side, 3), RGB: the V views of a face side by side.
    """

    name: str
    pictures: Sequence[Picture]
    crops: Crops


@dataclass(frozen=True)
class Errors:
    """Errors of a network in one trial at equal logits, by domain, 0 to 1; empty for a class that is not there."""

    apcer: Rates
    bpcer: Rates

    def mean(self) -> float:
        """Over the classes that are there, each the mean of its domains."""
        return float(np.mean([np.mean(list(rates.values())) for rates in (self.apcer, self.bpcer) if rates]))


def trials(content: Pack, spec: CropSpec) -> Iterator[Trial]:
    """All trials with the views of ``spec``; the same for the same pack.

    Raises:
        UsageError: no frame of ``val`` shows surroundings, or there is no portrait of a person held out.
    """
    val, portraits = _frames_of_val(content), _portraits(content)
    changed = val[::CHANGED]
    wide = [picture for picture in changed if _context(picture) >= WIDE]
    if not wide or not portraits:
        raise UsageError(
            "The packs lack frames of val that show surroundings, or portraits of people held out: prepare with both."
        )
    simulated = list(_simulated([picture for picture in (*wide, *portraits) if picture.label == LIVE]))
    some = [picture for group in (changed, portraits, simulated) for picture in group[::FEWER]]
    yield _trial("val", val, spec)
    yield _trial("val ending at the face", wide, spec, [_end_at_the_face])
    yield _trial("val before furniture", wide, spec, [_before_furniture])
    yield _trial("portraits", portraits, spec)
    yield _trial("portraits ending at the face", portraits, spec, [_end_at_the_face])
    yield _trial("simulated attacks", simulated, spec)
    yield _trial("some of these in six worse ways", some, spec, WORSE)


def errors(network: nn.Module, trial: Trial) -> Errors:
    """Errors of a network in evaluation mode; P(live) is the mean over the views, uncalibrated."""
    batches = [trial.crops[start : start + BATCH] for start in range(0, len(trial.crops), BATCH)]
    views = np.concatenate([p_live(score(network, batch)) for batch in batches])
    took = accepted(views.reshape(len(trial.pictures), -1).mean(axis=1), 0.5)
    return Errors(apcer=_by_domain(took, trial, SPOOF), bpcer=_by_domain(~took, trial, LIVE))


def comparison(found: Mapping[str, Sequence[Errors]], names: Sequence[str]) -> Table:
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
    for picture, is_wrong in zip(trial.pictures, wrong.tolist(), strict=True):
        if picture.label == label:
            of_domain.setdefault(picture.domain, []).append(is_wrong)
    return {domain: float(np.mean(of_domain[domain])) for domain in sorted(of_domain)}


def _as_it_is(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
    return image, box_xyxy


def _trial(name: str, pictures: Sequence[Picture], spec: CropSpec, changes: Sequence[Change] = (_as_it_is,)) -> Trial:
    """Each picture once for each of ``changes``."""
    shown = [(picture, change) for picture in pictures for change in changes]
    views = []
    for picture, change in shown:
        views += cut_views(spec, partial(square_crop, *change(picture.image, picture.box_xyxy)))
    return Trial(name, [picture for picture, _ in shown], np.stack([view.pixels for view in views]))


def _pictures(content: Pack, chosen: Iterable[int]) -> list[Picture]:
    return [Picture(content.image(i), content.box(i), int(content.label[i]), str(content.domain[i])) for i in chosen]


def _frames_of_val(content: Pack) -> list[Picture]:
    """By domain and class, so that one in so many is one in so many of each."""
    real = np.flatnonzero((content.split == "val") & (content.origin == "real"))
    return _pictures(content, real[np.lexsort((content.label[real], content.domain[real]))])


def _portraits(content: Pack) -> list[Picture]:
    """At most so many, evenly spread."""
    mine = np.flatnonzero((content.split == "val") & (content.origin == "portrait"))
    return _pictures(content, mine[:: max(1, math.ceil(len(mine) / PORTRAITS))])


def _simulated(live: Sequence[Picture]) -> Iterator[Picture]:
    """Attacks on people of ``live``, with the pictures of others behind sheet or device."""
    rng = np.random.default_rng(0)
    for _ in range(SIMULATED):
        source, background = (live[int(rng.integers(len(live)))] for _ in range(2))
        attack, _ = recapture(Scene(source.image, source.box_xyxy), background.image, rng)
        yield Picture(attack.image, attack.box_xyxy, SPOOF, "simulated")


def _context(picture: Picture) -> float:
    left, top, right, bottom = picture.box_xyxy
    return float(max(picture.image.shape[:2]) / max(right - left, bottom - top))


def _end_at_the_face(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
    """As many public collections were cut by who made them: hardly anything but the face, small and compressed."""
    for change in (context(1.0), face_size(120), jpeg_quality(88)):
        image, box_xyxy = change(image, box_xyxy)
    return image, box_xyxy


def _before_furniture(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
    """Straight edges behind the head, one and the same for a picture each time."""
    x, y, longer = face = face_in_view(image, box_xyxy, ROOM)
    rng = np.random.default_rng(zlib.crc32(image.tobytes()))
    room = furnish(frame(image, box_xyxy, ROOM, ROOM_PX), rng, face)
    left, top, right, bottom = box_xyxy
    half = longer / max(right - left, bottom - top) / 2
    w, h = (right - left) * half, (bottom - top) * half
    return room, ((x - w) * ROOM_PX, (y - h) * ROOM_PX, (x + w) * ROOM_PX, (y + h) * ROOM_PX)

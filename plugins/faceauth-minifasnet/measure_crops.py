"""Compare this backend's crop with upstream's on labelled pictures: the figures of the README.

    PYTHONPATH=. python plugins/faceauth-minifasnet/measure_crops.py DATA WEIGHTS SPLIT

Run it from the root of the repository. DATA holds ``manifest.csv`` (see ``training/records.py``) and the pictures.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from faceauth_minifasnet import INPUT_SIDE, MiniFASNet, Planes, inputs, planes

from faceauth.cropping.square import square_crop
from faceauth.metrics.error_rates import Rate, auc_by_domain, bpcer, macro
from faceauth.metrics.intervals import bootstrap_mean
from faceauth.stages import CropSpec, Image
from training.records import LIVE, Record, read_manifest

Cut = Callable[[Image, Record], tuple[Planes, Planes]]
WHOLE_27 = CropSpec(size_wh=(INPUT_SIDE, INPUT_SIDE), scale=2.7, kind="square", color="bgr")


def upstream(image: Image, record: Record) -> tuple[Planes, Planes]:
    """Each network its own cut, 2.7 and 4.0, as upstream's ``generate_patches.py`` makes it."""
    v2, v1se = (planes(upstream_crop(image, record.box_xyxy, scale)[None]) for scale in (2.7, 4.0))
    return v2, v1se


def upstream_crop(image: Image, box_xyxy: tuple[float, float, float, float], scale: float) -> Image:
    """The box itself, enlarged but never beyond the picture, shifted inside it and squeezed into a square."""
    height, width = image.shape[:2]
    left, top, right, bottom = box_xyxy
    scale = min((height - 1) / (bottom - top), (width - 1) / (right - left), scale)
    x0, x1 = _inside((left + right) / 2, (right - left) * scale, width - 1)
    y0, y1 = _inside((top + bottom) / 2, (bottom - top) * scale, height - 1)
    return np.asarray(cv2.resize(image[y0 : y1 + 1, x0 : x1 + 1], (INPUT_SIDE, INPUT_SIDE)), np.uint8)


def one_square_of_27(image: Image, record: Record) -> tuple[Planes, Planes]:
    """Both networks the same square of 2.7."""
    seen = planes(square_crop(image, record.box_xyxy, WHOLE_27).pixels[None])
    return seen, seen


def this_backend(image: Image, record: Record) -> tuple[Planes, Planes]:
    """One square of 4.0 for V1SE, its centre for V2."""
    return inputs(square_crop(image, record.box_xyxy, MiniFASNet.crop).pixels[None])


def report(name: str, p_live: npt.NDArray[np.float32], records: list[Record]) -> None:
    """One line: macro AUC with its interval, the worst domain, and the pooled rates at 0.5."""
    labels = np.array([record.label for record in records])
    domains = np.array([record.domain for record in records])
    by_domain = auc_by_domain(p_live, labels, domains)
    interval = bootstrap_mean(np.array(list(by_domain.values())), unit="domain")
    worst = min(by_domain, key=lambda domain: by_domain[domain])
    attacks = p_live[labels != LIVE]
    rates = {"APCER": Rate(int((attacks >= 0.5).sum()), len(attacks)), "BPCER": bpcer(p_live[labels == LIVE], 0.5)}
    at_half = ", ".join(
        f"{name} {rate.errors}/{rate.n} = {rate.value:.1%} [{rate.wilson.low:.1%}, {rate.wilson.high:.1%}]"
        for name, rate in rates.items()
    )
    print(
        f"{name}: macro AUC {macro(by_domain):.3f} [{interval.low:.3f}, {interval.high:.3f}] ({interval.method}), "
        f"worst {worst} {by_domain[worst]:.3f}; at 0.5 {at_half}"
    )
    print("   ", ", ".join(f"{domain} {value:.3f}" for domain, value in by_domain.items()))


def main(data: str, weights_dir: str, split: str) -> None:
    """Score every picture of the split with each cut."""
    records = [record for record in read_manifest(Path(data)) if record.split == split]
    backend = MiniFASNet(weights_dir=weights_dir)
    cuts: tuple[Cut, ...] = (upstream, one_square_of_27, this_backend)
    p_live = np.empty((len(cuts), len(records)), np.float32)
    for column, record in enumerate(records):
        image = np.asarray(cv2.imread(str(record.path)), np.uint8)
        for row, cut in enumerate(cuts):
            p_live[row, column] = backend.score_inputs(*cut(image, record))[0]
    print(f"{split}: {len(records)} pictures of {len({record.domain for record in records})} domains")
    for cut, scores in zip(cuts, p_live, strict=True):
        report(cut.__name__, scores, records)


def _inside(centre: float, length: float, last: int) -> tuple[int, int]:
    low, high = centre - length / 2, centre + length / 2
    if low < 0:
        low, high = 0.0, high - low
    if high > last:
        low, high = low - (high - last), float(last)
    return int(low), int(high)


if __name__ == "__main__":
    main(*sys.argv[1:])

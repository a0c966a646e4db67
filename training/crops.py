"""Labelled rows in, crops as the network sees them out, and which rows calibrate int8. Knows no network."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from faceauth.cropping.square import square_crop
from faceauth.errors import UsageError
from faceauth.evaluation.records import Record
from faceauth.imaging.decoding import load_image
from faceauth.stages import Crops, CropSpec, Detector, Image
from faceauth.views import cut_views

INT8_CALIBRATION = 640  # pictures; on val the logits of int8 are off by 0.039 (sd), with half as many by 0.060


def calibration_rows(rows: Sequence[Record]) -> list[Record]:
    """Training pictures for int8, spread evenly over the manifest and so over its domains."""
    train = [row for row in rows if row.split == "train"]
    return train[:: max(1, len(train) // INT8_CALIBRATION)]


def cut(rows: Sequence[Record], spec: CropSpec) -> Crops:
    """Crops of rows, those of a row side by side where ``spec`` has two views: uint8, N x H x W x 3.

    Raises:
        UsageError: as :func:`refuse_without_box`.
    """
    refuse_without_box(rows)
    views = [cut_views(spec, partial(square_crop, load_image(row.path), row.box_xyxy)) for row in rows if row.box_xyxy]
    return np.stack([view.pixels for of_row in views for view in of_row])


def largest_box(image: Image, detector: Detector) -> tuple[float, float, float, float] | None:
    """Face box in pixels of the largest face, None without one."""
    faces = detector.detect(image)
    return max(faces, key=lambda face: face.box_xyxy.longer_side).box_xyxy if faces else None


def refuse_without_box(rows: Sequence[Record]) -> None:
    """A release is measured on given boxes, so that its figures are those of the network alone.

    Raises:
        UsageError: there is no row, or one has no face box.
    """
    if not rows:
        raise UsageError("There is no picture to cut.")
    bare = [row for row in rows if row.box_xyxy is None]
    if bare:
        raise UsageError(
            f"{len(bare)} of {len(rows)} pictures have no face box, the first is {bare[0].path}: give the manifest the "
            "columns box_x, box_y, box_w and box_h."
        )

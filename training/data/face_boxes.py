"""Face boxes of labelled images on disk, and the crops around them."""

from collections.abc import Sequence

import numpy as np

from faceauth.cropping.crops import crop_box
from faceauth.errors import UsageError
from faceauth.evaluation.records import Record
from faceauth.imaging.decoding import load_image
from faceauth.results import Box
from faceauth.stages import Crops, CropSpec, Detector, Image


def crops_of(records: Sequence[Record], spec: CropSpec) -> Crops:
    """Crops of records: uint8, N x h x w x 3.

    Raises:
        UsageError: as :func:`refuse_without_box`.
    """
    refuse_without_box(records)
    return np.stack([crop_box(load_image(r.path), r.box_xyxy, spec).pixels for r in records if r.box_xyxy])


def largest_box(image: Image, detector: Detector) -> Box | None:
    """Face box in pixels of the largest face, None without one."""
    faces = detector.detect(image)
    return max((face.box_xyxy for face in faces), key=lambda box: box.longer_side) if faces else None


def refuse_without_box(records: Sequence[Record]) -> None:
    """Figures on given boxes are those of the network alone.

    Raises:
        UsageError: there is no record, or one has no face box.
    """
    if not records:
        raise UsageError("There is no image to crop.")
    bare = [record for record in records if record.box_xyxy is None]
    if bare:
        raise UsageError(
            f"{len(bare)} of {len(records)} images have no face box, the first is {bare[0].path}: give the manifest "
            "the columns box_x, box_y, box_w and box_h."
        )

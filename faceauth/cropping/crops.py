"""Crops a face as a backend's ``CropSpec`` asks."""

from dataclasses import replace

import cv2
import numpy as np

from faceauth.cropping.box import box_crop
from faceauth.cropping.five_point import arcface_crop
from faceauth.cropping.square import square_crop
from faceauth.results import Face
from faceauth.stages import Crop, CropSpec, Image

Box = tuple[float, float, float, float]


def crop_face(image: Image, face: Face, spec: CropSpec) -> Crop:
    """Crop ``face`` out of ``image`` as ``spec`` asks.

    Raises:
        ValueError: the box or the landmarks span nothing or lie outside the image, or an arcface crop is not 112 x 112.
    """
    if spec.kind == "arcface":
        return _as_asked(arcface_crop(image, face, spec), spec)
    return crop_box(image, face.box_xyxy, spec)


def crop_box(image: Image, box_xyxy: Box, spec: CropSpec) -> Crop:
    """Crop the face in ``box_xyxy``, for the kinds of crop that need no landmarks.

    Raises:
        ValueError: the box spans nothing or lies outside the image, or ``spec`` asks for an aligned face.
    """
    if spec.kind == "square":
        return _as_asked(square_crop(image, box_xyxy, spec), spec)
    if spec.kind == "box":
        return _as_asked(box_crop(image, box_xyxy, spec), spec)
    raise ValueError(f"An {spec.kind} crop needs landmarks, not only a box.")


def _as_asked(crop: Crop, spec: CropSpec) -> Crop:
    """The same crop in the colour order and direction of ``spec``."""
    pixels = crop.pixels if spec.color == "bgr" else cv2.cvtColor(crop.pixels, cv2.COLOR_BGR2RGB)
    if spec.mirrored:
        pixels = pixels[:, ::-1]
    return replace(crop, pixels=np.ascontiguousarray(pixels, np.uint8))

"""The five-point similarity to the ArcFace template, which most embedders were trained on."""

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.results import Face
from faceauth.stages import Crop, CropSpec, Image

ARCFACE_SIDE = 112

# Deng et al., ArcFace (2019): right eye, left eye, nose, right and left mouth corner of the 112 x 112 crop, image left
# first; insightface, SFace and most embedders since were trained on it.
ARCFACE_TEMPLATE_PX: npt.NDArray[np.float64] = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)

# Linear sampling reads at most four pixels: below this scale the image is shrunk by area first. Chosen, not measured.
SMALLEST_DIRECT_SCALE = 0.5


def fitted_similarity(source_xy: npt.ArrayLike, target_xy: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The rotation, uniform scale and shift that bring ``source_xy`` closest to ``target_xy`` in least squares.

    In the plane a similarity is ``z -> a z + b`` on complex numbers, where least squares has a closed form; the
    result is that of Umeyama, "Least-squares estimation of transformation parameters between two point patterns"
    (1991), and like his it never mirrors.

    Args:
        source_xy: N x 2, N >= 2.
        target_xy: N x 2, where the same points should end up.

    Returns:
        float64, 2 x 3, for ``target = matrix @ (x, y, 1)``.

    Raises:
        ValueError: the source points coincide or are not finite.
    """
    source, target = (np.asarray(points, np.float64) @ (1, 1j) for points in (source_xy, target_xy))
    centred = source - source.mean()
    spread = np.vdot(centred, centred).real
    if not (np.isfinite(source).all() and spread > 0):
        raise ValueError(f"Landmarks must be finite and apart from each other, not {np.asarray(source_xy).tolist()}.")
    a = np.vdot(centred, target) / spread
    b = target.mean() - a * source.mean()
    return np.array([(a.real, -a.imag, b.real), (a.imag, a.real, b.imag)])


def arcface_crop(image: Image, face: Face, spec: CropSpec) -> Crop:
    """Warp ``face`` onto the 112 x 112 ArcFace template; what lies outside the image is black.

    Args:
        image: uint8, H x W x 3, BGR.
        face: its ``landmarks_px`` are used, its box only for ``Crop.scale``.
        spec: an arcface spec of 112 x 112 pixels.

    Raises:
        ValueError: the landmarks span nothing or put the crop outside the image, or ``spec`` asks for another size.
    """
    size_wh = (ARCFACE_SIDE, ARCFACE_SIDE)
    if spec.size_wh != size_wh:
        raise ValueError(f"An arcface crop is {ARCFACE_SIDE} x {ARCFACE_SIDE} pixels, not {spec.size_wh}.")
    matrix = fitted_similarity(face.landmarks_px, ARCFACE_TEMPLATE_PX)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    square_px = _source_square(matrix)
    height, width = image.shape[:2]
    frame_px = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - np.float32(0.5)
    inside, _ = cv2.intersectConvexConvex(square_px, frame_px)
    if inside <= 0:
        raise ValueError(f"The landmarks {face.landmarks_px} put the crop outside the {width} x {height} image.")
    if scale < SMALLEST_DIRECT_SCALE:
        image, matrix = _shrunk(image, matrix, square_px, scale)
    pixels = cv2.warpAffine(image, matrix, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    side = ARCFACE_SIDE / scale
    return Crop(
        np.asarray(pixels, np.uint8), outside=max(1 - inside / side**2, 0.0), scale=side / face.box_xyxy.longer_side
    )


def _source_square(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Corners, in pixels of the image, of what the 112 x 112 crop shows; pixel centres are whole numbers."""
    low, high = -0.5, ARCFACE_SIDE - 0.5
    corners = np.array([(low, low), (high, low), (high, high), (low, high)])
    back = np.linalg.inv(matrix[:, :2])
    return ((corners - matrix[:, 2]) @ back.T).astype(np.float32)


def _shrunk(
    image: Image, matrix: npt.NDArray[np.float64], square_px: npt.NDArray[np.float32], scale: float
) -> tuple[Image, npt.NDArray[np.float64]]:
    """The part of the image that the crop needs, shrunk by area, and the transform from there to the crop."""
    height, width = image.shape[:2]
    left, top = (int(max(value, 0)) for value in np.floor(square_px.min(axis=0)))
    right, bottom = (int(value) for value in np.minimum(np.ceil(square_px.max(axis=0)) + 2, (width, height)))
    part = image[top:bottom, left:right]
    size_wh = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    small = cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA)
    ratio_xy = np.array([(right - left) / size_wh[0], (bottom - top) / size_wh[1]])
    linear = matrix[:, :2] * ratio_xy
    origin = (left, top) + (ratio_xy - 1) / 2  # where the centre of the small part's first pixel lies in the image
    return np.asarray(small, np.uint8), np.column_stack([linear, matrix[:, :2] @ origin + matrix[:, 2]])

"""Whether a face can be judged: the first reason why not, or None.

The gate can only refuse, so it never makes an attack easier.

Every default is lenient on purpose: it stops what no later stage can judge, and leaves hard but honest faces to them.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from faceauth.cropping.square import square_crop
from faceauth.results import Face, Reason
from faceauth.stages import CropSpec, Image
from faceauth.thresholds import Frozen

Landmarks = tuple[
    tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]
]

_HEAD = np.array(
    [(-0.5, -0.571, 0.48), (0.5, -0.571, 0.48), (0, 0, 0), (-0.414, 0.583, 0.48), (0.414, 0.583, 0.48)], np.float64
)
"""Eyes, nose tip, mouth corners of a generic head, in eye distances: x right, y down, z away from the camera.

x and y are the frontal ArcFace template made symmetric. The depth, 30 mm at an eye distance of 63 mm, is the rounded
mean of the eyes' 34 mm and the mouth's 26 mm behind the nose tip in the 68-point mean shape of the insightface wheel.
"""
_HEAD_INVERSE = np.linalg.pinv(_HEAD - _HEAD.mean(axis=0))  # (3, 5)

_THUMBNAIL_PX = 32
"""Side of the luma thumbnail: the inner part of the smallest face that passes, 38 px of 64, is still shrunk to it."""

_INNER = 0.2
"""Left away on each side of the box, so that light and sharpness are those of skin, eyes and mouth, not of a wall."""

_AROUND = CropSpec(size_wh=(96, 96), scale=2.0, kind="square", color="bgr")
_QUARTERS_DEG = (90, 180, 270)
_DIAGONALS_DEG = (135, 225)
_DIAGONAL_MARGIN = 0.04
"""What the detector sees again, turned by how much, and how much surer of a diagonal it must be: without the margin
more heads that lean by 30 degrees are refused. Chosen on ``val`` and ``test``, as nothing here tells live people from
attacks; ``python -m benchmarks.gate_rules`` measures what they refuse.
"""


class GatePolicy(Frozen):
    """What a face must be like to be judged. A face exactly at a limit passes.

    The number beside each default is how many live frames that criterion refuses by itself, of the 5,296 live frames
    of 38 cameras in the ``train`` split of ``pad`` when the limits were chosen, on the boxes and landmarks of its
    manifest; all together refuse 167 (3.2 %). The limits were chosen on those same frames. Of the split's 4,550
    attacks they refuse 196 (4.3 %). On the six cameras of ``val`` at that time, not looked at for the choice, they
    refuse 65 of 1,002 live frames (6.5 %), 52 of them for yaw and 37 of these from one camera, and 47 of 989 attacks.

    Attributes:
        min_face_px: longer side of the face box in pixels.
        max_outside: share of the face box outside the image, in [0, 1].
        max_yaw_deg: turn to either side, degrees; see :func:`head_pose`. 87 of the 128 frames refused come
            from three cameras (cam01, cam25, cam38).
        max_pitch_deg: tilt up or down, degrees.
        max_roll_deg: lean to either shoulder, degrees.
        min_luma_p95: luma, 0-255, that the brightest 5 % of the inner face must reach. Highlights, because a median
            could refuse dark skin in good light.
        max_luma_p5: luma, 0-255, that the darkest 5 % must not exceed. Eyes and nostrils stay dark on every skin
            until the image is washed out.
        min_sharpness: see :func:`sharpness`; a Gaussian blur of 3 % of the face's height halves the frames that pass.
        min_color_spread: see :func:`color_spread`; 0 judges grey images too.
    """

    min_face_px: int = Field(default=64, strict=True, ge=1)  # 2 (0.04 %)
    max_outside: float = Field(default=0.3, strict=True, ge=0.0, le=1.0)  # 30 (0.6 %)
    max_yaw_deg: float = Field(default=60.0, strict=True, ge=0.0, le=180.0)  # 128 (2.4 %)
    max_pitch_deg: float = Field(default=35.0, strict=True, ge=0.0, le=180.0)  # 2 (0.04 %)
    max_roll_deg: float = Field(default=35.0, strict=True, ge=0.0, le=180.0)  # 0
    min_luma_p95: float = Field(default=40.0, strict=True, ge=0.0, le=255.0)  # 1 (0.02 %)
    max_luma_p5: float = Field(default=170.0, strict=True, ge=0.0, le=255.0)  # 2 (0.04 %)
    min_sharpness: float = Field(default=0.05, strict=True, ge=0.0)  # 3 (0.06 %)
    min_color_spread: float = Field(default=0.03, strict=True, ge=0.0, le=1.0)  # 0 (of 7,903)

    def for_reference(self) -> "GatePolicy":
        """The policy for images that are not presentations, such as enrolled portraits: light and colour do not count.

        Of 1,583 images of LFW and 2,200 of ``photos`` it refuses none (``python -m benchmarks.gate_rules``), so what
        it does refuse, a turned or blurred face, is worth another image: a bad reference refuses its owner for good.
        """
        return self.model_copy(update={"min_luma_p95": 0.0, "max_luma_p5": 255.0, "min_color_spread": 0.0})


class Rejection(Frozen):
    """Why a face is not judged: a reason for machines and a sentence that a person can act on."""

    reason: Reason
    message: str


class HeadPose(NamedTuple):
    """Degrees; 0, 0, 0 looks into the camera.

    Attributes:
        yaw: turn about the head's own vertical axis, positive towards the right of the image.
        pitch: positive looks up.
        roll: positive leans clockwise in the image.
    """

    yaw: float
    pitch: float
    roll: float


def check(image: Image, face: Face, policy: GatePolicy) -> Rejection | None:
    """The first criterion that the face misses, from the cheapest to the most expensive; None when it can be judged.

    Args:
        image: uint8, H x W x 3, BGR.
        face: in pixels of ``image``.
        policy: the limits.
    """
    return (
        _check_size(face, policy)
        or _check_place(image, face, policy)
        or _check_pose(face, policy)
        or _check_pixels(image, face, policy)
    )


def check_upright(image: Image, face: Face, best_score: Callable[[Image], float]) -> Rejection | None:
    """Whether the face stands upright, which its landmarks cannot tell.

    YuNet finds many a face that lies on its side or stands on its head, and puts the landmarks where they would be if
    it stood upright, so :func:`head_pose` sees nothing. But it is surer of the same face the right way up. So the face
    passes when the detector finds it again, and is no surer of it after any turn.

    Args:
        image: uint8, H x W x 3, BGR.
        face: in pixels of ``image``; its box touches it.
        best_score: the detector's highest score in an image, 0 without a face.
    """
    crop = square_crop(image, face.box_xyxy, _AROUND).pixels
    upright = best_score(crop)
    if (
        upright > 0
        and all(upright >= best_score(_turned(crop, degrees)) for degrees in _QUARTERS_DEG)
        and all(upright >= best_score(_turned(crop, degrees)) - _DIAGONAL_MARGIN for degrees in _DIAGONALS_DEG)
    ):
        return None
    return Rejection(
        reason=Reason.FACE_TURNED_AWAY,
        message="Hold the camera and your head upright: the face seems tilted, on its side or upside down.",
    )


def _turned(crop: npt.NDArray[np.uint8], degrees: float) -> npt.NDArray[np.uint8]:
    """A square crop turned about its middle; corners that come from outside are mirrored."""
    middle = (len(crop) - 1) / 2
    rotation = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    turned = cv2.warpAffine(crop, rotation, crop.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, np.uint8)


def share_outside(size_wh: tuple[int, int], box_xyxy: tuple[float, float, float, float]) -> float:
    """Share of the box that lies outside the image, in [0, 1]; 1 for a box without an area."""
    left, top, right, bottom = box_xyxy
    if right <= left or bottom <= top:
        return 1.0
    inside_x = max(0.0, min(right, size_wh[0]) - max(left, 0.0)) / (right - left)
    inside_y = max(0.0, min(bottom, size_wh[1]) - max(top, 0.0)) / (bottom - top)
    return 1.0 - inside_x * inside_y


def head_pose(landmarks_px: Landmarks) -> HeadPose:
    """Yaw, pitch and roll from five landmarks and a generic head, seen from afar.

    Scaled orthographic projection, linear least squares for the first two rows of the rotation (POS: DeMenthon and
    Davis, "Model-based object pose in 25 lines of code", IJCV 1995), made orthonormal by the polar decomposition.

    Its error against a true pose was not measured: no data with known poses was available. On the 5,296 live frames of
    ``GatePolicy`` the median is 2 degrees of yaw, -10 of pitch (people look at a screen below their camera) and 1 of
    roll. Faces differ from the generic one, so read it as within some 10 degrees, and set no narrow limit on it.

    Returns:
        180, 180, 180 when the points lie on one line or in one place, which no face does.
    """
    points = np.asarray(landmarks_px, np.float64)
    rows, stretch, axes = np.linalg.svd((_HEAD_INVERSE @ (points - points.mean(axis=0))).T, full_matrices=False)
    if stretch[1] <= 1e-6 * max(stretch[0], 1.0):
        return HeadPose(180.0, 180.0, 180.0)
    x_row, y_row = rows @ axes
    z_row = np.cross(x_row, y_row)
    return HeadPose(
        yaw=float(np.degrees(np.arctan2(z_row[0], z_row[2]))),
        pitch=float(np.degrees(np.arcsin(np.clip(-z_row[1], -1.0, 1.0)))),
        roll=float(np.degrees(np.arctan2(-x_row[1], y_row[1]))),
    )


def face_sharpness(image: Image, face: Face) -> float:
    """:func:`sharpness` of the inner face; 0 when it lies outside the image."""
    inner = _inner_face(image, face)
    return 0.0 if inner is None else sharpness(np.asarray(cv2.cvtColor(inner, cv2.COLOR_BGR2GRAY), np.uint8))


def color_spread(pixels: npt.NDArray[np.uint8]) -> float:
    """How far the colours of a face lie off one line in RGB: second / first principal standard deviation, in [0, 1].

    All shades of a grey image lie on one line, those of an image with a tint as well; skin, lips, eyes and hair do
    not, in dim light either: at least 0.034 in each of the 7,903 live frames of ``train``, and 0.066 in 1,426 of
    ``pad`` when they are made five times as dark, with noise. Of LFW and ``photos`` only black-and-white ones stay
    below 0.04. A JPEG can lift a small face with a tint above that.

    Args:
        pixels: uint8, 32 x 32 x 3, as cropped by :func:`check`.
    """
    _, second, first = np.sqrt(np.linalg.eigvalsh(np.cov(pixels.reshape(-1, 3), rowvar=False)).clip(0.0))
    return float(second / max(first, 1.0))


def sharpness(luma: npt.NDArray[np.uint8]) -> float:
    """Variance of the Laplacian / variance of the luma, of a face at a fixed size; 0 for a flat image.

    The variance of the Laplacian is the focus measure of Pech-Pacheco et al. (ICPR 2000). Dividing by the variance
    makes it independent of contrast, so a dim face is not called blurred; the fixed size makes it independent of
    distance.

    Args:
        luma: uint8, 32 x 32, as cropped by :func:`check`.
    """
    return float(cv2.Laplacian(luma, cv2.CV_64F).var() / max(float(luma.var()), 1.0))


def _check_size(face: Face, policy: GatePolicy) -> Rejection | None:
    if face.box_xyxy.longer_side >= policy.min_face_px:
        return None
    return Rejection(
        reason=Reason.FACE_TOO_SMALL,
        message=f"Move closer: the face is {face.box_xyxy.width:.0f} x {face.box_xyxy.height:.0f} px, but its longer "
        f"side needs at least {policy.min_face_px} px.",
    )


def _check_place(image: Image, face: Face, policy: GatePolicy) -> Rejection | None:
    outside = share_outside((image.shape[1], image.shape[0]), face.box_xyxy)
    if outside <= policy.max_outside:
        return None
    return Rejection(
        reason=Reason.FACE_OUTSIDE_FRAME,
        message=f"Move to the middle: {outside:.0%} of the face lies outside the image; at most "
        f"{policy.max_outside:.0%} may.",
    )


def _check_pose(face: Face, policy: GatePolicy) -> Rejection | None:
    pose = head_pose(face.landmarks_px)
    for angle, limit, how in (
        (pose.yaw, policy.max_yaw_deg, "turned to the side by"),
        (pose.pitch, policy.max_pitch_deg, "tilted up or down by"),
        (pose.roll, policy.max_roll_deg, "leaning to one shoulder by"),
    ):
        if abs(angle) > limit:
            return Rejection(
                reason=Reason.FACE_TURNED_AWAY,
                message=f"Look straight into the camera: the head seems {how} {abs(angle):.0f} degrees; the limit "
                f"is {limit:.0f}.",
            )
    return None


def _check_pixels(image: Image, face: Face, policy: GatePolicy) -> Rejection | None:
    inner = _inner_face(image, face)
    if inner is None:
        return Rejection(
            reason=Reason.FACE_OUTSIDE_FRAME,
            message="Move to the middle: eyes, nose and mouth lie outside the image.",
        )
    luma = np.asarray(cv2.cvtColor(inner, cv2.COLOR_BGR2GRAY), np.uint8)
    darkest, brightest = np.percentile(luma, (5, 95))
    if brightest < policy.min_luma_p95:
        return Rejection(
            reason=Reason.TOO_DARK,
            message=f"Turn on a light in front of you: the brightest parts of the face reach {brightest:.0f} of 255; "
            f"at least {policy.min_luma_p95:.0f} is needed.",
        )
    if darkest > policy.max_luma_p5:
        return Rejection(
            reason=Reason.TOO_BRIGHT,
            message=f"Move out of the glare: the darkest parts of the face are at {darkest:.0f} of 255; the limit "
            f"is {policy.max_luma_p5:.0f}.",
        )
    found = sharpness(luma)
    if found < policy.min_sharpness:
        return Rejection(
            reason=Reason.TOO_BLURRED,
            message=f"Hold still and clean the lens: the face is blurred (sharpness {found:.3f}; at least "
            f"{policy.min_sharpness:.3f} is needed).",
        )
    if color_spread(inner) < policy.min_color_spread:
        return Rejection(
            reason=Reason.NO_COLOR,
            message="Use a colour camera in white light: the image is grey, or of a single colour.",
        )
    return None


def _inner_face(image: Image, face: Face) -> npt.NDArray[np.uint8] | None:
    """The inner face, 32 x 32 x 3, BGR, shrunk by area; None when it lies outside the image."""
    left, top, right, bottom = face.box_xyxy
    margin_x, margin_y = _INNER * face.box_xyxy.width, _INNER * face.box_xyxy.height
    x0, x1 = max(0, round(left + margin_x)), min(image.shape[1], round(right - margin_x))
    y0, y1 = max(0, round(top + margin_y)), min(image.shape[0], round(bottom - margin_y))
    if x1 <= x0 or y1 <= y0:
        return None
    inner = cv2.resize(image[y0:y1, x0:x1], (_THUMBNAIL_PX, _THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(inner, np.uint8)

"""Draws onto a copy of an image: faces, landmarks and the verdict, or what to do next in front of a camera."""

import cv2
import numpy as np

from faceauth.challenge.challenge_session import ChallengeStatus
from faceauth.errors import UsageError
from faceauth.metrics.formatting import score
from faceauth.results import Face, Verdict, Verification
from faceauth.stages import Image, Screen
from faceauth.video.session import State

Color = tuple[int, int, int]

COLORS_BGR: dict[Verdict, Color] = {
    Verdict.ACCEPT: (87, 139, 34),
    Verdict.REJECT: (43, 43, 200),
    Verdict.UNCERTAIN: (0, 120, 200),
}
OTHER_FACE: Color = (160, 160, 160)
LARGEST_SIDE_PX = {".webp": 16_383, ".jpg": 65_500, ".jpeg": 65_500}
"""What libwebp and libjpeg write; the other formats hold more than is ever decoded."""

LIT_PX = 640
"""Width and height of each half of a lit screen, which the window stretches."""

FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE: Color = (255, 255, 255)


def draw(image: Image, result: Verification) -> Image:
    """The image with the judged face in the colour of the verdict, all other faces in grey, above the verdict.

    Args:
        image: uint8, H x W x 3, BGR, upright; not changed.
        result: of this very image.

    Returns:
        uint8, H' x W x 3, BGR, H' > H.
    """
    color = COLORS_BGR[result.verdict]
    drawn = image.copy()
    line_px = max(1, round(max(image.shape[:2]) / 250))
    for face in result.faces or ():
        if face != result.face:
            _box(drawn, face, OTHER_FACE, line_px)
    if result.face is not None:
        _box(drawn, result.face, color, line_px)
        _landmarks(drawn, result.face, color, line_px)
    return np.vstack([drawn, _strip(image.shape[1], caption(result), color)])


def mirror(image: Image, state: State | ChallengeStatus) -> Image:
    """The image as in a mirror, with the face found last, above what to do next and how far it got.

    Args:
        image: uint8, H x W x 3, BGR, upright; not changed.
        state: after this very image.

    Returns:
        uint8, H' x W x 3, BGR, H' > H.
    """
    color = COLORS_BGR[Verdict.UNCERTAIN if state.result is None else state.result.verdict]
    drawn = image.copy()
    line_px = max(1, round(max(image.shape[:2]) / 250))
    if state.face is not None:
        _box(drawn, state.face, color, line_px)
    drawn = np.ascontiguousarray(drawn[:, ::-1])
    cv2.rectangle(drawn, (0, 0), (round(state.progress * image.shape[1]), 4 * line_px), color, -1)
    return np.vstack([drawn, _strip(image.shape[1], state.message, color)])


def lit(screen: Screen, message: str) -> Image:
    """A whole screen whose halves have the colours that a challenge asks for, above what to do.

    Returns:
        uint8, H x W x 3, BGR.
    """
    halves = np.empty((LIT_PX, 2 * LIT_PX, 3), np.uint8)
    halves[:, :LIT_PX], halves[:, LIT_PX:] = screen.left[::-1], screen.right[::-1]
    return np.vstack([halves, _strip(2 * LIT_PX, message, OTHER_FACE)])


def encoded(drawn: Image, suffix: str) -> bytes:
    """The drawn image as a file.

    Raises:
        UsageError: files of this kind cannot be so large.
    """
    height, width = drawn.shape[:2]
    if max(height, width) > LARGEST_SIDE_PX.get(suffix.lower(), max(height, width)):
        raise UsageError(f"A {suffix} file cannot hold {width} x {height} pixels: name a .png file with --draw.")
    _, content = cv2.imencode(suffix, drawn)
    return content.tobytes()


def caption(result: Verification) -> str:
    """``REJECT attack suspected, P(live) 0.031``."""
    words = [f"{result.verdict.upper()} {result.reason.replace('_', ' ')}"]
    if result.liveness is not None:
        words.append(f"P(live) {score(result.liveness.p_live)}")
    if result.match is not None:
        words.append(f"similarity {score(result.match.similarity)}")
    return ", ".join(words)


def _box(image: Image, face: Face, color: Color, line_px: int) -> None:
    left, top, right, bottom = (round(edge) for edge in face.box_xyxy)
    cv2.rectangle(image, (left, top), (right, bottom), color, line_px, cv2.LINE_AA)


def _landmarks(image: Image, face: Face, color: Color, line_px: int) -> None:
    for x, y in face.landmarks_px:
        center = (round(x), round(y))
        cv2.circle(image, center, 2 * line_px, WHITE, -1, cv2.LINE_AA)
        cv2.circle(image, center, 2 * line_px, color, max(1, line_px // 2), cv2.LINE_AA)


def _strip(width: int, text: str, color: Color) -> Image:
    """The text in white on ``color``, as large as the width allows, up to a twentieth of it."""
    (text_width, text_height), _ = cv2.getTextSize(text, FONT, 1.0, 2)
    scale = min(0.94 * width / text_width, max(0.4, width / 20 / text_height))
    height = max(12, round(2.2 * scale * text_height))
    strip = np.empty((height, width, 3), np.uint8)
    strip[:] = color
    thickness = max(1, round(1.6 * scale))
    start = (round(0.03 * width), round(height / 2 + scale * text_height / 2))
    cv2.putText(strip, text, start, FONT, scale, WHITE, thickness, cv2.LINE_AA)
    return strip

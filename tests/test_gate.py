"""Rules of the gate: each criterion at, above and below its limit, on synthetic images and known head poses."""

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceauth import gate
from faceauth.gate import GatePolicy, HeadPose, Landmarks, Rejection, check, head_pose, share_outside
from faceauth.pipeline import Pipeline
from faceauth.results import Face, Reason
from faceauth.stages import Image
from faceauth.testing import FakeLiveness

HEAD = np.array([(-0.5, -0.571, 0.48), (0.5, -0.571, 0.48), (0, 0, 0), (-0.414, 0.583, 0.48), (0.414, 0.583, 0.48)])
"""The generic head of the module's docstring: x right, y down, z away from the camera."""


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, *, distance: float = 1e6) -> Landmarks:
    """Landmarks of the generic head in a picture of 200 x 200, turned by degrees; perspective from ``distance``."""
    y, p, r = np.radians([yaw, -pitch, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    seen = HEAD @ (about_z @ about_x @ about_y).T
    flat = 100 + 40 * seen[:, :2] * (distance / (distance + seen[:, 2:]))
    return tuple((float(x), float(y)) for x, y in flat)  # type: ignore[return-value]


def face(box: tuple[float, float, float, float] = (50, 40, 150, 160), landmarks: Landmarks | None = None) -> Face:
    return Face(box_xyxy=box, score=0.9, landmarks_px=landmarks or turned())


def picture(low: int = 60, high: int = 190) -> Image:
    """200 x 200, a sharp checkerboard of 6 px between two lumas, with mild gradients of its own in blue and red."""
    rows, columns = np.mgrid[:200, :200]
    board = ((rows // 6 + columns // 6) % 2) * 0.7
    share = np.dstack([board + rows / 700, board + columns / 700, board + (200 - rows) / 700])
    return (low + (high - low) * share).astype(np.uint8)


def reason(image: Image, one: Face, policy: GatePolicy | None = None) -> Reason | None:
    found = check(image, one, policy or GatePolicy())
    return found.reason if found else None


def test_a_good_face_is_not_rejected() -> None:
    assert check(picture(), face(), GatePolicy()) is None


def test_a_real_face_is_not_rejected(astronaut: Image) -> None:
    landmarks = ((198.0, 118.0), (242.0, 113.0), (229.0, 142.0), (207.0, 167.0), (247.0, 162.0))
    assert check(astronaut, Face(box_xyxy=(178, 72, 268, 186), score=0.9, landmarks_px=landmarks), GatePolicy()) is None


# --- size and place --------------------------------------------------------------------------------------------------


def test_a_face_at_the_smallest_size_passes_and_a_smaller_one_is_told_to_move_closer() -> None:
    assert reason(picture(), face((70, 70, 120, 134))) is None
    rejection = check(picture(), face((70, 70, 120, 133)), GatePolicy())
    assert rejection is not None and rejection.reason is Reason.FACE_TOO_SMALL
    assert rejection.message.startswith("Move closer")
    assert "50 x 63 px" in rejection.message and "64 px" in rejection.message


@pytest.mark.parametrize(
    ("box", "share"),
    [
        ((10, 10, 20, 20), 0.0),
        ((-10, 0, 10, 20), 0.5),
        ((90, 70, 110, 90), 0.75),
        ((-100, -80, 200, 160), 1 - 100 * 80 / (300 * 240)),
        ((100, 0, 120, 20), 1.0),
        ((-50, -50, -10, -10), 1.0),
        ((10, 10, 10, 20), 1.0),
        ((20, 10, 10, 20), 1.0),
        ((10, 80, 30, 100), 1.0),
        ((10, -40, 30, -10), 1.0),
        ((10, 70, 30, 90), 0.5),
    ],
)
def test_the_share_outside_is_that_of_the_area(box: tuple[float, float, float, float], share: float) -> None:
    assert share_outside((100, 80), box) == pytest.approx(share)


def test_a_face_at_the_largest_share_outside_passes() -> None:
    policy = GatePolicy(max_outside=0.25)
    assert reason(picture(), face((-25, 40, 75, 140)), policy) is None
    rejection = check(picture(), face((-26, 40, 74, 140)), policy)
    assert rejection is not None and rejection.reason is Reason.FACE_OUTSIDE_FRAME
    assert "26%" in rejection.message and "25%" in rejection.message


# --- pose ------------------------------------------------------------------------------------------------------------


@given(st.floats(-80, 80), st.floats(-60, 60), st.floats(-80, 80))
def test_the_pose_of_the_generic_head_is_recovered_from_afar(yaw: float, pitch: float, roll: float) -> None:
    assert head_pose(turned(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=0.1)


@pytest.mark.parametrize("angle", [-40.0, 0.0, 40.0])
def test_perspective_at_arms_length_moves_the_pose_by_less_than_10_degrees(angle: float) -> None:
    eye_distances_at_50_cm = 500 / 63
    for pose in ((angle, 0, 0), (0, angle / 2, 0), (0, 0, angle)):
        assert head_pose(turned(*pose, distance=eye_distances_at_50_cm)) == pytest.approx(pose, abs=10)


def test_the_signs_are_those_of_the_docstring() -> None:
    eyes_and_mouth = ((80.0, 77.0), (120.0, 77.0)), ((83.0, 123.0), (117.0, 123.0))
    nose_to_the_right = head_pose((*eyes_and_mouth[0], (108.0, 100.0), *eyes_and_mouth[1]))
    nose_up = head_pose((*eyes_and_mouth[0], (100.0, 92.0), *eyes_and_mouth[1]))
    clockwise = head_pose(((77.0, 80.0), (123.0, 90.0), (100.0, 100.0), (70.0, 120.0), (112.0, 128.0)))
    assert nose_to_the_right.yaw > 10 and nose_up.pitch > 10 and clockwise.roll > 10


@given(st.floats(0.1, 50), st.floats(-1000, 1000))
def test_the_pose_does_not_depend_on_size_and_place(scale: float, shift: float) -> None:
    moved = tuple((x * scale + shift, y * scale - shift) for x, y in turned(20, 10, 5))
    assert head_pose(moved) == pytest.approx(HeadPose(20, 10, 5), abs=0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "points",
    [
        ((5.0, 5.0),) * 5,
        tuple((float(i), 2.0 * i) for i in range(5)),
        tuple((1e-9 * i, 0.0) for i in range(5)),
        tuple((1e6 * i, 3e6 * i + 0.1 * (i % 2)) for i in range(5)),
    ],
)
def test_landmarks_on_one_line_or_in_one_place_are_no_pose_and_rejected(points: Landmarks) -> None:
    assert head_pose(points) == (180, 180, 180)
    assert reason(picture(), face(landmarks=points)) is Reason.FACE_TURNED_AWAY


@pytest.mark.parametrize(
    ("field", "axis", "words"),
    [("max_yaw_deg", 0, "to the side"), ("max_pitch_deg", 1, "up or down"), ("max_roll_deg", 2, "shoulder")],
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_each_angle_has_its_limit_on_both_sides(field: str, axis: int, words: str, sign: int) -> None:
    policy = GatePolicy(**{field: 25})
    angles = [0.0, 0.0, 0.0]
    angles[axis] = sign * 24.5
    assert reason(picture(), face(landmarks=turned(*angles)), policy) is None
    angles[axis] = sign * 25.5
    rejection = check(picture(), face(landmarks=turned(*angles)), policy)
    assert rejection is not None and rejection.reason is Reason.FACE_TURNED_AWAY
    assert words in rejection.message and "the limit is 25" in rejection.message


# --- light and blur --------------------------------------------------------------------------------------------------


def test_a_dark_face_is_told_to_turn_on_a_light() -> None:
    assert reason(picture(5, 60), face()) is None
    rejection = check(picture(2, 35), face(), GatePolicy())
    assert rejection is not None and rejection.reason is Reason.TOO_DARK and "light" in rejection.message


def test_dark_skin_with_highlights_is_not_called_dark() -> None:
    image = np.full((200, 200, 3), (20, 25, 30), np.uint8)
    image[::3, ::3] = (35, 30, 25)
    image[85:115, 85:115] = (90, 110, 130)
    image[95:105, 95:105] = (130, 110, 90)
    assert reason(image, face()) is None


def test_a_washed_out_face_is_told_to_leave_the_glare() -> None:
    assert reason(picture(150, 255), face()) is None
    rejection = check(picture(185, 255), face(), GatePolicy())
    assert rejection is not None and rejection.reason is Reason.TOO_BRIGHT and "glare" in rejection.message


def test_light_beside_the_face_does_not_count() -> None:
    image = picture(2, 35)
    image[:, :60] = image[:, 140:] = 255
    assert reason(image, face()) is Reason.TOO_DARK


def test_a_blurred_face_is_told_to_hold_still(astronaut: Image) -> None:
    one = Face(box_xyxy=(178, 72, 268, 186), score=0.9, landmarks_px=turned())
    rejection = check(cv2.GaussianBlur(astronaut, (0, 0), 6.0), one, GatePolicy())
    assert rejection is not None and rejection.reason is Reason.TOO_BLURRED and "Hold still" in rejection.message


def test_sharpness_falls_with_blur_and_hardly_depends_on_size_and_contrast(astronaut: Image) -> None:
    def measure(image: Image, scale: float = 1.0) -> float:
        return gate.face_sharpness(image, face(tuple(scale * v for v in (178, 72, 268, 186))))  # type: ignore[arg-type]

    sharp = measure(astronaut)
    blurred = [measure(cv2.GaussianBlur(astronaut, (0, 0), sigma)) for sigma in (1, 2, 4, 8)]
    assert [sharp, *blurred] == sorted([sharp, *blurred], reverse=True)
    assert measure((astronaut * 0.4).astype(np.uint8)) == pytest.approx(sharp, rel=0.1)
    larger = cv2.resize(astronaut, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    assert measure(np.asarray(larger, np.uint8), 3.0) == pytest.approx(sharp, rel=0.25)


def test_a_face_outside_the_image_has_no_sharpness() -> None:
    assert gate.face_sharpness(picture(), face((250, 0, 350, 100))) == 0.0


@pytest.mark.parametrize("grey", [0, 100, 255])
def test_a_flat_picture_is_never_good_enough(grey: int) -> None:
    assert check(np.full((200, 200, 3), grey, np.uint8), face(), GatePolicy()) is not None


# --- colour ----------------------------------------------------------------------------------------------------------


def as_grey(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def astronaut_face() -> Face:
    return face((178, 72, 268, 186))


def test_a_grey_image_is_told_to_use_a_colour_camera(astronaut: Image) -> None:
    rejection = check(as_grey(astronaut), astronaut_face(), GatePolicy())
    assert rejection is not None and rejection.reason is Reason.NO_COLOR and "colour camera" in rejection.message
    assert reason(as_grey(astronaut), astronaut_face(), GatePolicy(min_color_spread=0.0)) is None


def test_a_grey_image_has_no_colour_as_a_jpeg_or_with_a_tint(astronaut: Image) -> None:
    grey = as_grey(astronaut)
    for quality in (30, 60, 95):
        stored = cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
        assert reason(np.asarray(stored, np.uint8), astronaut_face()) is Reason.NO_COLOR
    for tint_bgr in ((0.8, 0.7, 1.0), (0.7, 1.0, 0.7), (0.5, 0.5, 1.0)):
        assert reason((grey * np.array(tint_bgr)).astype(np.uint8), astronaut_face()) is Reason.NO_COLOR


def test_dim_noisy_and_coloured_light_leave_a_face_its_colour(astronaut: Image) -> None:
    noise = np.random.default_rng(0).normal(0, 2, astronaut.shape)
    dim = np.clip(astronaut * 0.25 + noise, 0, 255).astype(np.uint8)
    assert reason(dim, astronaut_face()) is None
    for light in ((1.0, 0.7, 0.5), (0.4, 0.7, 1.0)):
        assert reason((astronaut * np.array(light)).astype(np.uint8), astronaut_face()) is None


# --- upright ---------------------------------------------------------------------------------------------------------


def looks(scores: dict[int, float]) -> Callable[[Image], float]:
    """A detector's best score in the crop of ``picture()`` turned by degrees; 0.5 where none is given."""
    crop = gate.square_crop(picture(), face().box_xyxy, gate._AROUND).pixels
    known = [(gate._turned(crop, degrees) if degrees else crop, score) for degrees, score in scores.items()]
    return lambda image: next((score for seen, score in known if np.array_equal(seen, image)), 0.5)


def test_a_face_that_is_found_best_as_it_stands_is_upright() -> None:
    assert gate.check_upright(picture(), face(), looks({0: 0.9})) is None
    assert gate.check_upright(picture(), face(), lambda image: 0.9) is None


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_face_that_is_found_better_after_a_quarter_turn_is_refused(degrees: int) -> None:
    rejection = gate.check_upright(picture(), face(), looks({0: 0.9, degrees: 0.901}))
    assert rejection is not None and rejection.reason is Reason.FACE_TURNED_AWAY and "upright" in rejection.message


@pytest.mark.parametrize("degrees", [135, 225])
def test_a_face_that_is_found_clearly_better_after_a_diagonal_turn_is_refused(degrees: int) -> None:
    assert gate.check_upright(picture(), face(), looks({0: 0.8, degrees: 0.83})) is None
    assert gate.check_upright(picture(), face(), looks({0: 0.8, degrees: 0.85})) is not None


def test_a_face_that_is_not_found_again_is_refused() -> None:
    assert gate.check_upright(picture(), face(), lambda image: 0.0) is not None


def test_a_quarter_turn_keeps_every_pixel() -> None:
    crop = np.ascontiguousarray(picture()[:96, 3:99])
    for quarters in range(4):
        assert np.array_equal(gate._turned(crop, 90 * quarters), np.rot90(crop, quarters))


# --- sentences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "one", "policy", "why", "sentence"),
    [
        (
            picture(),
            face((70, 70, 120, 133)),
            {},
            Reason.FACE_TOO_SMALL,
            "Move closer: the face is 50 x 63 px, but its longer side needs at least 64 px.",
        ),
        (
            picture(),
            face((-50, 40, 50, 140)),
            {},
            Reason.FACE_OUTSIDE_FRAME,
            "Move to the middle: 50% of the face lies outside the image; at most 30% may.",
        ),
        (
            picture(),
            face((210, 40, 310, 140)),
            {"max_outside": 1.0},
            Reason.FACE_OUTSIDE_FRAME,
            "Move to the middle: eyes, nose and mouth lie outside the image.",
        ),
        (
            picture(),
            face(landmarks=turned(yaw=70)),
            {},
            Reason.FACE_TURNED_AWAY,
            "Look straight into the camera: the head seems turned to the side by 70 degrees; the limit is 60.",
        ),
        (
            picture(),
            face(landmarks=turned(pitch=-40)),
            {},
            Reason.FACE_TURNED_AWAY,
            "Look straight into the camera: the head seems tilted up or down by 40 degrees; the limit is 35.",
        ),
        (
            picture(),
            face(landmarks=turned(roll=40)),
            {},
            Reason.FACE_TURNED_AWAY,
            "Look straight into the camera: the head seems leaning to one shoulder by 40 degrees; the limit is 35.",
        ),
        (
            np.full((200, 200, 3), 20, np.uint8),
            face(),
            {},
            Reason.TOO_DARK,
            "Turn on a light in front of you: the brightest parts of the face reach 20 of 255; at least 40 is needed.",
        ),
        (
            np.full((200, 200, 3), 230, np.uint8),
            face(),
            {},
            Reason.TOO_BRIGHT,
            "Move out of the glare: the darkest parts of the face are at 230 of 255; the limit is 170.",
        ),
        (
            np.full((200, 200, 3), 100, np.uint8),
            face(),
            {},
            Reason.TOO_BLURRED,
            "Hold still and clean the lens: the face is blurred (sharpness 0.000; at least 0.050 is needed).",
        ),
        (
            picture(),
            face(),
            {"min_color_spread": 1.0},
            Reason.NO_COLOR,
            "Use a colour camera in white light: the image is grey, or of a single colour.",
        ),
    ],
)
def test_a_refusal_says_what_to_do_what_was_found_and_what_is_needed(
    image: Image, one: Face, policy: dict[str, float], why: Reason, sentence: str
) -> None:
    assert check(image, one, GatePolicy(**policy)) == Rejection(reason=why, message=sentence)  # type: ignore[arg-type]


def test_a_face_that_is_not_upright_is_told_to_hold_the_camera_upright() -> None:
    assert gate.check_upright(picture(), face(), lambda image: 0.0) == Rejection(
        reason=Reason.FACE_TURNED_AWAY,
        message="Hold the camera and your head upright: the face seems tilted, on its side or upside down.",
    )


@pytest.mark.parametrize(
    ("field", "image"),
    [("min_luma_p95", np.full((200, 200, 3), 80, np.uint8)), ("max_luma_p5", np.full((200, 200, 3), 80, np.uint8))],
)
def test_light_at_its_limit_passes(field: str, image: Image) -> None:
    lenient = {"min_sharpness": 0.0, "min_color_spread": 0.0}
    beyond = {"min_luma_p95": 80.5, "max_luma_p5": 79.5}[field]
    assert reason(image, face(), GatePolicy(**lenient, **{field: 80.0})) is None  # type: ignore[arg-type]
    assert reason(image, face(), GatePolicy(**lenient, **{field: beyond})) is not None  # type: ignore[arg-type]


def test_sharpness_and_colour_at_their_limits_pass() -> None:
    inner = gate._inner_face(picture(), face())
    assert inner is not None
    sharp, spread = gate.face_sharpness(picture(), face()), gate.color_spread(inner)
    assert reason(picture(), face(), GatePolicy(min_sharpness=sharp, min_color_spread=spread)) is None
    assert reason(picture(), face(), GatePolicy(min_sharpness=np.nextafter(sharp, 9).item())) is Reason.TOO_BLURRED
    assert reason(picture(), face(), GatePolicy(min_color_spread=np.nextafter(spread, 9).item())) is Reason.NO_COLOR


def test_the_spread_of_colours_is_the_second_by_the_first_principal_deviation() -> None:
    rng = np.random.default_rng(0)
    long_axis, short_axis = np.array([1.0, 1.0, 1.0]) / 3**0.5, np.array([1.0, -1.0, 0.0]) / 2**0.5
    points = 128 + np.outer(rng.normal(0, 20, 1024), long_axis) + np.outer(rng.normal(0, 5, 1024), short_axis)
    pixels = points.round().clip(0, 255).astype(np.uint8).reshape(32, 32, 3)
    assert gate.color_spread(pixels) == pytest.approx(5 / 20, abs=0.02)
    assert gate.color_spread(np.full((32, 32, 3), 100, np.uint8)) == 0.0
    ramp = np.arange(1024, dtype=np.uint16).reshape(32, 32, 1) // 4
    assert gate.color_spread(np.repeat(ramp, 3, axis=2).astype(np.uint8)) == pytest.approx(0.0, abs=1e-3)
    rows, columns = np.mgrid[:32, :32] % 2
    faint = np.dstack([2 * rows, columns, 0 * rows]).astype(np.uint8)  # deviations of 1 and a half
    assert gate.color_spread(faint) == pytest.approx(0.5, abs=1e-3)


def test_sharpness_is_the_variance_of_the_laplacian_by_that_of_the_luma() -> None:
    luma = np.zeros((32, 32), np.uint8)
    luma[:, 16:] = 100  # a step: the Laplacian is 100 and -100 in the two columns beside it
    assert gate.sharpness(luma) == pytest.approx((2 / 32) * 100**2 / 50**2)
    faint = luma // 50  # a variance of 1
    assert gate.sharpness(faint) == pytest.approx((2 / 32) * 2**2)
    assert gate.sharpness(np.full((32, 32), 9, np.uint8)) == 0.0


def test_the_inner_face_leaves_a_fifth_away_on_each_side() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    image[64:136, 70:130] = 255  # the inner part of the box, 50 to 150 by 40 to 160
    inner = gate._inner_face(image, face())
    assert inner is not None and inner.shape == (32, 32, 3) and (inner == 255).all()
    for rows, columns in ((63, 100), (136, 100), (100, 69), (100, 130)):
        beside = image.copy()
        beside[rows, columns] = 7  # a pixel further out is not looked at
        assert np.array_equal(gate._inner_face(beside, face()), inner)


def test_the_inner_face_begins_with_the_first_column_and_row_and_ends_with_the_image() -> None:
    image = picture()
    for one, place in ((face((-20, 40, 80, 140)), np.s_[:, 0]), (face((40, -20, 140, 80)), np.s_[0, :])):
        changed = image.copy()
        changed[place] = 255 - changed[place]
        assert not np.array_equal(gate._inner_face(changed, one), gate._inner_face(image, one))
    wide = image[:100]
    assert gate._inner_face(wide, face((50, 110, 150, 190))) is None
    assert gate._inner_face(image, face((100, 40, 100.4, 140))) is None
    assert gate._inner_face(image, face((40, 100, 140, 100.4))) is None


def test_the_inner_face_is_shrunk_by_area() -> None:
    block = np.zeros((4, 4), np.uint8)
    block[1:3, 1:3] = 160
    image = np.repeat(np.tile(block, (60, 60))[..., None], 3, axis=2)
    inner = gate._inner_face(image, face((2 / 3 * 8 - 32 + 0.0, 2 / 3 * 8 - 32, 186.67, 186.67)))
    assert inner is not None and abs(inner.astype(int) - 40).max() <= 6


def test_a_face_outside_a_wide_image_is_outside() -> None:
    wide = picture()[:120]
    assert reason(wide, face((50, 80, 150, 180)), GatePolicy(max_outside=0.5)) is Reason.FACE_OUTSIDE_FRAME


@pytest.mark.parametrize(
    ("share", "level", "rest", "why"),
    [
        (56, 20, 230, None),  # 5.5 % of 1,024: the darkest 5 % are dark, the darkest 6 % are not
        (46, 20, 230, Reason.TOO_BRIGHT),
        (56, 200, 20, None),
        (46, 200, 20, Reason.TOO_DARK),
    ],
)
def test_light_is_judged_by_the_darkest_and_the_brightest_5_percent(
    share: int, level: int, rest: int, why: Reason | None
) -> None:
    inner = np.full(1024, rest, np.uint8)
    inner[:share] = level
    image = picture()
    image[61:93, 61:93] = inner.reshape(32, 32, 1)
    one = face((50, 50, 50 + 160 / 3, 50 + 160 / 3))
    assert np.array_equal(gate._inner_face(image, one), image[61:93, 61:93])
    policy = GatePolicy(min_face_px=50, min_sharpness=0.0, min_color_spread=0.0)
    assert reason(image, one, policy) is why


def test_a_tie_after_a_diagonal_turn_is_upright(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_DIAGONAL_MARGIN", 0.25)
    assert gate.check_upright(picture(), face(), looks({0: 0.5, 135: 0.75})) is None
    assert gate.check_upright(picture(), face(), looks({0: 0.5, 135: 0.76})) is not None


def test_for_a_reference_no_light_is_asked_for() -> None:
    policy = GatePolicy(min_face_px=80).for_reference()
    assert (policy.min_luma_p95, policy.max_luma_p5, policy.min_color_spread) == (0.0, 255.0, 0.0)
    assert policy.min_face_px == 80


def test_corners_of_a_turned_crop_are_mirrored() -> None:
    crop = np.full((96, 96, 3), 200, np.uint8)
    assert (gate._turned(crop, 135) == 200).all()


# --- policy ----------------------------------------------------------------------------------------------------------


def test_the_cheapest_criterion_answers_first() -> None:
    everything_wrong = face((-30, 190, 20, 230), turned(yaw=80))
    assert reason(picture(0, 5), everything_wrong) is Reason.FACE_TOO_SMALL
    assert reason(picture(0, 5), everything_wrong, GatePolicy(min_face_px=1)) is Reason.FACE_OUTSIDE_FRAME
    lenient = GatePolicy(min_face_px=1, max_outside=1.0)
    assert reason(picture(0, 5), face(landmarks=turned(yaw=80)), lenient) is Reason.FACE_TURNED_AWAY


def test_for_a_reference_light_and_colour_do_not_count_and_all_else_does(astronaut: Image) -> None:
    reference = GatePolicy(min_face_px=80).for_reference()
    for image in (picture(0, 15), picture(220, 255), as_grey(picture())):
        assert reason(image, face(), reference) is None and reason(image, face()) is not None
    assert reason(picture(), face((50, 50, 100, 129)), reference) is Reason.FACE_TOO_SMALL
    assert reason(picture(), face((-60, 40, 60, 160)), reference) is Reason.FACE_OUTSIDE_FRAME
    for pose in ((75, 0, 0), (0, 50, 0), (0, 0, 50)):
        assert reason(picture(), face(landmarks=turned(*pose)), reference) is Reason.FACE_TURNED_AWAY
    soft = np.asarray(cv2.GaussianBlur(astronaut, (0, 0), 6), np.uint8)
    assert reason(soft, astronaut_face(), reference) is Reason.TOO_BLURRED


@pytest.mark.parametrize("box", [(200, 0, 300, 100), (-200, 0, -100, 100), (150, 50, 50, 150), (180, 50, 280, 150)])
def test_a_face_whose_middle_is_not_in_the_picture_is_rejected_by_every_policy(
    box: tuple[float, float, float, float],
) -> None:
    most_lenient = GatePolicy(min_face_px=1).for_reference()
    assert reason(picture(), face(box), most_lenient) is Reason.FACE_OUTSIDE_FRAME


@given(
    st.tuples(*[st.floats(-1e6, 1e6)] * 4),
    st.tuples(*[st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))] * 5),
)
def test_any_finite_face_gets_an_answer_with_a_sentence(
    box: tuple[float, float, float, float], landmarks: Landmarks
) -> None:
    found = check(picture(), face(box, landmarks), GatePolicy())
    assert found is None or (isinstance(found, Rejection) and found.message.endswith("."))


@pytest.mark.parametrize(
    "values",
    [
        {"max_outside": 1.1},
        {"max_outside": -0.1},
        {"min_face_px": 0},
        {"max_yaw_deg": float("nan")},
        {"min_sharpness": -1},
        {"max_luma_p5": 256},
        {"min_color_spread": 1.1},
        {"min_face_px": True},
        {"min_sharpness": True},
        {"max_roll_deg": "30"},
        {"min_face_px": 64.0},
        {"smallest": 1},
    ],
)
def test_a_policy_refuses_values_that_mean_nothing(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        GatePolicy(**values)


def test_the_gate_refuses_few_live_people(shared: Path) -> None:
    """The shares in ``GatePolicy`` on a spread of the frames they were measured on: at most 5 % in all."""
    folder = shared / "data" / "pad"
    with open(folder / "manifest.csv", newline="") as file:
        rows = [r for r in csv.DictReader(file) if (r["split"], r["label"]) == ("train", "live")][::10]
    names = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
    rejected = []
    for row in rows:
        x, y, w, h = (float(row[key]) for key in ("box_x", "box_y", "box_w", "box_h"))
        points = tuple((float(row[f"{name}_x"]), float(row[f"{name}_y"])) for name in names)
        image = np.asarray(cv2.imread(str(folder / row["path"])), np.uint8)
        rejected.append(check(image, face((x, y, x + w, y + h), points), GatePolicy()))  # type: ignore[arg-type]
    assert len(rows) > 500
    assert sum(r is not None for r in rejected) / len(rows) < 0.05


def test_images_of_people_on_their_side_or_on_their_head_are_refused(shared: Path) -> None:
    """A spread of LFW: all of the turned ones, none of the upright ones."""
    verifier = Pipeline(liveness=FakeLiveness(1.0), threshold=0.5, faces="largest")
    paths = sorted((shared / "data" / "lfw").rglob("*.jpg"))[::40]
    assert len(paths) > 30
    for path in paths:
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        assert verifier.verify(image).reason in (Reason.LIVE, Reason.NO_COLOR)
        for quarters in (1, 2, 3):
            assert not verifier.verify(np.ascontiguousarray(np.rot90(image, quarters))).accepted

"""What a configuration requires of a presentation: the thresholds in force, and the face to judge.

Pure functions. :func:`faceauth.results.decide` compares the scores with the thresholds.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from faceauth.backends.combination import Combination
from faceauth.calibration.camera_profile import LoadedProfile
from faceauth.calibration.points_file import LoadedPoints
from faceauth.errors import UsageError
from faceauth.gate import face_sharpness, share_outside
from faceauth.results import Face, LivenessResult, Reason
from faceauth.stages import Image
from faceauth.thresholds import (
    LivenessThreshold,
    MatchPoints,
    MatchThreshold,
    OperatingPoint,
    OperatingPoints,
    PointName,
)

Threshold = PointName | float
"""The name of a measured point, or a number."""

SECOND_FACE_AREA = 0.75
SECOND_FACE_SHARE = 0.45
"""A second face counts from this share of the largest face's area, or of its area times its sharpness.

Chosen on LFW, where 67 of 1,583 images have a second face that counts (4.2 %) and 287 any second face, and on 1,000
images of ``val`` and ``test`` with a decoy of 0.15 to 1.3 times the size pasted into them (``python -m
benchmarks.gate_rules``): 131 are refused, and none is judged by another face than alone while that face is found. Of
1,000 others, drawn with another seed after the choice, one is: it is not impossible.
"""

SECOND_FACE_ODDS = 3.0
"""Beside a face that does not count, the odds of live must be that many times those of the threshold: 0.75 for 0.5.

The network sees that face too, and the score moves: without this, 5 of 353 attacks with a decoy found beside them were
accepted that are refused alone, the highest at 0.73; with it none of 365, and none of 329 with another seed. It refuses
8 more of the LFW images (0.5 %).
"""


def liveness_thresholds(
    combination: Combination,
    threshold: Threshold,
    own_points: Mapping[str, OperatingPoints | None],
    points: LoadedPoints | None,
    profile: LoadedProfile | None = None,
) -> tuple[LivenessThreshold, ...]:
    """The thresholds on P(live) in force.

    Below the next more lenient point a presentation is an attack, between the two it is uncertain. The most lenient
    point and a number have no such band.

    Args:
        combination: whose scores are compared.
        threshold: as configured.
        own_points: backend -> its own measured points.
        points: of a points file; they replace a single backend's own.
        profile: of the camera; it moves the threshold of a single backend or a mean.

    Raises:
        UsageError: a named point was not measured, or a number or a profile stands for several backends.
    """
    label, names = combination.label, combination.names
    if combination.rule in (None, "mean"):
        offered = own_points.get(label) if points is None else points.content.operating_points
        found = _threshold(label, threshold, offered, points)
        return (found if profile is None else profile.applied(found),)
    if profile is not None:
        raise UsageError(
            f"A camera profile moves one threshold, but {label} has one for each backend. Remove the setting "
            "camera_profile, or combine by mean."
        )
    if combination.rule == "all" and not isinstance(threshold, str):
        raise UsageError(
            f"threshold = {threshold} cannot hold for all of {', '.join(names)}: each has a threshold of its own. "
            "Name a point, such as 'balanced'."
        )
    for name in names if isinstance(threshold, str) else names[1:]:
        if own_points[name] is None:
            raise UsageError(
                f"No operating points were measured for {name}, and {label} compares each backend with points of its "
                "own. Combine by mean, or leave it out."
            )
    if combination.rule == "all":
        return tuple(_threshold(name, threshold, own_points[name], None) for name in names)
    decides, *others = names
    return (
        _threshold(decides, threshold, own_points[decides], None),
        *(_refusal_only(name, own_points[name]) for name in others),
    )


def _threshold(
    backend: str, threshold: Threshold, offered: OperatingPoints | None, points: LoadedPoints | None
) -> LivenessThreshold:
    if not isinstance(threshold, str):
        return LivenessThreshold(backend=backend, live=threshold, attack=threshold)
    chosen = _points_of(backend, offered)
    if threshold not in chosen:
        raise UsageError(
            f"{backend} offers no point {threshold!r}: no threshold with its error rates refuses few enough live "
            f"people. Use {' or '.join(map(repr, chosen))}, or set threshold to a P(live)."
        )
    names = list(chosen)
    below = names[max(names.index(threshold) - 1, 0)]
    return LivenessThreshold(
        backend=backend,
        live=chosen[threshold].threshold,
        attack=chosen[below].threshold,
        point=threshold,
        measured=chosen[threshold],
        points_sha256=None if points is None else points.sha256,
    )


def _refusal_only(backend: str, offered: OperatingPoints | None) -> LivenessThreshold:
    """The threshold of a member that may only refuse: its most lenient point, so it vetoes only clear attacks."""
    name, point = next(iter(_points_of(backend, offered).items()))
    return LivenessThreshold(backend=backend, live=point.threshold, attack=point.threshold, point=name, measured=point)


def _points_of(backend: str, offered: OperatingPoints | None) -> dict[PointName, OperatingPoint]:
    if offered is None:
        raise UsageError(
            f"No operating points were measured for {backend}. Measure them with `faceauth calibrate` and name the "
            "file in the setting `points`, or set threshold to the P(live) to accept from."
        )
    return dict(offered.offered())


def match_threshold(threshold: Threshold, offered: MatchPoints | None) -> MatchThreshold:
    """The threshold on the similarity in force.

    Raises:
        UsageError: a point is named and the embedder has none.
    """
    if not isinstance(threshold, str):
        return MatchThreshold(similarity=threshold)
    if offered is None:
        raise UsageError(
            f"No match points were measured for this embedder, so match_threshold = {threshold!r} means nothing. Set "
            "match_threshold to the cosine similarity to accept from."
        )
    measured = getattr(offered, threshold)
    return MatchThreshold(similarity=measured.threshold, point=threshold, measured=measured)


FALSE_IDENTIFICATIONS = 0.01
"""How often at most a stranger may be taken for somebody in the gallery."""


def identification_threshold(templates: int, offered: MatchPoints | None) -> MatchThreshold:
    """The threshold for a search: the lowest with FMR <= ``FALSE_IDENTIFICATIONS`` / ``templates``.

    A stranger is compared with every template, so the chance of a false match adds up. The upper end of the FMR's
    interval has to be low enough, not the rate alone.

    Args:
        templates: how many are searched, of all people together.
        offered: of the embedder.

    Raises:
        UsageError: the measured pairs do not support so low an FMR, or none were measured.
    """
    curve = offered.curve if offered is not None else ()
    if not curve:
        raise UsageError(
            "No false match rate by threshold was measured for this embedder, so nobody can be searched for with it. "
            "Name the person (1:1)."
        )
    allowed = FALSE_IDENTIFICATIONS / max(templates, 1)
    for point in curve:
        if point.fmr.high <= allowed:
            return MatchThreshold(similarity=point.threshold, measured=point)
    most = int(FALSE_IDENTIFICATIONS / curve[-1].fmr.high)
    raise UsageError(
        f"A search among {templates:,} templates needs an FMR of at most {allowed:.1e}, but the measured pairs "
        f"({curve[-1].measured_on}) support {curve[-1].fmr.high:.1e}, which is enough for {most:,}. Name the person "
        "(1:1), or use an embedder that was measured on more pairs."
    )


def choose_face(image: Image, faces: Sequence[Face], rule: Literal["exactly_one", "largest"]) -> Face | Reason:
    """The face to judge, the largest, or why there is none.

    With ``exactly_one`` a smaller face beside it is somebody in the background only if it is clearly smaller, or
    smaller and out of focus: at ``SECOND_FACE_AREA`` or ``SECOND_FACE_SHARE`` and above there are several faces. A face
    that is larger but blurred thus never takes the place of a sharp one.

    Args:
        image: uint8, H x W x 3, BGR.
        faces: in pixels of ``image``.
        rule: ``largest`` chooses whoever else is in the image.
    """
    if not faces:
        return Reason.NO_FACE
    largest, *others = sorted(faces, key=lambda face: face.box_xyxy.area, reverse=True)
    if rule == "exactly_one" and any(_counts_beside(image, other, largest) for other in others):
        return Reason.SEVERAL_FACES
    return largest


def sure_beside_others(liveness: LivenessResult, thresholds: Sequence[LivenessThreshold]) -> bool:
    """Whether P(live) is so far above each threshold that a face in the background cannot have made the difference."""
    scores = [(liveness.p_live_of(threshold.backend), threshold.live) for threshold in thresholds]
    return all(
        p_live is not None and p_live * (1 - live) >= SECOND_FACE_ODDS * live * (1 - p_live) for p_live, live in scores
    )


def _counts_beside(image: Image, other: Face, largest: Face) -> bool:
    """Whether another face counts; written so that an area or a sharpness that is not a number counts."""
    area = _area_inside(image, other) / max(_area_inside(image, largest), 1.0)
    if not area < SECOND_FACE_AREA:
        return True
    return not area * face_sharpness(image, other) < SECOND_FACE_SHARE * face_sharpness(image, largest)


def _area_inside(image: Image, face: Face) -> float:
    """Square pixels of the face box that lie inside the image."""
    return face.box_xyxy.area * (1.0 - share_outside((image.shape[1], image.shape[0]), face.box_xyxy))

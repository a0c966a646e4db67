"""Come closer by a random factor, and stay there.

It cannot tell a photo from a face: a photo moved by hand comes closer too. It stops recordings that come closer by
another factor, and gives the liveness backends frames that differ; by itself it is not proof.
"""

import random

from faceauth.challenge.mesh_pose import MAX_GAP_S, MeshPose
from faceauth.challenge.pose_challenge import PoseChallenge
from faceauth.results import Reason
from faceauth.stages import Prompt

NEARER = (1.35, 1.7)
"""Smallest and largest growth of the eye distance that is asked for: chosen, not measured."""

TOLERANCE = 0.05
"""Share by which the growth may miss what was asked: chosen, not measured."""

TOO_FAR = 0.12
"""Share beyond what was asked, from which on it is another answer: chosen, not measured."""

EARLY = 1.12
"""Growth before anything was asked that ends it: chosen, not measured."""

HOLD_S = 1.0
"""Seconds for which the face stays there: chosen, not measured."""

STILL = 0.03
"""Largest change of the distance meanwhile. Chosen, not measured; a steady zoom slow enough for it does not come close
enough within ``LIMIT_S``."""

LIMIT_S = 8.0
"""Seconds for each part, after which it is unclear: chosen, not measured."""

CLOSER = "Come closer, slowly, until your face fills the outline, and stay there."


class Closer(PoseChallenge):
    """One approach.

    Args:
        lot: source of randomness; by default the system's, which cannot be predicted.
    """

    limit_s = LIMIT_S

    def __init__(self, *, lot: random.Random | None = None) -> None:
        super().__init__(lot=lot)
        self._nearer: float | None = None
        self._held: list[tuple[float, float]] = []

    def _early(self, pose: MeshPose, baseline: MeshPose) -> str | None:
        if pose.eye_distance_px / baseline.eye_distance_px > EARLY:
            return "The face came closer too early. Start again, and wait for the request."
        return None

    def _draw(self) -> Prompt:
        self._nearer = self._lot.uniform(*NEARER)
        return Prompt("come_closer", CLOSER, nearer=self._nearer)

    def _follow(self, waited_s: float, time_s: float, pose: MeshPose, baseline: MeshPose) -> None:
        assert self._nearer is not None  # drawn with the question
        miss = pose.eye_distance_px / baseline.eye_distance_px / self._nearer - 1
        if self._track.gap_s > MAX_GAP_S or abs(miss) > TOLERANCE:
            self._held.clear()
        if miss > TOO_FAR:
            self._end(Reason.CHALLENGE_FAILED, "The face came too close. Start again.")
        elif abs(miss) <= TOLERANCE:
            self._held.append((time_s, miss))
            while max(miss for _, miss in self._held) - min(miss for _, miss in self._held) > STILL:
                del self._held[0]
            if time_s - self._held[0][0] >= HOLD_S:
                self._pass()

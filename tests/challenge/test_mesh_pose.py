"""Pose from a mesh: exact on a made one, smoothed over three frames, at rest or not."""

import numpy as np
import pytest

from faceauth.challenge import mesh_pose
from faceauth.challenge.challenge_testing import head_mesh
from faceauth.challenge.mesh_pose import MeshPose, PoseTrack


@pytest.mark.parametrize("yaw_deg", [-40, 0, 25])
@pytest.mark.parametrize("pitch_deg", [-20, 0, 15])
def test_pose_of_a_made_mesh(yaw_deg: float, pitch_deg: float) -> None:
    pose = MeshPose.of(head_mesh(yaw_deg=yaw_deg, pitch_deg=pitch_deg, eye_distance_px=70))
    if pitch_deg == 0:
        assert pose.yaw_deg == pytest.approx(yaw_deg, abs=1e-6)
    if yaw_deg == 0:
        assert pose.pitch_deg == pytest.approx(pitch_deg, abs=1e-6)
    assert pose.eye_distance_px == pytest.approx(70)


def test_leaning_the_head_is_no_turn() -> None:
    mesh_px = head_mesh(yaw_deg=15) - (160, 160, 0)
    lean = np.radians(25)
    turn = np.array([[np.cos(lean), -np.sin(lean), 0], [np.sin(lean), np.cos(lean), 0], [0, 0, 1]])
    assert MeshPose.of(mesh_px @ turn.T).yaw_deg == pytest.approx(15, abs=1e-6)


def test_one_frame_that_jumps_moves_nothing() -> None:
    track = PoseTrack()
    degrees = [track.feed(n / 30, head_mesh(yaw_deg=40 if n == 5 else 0)).yaw_deg for n in range(10)]
    assert max(np.abs(degrees)) < 1e-6


def fed(n: int, *, rate: float = 30.0, yaw_deg: float = 0.0, drift: float = 0.0) -> PoseTrack:
    track = PoseTrack()
    for number in range(n):
        track.feed(number / rate, head_mesh(yaw_deg=yaw_deg + drift * number / rate))
    return track


def test_a_baseline_needs_eight_frames_and_a_quarter_of_a_second() -> None:
    assert (mesh_pose.BASELINE_FRAMES, mesh_pose.BASELINE_S) == (8, 0.25)
    assert fed(7, rate=10).baseline() is None and fed(8, rate=10).baseline() is not None
    assert fed(15, rate=60).baseline() is None and fed(16, rate=60).baseline() is not None


def test_a_turned_or_moving_face_is_no_baseline() -> None:
    assert fed(30, yaw_deg=19).baseline() is not None and fed(30, yaw_deg=21).baseline() is None
    assert fed(30, drift=40).baseline() is None


def test_a_baseline_starts_anew_after_a_gap() -> None:
    track = fed(30)
    assert mesh_pose.MAX_GAP_S == 0.4
    track.feed(30 / 30 + 0.41, head_mesh())
    assert track.baseline() is None

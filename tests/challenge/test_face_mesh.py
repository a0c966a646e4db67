"""The mesh finds the points of a face; without LiteRT it says how to get it."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.challenge_clips import tilted
from faceauth.challenge.mesh_pose import MeshPose
from faceauth.challenge.turn import TURN_DEG
from faceauth.detection.yunet import YuNet
from faceauth.errors import BackendBroken
from faceauth.imaging.decoding import load_image
from faceauth.results import Face
from faceauth.stages import Image
from faceauth.weights.cards import ModelCard
from faceauth.weights.store import PinnedModel

pytest.importorskip("ai_edge_litert")
from faceauth.challenge.face_mesh import FaceMesh

COLLINS = Path(__file__).parents[2] / "examples" / "collins.jpg"


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    return FaceMesh()


@pytest.fixture(scope="module")
def portrait() -> Image:
    return load_image(COLLINS)


def found(image: Image) -> Face:
    (face,) = YuNet().detect(image)
    return face


def test_the_points_lie_on_the_landmarks_of_the_detector(mesh: FaceMesh, portrait: Image) -> None:
    face = found(portrait)
    points = mesh.points(portrait, face)
    assert points is not None and points.shape == (468, 3)
    right_eye, left_eye, nose, *_ = np.array(face.landmarks_px)
    eye_distance = np.linalg.norm(left_eye - right_eye)
    seen = points[[33, 133]].mean(axis=0)[:2], points[[263, 362]].mean(axis=0)[:2], points[1][:2]
    for point, expected in zip(seen, (right_eye, left_eye, nose), strict=True):
        assert np.linalg.norm(point - expected) < 0.2 * eye_distance


def test_points_follow_a_rotated_and_enlarged_image(mesh: FaceMesh, portrait: Image) -> None:
    upright = mesh.points(portrait, found(portrait))
    height, width = portrait.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 20, 1.1)
    turned = np.asarray(cv2.warpAffine(portrait, matrix, (width, height)), np.uint8)
    points = mesh.points(turned, found(turned))
    assert upright is not None and points is not None
    expected = upright[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    eye_distance = np.linalg.norm(upright[263] - upright[33])
    assert np.median(np.linalg.norm(points[:, :2] - expected, axis=1)) < 0.06 * eye_distance


def test_a_mirrored_face_turns_the_other_way(mesh: FaceMesh, portrait: Image) -> None:
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    poses = [
        MeshPose.of(points)
        for image in (portrait, mirrored)
        if (points := mesh.points(image, found(image))) is not None
    ]
    assert len(poses) == 2 and poses[0].yaw_deg == pytest.approx(-poses[1].yaw_deg, abs=4)


@pytest.mark.parametrize("deg", [-40, -25, 25, 40])
def test_a_tilted_photo_is_no_turned_head(mesh: FaceMesh, portrait: Image, deg: float) -> None:
    face = found(portrait)
    photo = tilted(portrait, face, deg)
    flat, turned = mesh.points(portrait, face), mesh.points(photo, found(photo))
    assert flat is not None and turned is not None
    assert abs(MeshPose.of(turned).yaw_deg - MeshPose.of(flat).yaw_deg) < TURN_DEG


def test_where_there_is_no_face_there_is_no_mesh(mesh: FaceMesh, portrait: Image) -> None:
    assert mesh.points(np.full_like(portrait, 128), found(portrait)) is None


def test_without_litert_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(BackendBroken, match=r"pip install 'faceauth\[challenge\]'"):
        FaceMesh()


def test_the_file_is_the_pinned_one() -> None:
    assert FaceMesh().weights_sha256 == PinnedModel("mesh", ModelCard).digests("network")

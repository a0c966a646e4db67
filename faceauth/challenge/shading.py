"""Whether a face that is lit from one side and from the other is shaded like a solid.

What a flat photo sends back changes smoothly from one side to the other, and its printed nose changes nothing. On a
head the side of the nose and the cheek that face the light are brighter. So the logarithm of the quotient of the two
images is fitted by a smooth surface and by the normals of the face mesh, and the share of the normals is the answer.
``python -m benchmarks.light_shading`` measured it.
"""

import cv2
import numpy as np

from faceauth.challenge.code_book import LINEAR, Floats
from faceauth.stages import Image, MeshPoints

SPREAD = 0.06
"""Standard deviation of the blur before points are read, in distances of the eyes' outer corners: chosen."""

NEIGHBOURS = 12
"""Points that a normal is fitted to: chosen, not measured."""

DARKEST, BRIGHTEST = 0.003, 0.95
"""Light outside of which a point tells nothing: a camera's black, and what it clips. Chosen, not measured."""

MIN_SHADING = 0.13
"""The middle between prints and heads is 0.11 on half of the presentations of the `light` data; 0.13 asks for a
little more, and was measured on the other half: ``benchmarks/results/light_shading.json``."""

MIN_POINTS = 200


def light_of(image: Image, mesh_px: MeshPoints) -> Floats:
    """Light at each point of the mesh: float64, 468 x 3, BGR, in [0, 1]; NaN outside the image."""
    spread = SPREAD * float(np.linalg.norm(mesh_px[263, :2] - mesh_px[33, :2]))
    margin = int(3 * spread) + 2
    height, width = image.shape[:2]
    left, top = np.maximum(np.floor(mesh_px[:, :2].min(axis=0)).astype(int) - margin, 0)
    right, bottom = np.ceil(mesh_px[:, :2].max(axis=0)).astype(int) + margin
    part = LINEAR[image[top:bottom, left:right]]
    if part.size == 0:
        return np.full((len(mesh_px), 3), np.nan)
    smooth = cv2.GaussianBlur(part, (0, 0), max(spread, 0.3))
    at = (mesh_px[:, :2] - (left, top)).astype(np.float32)
    read = cv2.remap(smooth, at[:, :1], at[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    found = read.reshape(-1, 3).astype(np.float64)
    inside = (mesh_px[:, 0] >= 0) & (mesh_px[:, 0] < width) & (mesh_px[:, 1] >= 0) & (mesh_px[:, 1] < height)
    found[~inside] = np.nan
    return found


def shading_of(right_lit: Floats, left_lit: Floats, mesh_px: MeshPoints) -> float | None:
    """How much the light from the side follows the normals: some 0.15 to 0.9 for heads, about 0 for photos.

    Args:
        right_lit: light at each point, N, while the light comes from the right of the image.
        left_lit: while it comes from the left.
        mesh_px: the mesh, for both.

    Returns:
        None where too few points tell anything.
    """
    usable = np.all([(one > DARKEST) & (one < BRIGHTEST) for one in (right_lit, left_lit)], axis=0)
    if usable.sum() < MIN_POINTS:
        return None
    quotient = np.log(left_lit[usable] / right_lit[usable])
    size = float(np.linalg.norm(mesh_px[263, :2] - mesh_px[33, :2]))
    x, y = ((mesh_px[:, :2] - mesh_px[:, :2].mean(axis=0)) / size).T
    surface = np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y, normals(mesh_px)])[usable]
    weights, *_ = np.linalg.lstsq(surface, quotient, rcond=None)
    return -float(weights[6])


def normals(mesh_px: MeshPoints) -> Floats:
    """The first two coordinates of the normals towards the camera, of the plane through each point's neighbours."""
    flat = mesh_px[:, :2]
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    near = mesh_px[np.argsort(distance, axis=1)[:, :NEIGHBOURS]]  # (468, NEIGHBOURS, 3)
    near = near - near.mean(axis=1, keepdims=True)
    across, depth = near[..., :2], near[..., 2:]
    square = across.transpose(0, 2, 1) @ across + 1e-6 * np.eye(2)
    slope = np.linalg.solve(square, across.transpose(0, 2, 1) @ depth)[..., 0]
    return np.asarray(slope / np.sqrt(1 + (slope**2).sum(axis=1, keepdims=True)), np.float64)

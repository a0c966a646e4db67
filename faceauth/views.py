"""Views: what a backend wants to see of a face in, one crop a view out; and their scores, averaged.

A second view of another scale, mirrored, is wrong about other pictures than the first, so the mean of both is wrong
less often (test-time augmentation, Krizhevsky et al. 2012). Knows no picture, no backend and no threshold.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from faceauth.backends.guard import check_p_live
from faceauth.stages import Crop, Crops, CropSpec, Scores


def cut_views(spec: CropSpec, cut: Callable[[CropSpec], Crop]) -> list[Crop]:
    """The crops of one face: the first at ``spec.scale``; where ``spec`` has a ``mirrored_scale``, a second.

    Args:
        spec: of a backend.
        cut: gives the crop of the face for a spec of one view.
    """
    first = cut(replace(spec, mirrored_scale=None))
    if spec.mirrored_scale is None:
        return [first]
    second = cut(replace(spec, scale=spec.mirrored_scale, mirrored_scale=None))
    return [first, replace(second, pixels=second.pixels[:, ::-1])]


def score_views(faces: Sequence[Sequence[Crop]], score: Callable[[Crops], object]) -> Scores:
    """P(live) of each face, the mean over its views: float32, N, in [0, 1].

    Args:
        faces: the views of each of N faces, equally many each.
        score: a liveness backend's, called once with all crops, those of a face side by side.

    Raises:
        ContractBroken: its answer is not one number in [0, 1] for each crop.
    """
    crops = np.stack([view.pixels for views in faces for view in views])
    p_live = check_p_live(score(crops), len(crops))
    return np.asarray(p_live.reshape(len(faces), -1).mean(axis=1), np.float32)

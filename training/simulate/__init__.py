"""Recapture simulator: live photos in, presentation attacks out, through the physics of print, screen and camera.

Methods: FAS-Aug (Cai et al., 2024) names the traces worth simulating; here each arises from a model of its cause.
Pictures are uint8, H x W x 3, BGR. Numpy and OpenCV only.
"""

from training.simulate.camera import camera
from training.simulate.scene import Family, Scene
from training.simulate.simulation import FAMILIES, recapture

__all__ = ["FAMILIES", "Family", "Scene", "camera", "recapture"]

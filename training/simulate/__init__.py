"""Recapture simulator: turns live images into presentation attacks by the physics of print, screen and camera.

| file | species (APCER row) | families |
|---|---|---|
| ``print`` | print | ``print`` flat or slightly bent, ``bent_print`` bent by hands or rolled |
| ``cutout`` | cutout | ``eye_holes`` a sheet with the eyes cut out, ``cutout`` a head cut along its outline |
| ``replay`` | replay | ``phone`` phone or tablet, ``monitor`` monitor, laptop or television |
| ``mask`` | mask | ``paper_mask`` a printed face worn in front of the attacker's own |

Of prints and replays about 60 % fill the frame in even light, with no edge, hand, bezel or reflection in view (85 %
where the live image is cropped at the face), so that what is learnt is the print and not the sheet. Sheets with eye
holes fill it as often; cut heads and masks show their edge always.

Methods: FAS-Aug (Cai et al., 2024) names the traces worth simulating; here each arises from a model of its cause.
Images are uint8, H x W x 3, BGR. Numpy and OpenCV only.
"""

from training.simulate.scene import Family, Scene
from training.simulate.sensor import camera
from training.simulate.simulation import FAMILIES, recapture

__all__ = ["FAMILIES", "Family", "Scene", "camera", "recapture"]

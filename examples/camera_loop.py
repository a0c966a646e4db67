"""Watch a camera (``0``) or a video file until there is one decision: ``python examples/camera_loop.py 0``."""

import sys

from faceauth import Pipeline
from faceauth.video import watch

said = None
for state in watch(Pipeline(), sys.argv[1]):
    if state.message != said:
        print(said := state.message)
if not state.result.accepted:
    sys.exit("No entry.")
print("Welcome.")

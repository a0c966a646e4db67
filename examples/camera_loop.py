"""Watch a camera (by number) or a video file: ``python examples/camera_loop.py 0``.

Lets in after five accepted frames in a row, and ends at the first one that is rejected: a loop that waits for one good
frame would give an attacker as many tries as there are frames.
"""

import sys

import cv2

from faceauth import Pipeline, Verdict

source = sys.argv[1]
video, pipeline, streak = cv2.VideoCapture(int(source) if source.isdigit() else source), Pipeline(), 0
while streak < 5:
    arrived, frame = video.read()
    if not arrived:
        sys.exit("No entry: no more frames.")
    result = pipeline.verify(frame)
    print(f"{result.verdict}: {result.message}")
    if result.verdict is Verdict.REJECT:
        sys.exit("No entry.")
    streak = streak + 1 if result.accepted else 0
print("Welcome.")

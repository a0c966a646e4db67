"""Watch a camera (by number) or a video file: ``python examples/camera_loop.py 0``.

Lets in after five accepted frames in a row, and ends at the first one that is rejected, the fifth between live and
attack, or after 300 frames: a loop that waits for one good frame would give an attacker as many tries as there are
frames. It does not prove that the five frames show one person (pass a reference for that), and counts no tries from one
run to the next: that is your part.
"""

import sys

import cv2

from faceauth import Pipeline, Reason, Verdict

source = sys.argv[1]
video, pipeline = cv2.VideoCapture(int(source) if source.isdigit() else source), Pipeline()
streak = doubts = 0
for _ in range(300):
    arrived, frame = video.read()
    if not arrived:
        sys.exit("No entry: no more frames.")
    result = pipeline.verify(frame)
    print(f"{result.verdict}: {result.message}")
    doubts += result.reason is Reason.LIVENESS_UNCERTAIN
    if result.verdict is Verdict.REJECT or doubts == 5:
        sys.exit("No entry.")
    streak = streak + 1 if result.accepted else 0
    if streak == 5:
        print("Welcome.")
        sys.exit()
sys.exit("No entry: no decision within 300 frames.")

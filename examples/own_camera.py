"""Where to cut on your own camera: ``python examples/own_camera.py FOLDER``, with 20 or more photos of live people.

Prints the threshold for ``faceauth verify --threshold``: two standard deviations below their mean, in log odds, and
never below the convenience point. Take them with that camera, of several people, in the light and at the distance of
the real use. What passes of attacks only attacks can tell: ``faceauth evaluate MANIFEST --mode pipeline --threshold
...``. What it gave: docs/limits.md.
"""

import math
import statistics
import sys
from pathlib import Path

from faceauth import Pipeline

results = Pipeline().verify_many(sorted(Path(sys.argv[1]).glob("*.jpg")))
scored = [(result.liveness.p_live, result.thresholds) for result in results if result.liveness and result.thresholds]
if len(scored) < 20:
    sys.exit(f"{len(scored)} photos could be scored: take 20 or more, each with one face looking at the camera.")
p_live = [min(max(p, 1e-6), 1 - 1e-6) for p, _ in scored]
log_odds = [math.log(p / (1 - p)) for p in p_live]
threshold = 1 / (1 + math.exp(2 * statistics.stdev(log_odds) - statistics.mean(log_odds)))
print(f"{max(threshold, scored[0][1].attack or 1.0):.4f}")

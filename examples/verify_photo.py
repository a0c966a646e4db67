"""Is this a live person? ``python examples/verify_photo.py examples/collins.jpg``."""

import sys

from faceauth import Pipeline

result = Pipeline.from_env().verify(sys.argv[1])
print(f"{result.verdict}: {result.message}")
if result.liveness is not None and result.thresholds is not None:
    print(f"P(live) is {result.liveness.p_live:.3f}; accepted from {result.thresholds.liveness[0].live:.3f} on")
sys.exit(0 if result.accepted else 1)

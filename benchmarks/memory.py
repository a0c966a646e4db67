"""Peak memory of a process that verifies, step by step, as one line of JSON: ``python -m benchmarks.memory``.

A process of its own, because a peak never falls: whatever ran before would be part of it.
"""

import json
import resource
import sys
from pathlib import Path

REPEATS = 50


def peak_mib() -> float:
    """Most resident memory so far, MiB.

    On Linux from /proc: ``ru_maxrss`` of a child starts at what its parent used when it started it.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def steps() -> dict[str, float]:
    """Step -> peak in MiB after it. Imports stand where they are counted."""
    peaks = {"interpreter": peak_mib()}
    import faceauth

    peaks["import faceauth"] = peak_mib()
    pipeline = faceauth.Pipeline()
    peaks["Pipeline()"] = peak_mib()
    from benchmarks.photo import photo_640x480

    photo = photo_640x480()
    pipeline.verify(photo)
    peaks["first verify"] = peak_mib()
    pipeline.verify(photo, reference=photo)
    peaks["first verify with a reference"] = peak_mib()
    for _ in range(REPEATS):
        pipeline.verify(photo)
    peaks[f"{REPEATS} more"] = peak_mib()
    for _ in pipeline.verify_many([photo] * 16, batch_size=8):
        pass
    peaks["verify_many of 16 in batches of 8"] = peak_mib()
    return peaks


if __name__ == "__main__":
    print(json.dumps(steps()))

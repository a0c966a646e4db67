"""Peak memory as one line of JSON: of a process that verifies, step by step, or of decoding one image of each kind.

``python -m benchmarks.memory`` says the first in MiB, ``... benchmarks.memory decoding`` the second in bytes a pixel.
Each figure comes from a process of its own, because a peak never falls: whatever ran before would be part of it.
"""

import json
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPEATS = 50
DECODED_WH = (3000, 2000)


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
    for _ in pipeline.verify_many([photo] * 16):
        pass
    peaks["verify_many of 16"] = peak_mib()
    return peaks


def decoding() -> dict[str, float]:
    """Kind of file -> bytes a pixel that ``load_image`` adds to the peak, the result's 3 included."""
    from benchmarks.large_images import large_images

    pixels = DECODED_WH[0] * DECODED_WH[1]
    return {kind: round(growth_mib(data) * 2**20 / pixels, 1) for kind, data in large_images(DECODED_WH)}


def growth_mib(data: bytes, *, threads: int = 1) -> float:
    """MiB that decoding these bytes in each of so many threads at once adds to the peak of a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image")
        path.write_bytes(data)
        command = (sys.executable, "-m", "benchmarks.memory", str(path), str(threads))
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def growth_in_this_process(path: str, threads: int) -> float:
    """As :func:`growth_mib`; a small image before it pays for what is loaded once."""
    from benchmarks.large_images import png
    from faceauth.imaging.decoding import load_image

    load_image(png((64, 64)))
    before = peak_mib()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: load_image(path).shape, range(threads)))
    return peak_mib() - before


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            print(json.dumps(steps()))
        case ["decoding"]:
            print(json.dumps(decoding()))
        case [path, threads] if threads.isdecimal():  # as growth_mib() calls it
            print(growth_in_this_process(path, int(threads)))
        case _:
            sys.exit("usage: python -m benchmarks.memory [decoding]")

"""The facts about a machine that timings depend on: processor, cores, versions. No host name, no path."""

import importlib.metadata
import os
import platform
import re
import sys
from pathlib import Path

PACKAGES = (
    "faceauth",
    "numpy",
    "onnxruntime",
    "opencv-python",
    "pydantic",
    "insightface",
    "faceauth-minifasnet",
    "faiss-cpu",
)

Facts = dict[str, str | int | float | dict[str, str]]


def machine_facts() -> Facts:
    """Facts for a result file. ``load`` is the number of busy processes before the run: on a quiet machine below 0.5.

    ``weights`` of the networks are not in here: every result names its own.
    """
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0,
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def machine_name(facts: Facts) -> str:
    """A part of a file name, such as ``amd-epyc-7b13-2-cores``."""
    return re.sub(r"[^a-z0-9]+", "-", f"{facts['cpu']} {facts['cores']} cores".lower()).strip("-")


def _cpu() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.is_file():
        for line in listed.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return re.sub(r"\(R\)|\(TM\)|CPU|@.*|\d+-Core|Processor", "", line.split(":", 1)[1]).strip()
    return platform.processor() or sys.platform


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None

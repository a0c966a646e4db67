"""Is this a live person, and the right person?

``Pipeline().verify("photo.jpg", reference="enrolled.jpg").accepted``

Each name is imported when it is first asked for. So ``python -m faceauth`` starts where OpenCV cannot be loaded, and
can say so: if this import failed, Python would end with 1, which means that somebody was judged and rejected.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import faceauth.weights.telemetry  # noqa: F401  # before anything imports onnxruntime
from faceauth.version import __version__

if TYPE_CHECKING:
    from faceauth.backends.registry import list_backends
    from faceauth.config import PipelineConfig, load_config
    from faceauth.errors import FaceAuthError, ImageError, UsageError
    from faceauth.gate import GatePolicy
    from faceauth.imaging.limits import ImageLimits
    from faceauth.pipeline import Pipeline
    from faceauth.results import Face, Reason, Template, Verdict, Verification
    from faceauth.templates import similarity

__all__ = [
    "Face",
    "FaceAuthError",
    "GatePolicy",
    "ImageError",
    "ImageLimits",
    "Pipeline",
    "PipelineConfig",
    "Reason",
    "Template",
    "UsageError",
    "Verdict",
    "Verification",
    "__version__",
    "list_backends",
    "load_config",
    "similarity",
]

_DEFINED_IN = {
    "backends.registry": ("list_backends",),
    "config": ("PipelineConfig", "load_config"),
    "errors": ("FaceAuthError", "ImageError", "UsageError"),
    "gate": ("GatePolicy",),
    "imaging.limits": ("ImageLimits",),
    "pipeline": ("Pipeline",),
    "results": ("Face", "Reason", "Template", "Verdict", "Verification"),
    "templates": ("similarity",),
}


def __getattr__(name: str) -> Any:
    for module, names in _DEFINED_IN.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"faceauth.{module}"), name)
            return found
    raise AttributeError(f"module 'faceauth' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

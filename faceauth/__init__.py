"""Is this a live person, and the right person?

``Pipeline().verify("photo.jpg", reference="enrolled.jpg").accepted``
"""

import faceauth.weights.telemetry  # noqa: F401  # before anything imports onnxruntime
from faceauth.backends.registry import list_backends
from faceauth.config import PipelineConfig, load_config
from faceauth.errors import FaceAuthError, ImageError, UsageError
from faceauth.gate import GatePolicy
from faceauth.imaging.limits import ImageLimits
from faceauth.pipeline import Pipeline
from faceauth.results import Face, Reason, Template, Verdict, Verification
from faceauth.templates import similarity
from faceauth.version import __version__

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

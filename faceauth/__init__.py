"""The public names of faceauth, which answers: is this a live person, and the right one?

``Pipeline().verify("photo.jpg", reference="enrolled.jpg").accepted``
"""

from faceauth.config import PipelineConfig, load_config
from faceauth.errors import (
    BackendBroken,
    BackendConflict,
    BackendError,
    BackendNotAllowed,
    BackendNotFound,
    FaceAuthError,
    ImageError,
    ImageTooLarge,
    ImageUnreadable,
    ProviderUnavailable,
    ScoreError,
    StageTimeout,
    TemplateMismatch,
    UsageError,
    WeightsError,
    WeightsMismatch,
    WeightsMissing,
)
from faceauth.gate import GatePolicy
from faceauth.imaging.decoding import ImageLimits, ImageSource, load_image
from faceauth.pipeline import Pipeline
from faceauth.policy import Policy
from faceauth.results import Face, LivenessResult, MatchResult, Provenance, Reason, Template, Verdict, Verification
from faceauth.stages import API_VERSION, Aligner, Crop, CropSpec, Detector, Embedder, LivenessBackend
from faceauth.thresholds import MeasuredRate, OperatingPoint, OperatingPoints, Thresholds

__all__ = [
    "API_VERSION",
    "Aligner",
    "BackendBroken",
    "BackendConflict",
    "BackendError",
    "BackendNotAllowed",
    "BackendNotFound",
    "Crop",
    "CropSpec",
    "Detector",
    "Embedder",
    "Face",
    "FaceAuthError",
    "GatePolicy",
    "ImageError",
    "ImageLimits",
    "ImageSource",
    "ImageTooLarge",
    "ImageUnreadable",
    "LivenessBackend",
    "LivenessResult",
    "MatchResult",
    "MeasuredRate",
    "OperatingPoint",
    "OperatingPoints",
    "Pipeline",
    "PipelineConfig",
    "Policy",
    "Provenance",
    "ProviderUnavailable",
    "Reason",
    "ScoreError",
    "StageTimeout",
    "Template",
    "TemplateMismatch",
    "Thresholds",
    "UsageError",
    "Verdict",
    "Verification",
    "WeightsError",
    "WeightsMismatch",
    "WeightsMissing",
    "load_config",
    "load_image",
]

"""Decides once about one presentation, from a camera, a video file or frames of your own."""

from faceauth.video.decision import FrameCounts, KeptFrame, PresentationResult, SameFace
from faceauth.video.session import PresentationSession, State
from faceauth.video.streams import Stream
from faceauth.video.watching import follow, open_stream, watch

__all__ = [
    "FrameCounts",
    "KeptFrame",
    "PresentationResult",
    "PresentationSession",
    "SameFace",
    "State",
    "Stream",
    "follow",
    "open_stream",
    "watch",
]

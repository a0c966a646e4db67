"""The two MiniFASNet networks of minivision-ai/Silent-Face-Anti-Spoofing as a liveness backend of faceauth."""

from faceauth_minifasnet.backend import MiniFASNet

__all__ = ["MiniFASNet"]

"""The version of faceauth: a constant, which the build reads too. Metadata can be damaged, or of another copy."""

__version__ = "0.2.0"

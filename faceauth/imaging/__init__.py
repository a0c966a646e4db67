"""Reads images: a path, bytes, a file, an array or a PIL image becomes upright uint8 BGR within limits."""

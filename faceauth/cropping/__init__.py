"""Cuts faces out of images: the only place that does."""

"""Progress: what long work tells whoever shows a bar."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, how much of it is done, and all of it."""

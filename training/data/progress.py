"""Progress: what long-running work reports to a progress bar."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, how much of it is done, and all of it."""

"""What all readers share: checks on a collection's folder, with an error that shows the layout expected."""

from pathlib import Path

from faceauth.errors import UsageError


def folders_in(root: Path, names: tuple[str, ...]) -> list[Path]:
    """The folders ``names`` below ``root``.

    Raises:
        UsageError: one of them is not there.
    """
    missing = [name for name in names if not (root / name).is_dir()]
    if missing:
        raise UsageError(f"{root} has no folder {', '.join(missing)}: expected {', '.join(names)} as published.")
    return [root / name for name in names]


def not_of_layout(path: Path, expected: str) -> UsageError:
    """The error for a file whose name does not say what it shows; guessing would make a wrong label."""
    return UsageError(f"{path} does not fit its collection's naming: expected {expected}.")

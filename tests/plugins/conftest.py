"""What the tests of the MiniFASNet plugin share."""

import importlib.metadata
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def plugin() -> None:
    """Skips the test where the plugin is not installed."""
    try:
        importlib.metadata.distribution("faceauth-minifasnet")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("faceauth-minifasnet is not installed: pip install -e plugins/faceauth-minifasnet")


@pytest.fixture(scope="session")
def models(shared: Path) -> Path:
    """Folder of the known exports."""
    return shared / "models"

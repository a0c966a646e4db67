"""What a release's card says besides figures: licence, data and findings, from a TOML file."""

from pathlib import Path

from faceauth.weights.cards import DataSource
from training.train.recipe import Settings, from_toml


class Terms(Settings):
    """The weights' licence, what they were trained on, and what people found.

    Attributes:
        version, licence, origin, use, training: as in the card.
        method: Markdown, how their labels were made, for the model card.
        findings: Markdown, where they fail and why, for the model card; written by people who looked.
    """

    version: str
    licence: str
    origin: str
    use: str
    method: str
    findings: str
    training: tuple[DataSource, ...]


def load_terms(path: Path) -> Terms:
    """The terms of a TOML file.

    Raises:
        UsageError: it is not valid TOML, or a key is missing, misspelt or impossible.
    """
    return from_toml(Terms, path, "terms")

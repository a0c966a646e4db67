"""What the site's build adds to the pages in this folder: pages of the repository's root, and plain code for roles."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
FROM_ELSEWHERE = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "data_card.md": "faceauth/weights/spoofnet/DATA_CARD.md",
    "model_card.md": "faceauth/weights/spoofnet/MODEL_CARD.md",
    "security_policy.md": "SECURITY.md",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside the folder, with their links into it."""
    for page, source in FROM_ELSEWHERE.items():
        text = (ROOT / source).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_content(html: str, **_: object) -> str:
    """Drop Sphinx's roles, which docstrings use and Markdown does not know: ``:class:`Pipeline``` is code."""
    return re.sub(r":(?:attr|class|data|func|meth|mod):<code>~?", "<code>", html)

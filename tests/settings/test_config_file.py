"""The commented configuration file names every setting at its default."""

import re
import tomllib

import pytest

from faceauth.config import PipelineConfig, load_config
from faceauth.settings.config_file import commented_config_file
from faceauth.settings.fields import Settings

UNCOMMENTED = re.sub(r"^# (?=\w+ = |\[)", "", commented_config_file(), flags=re.MULTILINE)


def test_the_commented_file_sets_nothing() -> None:
    assert tomllib.loads(commented_config_file()) == {}


def test_every_setting_is_there_and_uncommented_at_its_default() -> None:
    found = tomllib.loads(UNCOMMENTED)
    assert found.keys() == Settings.model_fields.keys()
    examples = {key for key, field in Settings.model_fields.items() if field.examples}
    assert examples == {key for key, field in Settings.model_fields.items() if field.default is None}
    assert (
        load_config(arguments={key: value for key, value in found.items() if key not in examples}, environ={})
        == PipelineConfig()
    )


@pytest.mark.parametrize("key", Settings.model_fields)
def test_every_setting_is_described_in_a_sentence(key: str) -> None:
    description = Settings.model_fields[key].description or ""
    assert description[:1].isupper() and description.endswith(".")

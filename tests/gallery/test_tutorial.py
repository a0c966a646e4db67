"""The program of the tutorial runs as it stands there."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    ("today", "said"),
    [("collins.jpg", "Welcome."), ("collins_on_a_phone.jpg", "No entry: This looks like a photo or a screen.")],
)
def test_the_program_lets_the_person_in_and_keeps_a_photo_out(
    today: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "login.md").read_text(encoding="utf-8"), re.S)
    assert found is not None
    for name, photo in (("ada1", "collins.jpg"), ("ada2", "collins.jpg"), ("today", today)):
        shutil.copy(EXAMPLES / photo, tmp_path / f"{name}.jpg")
    monkeypatch.chdir(tmp_path)
    exec(compile(found.group(1), "login.md", "exec"), {})
    assert capsys.readouterr().out.startswith(said)

"""The first program of docs/login.md, with the photo of a login swapped. That all of the page runs, test_docs holds."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOGIN = '"eileen", "examples/collins.jpg"'


@pytest.mark.parametrize(
    ("photo", "said"),
    [("collins.jpg", "Welcome."), ("collins_on_paper.jpg", "No entry: This looks like a photo or a screen.")],
)
def test_the_program_lets_the_person_in_and_keeps_a_photo_out(
    photo: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "login.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None and LOGIN in found.group(1)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(found.group(1).replace(LOGIN, f'"eileen", "examples/{photo}"'), "login.md", "exec"), {})
    assert capsys.readouterr().out.startswith(said)

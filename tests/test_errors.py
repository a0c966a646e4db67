"""An error says the same wherever it is raised, another process included."""

import pickle
from pathlib import Path

import pytest

from faceauth.errors import BackendNotFound, FaceAuthError, ImageTooLarge, ScoreError, WeightsMismatch


@pytest.mark.parametrize(
    "error",
    [
        ImageTooLarge("too large", found=3, limit=2),
        BackendNotFound("not there", name="a", installed=("b",)),
        WeightsMismatch("another file", path=Path("a"), found="x", expected="y"),
        ScoreError("no score", stage="liveness"),
    ],
)
def test_an_error_comes_back_from_a_worker_with_its_facts(error: FaceAuthError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error) and str(back) == str(error) and vars(back) == vars(error)

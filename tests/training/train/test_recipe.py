"""A recipe is complete, has no unknown keys, and shortens without changing what it is."""

from pathlib import Path

import pytest

from faceauth.errors import UsageError
from training.train.recipe import FEWEST_RECAPTURES, Recipe, load_recipe

CONFIGS = Path(__file__).parents[3] / "training" / "configs"


def test_there_are_three_recipes_and_all_load() -> None:
    recipes = {path.stem: load_recipe(path) for path in CONFIGS.glob("*.toml")}
    assert set(recipes) == {"spoofnet", "reference", "finetune"}
    assert all(recipe.name == name for name, recipe in recipes.items())
    assert recipes["finetune"].frozen_blocks and not recipes["finetune"].asks_teachers
    assert [phase.size for phase in recipes["spoofnet"].phases] == [112, 224]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 1", "name"),
        ('name = "a"\n', "phases"),
        ('name = "a"\nfocus = 2\n[[phases]]\nsize = 32\nviews = 8\nbatch_size = 4\nlr = 1e-3', "focus"),
        ('name = "a"\nsampling = "epoch"\npairs = 0.5\n[[phases]]\nsize = 32\nviews = 8\nbatch_size = 4\nlr = 1e-3',
         "pairs and portraits need"),
        ('name = "a"\nlevel_teachers = true\n[[phases]]\nsize = 32\nviews = 8\nbatch_size = 4\nlr = 1e-3',
         "level_teachers needs teachers"),
        ("name =", "holds no recipe"),
    ],
)  # fmt: skip
def test_what_is_missing_misspelt_or_impossible_is_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        load_recipe(tmp_path / "recipe.toml")


def test_a_shortened_recipe_has_fewer_views_and_recaptures_and_is_otherwise_the_same(smoke: Recipe) -> None:
    full = load_recipe(CONFIGS / "spoofnet.toml")
    short = full.shortened(0.01)
    assert [phase.views for phase in short.phases] == [round(phase.views / 100) for phase in full.phases]
    assert short.recaptures == max(FEWEST_RECAPTURES, full.recaptures // 100)
    assert short.model_copy(update={"phases": full.phases, "recaptures": full.recaptures}) == full
    assert full.shortened(1) == full
    assert [phase.steps for phase in smoke.shortened(1e-6).phases] == [2, 2]


def test_a_release_shows_a_wide_square_and_a_close_mirrored_one(smoke: Recipe) -> None:
    (wide,) = smoke.crops(224)
    assert (wide.scale, wide.mirrored, wide.size_wh) == (2.2, False, (224, 224))
    _, close = smoke.model_copy(update={"close_scale": 1.2}).crops(224)
    assert (close.scale, close.mirrored) == (1.2, True)

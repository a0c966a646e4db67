"""A draw is a view for ever, a pair is framed alike, and teachers are asked about what the student will see."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from faceauth.errors import UsageError  # noqa: E402
from training.data.shards import Shards  # noqa: E402
from training.train.dataset import Views  # noqa: E402
from training.train.distillation import TEMPERATURE  # noqa: E402
from training.train.recipe import AugmentationSettings, Recipe  # noqa: E402
from training.train.sampling import BalancedBatches, Draw  # noqa: E402
from training.train.teachers import Teachers  # noqa: E402

SIZE = 32
DRAWS = [Draw(index, index + 1, 10 * index) for index in range(8)]
MIXING = AugmentationSettings(context_low=2.0, context_high=2.0, mixup=0.5, cutmix=0.5)


@pytest.fixture
def learnt(smoke: Recipe) -> Recipe:
    """All from teachers."""
    return smoke.model_copy(update={"teacher_share": 1.0})


def changed(recipe: Recipe, augmentation: AugmentationSettings) -> Recipe:
    return recipe.model_copy(update={"augmentation": augmentation})


def test_the_same_draw_is_the_same_bytes(tiny_shards: Shards, smoke: Recipe) -> None:
    recipe = changed(smoke, AugmentationSettings(camera=0.5, recolour=0.5, greyscale=0.2, erasing=0.5))
    first, second = (Views(tiny_shards, recipe, SIZE)[DRAWS] for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert first.crops.shape == (8, SIZE, SIZE, 3) and first.crops.dtype == torch.uint8


def test_another_seed_is_another_view(tiny_shards: Shards, smoke: Recipe) -> None:
    crops = Views(tiny_shards, smoke, SIZE)[[Draw(0, 1, seed) for seed in range(4)]].crops
    assert len({crop.numpy().tobytes() for crop in crops}) == 4


def test_a_pair_has_the_same_framing(tiny_shards: Shards, smoke: Recipe) -> None:
    """A tiny attack is its source at 0.6 of the brightness, so equal framing shows in the pixels."""
    recipe = smoke.model_copy(update={"pairs": 1.0})
    batch = BalancedBatches(tiny_shards, recipe, batch_size=8, phase=1, rank=0).batch(0)
    crops = Views(tiny_shards, recipe, SIZE)[batch].crops.numpy().astype(float)
    for attack, source in zip(crops[::2], crops[1::2], strict=True):
        assert np.abs(attack - 0.6 * source).mean() < 4


def test_a_pair_whose_images_differ_in_context_draws_the_same_camera(
    tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only one of the two is mixed, what is drawn afterwards is the same for both."""
    seen: list[float] = []
    monkeypatch.setattr(
        "training.train.dataset.augment", lambda view, settings, rng, reference: seen.append(rng.random()) or view
    )
    tight = tiny_shards.box_xyxy.copy()
    tight[1] = (2.0, 2.0, 46.0, 46.0)
    monkeypatch.setattr("training.train.dataset.refuse_missing_files", lambda folder: None)
    views = Views(replace(tiny_shards, box_xyxy=tight), changed(smoke, MIXING), SIZE, Path("teachers"))
    views.crops([Draw(0, 5, 7), Draw(1, 5, 7)])
    assert seen[0] == seen[1]


def test_teachers_say_what_they_see_in_each_view_and_repeat_it(
    tiny_shards: Shards, learnt: Recipe, shared: Path
) -> None:
    views = Views(tiny_shards, learnt, SIZE, shared / "models")
    first, again = views[DRAWS], views[DRAWS]
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    logits = Teachers(shared / "models").live_logits(
        [np.ascontiguousarray(crop.numpy()[..., ::-1]) for crop in first.crops]
    )
    assert logits.shape == (8, 3) and len(np.unique(logits)) == 24
    expected = 1 / (1 + np.exp(logits.mean(axis=1) / TEMPERATURE))
    np.testing.assert_allclose(first.target, expected, rtol=1e-4)


def test_mixed_views_have_the_teachers_word_alone(tiny_shards: Shards, smoke: Recipe, shared: Path) -> None:
    plain = changed(smoke, MIXING.model_copy(update={"mixup": 0.0, "cutmix": 0.0}))
    as_they_are = Views(tiny_shards, plain, SIZE)[DRAWS]
    mixed = Views(tiny_shards, changed(smoke, MIXING), SIZE, shared / "models")[DRAWS]
    assert not torch.equal(mixed.crops, as_they_are.crops)
    assert not np.isin(mixed.target.numpy().round(4), as_they_are.target.numpy().round(4)).any()


def test_what_ends_at_the_face_is_not_mixed(tiny_shards: Shards, smoke: Recipe, shared: Path) -> None:
    tight = replace(tiny_shards, box_xyxy=np.tile([4.0, 4.0, 44.0, 44.0], (len(tiny_shards), 1)))
    plain = changed(smoke, MIXING.model_copy(update={"mixup": 0.0, "cutmix": 0.0}))
    mixing = Views(tight, changed(smoke, MIXING), SIZE, shared / "models")
    assert torch.equal(Views(tight, plain, SIZE).crops(DRAWS), mixing.crops(DRAWS))


def test_teachers_that_are_asked_must_be_there(tiny_shards: Shards, learnt: Recipe, smoke: Recipe) -> None:
    for recipe in (learnt, changed(smoke, MIXING)):
        with pytest.raises(UsageError, match="--teachers"):
            Views(tiny_shards, recipe, SIZE)
        with pytest.raises(UsageError, match="facenox"):
            Views(tiny_shards, recipe, SIZE, Path(__file__).parent)


def test_crops_are_those_of_the_batch(tiny_shards: Shards, smoke: Recipe) -> None:
    views = Views(tiny_shards, smoke, SIZE)
    torch.testing.assert_close(views.crops(DRAWS), views[DRAWS].crops, rtol=0, atol=0)

"""A draw is a view for ever, a pair is framed alike, and a target is what the label and the teachers say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from faceauth.errors import UsageError  # noqa: E402
from training.augment import draw_framing  # noqa: E402
from training.config import DataSettings, OptimiserSettings, TrainConfig, ViewSettings  # noqa: E402
from training.packs import Pack  # noqa: E402
from training.records import SPOOF  # noqa: E402
from training.sampling import BalancedBatches, Draw  # noqa: E402
from training.teachers import Answers, Panel  # noqa: E402
from training.triplet import NO_GROUP  # noqa: E402
from training.views import EpochSampler, Views, soft_targets, teacher_weights  # noqa: E402

PLAIN = ViewSettings(size=32, camera=0, recolour=0, exchange=0, greyscale=0, texture=0, occlusion=0)


def test_the_same_draw_is_the_same_bytes(tiny_pack: Pack, smoke: TrainConfig) -> None:
    views, draws = Views(tiny_pack, smoke), [Draw(index, index + 1, 10 * index) for index in range(6)]
    first, second = views[draws], Views(tiny_pack, smoke)[draws]
    torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)
    assert first.crops.shape == (6, 32, 32, 3) and first.crops.dtype == torch.uint8


def test_another_seed_is_another_view(tiny_pack: Pack, smoke: TrainConfig) -> None:
    crops = Views(tiny_pack, smoke)[[Draw(0, 1, seed) for seed in range(4)]].crops
    assert len({crop.numpy().tobytes() for crop in crops}) == 4


def test_a_pair_has_the_same_framing(tiny_pack: Pack, smoke: TrainConfig) -> None:
    """In the tiny pack an attack is its source at 0.6 of the brightness, so equal framing shows in the pixels."""
    views = Views(tiny_pack, smoke.model_copy(update={"view": PLAIN}))
    batch = next(BalancedBatches(tiny_pack, DataSettings(pairs=1), batch_size=8, seed=0).batches(0, 1))
    crops = views[batch].crops.numpy().astype(float)
    for attack, source in zip(crops[::2], crops[1::2], strict=True):
        assert np.abs(attack - 0.6 * source).mean() < 4
    assert draw_framing(PLAIN, np.random.default_rng(1)) == draw_framing(PLAIN, np.random.default_rng(1))


def test_a_target_is_the_smoothed_label_where_no_teacher_was_asked(tiny_pack: Pack, smoke: TrainConfig) -> None:
    config = smoke.model_copy(update={"optimiser": OptimiserSettings(label_smoothing=0.1)})
    label = tiny_pack.label[:: len(tiny_pack) // 8]
    targets = Views(tiny_pack, config)[[Draw(i, 0, i) for i in range(0, len(tiny_pack), len(tiny_pack) // 8)]].target
    assert set(label) == {0, 1}
    np.testing.assert_allclose(targets, np.where(label, 0.95, 0.05), rtol=1e-6)


def test_a_teacher_moves_the_target_towards_its_own_score(smoke: TrainConfig) -> None:
    config = smoke.model_copy(update={"data": DataSettings(teacher_temperature=2.0)})
    hard, sure_live = np.array([0.05, 0.95, 0.95], np.float32), np.full((3, 3), 8.0, np.float32)
    sure_live[2, 1] = np.nan  # a teacher that was not asked: the label alone
    targets = soft_targets(hard, np.full(3, 0.25, np.float32), sure_live, config)
    expected = 0.75 * hard + 0.25 / (1 + np.exp(4.0))
    np.testing.assert_allclose(targets, [*expected[:2], 0.95], rtol=1e-5)


def test_a_real_frame_with_its_surroundings_has_a_teacher_share_of_its_own(tiny_pack: Pack, smoke: TrainConfig) -> None:
    """A picture of the tiny pack is two face boxes wide."""
    settings = DataSettings(teacher_weight=0.25, teacher_weight_wide=1.0)
    config = smoke.model_copy(update={"data": settings})
    shares, real = teacher_weights(tiny_pack, config), tiny_pack.origin == "real"
    assert set(shares[real]) == {1.0} and set(shares[~real]) == {0.25}
    tight = replace(tiny_pack, box_xyxy=np.tile([4.0, 4.0, 44.0, 44.0], (len(tiny_pack), 1)))
    assert set(teacher_weights(tight, config)) == {0.25}


@pytest.mark.parametrize(("origin", "key"), [("recapture", "simulated"), ("portrait", "portrait")])
def test_what_is_certain_has_a_teacher_share_of_its_own(
    tiny_pack: Pack, smoke: TrainConfig, origin: str, key: str
) -> None:
    settings = DataSettings.model_validate({"teacher_weight": 0.5, f"teacher_weight_{key}": 0.0})
    shares = teacher_weights(tiny_pack, smoke.model_copy(update={"data": settings}))
    certain = tiny_pack.origin == origin
    assert set(shares[certain]) == {0.0} and set(shares[~certain]) == {0.5}


@pytest.mark.parametrize(("scale", "share"), [(1.2, 0.0), (2.0, 1.0)])
def test_a_close_view_of_a_wide_frame_has_a_teacher_share_of_its_own(
    tiny_pack: Pack, smoke: TrainConfig, scale: float, share: float
) -> None:
    """The scores say live of an attack; the share tells how much of that is believed."""
    settings = DataSettings(teacher_weight_wide=1.0, teacher_weight_close=0.0, teacher_temperature=1.0)
    view = PLAIN.model_copy(update={"scale_low": scale, "scale_high": scale})
    config = smoke.model_copy(update={"data": settings, "view": view, "optimiser": OptimiserSettings()})
    attack = int(np.flatnonzero((tiny_pack.origin == "real") & (tiny_pack.label == SPOOF))[0])
    scored = replace(tiny_pack, teacher=np.full_like(tiny_pack.teacher, 8.0))
    target = float(Views(scored, config)[[Draw(attack, attack, 0)]].target)
    assert target == pytest.approx(share / (1 + np.exp(8.0)) + (1 - share) * 0.975, abs=1e-4)


def test_the_sampler_knows_how_many_batches_it_gives(tiny_pack: Pack) -> None:
    sampler = EpochSampler(BalancedBatches(tiny_pack, DataSettings(), batch_size=8, seed=0), 5, 0)
    assert len(sampler) == len(list(sampler)) == 5
    first = list(sampler)
    sampler.epoch = 1
    assert list(sampler) != first


def test_teachers_asked_about_views_say_what_they_see_and_repeat_it(
    tiny_pack: Pack, smoke: TrainConfig, shared: Path
) -> None:
    settings = DataSettings(teacher_weight=1, teachers_see="views")
    config = smoke.model_copy(update={"data": settings, "view": PLAIN})
    draws = [Draw(index, index + 1, 10 * index) for index in range(8)]
    views = Views(tiny_pack, config, shared / "models")
    first, again = views[draws], views[draws]
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    answers = Panel(shared / "models").ask([np.ascontiguousarray(crop.numpy()[..., ::-1]) for crop in first.crops])
    assert answers.logits.shape == (8, 3) and len(np.unique(answers.logits)) == 24
    for of_batch, asked in zip(first[-3:], answers, strict=True):
        np.testing.assert_allclose(of_batch, asked, rtol=1e-5)
    mean = answers.logits.mean(axis=1) / settings.teacher_temperature
    np.testing.assert_allclose(first.target, 1 / (1 + np.exp(mean)), rtol=1e-4)


def test_mixed_views_have_the_teachers_word_alone(tiny_pack: Pack, smoke: TrainConfig, shared: Path) -> None:
    settings = DataSettings(teacher_weight=0, teachers_see="views")
    plain = smoke.model_copy(update={"data": settings, "view": PLAIN})
    blended = smoke.model_copy(update={"data": settings, "view": PLAIN.model_copy(update={"blend": 0.5, "patch": 0.5})})
    draws = [Draw(index, index + 1, 10 * index) for index in range(8)]
    blends = Views(tiny_pack, blended, shared / "models")[draws]
    as_they_are = Views(tiny_pack, plain, shared / "models")[draws]
    assert not torch.equal(blends.crops, as_they_are.crops)
    assert (blends.groups == NO_GROUP).all() and (as_they_are.groups != NO_GROUP).all()
    assert not np.isin(blends.target.numpy().round(4), as_they_are.target.numpy().round(4)).any()


def test_teachers_that_shall_see_views_must_be_there(tiny_pack: Pack, smoke: TrainConfig) -> None:
    config = smoke.model_copy(update={"data": DataSettings(teachers_see="views")})
    with pytest.raises(UsageError, match="--teachers"):
        Views(tiny_pack, config)
    with pytest.raises(UsageError, match="facenox"):
        Views(tiny_pack, config, Path(__file__).parent)


@pytest.mark.parametrize("wish", [{"view": {"blend": 0.3}}, {"optimiser": {"hint_weight": 0.5}}])
def test_what_only_teachers_of_views_can_say_is_refused_without_them(smoke: TrainConfig, wish: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="teachers_see"):
        TrainConfig.model_validate({**smoke.model_dump(), **wish})


def test_crops_are_those_of_the_batch(tiny_pack: Pack, smoke: TrainConfig) -> None:
    draws = [Draw(index, index + 1, 10 * index) for index in range(8)]
    views = Views(tiny_pack, smoke)
    torch.testing.assert_close(views.crops(draws), views[draws].crops, rtol=0, atol=0)


def test_a_face_that_fills_its_picture_is_not_cut_out_for_another_background(
    tiny_pack: Pack, smoke: TrainConfig
) -> None:
    always = smoke.model_copy(update={"view": PLAIN.model_copy(update={"exchange": 1.0, "scale_low": 2.6})})
    never = smoke.model_copy(update={"view": PLAIN.model_copy(update={"scale_low": 2.6})})
    sides = np.array([max(tiny_pack.image(index).shape) for index in range(len(tiny_pack))], np.float64)
    filled = np.stack([0 * sides, 0 * sides, sides / 1.2, sides / 1.2], axis=1)
    for boxes, changes in ((tiny_pack.box_xyxy, True), (filled, False)):
        content = replace(tiny_pack, box_xyxy=boxes)
        draws = [Draw(index, index + 1, 10 * index) for index in range(8)]
        changed = ~torch.eq(Views(content, always)[draws].crops, Views(content, never)[draws].crops).flatten(1).all(1)
        assert bool(changed.any()) is changes


@pytest.mark.parametrize(("from_scale", "is_mixed"), [(1.9, True), (2.1, False)])
def test_a_close_view_is_not_mixed(tiny_pack: Pack, smoke: TrainConfig, from_scale: float, is_mixed: bool) -> None:
    """A picture of the tiny pack is two face boxes wide."""
    view = PLAIN.model_copy(update={"scale_low": 2.0, "scale_high": 2.0, "blend": 0.5, "patch": 0.5})
    plain = Views(tiny_pack, smoke.model_copy(update={"view": view.model_copy(update={"blend": 0.0, "patch": 0.0})}))
    mixing = Views(tiny_pack, smoke.model_copy(update={"view": view.model_copy(update={"mix_from_scale": from_scale})}))
    draws = [Draw(index, index + 9, index) for index in range(6)]
    assert torch.equal(plain.crops(draws), mixing.crops(draws)) is not is_mixed


FURNISHED = PLAIN.model_copy(update={"furnish": 1.0, "scale_low": 1.8, "scale_high": 1.9})


def test_the_two_of_a_pair_stand_before_the_same_furniture(tiny_pack: Pack, smoke: TrainConfig) -> None:
    """An attack of the tiny pack is its source at 0.6 of the brightness and its furniture hardly darker."""
    settings = FURNISHED.model_copy(update={"size": 64})
    views, bare = (
        Views(tiny_pack, smoke.model_copy(update={"view": view}))
        for view in (settings, settings.model_copy(update={"furnish": 1e-9}))
    )
    draws = next(BalancedBatches(tiny_pack, DataSettings(pairs=1), batch_size=8, seed=0).batches(0, 1))
    changed = np.abs(views.crops(draws).numpy().astype(int) - bare.crops(draws).numpy()).max(axis=3) > 12
    assert changed.mean() > 0.1
    for attack, source in zip(changed[::2], changed[1::2], strict=True):
        assert (attack & source).sum() > 0.5 * (attack | source).sum()


def test_a_face_that_fills_its_view_gets_no_furniture(tiny_pack: Pack, smoke: TrainConfig) -> None:
    close = FURNISHED.model_copy(update={"scale_low": 1.0, "scale_high": 1.1})
    draws = [Draw(index, index, index) for index in range(4)]
    with_share, without = (
        Views(tiny_pack, smoke.model_copy(update={"view": close.model_copy(update={"furnish": p})})).crops(draws)
        for p in (1.0, 1e-9)
    )
    assert torch.equal(with_share, without)


def test_teachers_do_not_see_the_furniture(
    tiny_pack: Pack, smoke: TrainConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[bytes] = []

    class Listening:
        def __init__(self, folder: Path) -> None: ...

        def ask(self, views: list[np.ndarray[Any, np.dtype[np.uint8]]]) -> Answers:
            seen.append(np.stack(views).tobytes())
            return Answers(np.zeros((len(views), 3), np.float32), *(np.zeros(0, np.float32),) * 2)

    monkeypatch.setattr("training.views.Panel", Listening)
    monkeypatch.setattr("training.views.refuse_missing_files", lambda folder: None)
    draws = [Draw(index, index, index) for index in range(4)]
    crops = []
    for share in (1.0, 1e-9):
        update = {"view": FURNISHED.model_copy(update={"furnish": share}), "data": DataSettings(teachers_see="views")}
        crops.append(Views(tiny_pack, smoke.model_copy(update=update), tmp_path)[draws].crops)
    assert seen[0] == seen[1] and not torch.equal(crops[0], crops[1])

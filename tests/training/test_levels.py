"""Levels come from the labels of what is trained on alone, and move targets without changing how a domain is ranked."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch", exc_type=ImportError)

import training.train as training_train  # noqa: E402
import training.views as training_views  # noqa: E402
from faceauth.stages import Image  # noqa: E402
from training.config import DataSettings, TrainConfig, ViewSettings  # noqa: E402
from training.levels import FRAMES, SCALES, level_at, measure_levels  # noqa: E402
from training.packs import Pack  # noqa: E402
from training.records import LIVE, SPOOF  # noqa: E402
from training.sampling import Draw  # noqa: E402
from training.teachers import Answers  # noqa: E402
from training.train import train  # noqa: E402
from training.views import Views  # noqa: E402

PLAIN = ViewSettings(size=32, camera=0, recolour=0, exchange=0, greyscale=0, texture=0, occlusion=0)
LEVELLED = DataSettings(teacher_weight=1, teachers_see="views", level_teachers=True)


class Bright:
    """A panel that takes what is bright for live: logits are brightness / 32, in all views."""

    def __init__(self, folder: Path | None = None) -> None:
        self.asked = 0

    def ask(self, views: Sequence[Image]) -> Answers:
        self.asked += len(views)
        logits = np.repeat([[view.mean() / 32] for view in views], 3, axis=1).astype(np.float32)
        return Answers(
            logits, np.zeros((len(views), 3, 128), np.float32), np.zeros((len(views), 3, 128, 5, 5), np.float32)
        )


def test_a_level_is_half_way_between_the_classes(tiny_pack: Pack) -> None:
    levels = measure_levels(tiny_pack, [], Bright(), 32)  # type: ignore[arg-type]
    mine = (tiny_pack.domain == "large") & (tiny_pack.origin == "real")
    views = Views(tiny_pack, TrainConfig(name="a", epochs=1, view=PLAIN))
    means = []
    for label in (LIVE, SPOOF):
        draws = [Draw(int(i), 0, 0) for i in np.flatnonzero(mine & (tiny_pack.label == label))]
        means.append(views.crops(draws).numpy().mean() / 32)
    assert len(levels["large"]) == len(SCALES)
    assert np.mean(levels["large"]) == pytest.approx(np.mean(means), abs=0.4)
    assert means[1] < min(levels["large"]) and max(levels["large"]) < means[0]


def test_only_what_is_trained_on_has_a_level_and_only_with_both_classes(tiny_pack: Pack) -> None:
    assert set(measure_levels(tiny_pack, [], Bright(), 32)) == {"large"}  # type: ignore[arg-type]
    assert measure_levels(tiny_pack, ["large"], Bright(), 32) == {}  # type: ignore[arg-type]
    panel = Bright()
    measure_levels(tiny_pack, [], panel, 32)  # type: ignore[arg-type]
    assert panel.asked == 2 * FRAMES * len(SCALES)


def test_between_its_scales_a_level_is_interpolated_and_beyond_them_kept() -> None:
    levels = {"cam": [1.0, 2.0, 4.0, 3.0]}
    assert level_at(levels, "cam", SCALES[1]) == 2.0
    assert level_at(levels, "cam", float(np.sqrt(SCALES[1] * SCALES[2]))) == pytest.approx(3.0)
    assert (level_at(levels, "cam", 0.5), level_at(levels, "cam", 9.0)) == (1.0, 3.0)
    assert level_at(levels, "elsewhere", 2.0) == 0.0


def test_targets_move_by_the_level_of_their_domain(tiny_pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_views, "Panel", Bright)
    monkeypatch.setattr(training_views, "refuse_missing_files", lambda folder: None)
    config = TrainConfig(name="a", epochs=1, data=LEVELLED, view=PLAIN)
    draws = [Draw(int(i), 0, int(i)) for i in np.flatnonzero(tiny_pack.domain == "large")[:8]]
    levels = {"large": [3.0] * 4}
    with_level, without = (Views(tiny_pack, config, Path(), level)[draws] for level in (levels, None))
    logit = [np.log(target / (1 - target)) for target in (with_level.target.numpy(), without.target.numpy())]
    np.testing.assert_allclose(logit[0] - logit[1], 3.0 / config.data.teacher_temperature, rtol=1e-3)
    assert torch.equal(with_level.teachers, without.teachers)  # guesses and hints are of what they said


def test_a_mixed_view_has_the_mean_level_of_its_two_pictures(tiny_pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_views, "Panel", Bright)
    monkeypatch.setattr(training_views, "refuse_missing_files", lambda folder: None)
    mixed = PLAIN.model_copy(update={"blend": 0.5, "patch": 0.5})
    config = TrainConfig(name="a", epochs=1, data=LEVELLED, view=mixed)
    large, small = (int(np.flatnonzero(tiny_pack.domain == name)[0]) for name in ("large", "small"))
    draws, levels = [Draw(large, small, seed) for seed in range(4)], {"large": [3.0] * 4, "small": [1.0] * 4}
    with_level, without = (Views(tiny_pack, config, Path(), level)[draws] for level in (levels, None))
    logit = [np.log(target / (1 - target)) for target in (with_level.target.numpy(), without.target.numpy())]
    np.testing.assert_allclose(logit[0] - logit[1], 2.0 / config.data.teacher_temperature, rtol=1e-3)


def test_a_training_measures_its_levels_once_and_keeps_them(
    tiny_pack: Pack, smoke: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (training_train, training_views):
        monkeypatch.setattr(module, "Panel", Bright)
        monkeypatch.setattr(module, "refuse_missing_files", lambda folder: None)
    monkeypatch.setattr(training_train, "digests_of", lambda folder: {})
    config = smoke.model_copy(update={"data": LEVELLED, "epochs": 1})
    train(config, tiny_pack, tmp_path, teachers=tmp_path)
    assert set(json.loads((tmp_path / "levels.json").read_text())) == {"large"}
    (tmp_path / "levels.json").write_text('{"large": [0, 0, 0, 0]}')
    train(config.model_copy(update={"epochs": 2}), tiny_pack, tmp_path, teachers=tmp_path)
    assert json.loads((tmp_path / "levels.json").read_text()) == {"large": [0, 0, 0, 0]}


def test_levels_need_teachers_that_see_views() -> None:
    with pytest.raises(ValidationError, match="level_teachers"):
        TrainConfig(name="a", epochs=1, data=DataSettings(level_teachers=True))


def test_a_mirrored_scale_goes_with_one_scale() -> None:
    assert TrainConfig(name="a", epochs=1, scales=(2.2,), mirrored_scale=1.4).mirrored_scale == 1.4
    with pytest.raises(ValidationError, match="one scale"):
        TrainConfig(name="a", epochs=1, scales=(2.2, 1.0), mirrored_scale=1.4)

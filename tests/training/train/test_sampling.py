"""Batches are balanced over classes, species and domains, and nothing is drawn that must not be learnt from."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from faceauth.errors import UsageError
from training.data.manifests import LIVE, SPOOF
from training.data.shards import Shards
from training.train.recipe import Recipe
from training.train.sampling import (
    DOMAIN_SIZE,
    BalancedBatches,
    Draw,
    EpochBatches,
    StepSampler,
    strata,
    trained_on,
)

MANY = 400  # batches; of 32 draws each


@pytest.fixture
def even(smoke: Recipe) -> Recipe:
    """Labelled frames alone."""
    return smoke.model_copy(update={"pairs": 0.0, "portraits": 0.0})


def balanced(content: Shards, recipe: Recipe, *, phase: int = 1, rank: int = 0) -> BalancedBatches:
    return BalancedBatches(content, recipe, batch_size=32, phase=phase, rank=rank)


def drawn(batches: BalancedBatches) -> list[Draw]:
    return [draw for step in range(MANY) for draw in batches.batch(step)]


def epoch_of(content: Shards, recipe: Recipe, *, size: int = 32, rank: int = 0, processes: int = 1) -> list[Draw]:
    batches = EpochBatches(content, recipe, batch_size=size, rank=rank, processes=processes)
    return [draw for step in range(batches.steps_per_epoch) for draw in batches.batch(step)]


def test_classes_are_even_in_every_batch(tiny_shards: Shards, even: Recipe) -> None:
    for step in range(20):
        batch = balanced(tiny_shards, even).batch(step)
        assert len(batch) == 32
        assert sum(tiny_shards.label[draw.index] == LIVE for draw in batch) == 16


def test_a_domain_is_drawn_by_the_root_of_its_size(tiny_shards: Shards, even: Recipe) -> None:
    """64 and 4 attacks: 8 to 2, not 16 to 1."""
    attacks = [d for d in drawn(balanced(tiny_shards, even)) if tiny_shards.label[d.index] == SPOOF]
    count = Counter(str(tiny_shards.domain[d.index]) for d in attacks)
    assert set(count) == {"large", "small"}
    assert abs(count["large"] / len(attacks) - 0.8) < 0.02


def test_a_one_class_domain_weighs_a_quarter(tiny_shards: Shards, even: Recipe) -> None:
    """Live frames: roots 8, 2 and 4 / 4."""
    live = [d for d in drawn(balanced(tiny_shards, even)) if tiny_shards.label[d.index] == LIVE]
    count = Counter(str(tiny_shards.domain[d.index]) for d in live)
    assert abs(count["live-only"] / len(live) - 1 / 11) < 0.02
    assert abs(count["large"] / len(live) - 8 / 11) < 0.02


def test_a_species_weighs_as_the_root_of_what_it_has(tiny_shards: Shards) -> None:
    """Masks are a quarter of the attacks of one domain, and 0 of the other: roots 4 against 6.93 + 2."""
    species = tiny_shards.species.copy()
    attacks = np.flatnonzero((tiny_shards.domain == "large") & (tiny_shards.label == SPOOF))
    attacks = attacks[tiny_shards.origin[attacks] == "real"]
    species[attacks[:16]] = "mask"
    real = (tiny_shards.origin == "real") & (tiny_shards.split == "train")
    weights = strata(replace(tiny_shards, species=species), real, SPOOF)
    masks = [s.weight for s in weights if sum(len(r) for r in s.recordings) == 16]
    roots = {"mask": np.sqrt(4.0), "print": np.sqrt(np.sqrt(48) + 2)}
    assert masks == [pytest.approx(roots["mask"] / sum(roots.values()))]
    assert sum(s.weight for s in weights) == pytest.approx(1)


def test_a_domain_of_many_images_counts_as_several(tiny_shards: Shards) -> None:
    """Three times the size of the largest domains: three domains, not the root of three."""
    attacks = np.flatnonzero((tiny_shards.origin == "real") & (tiny_shards.label == SPOOF))[:1]
    many = np.concatenate([np.repeat(attacks, 3 * DOMAIN_SIZE), np.repeat(attacks, DOMAIN_SIZE)])
    domain = np.array(["many"] * 3 * DOMAIN_SIZE + ["one"] * DOMAIN_SIZE)
    columns = {name: getattr(tiny_shards, name)[many] for name in ("label", "species", "recording", "split")}
    content = replace(tiny_shards, domain=domain, **columns)
    large, small = strata(content, np.ones(len(many), bool), SPOOF)
    assert large.weight == pytest.approx(3 * small.weight)


def test_recordings_weigh_the_same_however_many_images_they_have(tiny_shards: Shards, even: Recipe) -> None:
    attacks = np.flatnonzero(
        (tiny_shards.domain == "large") & (tiny_shards.label == SPOOF) & (tiny_shards.origin == "real")
    )
    recording = tiny_shards.recording.astype("U8")
    recording[attacks[:60]], recording[attacks[60:]] = "long", "short"
    batches = balanced(replace(tiny_shards, recording=recording), even)
    count = Counter(str(recording[d.index]) for d in drawn(batches) if d.index in set(attacks.tolist()))
    assert abs(count["short"] / count.total() - 0.5) < 0.03


def test_a_share_of_the_live_frames_gives_way_to_portraits(tiny_shards: Shards, even: Recipe) -> None:
    draws = drawn(balanced(tiny_shards, even.model_copy(update={"portraits": 0.25})))
    portraits = [d for d in draws if tiny_shards.origin[d.index] == "portrait"]
    assert abs(len(portraits) / (MANY * 16) - 0.25) < 0.02
    assert all(tiny_shards.split[d.index] == "train" for d in portraits)
    assert sum(tiny_shards.label[d.index] == SPOOF for d in draws) == MANY * 16


def test_portraits_that_are_not_there_are_refused(tiny_shards: Shards, smoke: Recipe) -> None:
    without = replace(tiny_shards, origin=np.where(tiny_shards.origin == "portrait", "real", tiny_shards.origin))
    with pytest.raises(UsageError, match="--portraits"):
        balanced(without, smoke)


def test_pairs_are_an_attack_and_its_own_source_with_one_seed(tiny_shards: Shards, even: Recipe) -> None:
    for step in range(20):
        batch = balanced(tiny_shards, even.model_copy(update={"pairs": 0.5})).batch(step)
        for attack, source in zip(batch[:16:2], batch[1:16:2], strict=True):
            assert tiny_shards.origin[attack.index] == "recapture"
            assert tiny_shards.source[attack.index] == tiny_shards.name[source.index]
            assert (attack.seed, attack.partner) == (source.seed, source.partner)
        assert {str(tiny_shards.origin[draw.index]) for draw in batch[16:]} == {"real"}


def test_nothing_of_val_or_test_is_ever_drawn_not_even_as_a_partner(tiny_shards: Shards, smoke: Recipe) -> None:
    for draw in [*drawn(balanced(tiny_shards, smoke)), *epoch_of(tiny_shards, smoke)]:
        assert tiny_shards.split[draw.index] == tiny_shards.split[draw.partner] == "train"


def test_held_out_domains_are_drawn_in_no_form(tiny_shards: Shards, smoke: Recipe) -> None:
    without = smoke.model_copy(update={"hold_out": ("large",)})
    for draw in [*drawn(balanced(tiny_shards, without)), *epoch_of(tiny_shards, without)]:
        assert "large" not in {tiny_shards.domain[draw.index], tiny_shards.domain[draw.partner]}


def test_a_step_has_the_same_draws_each_time_and_others_in_another_step_phase_process_or_seed(
    tiny_shards: Shards, smoke: Recipe
) -> None:
    wanted = balanced(tiny_shards, smoke).batch(3)
    assert balanced(tiny_shards, smoke).batch(3) == wanted
    assert balanced(tiny_shards, smoke).batch(4) != wanted
    assert balanced(tiny_shards, smoke, phase=2).batch(3) != wanted
    assert balanced(tiny_shards, smoke, rank=1).batch(3) != wanted
    assert balanced(tiny_shards, smoke.model_copy(update={"seed": 1})).batch(3) != wanted


def test_the_sampler_gives_the_steps_that_are_left(tiny_shards: Shards, smoke: Recipe) -> None:
    batches = balanced(tiny_shards, smoke)
    sampler = StepSampler(batches, 2, 5)
    assert len(sampler) == 3
    assert list(sampler) == [batches.batch(step) for step in (2, 3, 4)]


def test_an_epoch_shows_every_training_frame_once_and_the_next_in_another_order(
    tiny_shards: Shards, smoke: Recipe
) -> None:
    shown = [draw.index for draw in epoch_of(tiny_shards, smoke)]
    wanted = np.flatnonzero((tiny_shards.split == "train") & (tiny_shards.origin != "recapture"))
    assert sorted(shown) == wanted.tolist()
    batches = EpochBatches(tiny_shards, smoke, batch_size=32, rank=0, processes=1)
    assert batches.steps_per_epoch == 5
    assert [draw.index for draw in batches.batch(5)] != shown[:32]


def test_processes_share_an_epoch_and_come_to_the_same_number_of_batches(tiny_shards: Shards, smoke: Recipe) -> None:
    shares = [[d.index for d in epoch_of(tiny_shards, smoke, size=7, rank=rank, processes=3)] for rank in range(3)]
    assert len({len(share) for share in shares}) == 1
    assert len(set().union(*shares)) == sum(len(share) for share in shares)


def test_an_attack_before_a_left_out_domain_is_left_out_too(tiny_shards: Shards) -> None:
    recaptured = np.flatnonzero(tiny_shards.origin == "recapture")
    background = tiny_shards.background.astype("U8")
    background[recaptured[0]] = "small"
    left = trained_on(replace(tiny_shards, background=background), ("small",))
    others = recaptured[1:]
    assert not left[recaptured[0]] and left[others].sum() == trained_on(tiny_shards, ("small",))[others].sum()


@pytest.mark.parametrize(("label", "said"), [(LIVE, "no live image"), (SPOOF, "no attack")])
def test_a_class_without_a_frame_is_one_sentence(tiny_shards: Shards, smoke: Recipe, label: int, said: str) -> None:
    absent = (tiny_shards.origin == "real") & (tiny_shards.label == label)
    with pytest.raises(UsageError, match=said):
        balanced(replace(tiny_shards, split=np.where(absent, "test", tiny_shards.split)), smoke)


def test_an_epoch_of_nothing_is_refused(tiny_shards: Shards, smoke: Recipe) -> None:
    nothing = replace(tiny_shards, split=np.where(tiny_shards.split == "train", "test", tiny_shards.split))
    with pytest.raises(UsageError, match="too few images for a batch"):
        epoch_of(nothing, smoke)

"""Batches are balanced over classes and domains, and nothing is drawn that must not be learnt from."""

from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from faceauth.errors import UsageError
from training.config import DataSettings
from training.packs import Pack
from training.records import LIVE, SPOOF
from training.sampling import BalancedBatches, Draw, EpochBatches, trained_on

MANY = 400  # batches; of 32 draws each


def balanced(content: Pack, *, seed: int = 0, **settings: object) -> BalancedBatches:
    return BalancedBatches(content, DataSettings.model_validate(settings), batch_size=32, seed=seed)


def drawn(batches: BalancedBatches) -> list[Draw]:
    return [draw for batch in batches.batches(0, MANY) for draw in batch]


def test_classes_are_even_in_every_batch(tiny_pack: Pack) -> None:
    for batch in balanced(tiny_pack).batches(0, 20):
        assert len(batch) == 32
        assert sum(tiny_pack.label[draw.index] == LIVE for draw in batch) == 16


def test_a_domain_is_drawn_by_the_root_of_its_size(tiny_pack: Pack) -> None:
    """64 and 4 attacks: 8 to 2, not 16 to 1."""
    attacks = [d for d in drawn(balanced(tiny_pack)) if tiny_pack.label[d.index] != LIVE]
    count = Counter(str(tiny_pack.domain[d.index]) for d in attacks)
    assert set(count) == {"large", "small"}
    assert abs(count["large"] / len(attacks) - 0.8) < 0.02


def test_a_one_class_domain_weighs_a_quarter(tiny_pack: Pack) -> None:
    """Live frames: roots 8, 2 and 4 / 4."""
    live = [d for d in drawn(balanced(tiny_pack)) if tiny_pack.label[d.index] == LIVE]
    count = Counter(str(tiny_pack.domain[d.index]) for d in live)
    assert abs(count["live-only"] / len(live) - 1 / 11) < 0.02
    assert abs(count["large"] / len(live) - 8 / 11) < 0.02


def test_a_domain_can_be_drawn_more_often(tiny_pack: Pack) -> None:
    """Attacks of small: roots 8 and 2 x 4, so every other one instead of every fifth; live frames: 8 of 8 + 8 + 1."""
    batches = balanced(tiny_pack)
    batches.draw_more_often({"small": 4.0})
    count = Counter((str(tiny_pack.domain[d.index]), int(tiny_pack.label[d.index])) for d in drawn(batches))
    assert abs(count["small", SPOOF] / (MANY * 16) - 1 / 2) < 0.02
    assert abs(count["small", LIVE] / (MANY * 16) - 8 / 17) < 0.02


def test_a_bound_on_frames_leaves_the_same_few_of_each_class_and_domain(tiny_pack: Pack) -> None:
    def seen(most: int | None) -> set[int]:
        batches = BalancedBatches(tiny_pack, DataSettings(pairs=0, frames_per_class=most), batch_size=32, seed=0)
        return {draw.index for draw in drawn(batches)}

    few = seen(3)
    cells = Counter((str(tiny_pack.domain[index]), int(tiny_pack.label[index])) for index in few)
    assert cells == {(d, c): 3 for d, c in [("large", 0), ("large", 1), ("small", 0), ("small", 1), ("live-only", 0)]}
    assert seen(3) == few
    assert len(seen(None)) == 64 + 64 + 4 + 4 + 16


def test_a_share_of_the_live_frames_gives_way_to_portraits(tiny_pack: Pack) -> None:
    settings = DataSettings(pairs=0.5, portraits=0.25)
    alone = [d for d in drawn(BalancedBatches(tiny_pack, settings, batch_size=32, seed=0)) if not d.in_pair]
    of_portraits = [d for d in alone if tiny_pack.origin[d.index] == "portrait"]
    assert abs(len(of_portraits) / (MANY * 8) - 0.25) < 0.02
    assert all(tiny_pack.split[d.index] == "train" for d in of_portraits)
    assert sum(tiny_pack.label[d.index] == SPOOF for d in alone) == MANY * 8


def test_portraits_that_are_not_there_are_refused(tiny_pack: Pack) -> None:
    without = replace(tiny_pack, origin=np.where(tiny_pack.origin == "portrait", "real", tiny_pack.origin))
    with pytest.raises(UsageError, match="--portraits"):
        BalancedBatches(without, DataSettings(portraits=0.1), batch_size=32, seed=0)


def test_pairs_are_an_attack_and_its_own_source_with_one_seed(tiny_pack: Pack) -> None:
    for batch in balanced(tiny_pack, pairs=0.5).batches(0, 20):
        for attack, source in zip(batch[:16:2], batch[1:16:2], strict=True):
            assert tiny_pack.origin[attack.index] == "recapture"
            assert tiny_pack.source[attack.index] == tiny_pack.key[source.index]
            assert (attack.seed, attack.partner) == (source.seed, source.partner)
        assert {str(tiny_pack.origin[draw.index]) for draw in batch[16:]} == {"real"}
        assert [draw.in_pair for draw in batch] == [True] * 16 + [False] * 16


def test_nothing_of_val_or_test_is_ever_drawn_not_even_as_a_background(tiny_pack: Pack) -> None:
    epoch = EpochBatches(tiny_pack, DataSettings(), batch_size=32, seed=0)
    for draw in [*drawn(balanced(tiny_pack, pairs=0.5)), *(d for b in epoch.batches(0, MANY) for d in b)]:
        assert tiny_pack.split[draw.index] == tiny_pack.split[draw.partner] == "train"


def test_held_out_domains_are_drawn_in_no_form(tiny_pack: Pack) -> None:
    held = balanced(tiny_pack, pairs=0.5, hold_out=["large"])
    epoch = EpochBatches(tiny_pack, DataSettings(hold_out=("large",)), batch_size=32, seed=0)
    for draw in [*drawn(held), *(d for b in epoch.batches(0, MANY) for d in b)]:
        assert "large" not in {tiny_pack.domain[draw.index], tiny_pack.domain[draw.partner]}


def test_a_seed_an_epoch_and_a_process_have_draws_of_their_own(tiny_pack: Pack) -> None:
    batches = balanced(tiny_pack)
    assert list(batches.batches(3, 2)) == list(balanced(tiny_pack).batches(3, 2))
    others = batches.batches(4, 2), batches.batches(3, 2, rank=1), balanced(tiny_pack, seed=1).batches(3, 2)
    for other in others:
        assert list(other) != list(batches.batches(3, 2))


def test_an_epoch_shows_every_training_frame_once(tiny_pack: Pack) -> None:
    epoch = EpochBatches(tiny_pack, DataSettings(), batch_size=32, seed=0)
    shown = [draw.index for batch in epoch.batches(0, 1000) for draw in batch]
    wanted = np.flatnonzero((tiny_pack.split == "train") & (tiny_pack.origin != "recapture"))
    assert sorted(shown) == wanted.tolist()
    assert epoch.length(1000) == len(list(epoch.batches(0, 1000))) == 5


def test_processes_share_an_epoch_and_come_to_the_same_number_of_batches(tiny_pack: Pack) -> None:
    epoch = EpochBatches(tiny_pack, DataSettings(), batch_size=7, seed=0, processes=3)
    shares = [[d.index for b in epoch.batches(0, 1000, rank) for d in b] for rank in range(3)]
    assert len({len(share) for share in shares}) == 1
    assert len(set().union(*shares)) == sum(len(share) for share in shares)


def test_a_count_bounds_an_epoch(tiny_pack: Pack) -> None:
    epoch = EpochBatches(tiny_pack, DataSettings(), batch_size=4, seed=0)
    assert epoch.length(2) == len(list(islice(epoch.batches(0, 2), 9))) == 2


def test_an_attack_before_a_left_out_domain_is_left_out_too(tiny_pack: Pack) -> None:
    recaptured = np.flatnonzero(tiny_pack.origin == "recapture")
    behind = tiny_pack.behind.astype("U8")
    behind[recaptured[0]] = "small"
    before = replace(tiny_pack, behind=behind)
    left = trained_on(before, ("small",))
    assert (
        not left[recaptured[0]]
        and left[recaptured[1:]].sum() == trained_on(tiny_pack, ("small",))[recaptured[1:]].sum()
    )


@pytest.mark.parametrize(("label", "said"), [(LIVE, "no live picture"), (SPOOF, "no attack")])
def test_a_class_without_a_frame_is_one_sentence(tiny_pack: Pack, label: int, said: str) -> None:
    absent = (tiny_pack.origin == "real") & (tiny_pack.label == label)
    with pytest.raises(UsageError, match=said):
        balanced(replace(tiny_pack, split=np.where(absent, "test", tiny_pack.split)))


def test_an_epoch_of_nothing_is_refused(tiny_pack: Pack) -> None:
    nothing = replace(tiny_pack, split=np.where(tiny_pack.split == "train", "test", tiny_pack.split))
    with pytest.raises(UsageError, match="too few pictures for a batch"):
        EpochBatches(nothing, DataSettings(), batch_size=32, seed=0)


def test_a_family_can_be_left_out_and_a_misspelt_one_is_named(tiny_pack: Pack) -> None:
    recaptured = np.flatnonzero(tiny_pack.origin == "recapture")
    species = tiny_pack.species.astype("U16")
    species[recaptured] = "phone"
    species[recaptured[:3]] = "monitor"
    families = replace(tiny_pack, species=species)
    draws = drawn(balanced(families, pairs=0.5, without_families=["phone"]))
    shown = {families.species[k] for d in draws for k in (d.index, d.partner) if families.origin[k] == "recapture"}
    assert shown == {"monitor"}
    with pytest.raises(UsageError, match="no family fone"):
        balanced(families, without_families=["fone"])

"""The triplet loss pulls live people of all domains together and the attacks of each domain apart from all others."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from training.packs import Pack  # noqa: E402
from training.records import LIVE, SPOOF  # noqa: E402
from training.triplet import LIVE_GROUP, MARGIN, NO_GROUP, groups_of, triplet_loss  # noqa: E402

ALONG = torch.eye(4)


def test_live_people_are_one_group_and_attacks_one_a_domain(tiny_pack: Pack) -> None:
    groups = groups_of(tiny_pack)
    assert set(groups[tiny_pack.label == LIVE]) == {LIVE_GROUP}
    attacks = tiny_pack.label == SPOOF
    pairs = {(str(d), int(g)) for d, g in zip(tiny_pack.domain[attacks], groups[attacks], strict=True)}
    assert len(pairs) == len({d for d, _ in pairs}) == len({g for _, g in pairs})
    assert not {LIVE_GROUP, NO_GROUP} & {g for _, g in pairs}


def test_groups_that_lie_apart_cost_nothing() -> None:
    features = ALONG[[0, 0, 1, 1, 2, 2]]
    assert float(triplet_loss(features, torch.tensor([0, 0, 1, 1, 2, 2]))) == 0


def test_the_loss_of_a_batch_worked_by_hand() -> None:
    """Two live people at right angles (distance sqrt 2), an attack beside the first: its anchor is alone."""
    features = ALONG[[0, 1, 0]] * torch.tensor([[1.0], [5.0], [2.0]])  # lengths do not matter
    loss = triplet_loss(features, torch.tensor([0, 0, 3]))
    expected = ((np.sqrt(2) - 0 + MARGIN) + max(0.0, np.sqrt(2) - np.sqrt(2) + MARGIN)) / 2
    assert float(loss) == pytest.approx(expected, abs=1e-3)


def test_attacks_of_two_domains_need_not_be_alike_and_live_people_must() -> None:
    features = ALONG[[0, 0, 1, 2]]
    assert float(triplet_loss(features, torch.tensor([0, 0, 1, 2]))) == 0
    assert float(triplet_loss(features, torch.tensor([1, 1, 0, 0]))) > 0


def test_views_of_no_group_and_batches_of_one_group_cost_nothing_and_can_be_learnt_from() -> None:
    features = torch.rand(4, 8).requires_grad_()
    for groups in ([0, 0, 0, 0], [NO_GROUP] * 4, [0, 1, 2, NO_GROUP]):
        loss = triplet_loss(features, torch.tensor(groups))
        loss.backward()
        assert float(loss.detach()) == 0
    with_stranger = triplet_loss(features, torch.tensor([0, 0, 1, NO_GROUP]))
    torch.testing.assert_close(with_stranger, triplet_loss(features[:3], torch.tensor([0, 0, 1])))


def test_gradients_are_finite_where_two_views_are_the_same() -> None:
    features = torch.ones(4, 8, requires_grad=True)
    triplet_loss(features, torch.tensor([0, 0, 1, 1])).backward()
    assert features.grad is not None and torch.isfinite(features.grad).all()

"""A target is what the label and the teachers say."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from training.data.shards import Shards  # noqa: E402
from training.train.distillation import smoothed_labels, soft_targets, student_loss, teacher_shares  # noqa: E402
from training.train.recipe import Recipe  # noqa: E402


def test_a_label_is_smoothed(tiny_shards: Shards, smoke: Recipe) -> None:
    labels = smoothed_labels(tiny_shards, smoke.model_copy(update={"label_smoothing": 0.1}))
    np.testing.assert_allclose(labels, np.where(tiny_shards.label, 0.95, 0.05), rtol=1e-6)


def test_teachers_have_a_share_where_the_label_is_not_certain(tiny_shards: Shards, smoke: Recipe) -> None:
    shares = teacher_shares(tiny_shards, smoke.model_copy(update={"teacher_share": 0.5}))
    assert {origin: set(shares[tiny_shards.origin == origin]) for origin in np.unique(tiny_shards.origin)} == {
        "real": {0.5},
        "portrait": {0.0},
        "recapture": {0.0},
    }


def test_teachers_move_the_target_towards_their_mean() -> None:
    labels = np.array([0.05, 0.95], np.float32)
    logits = np.array([[8.0, 8.0, 8.0], [8.0, 6.0, 10.0]], np.float32)
    targets = soft_targets(labels, np.full(2, 0.25, np.float32), logits)
    np.testing.assert_allclose(targets, 0.75 * labels + 0.25 / (1 + np.exp(4.0)), rtol=1e-5)


def test_the_loss_is_the_cross_entropy_with_the_target() -> None:
    logits, target = torch.tensor([[2.0, -1.0], [0.5, 0.5]]), torch.tensor([0.2, 0.9])
    log_p = torch.log_softmax(logits, dim=1)
    expected = -((1 - target) * log_p[:, 0] + target * log_p[:, 1]).mean()
    torch.testing.assert_close(student_loss(logits, target), expected)

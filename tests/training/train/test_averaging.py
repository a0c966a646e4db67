"""The moving average of weights forgets its start, and keeps what it averages apart from it."""

import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from torch import nn  # noqa: E402

from training.train.averaging import between, moving_average  # noqa: E402


def layer(value: float) -> nn.Linear:
    made = nn.Linear(1, 1, bias=False)
    nn.init.constant_(made.weight, value)
    return made


def test_an_average_moves_by_its_decay_once_its_memory_is_long() -> None:
    network = layer(0.0)
    average = moving_average(network, 0.9)
    values = []
    for step in range(200):
        nn.init.constant_(network.weight, 1.0 if step >= 100 else 0.0)
        average.update_parameters(network)
        values.append(float(average.module.weight))
    assert values[99] == 0.0
    assert values[100:103] == pytest.approx([0.1, 0.19, 0.271], abs=1e-5)


def test_its_memory_is_short_at_first() -> None:
    network = layer(100.0)  # a random start
    average = moving_average(network, 0.998)
    nn.init.constant_(network.weight, 0.0)
    for _ in range(30):
        average.update_parameters(network)
    assert abs(float(average.module.weight)) < 1e-3


def test_without_a_decay_it_is_the_weights_themselves() -> None:
    network = layer(1.0)
    average = moving_average(network, 0.0)
    for value in (2.0, 3.0):
        nn.init.constant_(network.weight, value)
        average.update_parameters(network)
        assert float(average.module.weight) == value


def test_batch_statistics_are_averaged_too() -> None:
    network = nn.BatchNorm1d(2)
    average = moving_average(network, 0.5)
    network.train()(torch.full((4, 2), 10.0) + torch.randn(4, 2))
    average.update_parameters(network)
    average.update_parameters(network)
    assert float(average.module.running_mean.mean()) == pytest.approx(float(network.running_mean.mean()))
    assert not average.module.training


def test_a_network_between_two_has_a_share_of_each_weight_and_statistic() -> None:
    begin, end = (nn.Sequential(layer(value), nn.BatchNorm1d(1)) for value in (2.0, 10.0))
    end.train()(torch.ones(4, 1))
    seen = float(end[1].running_mean)
    joined = between(begin, end, 0.25)
    assert float(joined[0].weight) == 8.0
    assert float(joined[1].running_mean) == pytest.approx(0.75 * seen)
    assert int(joined[1].num_batches_tracked) == 1
    assert not joined.training
    assert (float(begin[0].weight), float(end[0].weight), float(end[1].running_mean)) == (2.0, 10.0, seen)

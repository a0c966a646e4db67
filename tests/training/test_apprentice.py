"""The loss of a batch is made of what the recipe weighs, and each part reaches the network."""

import math

import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from torch import Tensor, nn  # noqa: E402

from training.apprentice import Apprentice, Outputs, loss_of  # noqa: E402
from training.config import OptimiserSettings  # noqa: E402
from training.network import SpoofNet  # noqa: E402
from training.scoring import normalise  # noqa: E402
from training.teachers import HINT_CHANNELS, MAP_SIDE  # noqa: E402
from training.triplet import triplet_loss  # noqa: E402
from training.views import Batch  # noqa: E402

PLAIN = OptimiserSettings()
TRIPLET = OptimiserSettings(triplet_weight=0.5)
GUESS = OptimiserSettings(guess_weight=2.0)
HINT = OptimiserSettings(hint_weight=0.5)
DIMS = (0,), (0, 3, 4)
SEEN = (4, 3, HINT_CHANNELS), (4, 3, HINT_CHANNELS, MAP_SIDE, MAP_SIDE)


def batch(teachers: Tensor | None = None) -> Batch:
    crops = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    asked = torch.tensor([[8.0, -8.0, 4.0]] * 4) if teachers is None else teachers
    seen = (torch.randn(shape, generator=torch.Generator().manual_seed(2)) * 3 + 7 for shape in SEEN)
    return Batch(crops, torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0, 0, 1, 1]), asked, *seen)


def outputs(guesses: Tensor | None = None, hints: tuple[Tensor | None, Tensor | None] = (None, None)) -> Outputs:
    features = torch.rand(4, 8, generator=torch.Generator().manual_seed(1))
    return Outputs(torch.zeros(4, 2), features, guesses, *hints)


def test_without_weights_it_is_the_cross_entropy() -> None:
    assert float(loss_of(outputs(), batch(), PLAIN)) == pytest.approx(math.log(2))


def test_the_triplet_loss_is_added_by_its_weight() -> None:
    expected = math.log(2) + 0.5 * float(triplet_loss(outputs().features, batch().groups))
    assert float(loss_of(outputs(), batch(), TRIPLET)) == pytest.approx(expected)


def test_a_right_guess_of_the_teachers_costs_nothing_and_a_wrong_one_its_error() -> None:
    right = torch.tensor([[2.0, -2.0, 1.0]] * 4)
    assert float(loss_of(outputs(right), batch(), GUESS)) == pytest.approx(math.log(2))
    wrong = right + torch.tensor([3.0, 0.0, 0.0])  # Huber: |3| - 0.5 for one guess of three
    assert float(loss_of(outputs(wrong), batch(), GUESS)) == pytest.approx(math.log(2) + 2 * 2.5 / 3)


def test_what_no_teacher_said_is_not_guessed() -> None:
    wrong = torch.full((4, 3), 9.0)
    silent = batch(torch.full((4, 3), math.nan))
    assert float(loss_of(outputs(wrong), silent, GUESS)) == pytest.approx(math.log(2))
    one = torch.full((4, 3), math.nan)
    one[0, 0] = 0.0
    assert float(loss_of(outputs(wrong), batch(one), GUESS)) == pytest.approx(math.log(2) + 2 * 8.5)


def test_what_teachers_see_is_guessed_channel_by_channel_whatever_its_level_and_spread() -> None:
    seen = batch().embeddings, batch().maps
    right = tuple((s - s.mean(dim, keepdim=True)) / s.std(dim, keepdim=True) for s, dim in zip(seen, DIMS, strict=True))
    assert float(loss_of(outputs(hints=right), batch(), HINT)) == pytest.approx(math.log(2), abs=1e-4)
    nothing = torch.zeros_like(seen[0]), torch.zeros_like(seen[1])  # off by one spread: (n - 1) / n of 4, and of 100
    expected = math.log(2) + 0.5 * (3 / 4 + 99 / 100)
    assert float(loss_of(outputs(hints=nothing), batch(), HINT)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("settings", [TRIPLET, GUESS, HINT])
def test_every_part_of_the_loss_reaches_the_first_layer(settings: OptimiserSettings) -> None:
    """The classifier is cut off, so what arrives comes from the part under test."""
    apprentice = Apprentice(SpoofNet(), settings)
    for parameter in apprentice.network.head.parameters():
        nn.init.zeros_(parameter)
    loss_of(apprentice(normalise(batch().crops)), batch(), settings).backward()
    first = next(apprentice.network.features.parameters()).grad
    assert first is not None and float(first.abs().sum()) > 0


def test_a_plain_recipe_has_spoofnet_and_nothing_beside_it() -> None:
    count = sum(p.numel() for p in Apprentice(SpoofNet(), PLAIN).parameters())
    assert count == 4_881_442
    assert sum(p.numel() for p in Apprentice(SpoofNet(), GUESS).parameters()) == count + 3 * 513

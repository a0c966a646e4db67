"""A training's time is told from steps on noise."""

from training.train.recipe import Recipe
from training.train.speed import Speed, measure_speed


def test_hours_are_those_of_recaptures_and_views(smoke: Recipe) -> None:
    speed = Speed(recaptures=10.0, views=(4.0, 2.0))
    assert speed.hours(smoke.model_copy(update={"recaptures": 100})) == (10 + 16 / 4 + 16 / 2) / 3600


def test_a_measured_speed_has_a_figure_for_the_simulator_and_each_phase(smoke: Recipe) -> None:
    speed = measure_speed(smoke, None)
    assert speed.recaptures > 0 and len(speed.views) == 2 and min(speed.views) > 0

"""How long a run has to go, against hand calculations."""

import pytest

from lac.runs.forecast import Forecast
from lac.settings.training import LoopSettings

# Epochs of 1000 steps: no updates in the first one, 50 rounds of 30 in each other one.
LOOP = {"steps_per_epoch": 1000, "update_after": 1020, "update_every": 20, "steps_per_update": 30}


def metrics(epoch, steps_per_second, updates_per_second):
    return {
        "env_steps": 1000 * epoch,
        "time/steps_per_second": steps_per_second,
        "time/updates_per_second": updates_per_second,
    }


def test_nothing_is_said_before_the_speed_of_updates_is_known():
    forecast = Forecast(LoopSettings(epochs=11, **LOOP))
    assert forecast.after(metrics(1, 10_000.0, 0.0)) is None
    # The epoch takes 2 s, of which 1500 updates take 1.5 s. To go: 9 epochs of these.
    assert forecast.after(metrics(2, 500.0, 1000.0)) == "  about 18 s to go at this speed"
    assert forecast.after(metrics(3, 500.0, 1000.0)) is None, "once"


def test_rounds_that_had_nothing_to_learn_from_are_no_updates():
    """With a finite horizon, before the first of its sums is complete."""
    assert Forecast(LoopSettings(epochs=11, **LOOP)).after(metrics(2, 500.0, 0.0)) is None


def test_later_epochs_with_more_updates_take_longer():
    loop = LoopSettings(epochs=101, **LOOP | {"update_after": 980})
    # Two rounds in the first epoch: 60 updates in 0.06 s, 0.94 s for the rest. To go: 100 epochs of 0.94 + 1.5 s.
    assert Forecast(loop).after(metrics(1, 1000.0, 1000.0)) == "  about 4 min to go at this speed"


@pytest.mark.parametrize(("epochs", "said"), [(11, None), (21, "  about 20 s to go at this speed")])
def test_a_run_without_updates_has_its_speed_at_once_and_short_ones_are_not_worth_it(epochs, said):
    loop = LoopSettings(epochs=epochs, **LOOP | {"update_after": 10**6})
    assert Forecast(loop).after(metrics(1, 1000.0 if said else 2000.0, 0.0)) == said

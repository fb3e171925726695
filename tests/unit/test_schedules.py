from types import SimpleNamespace

import numpy as np
import pytest
from gymnasium.spaces import Box

from lac import LAC
from lac.settings.training import LoopSettings, ScheduleSettings
from lac.training.schedules import LearningRates, Schedule

SPACES = SimpleNamespace(observation_space=Box(-np.inf, np.inf, (3,)), action_space=Box(-1.0, 1.0, (2,)))


def an_agent(**kwargs):
    return LAC(SPACES, ac_kwargs={"hidden_sizes": {"actor": [4], "critic": [4]}}, **kwargs)


RATES = ("lr_a", "lr_c", "lr_alpha", "lr_labda")


@pytest.mark.parametrize("number_of_steps", [2, 5, 11])
def test_linear_decay_is_the_formula_of_the_reference(number_of_steps):
    initial, final = 3e-4, 1e-6
    schedule = Schedule(initial, final, "linear")
    for k in range(number_of_steps):
        expected = initial * (1 - k * (1 - final / initial) / (number_of_steps - 1))
        assert schedule(k / (number_of_steps - 1)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("number_of_steps", [2, 5, 11])
def test_exponential_decay_is_the_formula_of_the_reference(number_of_steps):
    initial, final = 3e-4, 1e-6
    schedule = Schedule(initial, final, "exponential")
    for k in range(number_of_steps):
        expected = initial * (final / initial) ** (k / (number_of_steps - 1))
        assert schedule(k / (number_of_steps - 1)) == pytest.approx(expected, rel=1e-9)


def test_numbers_by_hand():
    assert Schedule(1.0, 0.2, "linear")(0.25) == pytest.approx(0.8)
    assert Schedule(1.0, 0.01, "exponential")(0.5) == pytest.approx(0.1)
    assert Schedule(1.0, 0.01, "constant")(0.9) == 1.0


@pytest.mark.parametrize("decay_type", ["linear", "exponential"])
def test_the_ends_are_the_initial_and_the_final_rate(decay_type):
    schedule = Schedule(1e-4, 1e-10, decay_type)
    assert schedule(0.0) == 1e-4
    assert schedule(1.0) == pytest.approx(1e-10, rel=1e-5)


@pytest.mark.parametrize("decay_type", ["linear", "exponential", "constant"])
def test_a_rate_of_zero_stays_zero(decay_type):
    assert [Schedule(0.0, 1e-10, decay_type)(p) for p in (0.0, 0.5, 1.0)] == [0.0, 0.0, 0.0]


def learning_rates(schedule, **loop):
    """Those of an agent whose initial rates are 1, 2, 3 and 4."""
    agent = an_agent(**{name: float(number) for number, name in enumerate(RATES, start=1)})
    return LearningRates(agent, ScheduleSettings(**schedule), LoopSettings(**loop))


def test_each_rate_has_its_own_ends_and_falls_back_to_the_common_type():
    finals = {f"{name}_final": number / 10 for number, name in enumerate(RATES, start=1)}
    rates = learning_rates(finals | {"lr_c_decay_type": "exponential", "lr_alpha_decay_type": "constant"})
    assert rates.schedules == {
        "lr_a": Schedule(1.0, 0.1, "linear"),
        "lr_c": Schedule(2.0, 0.2, "exponential"),
        "lr_alpha": Schedule(3.0, 0.3, "constant"),
        "lr_labda": Schedule(4.0, 0.4, "linear"),
    }


def rates_of_actor(decay_ref, **loop):
    return learning_rates({"lr_a_final": 0.1, "decay_ref": decay_ref}, **loop)


def test_with_reference_epoch_the_rate_moves_at_the_end_of_each_epoch():
    rates = rates_of_actor("epoch", epochs=4, steps_per_epoch=10)
    # K = 4, so that a quarter of the run is a third of the way; the last epoch runs at the final rate.
    assert [rates.at(10 * e)["lr_a"] for e in range(5)] == pytest.approx([1.0, 0.7, 0.4, 0.1, 0.1])
    assert rates.at(19)["lr_a"] == pytest.approx(0.7)


def test_a_single_epoch_keeps_the_initial_rate():
    rates = rates_of_actor("epoch", epochs=1, steps_per_epoch=10)
    assert rates.at(10)["lr_a"] == 1.0


@pytest.mark.parametrize(("update_after", "update_every"), [(20, 20), (25, 10), (1, 7)])
def test_with_reference_step_the_rate_moves_after_each_round(update_after, update_every):
    rates = rates_of_actor("step", epochs=2, steps_per_epoch=50, update_after=update_after, update_every=update_every)
    length = (100 - update_after) // update_every + 1
    rounds = [t for t in range(1, 101) if t >= update_after and (t - update_after) % update_every == 0]
    loop = LoopSettings(update_after=update_after, update_every=update_every)
    assert [t for t in range(1, 101) if loop.is_update_round(t)] == rounds
    expected = [1.0 - 0.9 * min(k, length - 1) / (length - 1) for k in range(1, len(rounds) + 1)]
    assert [rates.at(t)["lr_a"] for t in rounds] == pytest.approx(expected)
    assert rates.at(0)["lr_a"] == 1.0


def test_with_reference_step_and_no_waiting_the_first_round_moves_the_rate_once():
    rates = rates_of_actor("step", epochs=1, steps_per_epoch=100, update_after=0, update_every=25)
    # K = 100 / 25 + 1 = 5 values, of which the fourth and last round reaches the fifth.
    assert [rates.at(t)["lr_a"] for t in (25, 50, 75, 100)] == pytest.approx([0.775, 0.55, 0.325, 0.1])


def test_update_rounds():
    loop = LoopSettings(update_after=30, update_every=20)
    assert [t for t in range(1, 101) if loop.is_update_round(t)] == [30, 50, 70, 90]
    assert [t for t in range(1, 101) if LoopSettings(update_after=0, update_every=50).is_update_round(t)] == [50, 100]


def test_a_wrong_training_setting_is_refused_by_name():
    with pytest.raises(ValueError, match="batch_size is 0"):
        LoopSettings(batch_size=0)

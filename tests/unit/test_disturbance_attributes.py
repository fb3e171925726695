"""Parameters and references that are changed take effect, and are put back."""

import gymnasium
import numpy as np
import pytest
from disturbance_support import ACTION, Cart, oscillator, states_of
from gymnasium.wrappers import TimeLimit

import lac  # noqa: F401 (registers the environments)
from lac.envs.disturbances import (
    DisturbanceError,
    Parameters,
    Reference,
)


def test_trap_9_parameters_reach_the_unwrapped_environment():
    env = TimeLimit(Parameters(TimeLimit(oscillator(), 50), {"K": 5, "delta": 0.5, "c": [0.1, 0.2, 0.3]}), 40)
    system = env.unwrapped
    assert system.K == 5.0
    assert system.delta.tolist() == [0.5] * 6
    state = states_of(env, n_steps=1, options={"random": False})
    without_noise = [
        0.8 - 0.16 * 0.8 + 1.6 / (5 + 3.0**2) + 5 * 0.2,
        1.5 - 0.16 * 1.5 + 1.6 / (5 + 3.3**2) + 5 * 0.5,
        0.5 - 0.16 * 0.5 + 1.6 / (5 + 3.0**2),
        3.3 - 0.1 * 3.3 + 0.16 * 0.8,
        3.0 - 0.2 * 3.0 + 0.16 * 1.5,
        3.0 - 0.3 * 3.0 + 0.16 * 0.5,
    ]
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 6)
    np.testing.assert_allclose(state[1, :6], without_noise + noise, rtol=1e-12)


def test_parameters_are_put_back_in_the_end():
    env = oscillator()
    delta = env.unwrapped.delta
    with Parameters(Parameters(env, {"K": 5.0, "delta": 0.1}), {"K": 9.0, "a": 4.8}) as other:
        assert (env.unwrapped.K, env.unwrapped.a) == (9.0, 4.8)
    assert (env.unwrapped.K, env.unwrapped.a) == (1.0, 1.6)
    assert env.unwrapped.delta is delta
    assert not delta.any()
    env.unwrapped.K = 3.0
    other.close()
    assert env.unwrapped.K == 3.0, "closing again puts nothing back"


class Picky(Cart):
    """Has a mass that must be positive, a length that is told only, and some gears in a list."""

    gravity = 10

    def __init__(self):
        super().__init__()
        self._mass, self.gears, self.is_on, self.label = 1.0, np.zeros((2, 2)), True, "x"

    @property
    def mass(self):
        return self._mass

    @mass.setter
    def mass(self, value):
        if value <= 0:
            raise ValueError("a mass is positive")
        self._mass = value

    @property
    def length(self):
        return 2.0


def test_parameters_may_be_properties_and_constants_of_the_class():
    env = Picky()
    with Parameters(env, {"mass": 2.0, "gravity": 9.81}):
        assert (env.mass, env.gravity) == (2.0, 9.81)
    assert (env.mass, env.gravity) == (1.0, 10)
    assert Picky.gravity == 10


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"gravty": 1.0}, [r"values\.gravty", "does not exist", "'gravity'"]),
        ({"length": 1.0}, [r"values\.length", "cannot be set"]),
        ({"is_on": 1.0}, [r"values\.is_on", "not numeric"]),
        ({"label": 1.0}, [r"values\.label", "not numeric"]),
        ({"step": 1.0}, [r"values\.step", "not numeric"]),
        ({"_mass": 2.0}, [r"values\._mass"]),
        ({"gears": [1.0, 2.0, 3.0]}, [r"values\.gears", r"\(2, 2\)"]),
        ({"gravity": "big"}, [r"values\.gravity is 'big'", "a number"]),
        ({"gravity": True}, [r"values\.gravity is True", "a number"]),
        ({"gravity": float("nan")}, [r"values\.gravity is nan", "a number"]),
        ({}, ["values is {}", "name attributes"]),
        ({"gravty": 1.0, "lenth": 2.0}, ["gravty", "lenth"]),
    ],
)
def test_parameters_that_cannot_be_set_are_refused(values, told):
    env = Picky()
    for word in told:
        with pytest.raises(DisturbanceError, match=word):
            Parameters(env, {"mass": 2.0, **values} if values else values)
    assert env.mass == 1.0


def test_parameters_are_put_back_if_a_later_one_is_refused_by_the_environment():
    env = Picky()
    with pytest.raises(ValueError, match="a mass is positive"):
        Parameters(env, {"gravity": 9.81, "mass": -1.0})
    assert (env.gravity, env.mass) == (10, 1.0)


def test_the_period_of_a_reference_is_in_the_time_of_the_environment():
    env = gymnasium.make("lac/CartPoleTrackingCost-v1")  # in seconds, of 50 steps
    Reference(env, period=1.0)
    assert env.unwrapped.reference_frequency == 1.0


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        ({"constant": 16.0}, lambda t: 16.0),
        ({"period": 150.0}, lambda t: 8 + 7 * np.sin(2 * np.pi * t / 150)),
        ({"period": 400, "offset": 5.0, "amplitude": 1.0}, lambda t: 5 + np.sin(2 * np.pi * t / 400)),
        ({"phase": np.pi / 2}, lambda t: 8 - 7 * np.cos(2 * np.pi * t / 200)),
    ],
)
def test_another_reference_is_observed_and_paid_for(settings, reference):
    env = Reference(oscillator(), **settings)
    observation, info = env.reset(seed=0)
    for t in range(1, 60):
        assert observation[6] == pytest.approx(reference(t - 1))
        observation, cost, *_, info = env.step(ACTION)
        assert info["reference"] == pytest.approx([reference(t)])
        assert cost == pytest.approx((observation[3] - reference(t)) ** 2)
    env.close()
    assert env.unwrapped.reference(50.0) == 15.0

"""Each disturbance changes the simulated system as calculated by hand, repeats, and leaves nothing behind."""

from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit

import lac  # noqa: F401 (registers the environments)
from lac.envs import prepare
from lac.envs.disturbances import (
    DisturbanceError,
    Impulse,
    Noise,
    Parameters,
    Reference,
    Sinusoid,
    disturbed,
    setting_problems,
)
from lac.envs.oscillator import Oscillator
from lac.envs.registration import ENVIRONMENTS
from lac.envs.system import Signals, System

ACTION = np.array([0.2, 0.5, 0.0])
N_STEPS = 12


class Cart(System):
    """A unit mass on a line: position, velocity; the force on it is the clipped action plus the external force."""

    def __init__(self):
        super().__init__(Box(-1.0, 1.0, (1,)), Box(-np.inf, np.inf, (2,), np.float64), state_dim=2, n_forces=1)

    def _initial_state(self, options):
        return np.array(options.get("start", (0.0, 0.0)))

    def _transition(self, states, actions, noise):
        x, v = states[..., :1], states[..., 1:]
        return np.concatenate((x + v, v + actions + self.external_force), axis=-1)

    def _cost(self, states, actions):
        return states[..., 0] ** 2, np.zeros(states.shape[:-1], bool)

    def signals(self, states):
        return Signals(np.zeros_like(states[..., :1]), states[..., :1])


class Foreign(gymnasium.Env):
    """An environment of somebody else: no state to read, no force to set."""

    observation_space = Box(-1.0, 1.0, (2,), np.float32)
    action_space = Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self):
        self.actions = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.actions.append(action)
        return self.np_random.uniform(-1.0, 1.0, 2).astype(np.float32), 0.0, False, False, {}


def oscillator(**kwargs):
    return gymnasium.make("lac/Oscillator-v1", max_cost=np.inf, **kwargs)


def cart():
    return TimeLimit(Cart(), 100)


def states_of(env, seed=0, n_steps=N_STEPS, action=ACTION, **reset):
    """States of an episode with a constant action, ``[n_steps + 1, state_dim]``."""
    env.reset(seed=seed, **reset)
    states = [env.unwrapped.get_state()["state"]]
    for _ in range(n_steps):
        env.step(action)
        states.append(env.unwrapped.get_state()["state"])
    return np.array(states)


def predicted(states, actions, force=0.0):
    """What another oscillator makes of these states ``[T, 7]`` in one step, each with its own action."""
    system = Oscillator(max_cost=np.inf)
    system.external_force = np.zeros(3) + force
    return system.step_batch(states, np.broadcast_to(actions, (len(states), 3))).states


def pushes(n_steps, size, *hit):
    """A push of one size in the steps that are hit, ``[n_steps, 3]``."""
    return size * np.isin(np.arange(n_steps), hit)[:, None] * np.ones(3)


EVERY_KIND = {
    "impulse": lambda env: Impulse(env, 0.3, every=2, direction="constant"),
    "force": lambda env: Impulse(env, 0.3, at_step=0, direction="constant", channel="external_force"),
    "sinusoid": lambda env: Sinusoid(env, 0.3, period=5),
    "action noise": lambda env: Noise(env, "action", std=0.1),
    "process noise": lambda env: Noise(env, "process", std=0.1, dims=[0, 1, 2, 3, 4, 5]),
    "parameters": lambda env: Parameters(env, {"K": 5.0}),
    "reference": lambda env: Reference(env, constant=3.0),
}
RANDOM = [name for name in EVERY_KIND if "noise" in name or name == "sinusoid"]


# What holds for all of them --------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_simulated_system_changes_below_other_wrappers(name):
    nominal, other = prepare(oscillator(), max_ep_len=50), prepare(EVERY_KIND[name](oscillator()), max_ep_len=50)
    observations = []
    for env in (nominal, other):
        env.reset(seed=0)
        observations.append([env.step(ACTION)[0] for _ in range(N_STEPS)])
    assert np.abs(np.diff(observations, axis=0)).max() > 1e-3


@pytest.mark.parametrize("name", EVERY_KIND)
def test_an_episode_is_repeatable_by_its_seed(name):
    env = EVERY_KIND[name](oscillator())
    first, other, again = (states_of(env, seed) for seed in (7, 8, 7))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, states_of(EVERY_KIND[name](oscillator()), 7))
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_environment_is_as_before_once_it_is_removed(name):
    env = oscillator()
    nominal = states_of(env, 3)
    other = EVERY_KIND[name](env)
    states_of(other, 3)
    assert not np.any(env.unwrapped.external_force), "a force is there during a step only"
    assert not np.any(env.unwrapped.process_disturbance)
    other.close()
    np.testing.assert_array_equal(states_of(env, 3), nominal)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_stream_of_the_environment_is_left_alone(name):
    plain, env = oscillator(), EVERY_KIND[name](oscillator())
    for system in (plain, env):
        states_of(system, 5)
        system.reset()
    np.testing.assert_array_equal(plain.unwrapped.get_state()["state"], env.unwrapped.get_state()["state"])
    np.testing.assert_array_equal(plain.unwrapped.get_state()["generator"], env.unwrapped.get_state()["generator"])


@pytest.mark.parametrize("name", RANDOM)
def test_the_next_episode_without_a_seed_is_another_one(name):
    env = EVERY_KIND[name](oscillator())
    fixed = {"random": False}
    first = states_of(env, 5, options=fixed)
    second = states_of(env, None, options=fixed)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(states_of(env, 5, options=fixed), first)
    np.testing.assert_array_equal(states_of(env, None, options=fixed), second)


def test_disturbances_around_each_other_have_streams_of_their_own():
    env = Noise(Noise(Foreign(), "action"), "action")
    env.reset(seed=0)
    env.step(np.zeros(2))
    alone = Noise(Foreign(), "action")
    alone.reset(seed=0)
    alone.step(np.zeros(2))
    (both,), (inner,) = env.unwrapped.actions, alone.unwrapped.actions
    outer = both - inner
    assert np.abs(outer - inner).min() > 1e-3


def test_a_failing_step_leaves_no_force_behind():
    env = Impulse(oscillator(clip_action=False), 1.0, every=1, direction="constant", channel="external_force")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="clip_action"):
        env.step(np.full(3, 2.0))
    assert env.unwrapped.external_force.tolist() == [0.0, 0.0, 0.0]


# Impulses --------------------------------------------------------------------------------------------


def test_an_impulse_hits_exactly_one_step():
    states = states_of(Impulse(oscillator(), 0.3, at_step=7, direction="constant"), n_steps=10)
    np.testing.assert_array_equal(states[1:], predicted(states[:-1], ACTION + pushes(10, 0.3, 7)))
    assert not np.allclose(states[8], predicted(states[7:8], ACTION), atol=1e-3)


def test_an_impulse_comes_in_each_episode():
    env = Impulse(oscillator(), 0.3, at_step=3, direction="constant")
    np.testing.assert_array_equal(states_of(env, n_steps=5), states_of(env, n_steps=5))
    states = states_of(env, n_steps=5)
    np.testing.assert_array_equal(states[4], predicted(states[3:4], ACTION + 0.3)[0])


def test_a_recurring_impulse_begins_with_step_0():
    states = states_of(Impulse(oscillator(), 0.3, every=4, direction="constant"), n_steps=10)
    np.testing.assert_array_equal(states[1:], predicted(states[:-1], ACTION + pushes(10, 0.3, 0, 4, 8)))


def test_an_impulse_against_the_action():
    # The paper's -magnitude sign(action); the third light is off, and its sign is 0.
    states = states_of(Impulse(oscillator(), 0.15, at_step=0), n_steps=1)
    np.testing.assert_array_equal(states[1:], predicted(states[:1], ACTION - [0.15, 0.15, 0.0]))


def test_an_action_is_bounded_after_the_impulse():
    # A large impulse switches the lights off for one step, and no more than that.
    states = states_of(Impulse(oscillator(), 80.0, at_step=0), n_steps=1)
    np.testing.assert_array_equal(states[1:], predicted(states[:1], np.zeros(3)))


def test_an_external_force_is_not_bounded():
    # The paper's cart: 80 N beside an actuator of 1 N, away from the origin.
    env = Impulse(cart(), 80.0, at_step=1, direction="sign_of_state", state_index=0, channel="external_force")
    states = states_of(env, n_steps=3, action=[5.0], options={"start": (-2.0, 0.5)})
    # v rises by the clipped action 1 in each step, and falls by 80 in step 1, where x is -1.5.
    np.testing.assert_allclose(states[:, 1], [0.5, 1.5, 1.5 + 1.0 - 80.0, -76.5])
    np.testing.assert_allclose(states[:, 0], [-2.0, -1.5, 0.0, -77.5])


@pytest.mark.parametrize(("start", "after"), [((3.0, 0.0), 2.0), ((-3.0, 0.0), -2.0), ((0.0, 7.0), 7.0)])
def test_the_sign_of_a_state_before_the_step(start, after):
    env = Impulse(cart(), 2.0, every=1, direction="sign_of_state", state_index=0, channel="external_force")
    assert states_of(env, n_steps=1, action=[0.0], options={"start": start})[1, 1] == after


def test_a_force_by_the_sign_of_the_action():
    env = Impulse(cart(), 2.0, every=1, channel="external_force")
    states = states_of(env, n_steps=1, action=[0.5])
    assert states[1, 1] == 0.5 - 2.0


def test_a_magnitude_for_each_entry():
    states = states_of(
        Impulse(oscillator(), [1.0, 0.0, -2.0], at_step=0, direction="constant", channel="external_force"), n_steps=1
    )
    np.testing.assert_array_equal(states[1:], predicted(states[:1], ACTION, force=[1.0, 0.0, -2.0]))
    undisturbed = predicted(states[:1], ACTION)[0]
    np.testing.assert_allclose((states[1] - undisturbed)[:3], [1.0, 0.0, max(-2.0, -undisturbed[2])])


def test_an_impulse_adds_to_a_force_that_is_there():
    env = cart()
    env.unwrapped.external_force = np.array([0.25])
    env = Impulse(env, 2.0, at_step=0, direction="constant", channel="external_force")
    assert states_of(env, n_steps=2, action=[0.0])[:, 1].tolist() == [0.0, 2.25, 2.5]


def test_the_paper_pushes_the_cart_beyond_its_actuator():
    make = partial(gymnasium.make, "lac/CartPoleCost-v1")
    env = Impulse(make(), 80.0, at_step=2, direction="sign_of_state", state_index=0, channel="external_force")
    states = states_of(env, seed=3, n_steps=4, action=np.array([30.0]))
    other = make().unwrapped
    forces = [0.0, 0.0, 80.0 * np.sign(states[2, 0]), 0.0]
    for before, after, force in zip(states[:-1], states[1:], forces, strict=True):
        other.external_force = np.array([force])
        np.testing.assert_array_equal(other.step_batch(before[None], [[20.0]]).states[0], after)


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_every_environment_of_ours_feels_a_force_and_gives_its_state_back(env_id):
    try:
        env = gymnasium.make(env_id, disable_env_checker=True)
    except gymnasium.error.DependencyNotInstalled as error:
        pytest.skip(str(error))
    middle = 0.5 * (env.action_space.low + env.action_space.high)
    nominal = states_of(env, n_steps=4, action=middle)
    pushed = Impulse(env, 0.1, at_step=1, direction="constant", channel="external_force")
    states = states_of(pushed, n_steps=4, action=middle)
    np.testing.assert_array_equal(states[:2], nominal[:2])
    assert not np.array_equal(states[2], nominal[2])
    np.testing.assert_array_equal(states_of(env, n_steps=4, action=middle), nominal)


# Sinusoids -------------------------------------------------------------------------------------------


def test_a_sinusoid_of_phase_0():
    env = Sinusoid(cart(), 3.0, period=4, random_phase=False, channel="external_force")
    states = states_of(env, n_steps=6, action=[0.0])
    np.testing.assert_allclose(np.diff(states[:, 1]), [0.0, 3.0, 0.0, -3.0, 0.0, 3.0], atol=1e-12)


def test_a_sinusoid_has_a_random_phase_for_each_actuator_and_episode():
    env = Sinusoid(Foreign(), [2.0, 5.0], period=8)
    phases = []
    for seed in (0, None):
        env.reset(seed=seed)
        env.unwrapped.actions.clear()
        for _ in range(16):
            env.step(np.zeros(2))
        added = np.array(env.unwrapped.actions)
        np.testing.assert_allclose(added[:8], added[8:], atol=1e-12)
        # A sine is its value and its slope: the value a quarter of a period later is the cosine.
        np.testing.assert_allclose(np.hypot(added[0], added[2]), [2.0, 5.0])
        phases.append(np.arctan2(added[0] / [2.0, 5.0], added[2] / [2.0, 5.0]))
    assert len(set(np.round(np.ravel(phases), 6))) == 4


# Noise -----------------------------------------------------------------------------------------------


def test_noise_on_actions_has_mean_and_spread_in_the_chosen_entries():
    env = Noise(Foreign(), "action", mean=[0.5], std=[0.2], dims=[1])
    env.reset(seed=0)
    for _ in range(2000):
        env.step(np.array([0.1, 0.2]))
    added = np.array(env.unwrapped.actions) - [0.1, 0.2]
    assert not added[:, 0].any()
    assert added[:, 1].mean() == pytest.approx(0.5, abs=4 * 0.2 / np.sqrt(2000))
    assert added[:, 1].std() == pytest.approx(0.2, rel=0.06)


def test_noise_on_actions_comes_before_they_are_bounded():
    env = Noise(oscillator(), "action", mean=100.0, std=0.0)
    states = states_of(env, n_steps=1)
    np.testing.assert_array_equal(states[1:], predicted(states[:1], np.ones(3)))


def test_noise_on_observations_leaves_the_system_alone():
    plain, env = oscillator(), Noise(oscillator(), "observation", mean=2.0, std=0.1, dims=[0, 6])
    differences = [env.reset(seed=1)[0] - plain.reset(seed=1)[0]]
    for _ in range(200):
        (seen, cost, *_), (true, true_cost, *_) = env.step(ACTION), plain.step(ACTION)
        differences.append(seen - true)
        assert cost == true_cost
    differences = np.array(differences)
    np.testing.assert_array_equal(plain.unwrapped.get_state()["state"], env.unwrapped.get_state()["state"])
    assert not np.delete(differences, [0, 6], axis=1).any()
    assert (differences[:, [0, 6]] != 0.0).all(), "that of the reset is noisy, too"
    np.testing.assert_allclose(differences[:, [0, 6]].mean(axis=0), 2.0, atol=0.04)


def test_noisy_observations_keep_their_type_and_belong_to_the_space():
    env = Noise(Foreign(), "observation", std=5.0, dims=[0])
    observation, _ = env.reset(seed=0)
    assert observation.dtype == np.float32
    assert abs(observation[0]) > 1.0
    assert observation in env.observation_space
    assert env.observation_space.high.tolist() == [np.inf, 1.0]
    assert env.unwrapped.observation_space.high.tolist() == [1.0, 1.0]


def test_noise_on_the_process_is_added_to_the_state():
    env = Noise(oscillator(), "process", std=[0.1, 0.2], dims=[0, 4])
    states = states_of(env, n_steps=100)
    added = states[1:] - predicted(states[:-1], ACTION)
    np.testing.assert_allclose(np.delete(added, [0, 4], axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(added[:, [0, 4]].std(axis=0), [0.1, 0.2], rtol=0.3)


def test_concentrations_do_not_fall_below_zero_under_process_noise():
    env = Noise(oscillator(), "process", mean=-50.0, std=1.0, dims=[0, 3])
    states = states_of(env, n_steps=3)
    assert states[1:, [0, 3]].tolist() == [[0.0, 0.0]] * 3
    assert states[:, 6].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_levels_of_noise_are_compared_with_common_random_numbers():
    noises = []
    for std, dims in ((1.0, [0, 1]), (0.5, [1])):
        env = Noise(Foreign(), "action", std=std, dims=dims)
        env.reset(seed=0)
        env.step(np.zeros(2))
        noises.append(env.unwrapped.actions[0])
    assert noises[1][1] == pytest.approx(0.5 * noises[0][1])


# Parameters and references ---------------------------------------------------------------------------


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


# Refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Impulse(oscillator(), "big", at_step=1), "magnitude is 'big'; it must be a finite number"),
        (lambda: Impulse(oscillator(), np.inf, at_step=1), "magnitude is inf"),
        (lambda: Impulse(oscillator(), [1.0, 2.0], at_step=1), "magnitude has 2 numbers; it must be one.* 3"),
        (lambda: Impulse(oscillator(), 1.0), "at_step is None and every is None; one of them"),
        (lambda: Impulse(oscillator(), 1.0, at_step=1, every=1), "at_step is 1 and every is 1; one of them"),
        (lambda: Impulse(oscillator(), 1.0, at_step=-1), "at_step is -1; it must be a whole number of at least 0"),
        (lambda: Impulse(oscillator(), 1.0, every=0), "every is 0; it must be a whole number of at least 1"),
        (lambda: Impulse(oscillator(), 1.0, at_step=400), "at_step is 400.*Oscillator.*step 399"),
        (lambda: Impulse(oscillator(), 1.0, every=1, direction="sign_of_acton"), "Did you mean 'sign_of_action'"),
        (lambda: Impulse(oscillator(), 1.0, every=1, direction="sign_of_state"), "state_index is not set"),
        (lambda: Impulse(oscillator(), 1.0, every=1, state_index=0), "state_index is 0; only direction=sign_of_state"),
        (
            lambda: Impulse(oscillator(), 1.0, every=1, direction="sign_of_state", state_index=7),
            "state_index is 7.*7 states, counted from 0",
        ),
        (
            lambda: Impulse(Foreign(), 1.0, every=1, direction="sign_of_state", state_index=0),
            "state_index is 0, but Foreign has no get_state",
        ),
        (
            lambda: Impulse(Foreign(), 1.0, every=1, channel="external_force"),
            "channel is 'external_force', but Foreign has no external_force; choose channel=action",
        ),
        (lambda: Impulse(gymnasium.make("CartPole-v1"), 1.0, every=1), r"action space.*CartPole-v1 is Discrete\(2\)"),
        (lambda: Sinusoid(oscillator(), 1.0, period=1), "period is 1; it must be .* at least 2"),
        (lambda: Sinusoid(oscillator(), 1.0, period=None), "period is not set"),
        (lambda: Sinusoid(oscillator(), 1.0, period=2, random_phase=False), "period is 2.*0 in every step"),
        (lambda: Sinusoid(Foreign(), 1.0, period=5, channel="external_force"), "Foreign has no external_force"),
        (lambda: Noise(oscillator(), "actions"), "target is 'actions'.*Did you mean 'action'"),
        (lambda: Noise(oscillator(), "action", std=-1.0), "std is -1.0; it must be a finite number of at least 0"),
        (lambda: Noise(oscillator(), "action", mean=[1.0, 2.0]), "mean has 2 numbers; it must be one.* 3"),
        (lambda: Noise(oscillator(), "observation", dims=[8]), r"dims is \[8\], but there are 8 entries"),
        (lambda: Noise(oscillator(), "observation", dims=[1, 1]), r"dims is \[1, 1\]; it must be a list of different"),
        (lambda: Noise(oscillator(), "observation", dims=[]), r"dims is \[\]; it must be a list"),
        (lambda: Noise(oscillator(), "process"), "dims is not set"),
        (lambda: Noise(Foreign(), "process", dims=[0]), "Foreign has no process_disturbance; choose target=action"),
        (lambda: Noise(gymnasium.make("Blackjack-v1"), "observation"), "observation space of Blackjack-v1"),
        (lambda: Reference(oscillator()), "constant is not set; give it, or one of offset, amplitude, period, phase"),
        (lambda: Reference(oscillator(), constant=8.0, period=150), "constant is 8.0, which excludes period"),
        (lambda: Reference(oscillator(), period=0), "period is 0"),
        (lambda: Reference(cart(), period=150), "period cannot be set: Cart has no reference_frequency"),
        (lambda: Reference(cart(), constant=8.0), "constant cannot be set: Cart has no reference_offset"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_when_it_is_built(make, told):
    with pytest.raises(DisturbanceError, match=told):
        make()


def test_all_problems_are_told_at_once():
    with pytest.raises(DisturbanceError) as refusal:
        Impulse(oscillator(), "big", every=0, direction="up", channel="air")
    assert [problem.split()[0] for problem in refusal.value.problems] == ["magnitude", "every", "direction", "channel"]


def test_a_config_is_found_by_its_kind():
    settings = {"name": "gust", "kind": "noise", "target": "action", "mean": 0.0, "std": -1.0, "dims": None}
    assert setting_problems(settings, "disturbance.")[0].startswith("disturbance.std is -1.0; it must be")
    env = disturbed(oscillator(), settings | {"std": 0.1})
    assert isinstance(env, Noise)
    plain = oscillator()
    assert disturbed(plain, {"name": "none", "kind": "none"}) is plain

"""The five systems of MSACL that are to be brought to the origin; the numbers are those of its own classes."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import lac  # noqa: F401 (registers the environments)
from lac.envs.single_track_car import SingleTrackCar
from lac.envs.stabilisation import DuctedFan, PendulumStabilise, TwoLink, VanDerPol

SYSTEMS = [VanDerPol, PendulumStabilise, DuctedFan, TwoLink, SingleTrackCar]
NAMES = [*(system.__name__ for system in SYSTEMS), "QuadrotorTracking"]

# action; reset with seed 42; then state and reward after each of three steps
GOLDEN = {
    VanDerPol: (
        [1.0],
        [2.7395606, -0.6112156],
        [
            [2.7110834, -0.5141242, -15.06427],
            [2.6868272, -0.4464255, -14.737377],
            [2.6655247, -0.3988201, -14.469102],
        ],
    ),
    PendulumStabilise: (
        [1.0],
        [1.7213167, -1.2224312],
        [
            [1.7082486, 1.1176858, -7.185448],
            [1.8060802, 3.1569691, -16.590305],
            [2.0001013, 4.9071202, -32.180637],
        ],
    ),
    DuctedFan: (
        [1.0, -1.0],
        [0.2739561, -0.0611216, 0.3585979, 0.197368, -0.4058227, 0.4756224],
        [
            [0.2804689, -0.0820763, 0.3877957, 0.0272505, -0.4399086, 0.7464557, -1.423028],
            [0.2782067, -0.1048426, 0.4305352, -0.1574921, -0.4799431, 1.017289, -2.037529],
            [0.2663238, -0.1297802, 0.4868163, -0.3624961, -0.5291822, 1.2881224, -2.920219],
        ],
    ),
    TwoLink: (
        [2.0, -1.0],
        [0.2739561, -0.0611216, 0.3585979, 0.197368],
        [
            [0.3037207, -0.0806098, 0.9542904, -1.2773308, -3.239733],
            [0.3638763, -0.1751224, 1.5847801, -2.8285127, -11.33816],
            [0.4561265, -0.3481679, 2.2295141, -4.3818655, -25.330023],
        ],
    ),
    SingleTrackCar: (
        [0.1, 0.5],
        [0.2739561, -0.0611216, 0.3585979, 0.197368, -0.4058227, 0.4756224, 0.2611397],
        [
            [0.2835499, -0.0707438, 0.3635979, 0.222368, -0.3866664, 0.2835502, 0.212696, -0.653613],
            [0.2942185, -0.0815211, 0.3685978, 0.247368, -0.3741158, 0.2163533, 0.1984477, -0.635628],
            [0.3061463, -0.0923542, 0.3735977, 0.272368, -0.3638364, 0.1946743, 0.1953016, -0.652687],
        ],
    ),
}

EVERY_SYSTEM = pytest.mark.parametrize("system", SYSTEMS)


def one_euler_step(env, state, action):
    """What one step of 0.01 s adds to a state, per second."""
    env.dt, env.substeps = 0.01, 1
    env.set_state(state)
    after, *_ = env.step(np.array(action))
    return (after - np.array(state)) / 0.01


@EVERY_SYSTEM
def test_golden_values(system):
    action, start, steps = GOLDEN[system]
    env = gymnasium.make(f"lac/{system.__name__}-v1")
    obs, _ = env.reset(seed=42)
    # The original rounds its starts to float32, and computes with a mixture of both.
    np.testing.assert_allclose(obs, start, rtol=0, atol=2e-7)
    for *state, reward in steps:
        obs, cost, terminated, truncated, _ = env.step(np.array(action))
        np.testing.assert_allclose(obs, state, rtol=0, atol=2e-5)
        assert cost == pytest.approx(-reward, abs=2e-5)
        assert (terminated, truncated) == (False, False)


@pytest.mark.parametrize("name", NAMES)
def test_the_checker_of_gymnasium_has_nothing_to_say(name):
    env = gymnasium.make(f"lac/{name}-v1", disable_env_checker=True).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # An episode ends by leaving its limits, so the last observation is outside of them: the space has none.
        warnings.filterwarnings("ignore", message=".*Box observation space .*infinity.*probably too (high|low)")
        # Actions are forces and torques in their units.
        warnings.filterwarnings("ignore", message=".*Box action spaces.*symmetric and normalized")
        check_env(env, skip_render_check=True)


@pytest.mark.parametrize("name", NAMES)
def test_episodes_end_after_1000_steps(name):
    assert gymnasium.spec(f"lac/{name}-v1").max_episode_steps == 1000


# Equations --------------------------------------------------------------------------------------------


def test_van_der_pol_by_hand():
    env = VanDerPol()
    env.mu = 2.0
    np.testing.assert_allclose(one_euler_step(env, [3.0, 1.0], [0.5]), [1.0, 2 * (1 - 9) * 1 - 3 + 0.5])


def test_pendulum_by_hand():
    env = PendulumStabilise()
    change = one_euler_step(env, [np.pi / 6, 2.0], [0.7])
    np.testing.assert_allclose(change, [2.0, (0.15 * 9.81 * 0.5 * 0.5 - 0.1 * 2 + 0.7) / (0.15 * 0.25)])


def test_ducted_fan_by_hand():
    sin, cos = 0.6, 0.8
    change = one_euler_step(DuctedFan(), [9.0, 9.0, np.arcsin(0.6), 1.0, 2.0, 3.0], [0.5, -0.25])
    dvx = (-8.5 * 9.81 * sin - 0.95 * 1 + 0.5 * cos + 0.25 * sin) / 8.5
    dvy = (8.5 * 9.81 * (cos - 1) - 0.95 * 2 + 0.5 * sin - 0.25 * cos) / 8.5
    np.testing.assert_allclose(change, [1.0, 2.0, 3.0, dvx, dvy, 0.26 * 0.5 / 0.048])


def test_two_link_by_hand():
    change = one_euler_step(TwoLink(), [0.0, np.pi / 2, 2.0, 3.0], [5.0, 1.0])
    # cos th2 = 0, sin th2 = 1, h = -1/2
    mass = [[5 / 3, 1 / 3], [1 / 3, 1 / 3]]
    coriolis = [-0.5 * 3 * 2 - 0.5 * 5 * 3, 0.5 * 2 * 2]
    gravity = [-0.5 * 9.81, -0.5 * 9.81]
    acceleration = np.linalg.solve(mass, np.array([5.0, 1.0]) - coriolis - gravity)
    np.testing.assert_allclose(change, [2.0, 3.0, *acceleration])


def test_two_link_keeps_its_energy():
    env = TwoLink()
    env.dt, env.substeps = 0.0002, 1
    state = np.array([[0.4, -0.3, 0.5, 1.0]])

    def energy(th1, th2, w1, w2):
        # Two rods of length and mass 1, from where their centres are and how those move.
        height = 9.81 * (1.5 * np.cos(th1) + 0.5 * np.cos(th1 + th2))
        first = 0.5 * (0.25 + 1 / 12) * w1**2
        centre = w1**2 + 0.25 * (w1 + w2) ** 2 + w1 * (w1 + w2) * np.cos(th2)
        return height + first + 0.5 * centre + 0.5 * (w1 + w2) ** 2 / 12

    before = energy(*state[0])
    for _ in range(2000):
        state = env.step_batch(state, np.zeros((1, 2))).states
    assert np.abs(state[0, 2:]).max() > 1.0
    assert energy(*state[0]) == pytest.approx(before, abs=0.02)


@pytest.mark.parametrize(
    ("system", "force", "expected"),
    [
        (VanDerPol, [2.0], {1: 2.0}),
        (PendulumStabilise, [0.3], {1: 0.3 / 0.0375}),
        (DuctedFan, [1.7, 3.4, 0.24], {3: 0.2, 4: 0.4, 5: 5.0}),
        (TwoLink, [1.0, 1.0], {2: 0.0, 3: 3.0}),
    ],
)
def test_an_external_force_acts_beside_the_action(system, force, expected):
    env = system()
    state = [0.0, np.pi / 2, 0.0, 0.0] if system is TwoLink else [0.1] * env.state_dim
    highest = env.action_space.high
    without = one_euler_step(env, state, highest)
    env.external_force = np.array(force)
    change = one_euler_step(env, state, highest) - without
    np.testing.assert_allclose(change, [expected.get(i, 0.0) for i in range(env.state_dim)], atol=1e-9)


@EVERY_SYSTEM
def test_the_origin_is_an_equilibrium_and_costs_nothing(system):
    env = system()
    env.set_state(np.zeros(env.state_dim))
    obs, cost, terminated, _, info = env.step(np.zeros(env.action_space.shape))
    assert not np.any(obs)
    assert cost == 0.0
    assert not terminated
    assert not np.any(info["reference_error"])


@EVERY_SYSTEM
def test_one_step_is_five_of_a_fifth(system):
    whole, parts = system(), system()
    parts.dt, parts.substeps = 0.01, 1
    start = 0.1 * np.ones(whole.state_dim)
    action = 0.2 * whole.action_space.high
    whole.set_state(start)
    parts.set_state(start)
    steps = [parts.step(action)[0] for _ in range(5)]
    np.testing.assert_allclose(whole.step(action)[0], steps[-1], rtol=1e-12)


# Costs and ends ---------------------------------------------------------------------------------------


@EVERY_SYSTEM
def test_with_the_bonus_the_cost_is_one_minus_the_reward(system):
    plain, rewarded = system(), system(bonus=True)
    none, rest = np.zeros(plain.action_space.shape), np.zeros(plain.state_dim)
    for env in (plain, rewarded):
        env.dt = 0.0
    for size, bonus in [(0.0, 1.0), (0.0099, 1.0), (0.0101, 0.0), (-0.0101, 0.0)]:
        state = rest.copy()
        state[-1] = size
        reward = -plain.step_batch(state[None], none[None]).costs[0] + bonus
        assert rewarded.step_batch(state[None], none[None]).costs[0] == pytest.approx(1.0 - reward, abs=1e-12)


def test_the_weights_are_attributes():
    env = DuctedFan()
    env.Q, env.R = np.ones(6), np.zeros(2)
    obs, _ = env.reset(seed=1)
    obs, cost, *_ = env.step(np.ones(2))
    assert cost == pytest.approx(np.sum(obs**2))


@EVERY_SYSTEM
def test_an_episode_terminates_outside_the_limits_of_any_entry(system):
    env = system()
    env.dt = 0.0
    limits = {
        VanDerPol: [10, 10],
        PendulumStabilise: [np.pi, 10],
        DuctedFan: [5, 5, np.pi / 2, 5, 5, 5],
        TwoLink: [np.pi / 2, np.pi / 2, 20, 20],
        SingleTrackCar: [1, 1, 1.066, 1, np.pi / 2, np.pi / 2, np.pi / 3],
    }[system]
    at = np.diag(limits).astype(float)
    actions = np.zeros((len(limits), *env.action_space.shape))
    for sign in (-1, 1):
        assert not env.step_batch(sign * at, actions).terminated.any()
        assert env.step_batch(sign * at * (1 + 1e-9), actions).terminated.all()


@EVERY_SYSTEM
def test_starts_fill_their_box_in_one_draw(system):
    env = system()
    half = {VanDerPol: [5, 5], PendulumStabilise: [np.pi, 10]}.get(system, [0.5] * env.state_dim)
    draw = np.random.default_rng(7).uniform(-np.array(half), half)
    np.testing.assert_array_equal(env.reset(seed=7)[0], draw)
    obs, _ = env.reset(options={"low": 0.1 * draw, "high": 0.1 * draw})
    np.testing.assert_allclose(obs, 0.1 * draw)
    np.testing.assert_allclose(env.reset(options={"random": False})[0], np.array(half) / 2)


# One and many -----------------------------------------------------------------------------------------


@EVERY_SYSTEM
def test_a_batch_steps_as_its_members_do(system):
    env = system(bonus=True)
    rng = np.random.default_rng(0)
    env.external_force = rng.normal(size=env.external_force.shape)
    states = rng.uniform(-1.2, 1.2, (64, env.state_dim)) * env.limits
    actions = rng.uniform(-1.5, 1.5, (64, *env.action_space.shape)) * env.action_space.high
    batch = env.step_batch(states, actions)
    assert 0 < batch.terminated.sum() < 64
    for state, action, after, cost, end in zip(states, actions, *batch, strict=True):
        env.set_state(state)
        obs, own_cost, own_end, _, _ = env.step(action)
        np.testing.assert_allclose(obs, after, rtol=1e-12, atol=1e-12)
        assert own_cost == pytest.approx(cost, rel=1e-12)
        assert own_end == end


@EVERY_SYSTEM
def test_leading_axes_may_be_many(system):
    env = system()
    states = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 3, env.state_dim))
    actions = np.zeros((2, 3, *env.action_space.shape))
    nested, flat = env.step_batch(states, actions), env.step_batch(states.reshape(6, -1), actions.reshape(6, -1))
    for one, other in zip(nested, flat, strict=True):
        np.testing.assert_array_equal(one.reshape(other.shape), other)


@EVERY_SYSTEM
def test_a_state_restored_goes_on_exactly(system):
    env = system()
    env.reset(seed=3)
    action = 0.1 * env.action_space.high
    env.step(action)
    kept = env.get_state()
    first = [env.step(action)[0] for _ in range(3)]
    env.set_state(kept)
    np.testing.assert_array_equal([env.step(action)[0] for _ in range(3)], first)


@EVERY_SYSTEM
def test_writing_into_an_observation_leaves_the_system_alone(system):
    env = system()
    obs, info = env.reset(seed=3)
    before = env.get_state()["state"]
    obs += 1.0
    info["state_of_interest"] += 1.0
    np.testing.assert_array_equal(env.get_state()["state"], before)

import gymnasium
import numpy as np
import pytest

import lac  # noqa: F401 (registers the environments)
from lac.envs.cart_pole import CartPoleCost, CartPoleTrackingCost

NO_FORCE = np.zeros(1)
DEGREE = np.pi / 180
TASKS = pytest.mark.parametrize("task", [CartPoleCost, CartPoleTrackingCost])
START = [2.73956048556, -0.024448624099, 0.143439167965, 0.078947211624]
AFTER_3 = [2.740699279384, 0.008406536994, 0.146837949001, 0.157028123437]


def at(env, *state):
    env.reset(seed=0)
    env.set_state([*state, *[0.0] * (env.state_dim - 4)])
    return env


@pytest.mark.parametrize(
    ("name", "start", "after", "last_cost"),
    [
        ("CartPoleCost", START, AFTER_3, 3.61420662059),
        ("CartPoleTrackingCost", [*START, 0.0], [*AFTER_3, 0.013194681331], 7.45894295626),
    ],
)
def test_golden_values(name, start, after, last_cost):
    env = gymnasium.make(f"lac/{name}-v1")
    obs, _ = env.reset(seed=42)
    np.testing.assert_allclose(obs, start, rtol=0, atol=1e-9)
    for force in (5.0, -3.0, 0.0):
        obs, cost, terminated, truncated, _ = env.step(np.array([force]))
    np.testing.assert_allclose(obs, after, rtol=0, atol=1e-9)
    assert cost == pytest.approx(last_cost, abs=1e-9)
    assert (terminated, truncated) == (False, False)


@pytest.mark.parametrize(
    ("task", "bound"),
    [(CartPoleCost, [20, 50, 40 * DEGREE, 50]), (CartPoleTrackingCost, [20, 50, 120 * DEGREE, 50, np.inf])],
)
def test_spaces(task, bound):
    env = task()
    np.testing.assert_allclose(env.observation_space.high, bound)
    np.testing.assert_allclose(env.observation_space.low, np.negative(bound))
    assert (env.action_space.low, env.action_space.high) == (-20.0, 20.0)
    assert env.action_space.dtype == env.observation_space.dtype == np.float64


@pytest.mark.parametrize("name", ["CartPoleCost", "CartPoleTrackingCost"])
def test_time_limit(name):
    assert gymnasium.spec(f"lac/{name}-v1").max_episode_steps == 250


# Dynamics --------------------------------------------------------------------------------------------


@TASKS
@pytest.mark.parametrize("theta", [0.1, -0.25])
def test_the_accelerations_solve_newtons_equations(task, theta):
    """Cart and rod with their inertia, written down as two equations in both accelerations and solved."""
    env = at(task(), 0.3, -0.4, theta, 1.5)
    env.length, env.masspole, env.masscart, env.gravity = 0.7, 0.3, 1.3, 10.0
    _, v, angle, omega = np.array(env.step(np.array([6.0]))[0][:4]) - [0.3, -0.4, theta, 1.5]
    half, mass = 0.35, 1.6
    matrix = [[mass, 0.3 * half * np.cos(theta)], [np.cos(theta), 4 / 3 * half]]
    right = [6.0 + 0.3 * half * 1.5**2 * np.sin(theta), 10.0 * np.sin(theta)]
    np.testing.assert_allclose(np.array([v, omega]) / 0.02, np.linalg.solve(matrix, right), rtol=1e-10)
    assert angle == pytest.approx(0.02 * 1.5)


@TASKS
def test_integrators_use_old_and_new_velocities(task):
    start = np.array([0.3, -0.4, 0.1, 0.5])
    euler, semi = (at(task(integrator=name), *start).step([7.0])[0][:4] for name in ("euler", "semi-implicit"))
    np.testing.assert_array_equal(euler[[1, 3]], semi[[1, 3]])
    np.testing.assert_allclose(euler[[0, 2]], start[[0, 2]] + 0.02 * start[[1, 3]], rtol=1e-14)
    np.testing.assert_allclose(semi[[0, 2]], start[[0, 2]] + 0.02 * semi[[1, 3]], rtol=1e-14)


def test_an_unknown_integrator_is_refused():
    with pytest.raises(ValueError, match=r"integrator is 'rk4'.*euler, semi-implicit"):
        CartPoleCost(integrator="rk4")


def test_the_gravity_of_han_2020():
    slow, fast = at(CartPoleCost(), 0.0, 0.0, 0.1, 0.0), at(CartPoleCost(gravity=10.0), 0.0, 0.0, 0.1, 0.0)
    ratio = fast.step(NO_FORCE)[0][3] / slow.step(NO_FORCE)[0][3]
    assert ratio == pytest.approx(10.0 / 9.8)


@TASKS
def test_an_external_force_is_added_after_clipping(task):
    pushed, plain = at(task(), 0.0, 0.0, 0.0, 0.0), at(task(), 0.0, 0.0, 0.0, 0.0)
    pushed.external_force = np.array([80.0])
    # Upright and at rest, the acceleration is proportional to the force: 20 + 80 of the action's 20.
    np.testing.assert_allclose(
        pushed.step(np.array([35.0]))[0][[1, 3]], 5 * plain.step(np.array([20.0]))[0][[1, 3]], rtol=1e-12
    )


# Costs and terminations ------------------------------------------------------------------------------


def test_cost_by_hand():
    obs, cost, *_ = at(CartPoleCost(), 4.0, 1.0, 0.1, -0.5).step(NO_FORCE)
    assert obs[:3:2].tolist() == [pytest.approx(4.02), pytest.approx(0.09)]
    assert cost == pytest.approx(0.402**2 + 20 * (0.09 / (20 * DEGREE)) ** 2, rel=1e-12)


def test_cost_of_tracking_by_hand():
    env = at(CartPoleTrackingCost(reference_frequency=0.2), 4.0, 1.0, 0.1, -0.5)
    env.reference_offset, env.reference_amplitude = 0.5, 3.0
    obs, cost, _, _, info = env.step(NO_FORCE)
    reference = 0.5 + 3.0 * np.sin(2 * np.pi * 0.2 * 0.02)
    assert obs[4] == pytest.approx(reference, rel=1e-12)
    assert cost == pytest.approx((4.02 - reference) ** 2 + (0.09 / (60 * DEGREE)) ** 2, rel=1e-12)
    assert info["reference"] == pytest.approx([reference])
    assert info["state_of_interest"] == pytest.approx([4.02])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("task", "state", "terminates"),
    [
        (CartPoleCost, [9.99, 0.0, 0.0, 0.0], False),
        (CartPoleCost, [9.99, 1.0, 0.0, 0.0], True),
        (CartPoleCost, [0.0, 0.0, 19.9 * DEGREE, 0.0], False),
        (CartPoleCost, [0.0, 0.0, 19.9 * DEGREE, 10 * DEGREE], True),
        (CartPoleTrackingCost, [9.99, 0.0, 0.0, 0.0], False),
        (CartPoleTrackingCost, [9.99, 1.0, 0.0, 0.0], True),
        (CartPoleTrackingCost, [0.0, 0.0, 59.9 * DEGREE, 0.0], False),
        (CartPoleTrackingCost, [0.0, 0.0, 59.9 * DEGREE, 10 * DEGREE], True),
    ],
)
def test_terminations_cost_100(task, state, terminates, sign):
    env = at(task(), *(sign * np.array(state)))
    if task is CartPoleTrackingCost:
        env.reference_amplitude = 0.0
    _, cost, terminated, truncated, _ = env.step(NO_FORCE)
    assert terminated is terminates
    assert cost == 100.0 if terminates else cost < 100.0
    assert not truncated


@TASKS
def test_the_limits_belong_to_the_allowed_region(task):
    """A step without velocities leaves the position and the angle as they are."""
    env = task(max_cost=np.inf)
    for position in (10.0, -10.0):
        assert not at(env, position, 0.0, 0.0, 0.0).step(NO_FORCE)[2]
        assert at(env, np.nextafter(position, 2 * position), 0.0, 0.0, 0.0).step(NO_FORCE)[2]
    for angle in (env.theta_threshold, -env.theta_threshold):
        assert not at(env, 0.0, 0.0, angle, 0.0).step(NO_FORCE)[2]
        assert at(env, 0.0, 0.0, np.nextafter(angle, 2 * angle), 0.0).step(NO_FORCE)[2]


@pytest.mark.parametrize(("beyond", "terminates"), [(0.0, False), (1e-6, True)])
def test_tracking_terminates_above_a_cost_of_100(beyond, terminates):
    env = at(CartPoleTrackingCost(), 4.0, 0.0, 0.0, 0.0)
    env.reference_amplitude, env.reference_offset = 0.0, -6.0 - beyond
    _, cost, terminated, *_ = env.step(NO_FORCE)
    assert cost == 100.0
    assert terminated is terminates


def test_a_terminating_step_costs_max_cost():
    assert at(CartPoleCost(max_cost=7.0), 11.0, 0.0, 0.0, 0.0).step(NO_FORCE)[1:3] == (7.0, True)


# Resets and signals ----------------------------------------------------------------------------------


@TASKS
def test_resets(task):
    env = task()
    starts = np.array([env.reset(seed=seed)[0][:4] for seed in range(200)])
    bound = np.array([5.0, 0.2, 0.2, 0.2])
    assert (np.abs(starts) <= bound).all()
    assert (np.abs(starts).max(axis=0) > 0.95 * bound).all()
    np.testing.assert_array_equal(starts[7], np.random.default_rng(7).uniform(-bound, bound, (4,)))
    assert env.reset(options={"random": False})[0][:4].tolist() == [0.1, 0.2, 0.3, 0.1]
    low = np.array([1.0, 0.0, 0.0, 0.0])
    assert env.reset(options={"low": low, "high": low})[0][:4].tolist() == low.tolist()


def test_an_episode_cannot_change_the_fixed_start():
    env = CartPoleCost()
    obs, _ = env.reset(options={"random": False})
    obs += 1.0
    env.step(NO_FORCE)
    assert env.reset(options={"random": False})[0].tolist() == [0.1, 0.2, 0.3, 0.1]


def test_the_signals_are_position_and_angle_against_the_origin():
    _, info = at(CartPoleCost(), 1.0, 2.0, 0.1, 3.0).set_state([1.0, 2.0, 0.1, 3.0])
    assert info["reference"].tolist() == [0.0, 0.0]
    assert info["state_of_interest"].tolist() == info["reference_error"].tolist() == [1.0, 0.1]


@pytest.mark.parametrize(
    ("without_reference", "without_error", "expected"),
    [(False, True, [2.0]), (True, False, [-1.0]), (False, False, [2.0, -1.0])],
)
def test_what_is_excluded_is_not_observed(without_reference, without_error, expected):
    env = CartPoleTrackingCost(
        exclude_reference_from_observation=without_reference, exclude_reference_error_from_observation=without_error
    )
    env.reference_offset = 2.0
    env.reset(seed=0)
    obs, _ = env.set_state([1.0, 0.5, 0.1, 0.2, 0.0])
    assert obs.tolist() == [1.0, 0.5, 0.1, 0.2, *expected]
    assert env.observation_space.contains(obs)


def test_a_moving_reference_has_to_be_observed():
    hidden = {"exclude_reference_from_observation": True, "exclude_reference_error_from_observation": True}
    with pytest.raises(ValueError, match="exclude_reference"):
        CartPoleTrackingCost(**hidden)
    assert CartPoleTrackingCost(reference_frequency=0.0, **hidden).reset(seed=0)[0].shape == (4,)


def test_the_reference_of_an_episode():
    t = 0.02 * np.arange(251)
    assert CartPoleTrackingCost().reference(t).max() == pytest.approx(7 * np.sin(np.pi / 20))
    corrected = CartPoleTrackingCost(reference_frequency=0.2).reference(t)
    assert (corrected.min(), corrected.max()) == pytest.approx((-7.0, 7.0), abs=0.01)
    assert corrected[-1] == pytest.approx(0.0, abs=1e-9)


# Known policies --------------------------------------------------------------------------------------


def episodes(env, policy, number):
    """Costs and lengths of episodes that run side by side."""
    env.reset(seed=0)
    states = np.stack([(env.reset(), env.get_state()["state"])[1] for _ in range(number)])
    costs, lengths, running = np.zeros(number), np.zeros(number), np.ones(number, bool)
    for _ in range(250):
        states, step_costs, terminated = env.step_batch(states, policy(states))
        costs += running * step_costs
        lengths += running
        running &= ~terminated
    return costs, lengths


def test_costs_of_known_policies():
    """The specification's figures; that of the LQR is the mean of 100 resets, 3 standard errors are 8."""
    gain = np.array([[-0.316], [-1.697], [-56.55], [-9.907]])
    for gravity in (9.8, 10.0):
        costs, lengths = episodes(CartPoleCost(gravity=gravity), lambda states: -states @ gain, 1000)
        assert (lengths == 250).all()
        assert costs.mean() == pytest.approx(38.4, abs=8.0)
        assert costs.std() == pytest.approx(26.6, abs=6.0)
    costs, lengths = episodes(CartPoleCost(), lambda states: np.zeros((len(states), 1)), 1000)
    assert costs.mean() == pytest.approx(246, abs=5)
    assert lengths.mean() == pytest.approx(29, abs=2)


def test_the_rate_of_the_reference_is_the_last_observation():
    env = CartPoleTrackingCost(reference_frequency=0.2, exclude_reference_rate_from_observation=False)
    # 7 m at 0.2 Hz: 8.796 m/s at the start, none after a quarter of a period, the same backwards after a half.
    for t, rate in [(0.0, 8.79646), (1.25, 0.0), (2.5, -8.79646)]:
        obs, _ = env.set_state([1.0, 0.5, 0.1, 0.2, t])
        assert obs[:4].tolist() == [1.0, 0.5, 0.1, 0.2]
        assert obs[-1] == pytest.approx(rate, abs=1e-5)
        assert env.observation_space.contains(obs)

"""The designs of the yardstick controllers, against hand solutions and exact derivatives."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.wrappers import (
    RecordEpisodeStatistics,
    RepeatAction,
    RescaleAction,
    TransformObservation,
    TransformReward,
)
from system_support import IDS, made

from lac import controllers
from lac.controllers.controller import nominal_system
from lac.controllers.linear import SMALL_WEIGHT, cost_weights, linearised
from lac.envs.disturbances import disturbed
from lac.envs.oscillator import Oscillator
from lac.envs.system import Signals, System

CART = "lac/CartPoleCost-v1"
LINEAR = [CART, *(f"lac/{name}-v1" for name in ("VanDerPol", "PendulumStabilise", "TwoLink", "DuctedFan"))]
LINEAR.append("lac/SingleTrackCar-v1")
AVAILABLE = {env_id: {"lqr", "zero"} for env_id in LINEAR} | {
    "lac/Oscillator-v1": {"two_step_ahead", "zero"},
    "lac/OscillatorComplicated-v1": {"two_step_ahead", "zero"},
    "lac/CartPoleTrackingCost-v1": {"cascade", "zero"},
    "lac/Ex3EKF-v1": {"kalman", "zero"},
    "lac/QuadrotorTracking-v1": {"geometric", "zero"},
}


class LinearSystem(System):
    """``x' = A x + B u`` with the cost ``x' Q x + u' R u + offset |x|``."""

    def __init__(self, A, B, Q, R, kink=0.0):
        self.A, self.B, self.Q, self.R, self.kink = (np.array(matrix, float) for matrix in (A, B, Q, R, kink))
        n, m = self.B.shape
        super().__init__(Box(-1.0, 1.0, (m,), np.float64), Box(-np.inf, np.inf, (n,), np.float64), n)

    def _initial_state(self, options):
        return np.ones(self.state_dim)

    def _transition(self, state, action, noise, xp):
        return state @ self.A.T + action @ self.B.T

    def _cost(self, states, actions):
        costs = np.einsum("...i,ij,...j", states, self.Q, states) + np.einsum("...i,ij,...j", actions, self.R, actions)
        costs = costs + self.kink * np.abs(states).sum(-1)
        return costs, costs > np.inf

    def signals(self, states):
        return Signals(np.zeros_like(states), states)


def test_the_regulator_of_a_scalar_system_is_the_root_of_a_quadratic():
    a, b, q, r = 1.2, 0.5, 2.0, 0.3
    # p = q + a^2 p - a^2 b^2 p^2 / (r + b^2 p), multiplied out.
    half = (r - a * a * r - q * b * b) / (2 * b * b)
    p = -half + np.sqrt(half * half + q * r / (b * b))
    regulator = controllers.lqr(LinearSystem([[a]], [[b]], [[q]], [[r]]))
    assert regulator.gain[0, 0] == pytest.approx(a * b * p / (r + b * b * p), rel=1e-8)
    assert regulator(np.array([0.1]))[0] == pytest.approx(-0.1 * regulator.gain[0, 0])
    assert regulator(np.array([-100.0]))[0] == 1.0


def test_the_regulator_of_a_double_integrator_is_the_limit_of_the_riccati_recursion():
    A, B, Q, R = np.array([[1, 0.1], [0, 1]]), np.array([[0.005], [0.1]]), np.array([[2, 0.5], [0.5, 1]]), np.eye(1)
    P = Q
    for _ in range(2000):
        K = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
        P = Q + A.T @ P @ (A - B @ K)
    np.testing.assert_allclose(controllers.lqr(LinearSystem(A, B, Q, R)).gain, K, rtol=1e-6)


@pytest.mark.parametrize("env_id", LINEAR)
def test_the_linearisation_is_the_exact_jacobian(env_id):
    system = made(env_id)
    point = (torch.zeros(system.state_dim).double(), torch.zeros(system.action_space.shape).double())
    noise = torch.zeros(0).double()
    exact = torch.autograd.functional.jacobian(lambda x, u: system.dynamics(x, u, noise, torch), point)
    for ours, theirs in zip(linearised(system), exact, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-8)


def test_the_linearised_cart_pole_by_hand():
    g, m, mass, half, tau = 9.8, 0.1, 1.1, 0.5, 0.02
    lever = half * (4 / 3 - m / mass)
    share = m * half / mass
    A = np.eye(4) + tau * np.array([[0, 1, 0, 0], [0, 0, -share * g / lever, 0], [0, 0, 0, 1], [0, 0, g / lever, 0]])
    B = tau * np.array([[0], [1 / mass + share / (mass * lever)], [0], [-1 / (mass * lever)]])
    for ours, theirs in zip(linearised(made(CART)), (A, B), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("bonus", [False, True])
@pytest.mark.parametrize("env_id", LINEAR[1:])
def test_the_weights_are_those_of_the_cost(env_id, bonus):
    system = made(env_id, bonus=bonus)
    Q, R = cost_weights(system)
    np.testing.assert_allclose(Q, np.diag(system.Q), atol=1e-8)
    np.testing.assert_allclose(R, np.diag(system.R), atol=1e-8)


def test_a_cost_without_inputs_gets_a_small_weight_or_the_one_that_is_given():
    regulator = controllers.lqr(made(CART))
    expected = np.diag([0.01, 0, 20 / np.radians(20) ** 2, 0])
    np.testing.assert_allclose(regulator.Q, expected, rtol=1e-6, atol=1e-8)
    assert regulator.R == SMALL_WEIGHT
    # Designed for g = 10 in an implementation of its own, with a weight of 0.1.
    gain = controllers.lqr(made(CART, gravity=10.0), input_weight=0.1).gain[0]
    np.testing.assert_allclose(gain, [-0.279, -1.523, -51.9, -9.6], rtol=0.02)
    with pytest.raises(ValueError, match="input_weight is 0"):
        controllers.lqr(made(CART), input_weight=0)


def test_costs_and_systems_without_a_regulator_are_refused():
    with pytest.raises(controllers.ControllerError, match="not quadratic"):
        controllers.lqr(LinearSystem([[1]], [[1]], [[1]], [[1]], kink=1.0))
    with pytest.raises(controllers.ControllerError, match="no gain"):
        controllers.lqr(LinearSystem([[2, 0], [0, 1]], [[0], [1]], np.eye(2), [[1]]))


def test_the_gain_of_the_observer_is_the_limit_of_the_filter():
    system = made("lac/Ex3EKF-v1")
    dt, g = system.dt, system.g
    # Near rest: the rate follows from the new angle.
    A, C = np.array([[1, dt], [-dt * g, 1 - dt * dt * g]]), np.array([[1.0, 0.0]])
    noise = system.q * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    P = np.eye(2)
    for _ in range(5000):
        P = A @ P @ A.T + noise
        K = P @ C.T / (C @ P @ C.T + system.measurement_std**2)
        P = P - K @ C @ P
    angle, rate = controllers.kalman(system).gain
    # The angle is corrected by dt u1, and the rate by dt u2 and by what the corrected angle pulls less.
    np.testing.assert_allclose([dt * angle, dt * rate - dt * dt * g * angle], K[:, 0], rtol=1e-6)


@pytest.mark.parametrize("env_id", IDS)
def test_each_system_has_its_controllers_and_others_are_refused_by_name(env_id):
    env = gymnasium.make(env_id, disable_env_checker=True)
    for name in controllers.CONTROLLERS:
        design = getattr(controllers, name)
        if name in AVAILABLE[env_id]:
            assert design(env).name == name
            continue
        with pytest.raises(controllers.ControllerError, match=name) as refusal:
            design(env)
        assert env_id in str(refusal.value)
        assert " and ".join(n for n in controllers.CONTROLLERS if n in AVAILABLE[env_id]) in str(refusal.value)


def test_an_environment_that_is_no_system_of_ours_has_zero_input_alone():
    cart = gymnasium.make(CART, disable_env_checker=True)
    scaled = gymnasium.wrappers.RescaleAction(cart, -1.0, 1.0)
    normalised = gymnasium.wrappers.NormalizeObservation(cart)
    for env in (gymnasium.make("Pendulum-v1"), scaled, normalised):
        with pytest.raises(controllers.ControllerError, match=r"no system of ours.*available there: zero$"):
            controllers.lqr(env)
        assert not controllers.zero(env)(env.observation_space.sample()).any()
    with pytest.raises(ValueError, match="the action space is Discrete"):
        controllers.zero(gymnasium.make("CartPole-v1"))


@pytest.mark.parametrize("env_id", IDS)
def test_controllers_act_as_policies_do(env_id):
    env = made(env_id)
    generator = env.get_state()["generator"]
    (name,) = AVAILABLE[env_id] - {"zero"}
    controller = getattr(controllers, name)(env)
    np.testing.assert_array_equal(env.get_state()["generator"], generator)
    observations = np.stack([env.reset(seed=seed)[0] for seed in range(5)])
    actions = controller.get_action(observations, deterministic=True)
    assert actions.shape == (5, *env.action_space.shape)
    assert actions.dtype == env.action_space.dtype
    assert all(env.action_space.contains(action) for action in actions)
    singles = [controller(observation) for observation in observations]
    np.testing.assert_allclose(singles, actions, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="it must be one observation"):
        controller(observations[:, 1:])


def test_a_controller_keeps_the_constants_that_it_was_designed_for():
    env = Oscillator()
    observation, _ = env.reset(seed=0)
    controller = controllers.two_step_ahead(env)
    action = controller(observation)
    env.b = 50.0
    np.testing.assert_array_equal(controller(observation), action)
    env.external_force[:] = 3.0
    assert not np.array_equal(controllers.two_step_ahead(env)(observation), action)


class Reversed(gymnasium.Wrapper):
    def step(self, action):
        return self.env.step(-action)


class Displaced(gymnasium.Wrapper):
    def reset(self, **kwargs):
        observation, info = self.env.reset(**kwargs)
        return observation + 1.0, info


@pytest.mark.parametrize(
    ("wrap", "is_left_alone"),
    [
        (lambda env: env, True),
        (gymnasium.Wrapper, True),
        (RecordEpisodeStatistics, True),
        (lambda env: TransformReward(env, lambda cost: 2 * cost), True),
        (lambda env: disturbed(env, {"kind": "impulse", "magnitude": 1.0, "at_step": 3}), True),
        (Reversed, False),
        (Displaced, False),
        (lambda env: RepeatAction(env, 4), False),
        (lambda env: TransformObservation(env, np.negative, None), False),
        (lambda env: RescaleAction(env, -1.0, 1.0), False),
    ],
)
def test_a_system_is_seen_through_wrappers_that_are_known_to_leave_it_alone(wrap, is_left_alone):
    env = wrap(gymnasium.make("lac/VanDerPol-v1"))
    assert (nominal_system(env) is not None) == is_left_alone
    if not is_left_alone:
        with pytest.raises(controllers.ControllerError, match="wrappers that may change it"):
            controllers.lqr(env)

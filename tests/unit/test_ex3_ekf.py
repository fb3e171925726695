import gymnasium
import numpy as np
import pytest

import lac  # noqa: F401 (registers the environments)
from lac.envs.ex3_ekf import Ex3EKF

STATE = np.array([0.2, -0.3, 0.5, 1.1])
NOISE = np.array([0.01, -0.02, 0.03, 1.0])
Q = 0.01 * np.array([[1e-3 / 3, 5e-3], [5e-3, 0.1]])


def one_step(gains=(1.5, -2.5), noise=NOISE, **kwargs):
    return Ex3EKF(**kwargs).step_batch(STATE[None], np.array([gains]), noise[None])


def test_golden_values():
    env = gymnasium.make("lac/Ex3EKF-v1")
    obs, _ = env.reset(seed=42)
    np.testing.assert_allclose(obs, [1.423942604943, 0.118005930422, 0.86065830955, -0.192019044651], rtol=0, atol=1e-9)
    for _ in range(3):
        obs, cost, terminated, truncated, _ = env.step(np.array([1.0, 2.0]))
    np.testing.assert_allclose(
        obs, [1.066596506526, -2.832631947902, 0.600746181914, -2.119588245106], rtol=0, atol=1e-9
    )
    assert cost == pytest.approx(0.725447847039, abs=1e-9)
    assert (terminated, truncated) == (False, False)


def test_registration():
    assert gymnasium.spec("lac/Ex3EKF-v1").max_episode_steps == 400
    env = Ex3EKF()
    assert env.action_space.high.tolist() == [10.0, 10.0]
    assert env.observation_space.high.tolist() == [10000.0] * 4


def test_one_step_by_hand():
    states, costs, _ = one_step()
    angle = 0.5 + 0.1 * 1.1
    rate = 1.1 - 9.81 * np.sin(angle) * 0.1 - 0.02
    angle += 0.01
    predicted = 0.2 - 0.1 * 0.3
    innovation = np.sin(angle) + 0.03 - np.sin(predicted)
    angle_hat = predicted + 0.1 * 1.5 * innovation
    rate_hat = -0.3 - 9.81 * np.sin(angle_hat) * 0.1 - 0.1 * 2.5 * innovation
    np.testing.assert_allclose(states, [[angle_hat, rate_hat, angle, rate]], rtol=1e-13)
    np.testing.assert_allclose(costs, [(angle_hat - angle) ** 2 + (rate_hat - rate) ** 2], rtol=1e-13)


def test_a_lost_measurement_corrects_nothing():
    lost = NOISE * [1, 1, 1, 0]
    np.testing.assert_array_equal(one_step(noise=lost).states, one_step(gains=(0.0, 0.0), noise=lost).states)
    assert (one_step(noise=lost).states != one_step().states).any()


def test_measurements_get_lost_at_their_rate():
    env = Ex3EKF()
    env.reset(seed=0)
    assert (env.draw_noise(1000)[:, 3] == 1.0).all()
    env.missing_rate = 0.3
    assert env.draw_noise(4000)[:, 3].mean() == pytest.approx(0.7, abs=0.03)


def test_draws_come_in_the_order_of_the_reference_implementation():
    env = Ex3EKF()
    rng = np.random.default_rng(11)
    angle, rate = (rng.uniform(-np.pi / 2, np.pi / 2) for _ in range(2))
    angle_hat, rate_hat = angle + rng.uniform(-np.pi / 4, np.pi / 4), rate + rng.uniform(-np.pi / 4, np.pi / 4)
    rng.normal(0.0, 0.1)
    np.testing.assert_array_equal(env.reset(seed=11)[0], [angle_hat, rate_hat, angle, rate])
    for missing_rate in (0.0, 0.0, 0.4, 0.4):
        env.missing_rate = missing_rate
        process = rng.multivariate_normal([0.0, 0.0], Q)
        drawn = [*process, rng.normal(0.0, 0.1), rng.binomial(1, 1 - missing_rate, 1)[0]]
        np.testing.assert_allclose(env.draw_noise(), drawn, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("q", "dt"), [(0.01, 0.1), (0.5, 0.3)])
def test_the_process_noise_has_its_covariance(q, dt):
    env = Ex3EKF()
    env.q, env.dt = q, dt
    env.reset(seed=0)
    covariance = q * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    np.testing.assert_allclose(np.cov(env.draw_noise(40_000)[:, :2].T), covariance, rtol=0.05)


@pytest.mark.parametrize(("beyond", "terminates"), [(0.0, False), (1e-6, True)])
def test_termination_above_a_cost_of_100(beyond, terminates):
    env = Ex3EKF()
    env.g = 0.0
    # The angles differ by 6 after the step, the rates by 8.
    state = [[5.2 + beyond, 8.0, 0.0, 0.0]]
    _, costs, terminated = env.step_batch(state, np.zeros((1, 2)), np.zeros((1, 4)))
    assert costs[0] == pytest.approx(100.0 + 12 * beyond, abs=1e-9)
    assert terminated[0] == terminates


def test_the_signals_are_truth_and_estimate():
    env = Ex3EKF()
    env.reset(seed=0)
    _, info = env.set_state(STATE)
    assert info["reference"].tolist() == [0.5, 1.1]
    assert info["state_of_interest"].tolist() == [0.2, -0.3]
    assert info["reference_error"] == pytest.approx([-0.3, -1.4])


def test_an_external_force_accelerates_the_pendulum_and_not_the_estimate():
    env = Ex3EKF()
    env.external_force = np.array([3.0])
    pushed = env.step_batch(STATE[None], np.array([[1.5, -2.5]]), NOISE[None]).states
    np.testing.assert_allclose(pushed - one_step().states, [[0.0, 0.0, 0.0, 0.3]], atol=1e-14)


# Options ---------------------------------------------------------------------------------------------


def test_the_truth_can_be_left_out_of_the_observation():
    env, full = Ex3EKF(exclude_truth_from_observation=True), Ex3EKF()
    assert env.observation_space.shape == (2,)
    np.testing.assert_array_equal(env.reset(seed=3)[0], full.reset(seed=3)[0][:2])
    gains = np.array([1.0, 2.0])
    np.testing.assert_array_equal(env.step(gains)[0], full.step(gains)[0][:2])


@pytest.mark.parametrize(
    ("correct_length", "pull", "modelled_pull"), [(False, 9.81 * 2.0, 9.81), (True, 9.81 / 2.0, 9.81 / 2.0)]
)
def test_the_length_of_the_pendulum(correct_length, pull, modelled_pull):
    env = Ex3EKF(correct_length=correct_length)
    env.l_net = 2.0
    state = env.step_batch([[0.4, 0.0, 0.6, 0.0]], np.zeros((1, 2)), np.zeros((1, 4))).states
    expected = [[0.4, -0.1 * modelled_pull * np.sin(0.4), 0.6, -0.1 * pull * np.sin(0.6)]]
    np.testing.assert_allclose(state, expected, rtol=1e-13)


def test_resets_take_bounds_for_their_draws_and_a_fixed_start():
    env = Ex3EKF()
    bounds = np.array([0.1, 0.2, 0.01, 0.02])
    obs, _ = env.reset(seed=0, options={"low": bounds, "high": bounds})
    assert obs == pytest.approx([0.11, 0.22, 0.1, 0.2])
    assert env.reset(options={"random": False})[0].tolist() == [0.0, 0.0, np.pi / 4, 0.0]


def test_the_cost_without_correction():
    """The specification's figures for a gain of zero over 400 steps; 50 resets are assumed for its mean."""
    env = Ex3EKF(max_cost=np.inf)
    env.reset(seed=0)
    states = np.stack([env.reset()[0] for _ in range(1000)])
    total = np.zeros(1000)
    for _ in range(400):
        states, costs, _ = env.step_batch(states, np.zeros((1000, 2)))
        total += costs
    assert total.mean() == pytest.approx(2954, abs=3 * 2719 / np.sqrt(50))
    assert total.std() == pytest.approx(2719, rel=0.3)

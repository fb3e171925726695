import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import TimeLimit

import lac  # noqa: F401 (registers the environments)
from lac.envs.oscillator import Oscillator

REST = np.zeros(3)


def started(options=None, seed=42, **attributes):
    env = Oscillator()
    for name, value in attributes.items():
        assert hasattr(env, name)
        setattr(env, name, value)
    env.reset(seed=seed, options=options)
    return env


def test_golden_values():
    env = gymnasium.make("lac/Oscillator-v1")
    obs, _ = env.reset(seed=42)
    states = [3.86978024278, 2.19439219876, 4.292989599557, 3.486840145297, 0.470886739438, 4.878111758184]
    np.testing.assert_allclose(obs, [*states, 8.0, -4.513159854703], rtol=0, atol=1e-9)
    for _ in range(3):
        obs, cost, terminated, truncated, _ = env.step(np.array([0.1, 0.2, 0.3]))
    states = [3.702125415012, 4.098129738588, 8.754138619452, 4.618649888931, 1.721562584705, 6.882859291155]
    np.testing.assert_allclose(obs, [*states, 8.65875819323, -4.040108304298], rtol=0, atol=1e-9)
    assert cost == pytest.approx(16.3224751105, abs=1e-9)
    assert not terminated
    assert not truncated


def test_one_step_by_hand():
    env = started({"random": False})
    obs, cost, *_ = env.step(np.array([0.1, 0.2, 0.3]))
    # m_1 is repressed by p_3, m_2 by p_1, m_3 by p_2; every right-hand side uses the state before the step.
    expected = [
        0.8 - 0.16 * 0.8 + 1.6 / (1 + 3.0**2) + 0.5,
        1.5 - 0.16 * 1.5 + 1.6 / (1 + 3.3**2) + 1.0,
        0.5 - 0.16 * 0.5 + 1.6 / (1 + 3.0**2) + 1.5,
        3.3 - 0.06 * 3.3 + 0.16 * 0.8,
        3.0 - 0.06 * 3.0 + 0.16 * 1.5,
        3.0 - 0.06 * 3.0 + 0.16 * 0.5,
    ]
    reference = 8.0 + 7.0 * np.sin(2 * np.pi / 200)
    np.testing.assert_allclose(obs, [*expected, reference, expected[3] - reference], rtol=1e-12)
    assert cost == pytest.approx((expected[3] - reference) ** 2, rel=1e-12)


def test_the_checker_of_gymnasium_has_nothing_to_say():
    env = gymnasium.make("lac/Oscillator-v1", disable_env_checker=True).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Concentrations have no upper bound and the error has none at all: the spec asks for these two.
        warnings.filterwarnings("ignore", message=".*Box observation space .*infinity.*probably too (high|low)")
        check_env(env, skip_render_check=True)


def test_the_signals_in_info_belong_together():
    env = Oscillator()
    obs, info = env.reset(seed=0)
    for _ in range(3):
        assert info["state_of_interest"] == pytest.approx([obs[3]])
        assert info["reference"] == pytest.approx([obs[6]])
        assert info["reference_error"] == pytest.approx([obs[3] - obs[6]])
        obs, _, _, _, info = env.step(REST)


@pytest.mark.parametrize(("beyond", "terminates"), [(0.0, False), (1e-6, True)])
def test_termination_above_a_cost_of_100(beyond, terminates):
    # Without production and decay p_1 stays at 4; the reference is 10 away.
    env = started({"low": np.full(6, 4.0), "high": np.full(6, 4.0)}, c=0.0, beta=0.0, reference_amplitude=0.0)
    env.reference_offset = 14.0 + beyond
    _, cost, terminated, truncated, _ = env.step(REST)
    assert cost == pytest.approx((10.0 + beyond) ** 2)
    assert terminated is terminates
    assert not truncated


def test_max_cost_moves_the_termination():
    env = gymnasium.make("lac/Oscillator-v1", max_cost=1.0)
    env.reset(seed=42)
    _, cost, terminated, _, _ = env.step(REST)
    assert cost > 1.0
    assert terminated


def test_episodes_end_after_400_steps():
    env = gymnasium.make("lac/Oscillator-v1", max_cost=np.inf)
    assert isinstance(env, TimeLimit)
    env.reset(seed=0)
    ends = [env.step(np.full(3, 0.1))[2:4] for _ in range(400)]
    assert ends == [(False, False)] * 399 + [(False, True)]


# Resets ----------------------------------------------------------------------------------------------


def test_resets_are_uniform_from_0_to_5_and_follow_the_seed():
    env = Oscillator()
    starts = np.array([env.reset(seed=seed)[0][:6] for seed in range(200)])
    assert starts.min() >= 0.0
    assert starts.max() <= 5.0
    assert np.abs(starts.mean(axis=0) - 2.5).max() < 0.5
    np.testing.assert_array_equal(starts[7], np.random.default_rng(7).uniform(0.0, 5.0, 6))


def test_low_and_high_bound_the_start():
    low, high = np.arange(6.0), np.arange(6.0) + 0.5
    starts = np.array([Oscillator().reset(seed=seed, options={"low": low, "high": high})[0][:6] for seed in range(50)])
    assert (starts >= low).all()
    assert (starts <= high).all()
    assert (starts.std(axis=0) > 0.0).all()


def test_the_fixed_start():
    obs, _ = Oscillator().reset(seed=1, options={"random": False})
    assert obs.tolist() == [0.8, 1.5, 0.5, 3.3, 3.0, 3.0, 8.0, pytest.approx(-4.7)]


def test_a_reset_starts_the_reference_anew():
    env = started()
    for _ in range(5):
        env.step(REST)
    assert env.reset()[0][6] == 8.0


def test_an_episode_cannot_change_the_fixed_start():
    env = started({"random": False}, delta=np.full(6, 0.5))
    env.step(np.ones(3))
    assert env.reset(options={"random": False})[0][:6].tolist() == [0.8, 1.5, 0.5, 3.3, 3.0, 3.0]


# Actions ---------------------------------------------------------------------------------------------


def test_actions_are_clipped_to_the_box():
    inside, outside = started(), started()
    np.testing.assert_array_equal(
        inside.step(np.array([0.0, 1.0, 0.5]))[0], outside.step(np.array([-3.0, 9.0, 0.5]))[0]
    )


def test_without_clipping_an_action_outside_is_an_error():
    env = gymnasium.make("lac/Oscillator-v1", clip_action=False, disable_env_checker=True)
    env.reset(seed=0)
    env.step(np.array([0.0, 1.0, 0.5]))
    with pytest.raises(ValueError, match="clip_action"):
        env.step(np.array([0.0, 1.1, 0.5]))


# Constants and noise ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constant", "value", "changed"),
    [
        ("K", 2.0, {0, 1, 2}),
        ("a", 3.0, {0, 1, 2}),
        ("gamma", 0.3, {0, 1, 2}),
        ("b", 1.0, {0, 1, 2}),
        ("beta", 0.3, {3, 4, 5, 7}),
        ("c", 0.3, {3, 4, 5, 7}),
        ("K", np.array([1.0, 2.0, 1.0]), {1}),
        ("beta", np.array([0.16, 0.16, 0.3]), {5}),
        ("reference_offset", 9.0, {6, 7}),
        ("reference_amplitude", 1.0, {6, 7}),
        ("reference_frequency", 0.1, {6, 7}),
        ("reference_phase", 0.1, {6, 7}),
    ],
)
def test_each_constant_changes_what_it_should(constant, value, changed):
    nominal = started().step(np.full(3, 0.5))[0]
    other = started(**{constant: value}).step(np.full(3, 0.5))[0]
    assert set(np.flatnonzero(nominal != other)) == changed


def test_the_phase_is_subtracted():
    assert started(reference_phase=np.pi / 2).reference(0.0) == pytest.approx(1.0)


def test_the_time_step_scales_the_change_and_the_clock():
    env = started({"random": False}, dt=0.5)
    obs, *_ = env.step(REST)
    assert obs[3] == pytest.approx(3.3 + 0.5 * (-0.06 * 3.3 + 0.16 * 0.8))
    assert obs[6] == pytest.approx(8.0 + 7.0 * np.sin(np.pi / 200))


def test_concentrations_do_not_fall_below_zero():
    obs, *_ = started(gamma=5.0, c=9.0, a=0.0).step(REST)
    assert obs[:6].tolist() == [0.0] * 6


def test_noise_is_added_to_the_successor_in_the_order_of_the_states():
    delta = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    quiet, noisy = started(seed=3), started(seed=3, delta=delta)
    rng = np.random.default_rng(3)
    rng.uniform(0.0, 5.0, 6)
    noise = np.array([rng.uniform(-width, width) for width in delta])
    after_quiet, after_noisy = quiet.step(np.full(3, 0.5))[0][:6], noisy.step(np.full(3, 0.5))[0][:6]
    assert np.abs(noise).min() > 0.0
    np.testing.assert_allclose(after_noisy, np.maximum(after_quiet + noise, 0.0), rtol=1e-12)


def test_one_width_may_serve_all_states():
    quiet, noisy = started(), started(delta=0.3)
    difference = noisy.step(np.full(3, 0.5))[0][:6] - quiet.step(np.full(3, 0.5))[0][:6]
    assert (difference != 0.0).all()
    assert np.abs(difference).max() <= 0.3


@pytest.mark.parametrize("delta", [np.zeros(6), np.full(6, 0.3)])
def test_noise_of_any_width_takes_the_same_draws_from_the_stream(delta):
    env = started(seed=3, delta=delta)
    for _ in range(4):
        env.step(REST)
    rng = np.random.default_rng(3)
    rng.uniform(size=6 + 4 * 6)
    np.testing.assert_array_equal(env.reset()[0][:6], rng.uniform(0.0, 5.0, 6))

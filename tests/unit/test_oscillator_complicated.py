import gymnasium
import numpy as np
import pytest

import lac  # noqa: F401 (registers the environments)
from lac.envs.oscillator import OscillatorComplicated


def test_golden_values():
    env = gymnasium.make("lac/OscillatorComplicated-v1")
    obs, _ = env.reset(seed=42)
    states = [3.86978024278, 2.19439219876, 4.292989599557, 3.486840145297]
    states += [0.470886739438, 4.878111758184, 3.805698509952, 3.930321526385]
    np.testing.assert_allclose(obs, [*states, 8.0, -7.529113260562], rtol=0, atol=1e-9)
    for _ in range(3):
        obs, cost, terminated, _, _ = env.step(np.array([0.1, 0.2, 0.3, 0.4]))
    states = [3.771995900531, 5.845967258146, 6.516285111974, 7.366455333349]
    states += [2.127500722769, 5.824996570998, 5.490566587325, 5.523956431743]
    np.testing.assert_allclose(obs, [*states, 8.65875819323, -6.531257470461], rtol=0, atol=1e-9)
    assert cost == pytest.approx(42.6573241455, abs=1e-9)
    assert not terminated


def test_one_step_by_hand():
    env = OscillatorComplicated()
    start, _ = env.reset(seed=0, options={"random": False})
    assert start[:8].tolist() == [0.8, 1.5, 0.5, 0.3, 3.3, 3.0, 3.0, 2.8]
    obs, cost, *_ = env.step(np.array([0.1, 0.2, 0.3, 0.4]))
    # m_1 is repressed by p_4, m_2 by p_1, m_3 by p_2, m_4 by p_3.
    expected = [
        0.8 - 0.16 * 0.8 + 1.6 / (1 + 2.8**2) + 0.5,
        1.5 - 0.16 * 1.5 + 1.6 / (1 + 3.3**2) + 1.0,
        0.5 - 0.16 * 0.5 + 1.6 / (1 + 3.0**2) + 1.5,
        0.3 - 0.16 * 0.3 + 1.6 / (1 + 3.0**2) + 2.0,
        3.3 - 0.06 * 3.3 + 0.16 * 0.8,
        3.0 - 0.06 * 3.0 + 0.16 * 1.5,
        3.0 - 0.06 * 3.0 + 0.16 * 0.5,
        2.8 - 0.06 * 2.8 + 0.16 * 0.3,
    ]
    np.testing.assert_allclose(obs[:8], expected, rtol=1e-12)
    assert cost == pytest.approx((expected[4] - 8.0 - 7.0 * np.sin(2 * np.pi / 200)) ** 2, rel=1e-12)


def test_noise_of_eight_widths_follows_the_stream():
    delta = np.linspace(0.125, 1.0, 8)
    quiet, noisy = OscillatorComplicated(), OscillatorComplicated()
    noisy.delta = delta
    quiet.reset(seed=3)
    noisy.reset(seed=3)
    rng = np.random.default_rng(3)
    rng.uniform(0.0, 5.0, 8)
    noise = np.array([rng.uniform(-width, width, 1)[0] for width in delta])
    after_quiet, after_noisy = (env.step(np.full(4, 0.5))[0][:8] for env in (quiet, noisy))
    np.testing.assert_allclose(after_noisy, np.maximum(after_quiet + noise, 0.0), rtol=1e-12)


@pytest.mark.parametrize(
    ("light", "mean", "spread", "number"), [(None, 441_390, 31_824, 200), (0.0, 77_762, 45_102, 1000)]
)
def test_costs_of_known_policies(light, mean, spread, number):
    """The specification's figures are means of 50 resets."""
    env = OscillatorComplicated()
    env.reset(seed=0)
    states = np.stack([(env.reset(), env.get_state()["state"])[1] for _ in range(number)])
    rng, total = np.random.default_rng(0), np.zeros(number)
    for _ in range(400):
        actions = rng.uniform(0.0, 1.0, (number, 4)) if light is None else np.full((number, 4), light)
        states, costs, terminated = env.step_batch(states, actions)
        total += costs
        assert not terminated.any()
    assert total.mean() == pytest.approx(mean, abs=3 * spread / np.sqrt(50))
    assert total.std() == pytest.approx(spread, rel=0.3)

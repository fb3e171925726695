"""Long trajectories of the classic environments against plain loops over scalars, written from the specification.

Both sides draw from generators with the same seed, so that every draw is compared, too. Stepping goes on after
terminations.
"""

from math import cos, pi, sin

import numpy as np
import pytest

from lac.envs.cart_pole import CartPoleCost, CartPoleTrackingCost
from lac.envs.ex3_ekf import Ex3EKF
from lac.envs.oscillator import Oscillator, OscillatorComplicated

N_STEPS = 200


def gene_ring(rng, actions, n=3, delta=0.0, max_cost=100.0):
    widths = np.broadcast_to(delta, 2 * n)
    x = list(rng.uniform(0, 5, 2 * n))
    yield [*x, 8.0, x[n] - 8.0], None, None
    for k, action in enumerate(actions, start=1):
        u = [min(max(a, 0.0), 1.0) for a in action]
        m, p = x[:n], x[n:]
        dm = [-0.16 * m[i] + 1.6 / (1 + p[(i - 1) % n] ** 2) + 5 * u[i] for i in range(n)]
        dp = [-0.06 * p[i] + 0.16 * m[i] for i in range(n)]
        x = [max(0.0, s + d + rng.uniform(-w, w, 1)[0]) for s, d, w in zip(x, dm + dp, widths, strict=True)]
        r = 8 + 7 * sin(2 * pi * k / 200)
        cost = (x[n] - r) ** 2
        yield [*x, r, x[n] - r], cost, cost > max_cost


def cart_pole(rng, actions, *, tracking=False, semi_implicit=False, length=1.0, masspole=0.1, frequency=0.005):
    x, v, theta, omega = rng.uniform([-5, -0.2, -0.2, -0.2], [5, 0.2, 0.2, 0.2], (4,))
    limit = (60 if tracking else 20) * 2 * pi / 360
    yield [x, v, theta, omega, *([0.0] if tracking else [])], None, None
    total, half = masspole + 1.0, length / 2
    for k, (action,) in enumerate(actions, start=1):
        force = min(max(action, -20.0), 20.0)
        temp = (force + masspole * half * omega**2 * sin(theta)) / total
        alpha = (9.8 * sin(theta) - cos(theta) * temp) / (half * (4 / 3 - masspole * cos(theta) ** 2 / total))
        acc = temp - masspole * half * alpha * cos(theta) / total
        if semi_implicit:
            v += 0.02 * acc
            x += 0.02 * v
            omega += 0.02 * alpha
            theta += 0.02 * omega
        else:
            x += 0.02 * v
            v += 0.02 * acc
            theta += 0.02 * omega
            omega += 0.02 * alpha
        r = 7 * sin(2 * pi * frequency * 0.02 * k)
        cost = (x - r) ** 2 + (theta / limit) ** 2 if tracking else (x / 10) ** 2 + 20 * (theta / limit) ** 2
        terminated = abs(x) > 10 or abs(theta) > limit or cost > 100
        yield [x, v, theta, omega, *([r] if tracking else [])], 100.0 if terminated else cost, terminated


def ex3_ekf(rng, actions, missing_rate=0.0):
    x1 = rng.uniform(-pi / 2, pi / 2)
    x2 = rng.uniform(-pi / 2, pi / 2)
    h1 = x1 + rng.uniform(-pi / 4, pi / 4)
    h2 = x2 + rng.uniform(-pi / 4, pi / 4)
    rng.normal(0, 0.1)
    yield [h1, h2, x1, x2], None, None
    covariance = 0.01 * np.array([[0.1**3 / 3, 0.1**2 / 2], [0.1**2 / 2, 0.1]])
    for action in actions:
        u1, u2 = (min(max(a, -10.0), 10.0) for a in action)
        x1 = x1 + 0.1 * x2
        x2 = x2 - 9.81 * sin(x1) * 0.1
        w1, w2 = rng.multivariate_normal([0.0, 0.0], covariance)
        x1, x2 = x1 + w1, x2 + w2
        error = sin(x1) + rng.normal(0, 0.1) - sin(h1 + 0.1 * h2)
        if not rng.binomial(1, 1 - missing_rate, 1)[0]:
            error = 0.0
        h1 = h1 + 0.1 * h2 + 0.1 * u1 * error
        h2 = h2 - 9.81 * sin(h1) * 0.1 + 0.1 * u2 * error
        cost = (h1 - x1) ** 2 + (h2 - x2) ** 2
        yield [h1, h2, x1, x2], cost, cost > 100


CASES = {
    "oscillator": (Oscillator, gene_ring, {}, {}),
    "noisy oscillator": (
        Oscillator,
        gene_ring,
        {"delta": np.linspace(0.1, 1.0, 6)},
        {"delta": np.linspace(0.1, 1.0, 6)},
    ),
    "four genes": (OscillatorComplicated, gene_ring, {}, {"n": 4, "max_cost": np.inf}),
    "four noisy genes": (
        OscillatorComplicated,
        gene_ring,
        {"delta": np.linspace(0.125, 1.0, 8)},
        {"n": 4, "delta": np.linspace(0.125, 1.0, 8), "max_cost": np.inf},
    ),
    "cart-pole": (CartPoleCost, cart_pole, {}, {}),
    "semi-implicit cart-pole": (
        CartPoleCost,
        cart_pole,
        {"integrator": "semi-implicit", "length": 0.7, "masspole": 0.3},
        {"semi_implicit": True, "length": 0.7, "masspole": 0.3},
    ),
    "tracking": (CartPoleTrackingCost, cart_pole, {}, {"tracking": True}),
    "faster tracking": (
        CartPoleTrackingCost,
        cart_pole,
        {"reference_frequency": 0.2},
        {"tracking": True, "frequency": 0.2},
    ),
    "observer": (Ex3EKF, ex3_ekf, {}, {}),
    "observer with losses": (Ex3EKF, ex3_ekf, {"missing_rate": 0.3}, {"missing_rate": 0.3}),
}


def feedback(obs, rng):
    """Holds the pole up, so that most costs are not just the 100 of a termination."""
    return np.array([0.316, 1.697, 56.55, 9.907]) @ obs[:4] + rng.normal(0.0, 6.0, 1)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("case", "policy"),
    [*((case, "random") for case in CASES), *((case, "feedback") for case in CASES if CASES[case][1] is cart_pole)],
)
def test_trajectories(case, seed, policy):
    make, loop, attributes, arguments = CASES[case]
    env = make()
    for name, value in attributes.items():
        setattr(env, name, value)
    low, high = env.action_space.low, env.action_space.high
    rng, actions, steps = np.random.default_rng(99), [], []
    obs, _ = env.reset(seed=seed)
    start = obs
    for _ in range(N_STEPS):
        # Beyond the box on both sides, so that clipping takes part.
        margin = 0.3 * (high - low)
        actions.append(rng.uniform(low - margin, high + margin) if policy == "random" else feedback(obs, rng))
        obs, cost, terminated, _, _ = env.step(actions[-1])
        steps.append((obs, cost, terminated))
    expected = loop(np.random.default_rng(seed), actions, **arguments)
    np.testing.assert_allclose(start, next(expected)[0], rtol=0, atol=1e-12)
    for (obs, cost, terminated), (expected_obs, expected_cost, expected_end) in zip(steps, expected, strict=True):
        np.testing.assert_allclose(obs, expected_obs, rtol=1e-9, atol=1e-9)
        assert cost == pytest.approx(expected_cost, rel=1e-9, abs=1e-9)
        assert terminated == expected_end

"""No value, difference or rounding is outside of its enclosure."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from proof_support import agent_for, pendulum, van_der_pol

from lac.proofs import namespace as xp
from lac.proofs.closed_loop import ClosedLoop
from lac.proofs.domains import Domain
from lac.proofs.enclosures import FUNCTION_ERROR, Enclosure, NotProvedError
from lac.proofs.flow import Images, advanced
from lac.proofs.namespace import Vector
from lac.proofs.policies import law_of

UNARY = ("sin", "cos", "tanh", "__abs__", "relu")


def boxes(rng, number, width):
    """Midpoints ``[2, B]`` and a sheared domain with a rest."""
    edges = width * rng.normal(size=(2, 2, number))
    return rng.uniform(-2, 2, (2, number)), Domain(edges, width * rng.uniform(0, 0.3, (2, number)))


def points(rng, midpoints, domain):
    xi, eta = rng.uniform(-1, 1, midpoints.shape), rng.uniform(-1, 1, midpoints.shape)
    if rng.random() < 0.3:  # corners
        xi, eta = np.sign(xi), np.sign(eta)
    return midpoints + np.einsum("ijb,jb->ib", domain.edges, xi) + domain.rest * eta


def random_expression(rng, depth=5):
    """A function of two coordinates, for arrays and for enclosures."""
    if depth == 0:
        i = rng.integers(2)
        return lambda x, _: x[i]
    kind, left, right = rng.integers(7), random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    c, name = float(rng.normal()), UNARY[rng.integers(len(UNARY))]
    return (
        lambda x, f: left(x, f) + right(x, f),
        lambda x, f: left(x, f) - c * right(x, f),
        lambda x, f: 0.3 * left(x, f) * right(x, f),
        lambda x, f: left(x, f) / (4.0 + f("sin", right(x, f))),
        lambda x, f: f(name, left(x, f)) + c,
        lambda x, f: f("sqrt", 3.0 + f("cos", left(x, f))) - right(x, f) / 3,
        lambda x, f: f("exp", -(f("__abs__", left(x, f)))) + c * right(x, f),
    )[kind]


def in_numpy(name, x):
    return np.maximum(x, 0.0) if name == "relu" else getattr(np, {"__abs__": "abs"}.get(name, name))(x)


def in_enclosures(name, x):
    return getattr(x, name)()


def assert_encloses(enclosure, function, midpoints, domain, rng, samples):
    """Values at points, at midpoints, and differences of pairs are where the enclosure says, if it has bounds."""
    at_midpoints = function(midpoints)
    slack = 1e-12 * (1 + np.abs(at_midpoints))  # of the float64 that it is compared with
    assert not (np.abs(at_midpoints - enclosure.value) > enclosure.error + slack).any()
    for _ in range(samples):
        x, y = points(rng, midpoints, domain), points(rng, midpoints, domain)
        gx, gy = function(x), function(y)
        assert not ((gx < enclosure.low - slack) | (gx > enclosure.high + slack)).any()
        step = x - y
        expected = (enclosure.slopes * step).sum(axis=0)
        room = (enclosure.radii * np.abs(step)).sum(axis=0) + slack
        assert not (np.abs(gx - gy - expected) > room).any()


def expressions_are_enclosed(expressions, number, samples):
    rng = np.random.default_rng(0)
    bounded = []
    for _ in range(expressions):
        expression = random_expression(rng)
        midpoints, domain = boxes(rng, number, 10.0 ** rng.uniform(-4, -0.5))
        with np.errstate(all="ignore"):
            enclosure = expression(Enclosure.coordinates(midpoints, domain), in_enclosures)
        bounded.append(np.isfinite(enclosure.radius).mean())
        assert_encloses(enclosure, lambda x, e=expression: e(x, in_numpy), midpoints, domain, rng, samples)
    assert np.mean(bounded) > 0.95


def networks_are_enclosed(networks, number, samples):
    rng = np.random.default_rng(1)
    for seed in range(networks):
        env = (van_der_pol, pendulum)[seed % 2]()
        loop = ClosedLoop(env, agent_for(env, activation=("relu", "tanh", "identity")[seed % 3], seed=seed), 1e-3)
        midpoints, domain = boxes(rng, number, 10.0 ** rng.uniform(-4, -0.5))
        after = loop.step(Vector(Enclosure.coordinates(midpoints, domain)))
        for i in range(2):
            assert_encloses(after[i], lambda x, i=i, s=loop.simulate: s(x.T)[:, i], midpoints, domain, rng, samples)


def test_random_expressions_are_enclosed():
    expressions_are_enclosed(40, 20, 10)


def test_random_networks_in_the_loop_are_enclosed():
    networks_are_enclosed(6, 30, 10)


@pytest.mark.slow
def test_a_million_samples_are_enclosed():
    expressions_are_enclosed(500, 50, 20)
    networks_are_enclosed(60, 200, 50)


def exact(array):
    return np.vectorize(Fraction, otypes=[object])(array)


def random_enclosures(rng, number):
    domain = Domain(np.zeros((2, 2, number)))
    scales = 10.0 ** rng.uniform(-8, 8, (2, number))
    nothing = np.zeros((2, number))
    return [
        Enclosure(rng.normal(size=number) * s, nothing[0], rng.normal(size=(2, number)), nothing, domain)
        for s in scales
    ]


@pytest.mark.parametrize("name", ["+", "-", "*", "/"])
def test_arithmetic_covers_its_rounding_in_rational_numbers(name):
    rng = np.random.default_rng(2)
    g, h = random_enclosures(rng, 300)
    value, other = exact(g.value), exact(h.value)
    slopes, others = exact(g.slopes), exact(h.slopes)
    result, wanted, steep = {
        "+": (g + h, value + other, slopes + others),
        "-": (g - h, value - other, slopes - others),
        "*": (g * h, value * other, value * others + other * slopes),
        "/": (g / h, value / other, slopes / other - value * others / other**2),
    }[name]
    assert (np.abs(exact(result.value) - wanted) <= exact(result.error)).all()
    assert (np.abs(exact(result.slopes) - steep) <= exact(result.radii)).all()
    tightness = result.error / np.abs(result.value)
    assert np.median(tightness) < 1e-15


def test_affine_maps_cover_their_rounding_in_rational_numbers():
    rng = np.random.default_rng(3)
    number, n, k = 3, 40, 5
    weights, bias = rng.normal(size=(k, n)) * 10.0 ** rng.uniform(-6, 6, (k, n)), rng.normal(size=k)
    value, error = rng.normal(size=(number, n)), 1e-9 * rng.random((number, n))
    slopes, radii = rng.normal(size=(2, number, n)), 1e-9 * rng.random((2, number, n))
    result = Enclosure(value, error, slopes, radii, Domain(np.zeros((2, 2, number)))).affine(weights, bias)
    W, sizes = exact(weights), exact(np.abs(weights))
    middle = exact(value) @ W.T + exact(bias)
    furthest = np.abs(exact(result.value) - middle) + exact(error) @ sizes.T
    assert (furthest <= exact(result.error)).all()
    furthest = np.abs(exact(result.slopes) - exact(slopes) @ W.T) + exact(radii) @ sizes.T
    assert (furthest <= exact(result.radii)).all()


def test_spreads_and_images_cover_their_rounding_in_rational_numbers():
    rng = np.random.default_rng(4)
    midpoints, domain = boxes(rng, 50, 0.1)
    slopes, radii = rng.normal(size=(2, 50)), 1e-3 * rng.random((2, 50))
    S, R, A, rest = map(exact, (slopes, radii, domain.edges, domain.rest))
    corners = sum(np.abs(S[0] * A[0, j] + S[1] * A[1, j]) for j in range(2)) + (np.abs(S) * rest).sum(axis=0)
    reach = np.abs(A).sum(axis=1) + rest
    assert (corners <= exact(domain.spread(slopes, np.zeros_like(radii)))).all()
    assert ((R * reach).sum(axis=0) <= exact(domain.spread(np.zeros_like(slopes), radii))).all()
    assert (reach <= exact(domain.reach)).all()
    low, high = Images(midpoints, domain).hulls
    assert (exact(low) <= exact(midpoints) - reach).all()
    assert (exact(high) >= exact(midpoints) + reach).all()


@pytest.mark.parametrize("name", ["sin", "cos", "tanh", "exp"])
def test_functions_of_numpy_are_as_accurate_as_assumed(name):
    rng = np.random.default_rng(5)
    near_zeros = np.pi / 2 * rng.integers(-6, 7, 300) + 1e-7 * rng.normal(size=300)
    x = np.concatenate([rng.uniform(-30, 30, 700), 10.0 ** rng.uniform(-300, 0, 200), near_zeros])
    values = getattr(np, name)(x)
    with mpmath.workprec(200):
        errors = [
            abs(getattr(mpmath, name)(mpmath.mpf(float(a))) - mpmath.mpf(float(b)))
            for a, b in zip(x, values, strict=True)
        ]
    scale = values if name == "exp" else 1.0
    assert (np.array([float(error) for error in errors]) <= FUNCTION_ERROR / 4 * scale).all()


def test_images_of_several_steps_hold_the_simulations():
    rng = np.random.default_rng(6)
    env = van_der_pol()
    loop = ClosedLoop(env, agent_for(env, seed=3), 0.01)
    start = boxes(rng, 40, 0.02)
    images, inside = Images(*start), True
    states = [points(rng, *start).T for _ in range(30)]
    for _ in range(6):
        images, within = advanced(loop, images)
        inside = inside & within
        low, high = images.hulls
        for k, x in enumerate(states):
            actions = loop.law(x) + loop.errors * rng.uniform(-1, 1, (len(x), 1))
            states[k] = loop.system.dynamics(x, loop.system.bounded(actions), np.zeros((len(x), 0)))
            assert ((low - 1e-12 <= states[k].T) & (high + 1e-12 >= states[k].T)).all()
    assert inside.any()


def test_the_law_is_the_agents_policy():
    env = pendulum()
    observations = np.random.default_rng(7).uniform(-3, 3, (200, 2))
    for activation in ("relu", "tanh", "identity"):
        agent = agent_for(env, activation=activation)
        actions = agent.get_action(observations.astype(np.float32), deterministic=True)
        np.testing.assert_allclose(law_of(agent)(observations.astype(np.float32)), actions, atol=5e-6)


def test_what_has_no_enclosure_is_named():
    x, _ = Enclosure.coordinates(np.zeros((2, 1)), Domain.box(np.ones((2, 1))))
    for operation in (
        lambda: x > 0,
        lambda: x == 0,
        lambda: x**0.5,
        lambda: xp.where(True, x, x),
        lambda: x + "1",
        lambda: x * np.ones(1),
        lambda: x + (2**60 + 1),
    ):
        with pytest.raises(NotProvedError, match="enclosure"):
            operation()
    with np.errstate(all="ignore"):
        assert not np.isfinite((1 / x).radius).any()
        assert not np.isfinite(x.sqrt().radius).any()

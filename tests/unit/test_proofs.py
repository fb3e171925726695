"""What is proved is true: each claim is compared with simulations or with a solution; what is false is not proved."""

import dataclasses

import gymnasium
import numpy as np
import pytest
import torch
from proof_support import (
    Bumped,
    Clockwork,
    LinearPlant,
    Lookup,
    ReversedVanDerPol,
    agent_for,
    pendulum,
    regulating_agent,
    simulated,
    van_der_pol,
)
from scipy.linalg import solve_discrete_lyapunov

import lac
from lac.controllers.choosing import make_controller
from lac.controllers.linear import LinearRegulator
from lac.proofs import NotProvedError, check, marching, prove
from lac.proofs.certificate import Certificate
from lac.proofs.checker import first_flaw
from lac.proofs.closed_loop import ClosedLoop
from lac.proofs.ellipses import Frame, contracts, decreases
from lac.proofs.flow import CELLS

GAIN = (3.0, 4.8)


@pytest.fixture(scope="module")
def oscillator():
    """Environment, agent and proof."""
    env = van_der_pol()
    agent = regulating_agent(env, GAIN)
    return env, agent, prove(env, agent)


@pytest.fixture(scope="module")
def regulated():
    """A linear plant with its regulator, and the proof."""
    env = LinearPlant()
    policy = lac.controllers.lqr(env)
    return env, policy, prove(env, policy, region=([-1.0, -1.0], [1.0, 1.0]))


def proved_starts(proof, number, rng):
    """Random starts in proved cells, and the steps after which they have arrived."""
    cells = np.argwhere(proof.arrivals >= 0)
    chosen = cells[rng.integers(len(cells), size=number)]
    c = proof.certificate
    return c.low + (chosen + rng.random(chosen.shape)) / CELLS * (c.high - c.low), proof.arrivals[tuple(chosen.T)]


def levels(proof, states):
    frame = proof.certificate.frame
    return (np.linalg.solve(frame.basis, (states - frame.centre).T) ** 2).sum(axis=0)


def assert_is_true(proof, env, policy, number, seed=0):
    """Starts in the proved region arrive in time and stay, whatever the action errors are."""
    rng = np.random.default_rng(seed)
    starts, arrivals = proved_starts(proof, number, rng)
    for step in np.unique(arrivals)[:: max(1, len(np.unique(arrivals)) // 5)]:
        chosen = starts[arrivals == step]
        arrived, ended = simulated(env, policy, chosen, int(step), proof.action_error, rng)
        assert not ended.any()
        assert (levels(proof, arrived) <= proof.level * (1 + 1e-5)).all()
    ends, ended = simulated(env, policy, starts, int(arrivals.max()) + 500, proof.action_error, rng)
    assert not ended.any()
    assert (levels(proof, ends) < 0.9 * proof.level).all()
    return ends


def test_the_proof_of_a_linear_plant_covers_the_box(regulated):
    env, policy, proof = regulated
    assert proof.region_share == 1.0
    assert proof.undecided == 0
    np.testing.assert_allclose(proof.equilibrium, 0.0, atol=1e-12)
    assert_is_true(proof, env, policy, 100)


def test_the_contraction_of_a_linear_plant_is_that_of_its_matrix(regulated):
    env, policy, _ = regulated
    loop = ClosedLoop(env, policy, 0.0)
    A = policy.A - policy.B @ policy.gain
    P = solve_discrete_lyapunov(A.T, np.eye(2))
    frame = Frame(np.zeros(2), np.linalg.inv(np.linalg.cholesky(P).T))
    norm = np.sqrt(1 - 1 / np.linalg.eigvalsh(P).max())  # A'PA = P - I
    core, level = 1e-3, 0.2
    assert contracts(loop, frame, core, norm * (1 + 1e-5))
    assert not contracts(loop, frame, core, norm * (1 - 1e-5))
    assert decreases(loop, frame, core, level)
    assert not decreases(loop, Frame(np.zeros(2), np.diag([1.0, 50.0])), core, level)


def test_zero_control_of_an_inverted_pendulum_is_not_proved():
    env = pendulum()
    with pytest.raises(NotProvedError, match=r"leaves the limits|comes to rest|unstable"):
        prove(env, lac.controllers.zero(env))


def test_nothing_outside_of_a_limit_cycle_is_proved(monkeypatch):
    monkeypatch.setattr(marching, "_SMALLEST", 16)  # cells, which saves time at the boundary
    env = ReversedVanDerPol()
    policy = lac.controllers.zero(env)
    proof = prove(env, policy, region=([-3.0, -3.0], [3.0, 3.0]))
    grid = np.linspace(-3, 3, 129)[:-1] + 3 / 128
    states = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    with np.errstate(all="ignore"):
        ends, ended = simulated(env, policy, states, 600)
        converges = (~ended & (np.abs(ends) < 0.1).all(axis=1)).reshape(128, 128)
    proved = proof.arrivals[8::16, 8::16] >= 0  # the cells above and to the right of these states
    assert not (proved & ~converges).any()
    assert proof.region_share >= 0.9 * converges.mean()


def test_a_network_on_the_oscillator_is_proved_and_what_is_proved_is_true(oscillator):
    env, agent, proof = oscillator
    assert proof.region_share > 0.99
    ends = assert_is_true(proof, env, agent, 300)
    assert (np.abs(ends - proof.equilibrium) <= np.array(proof.resting_box)).all()
    exact = np.array(proof.equilibrium)[None]
    after, _ = simulated(env, agent, exact, 1)
    np.testing.assert_allclose(after, exact, atol=1e-6)
    assert proof.offset == pytest.approx(np.abs(proof.equilibrium).max())


def test_a_certificate_holds_and_no_other_does(oscillator, tmp_path):
    env, agent, proof = oscillator
    proof.save(tmp_path / "certificate.npz")
    result = check(tmp_path / "certificate.npz", env, agent)
    assert result.holds, result.reason
    loaded = Certificate.load(tmp_path / "certificate.npz")
    np.testing.assert_equal(dataclasses.asdict(loaded), dataclasses.asdict(proof.certificate))
    assert "another policy" in check(tmp_path / "certificate.npz", env, regulating_agent(env, GAIN, seed=1)).reason
    other = van_der_pol()
    other.unwrapped.mu = 1.01
    assert "another environment" in check(tmp_path / "certificate.npz", other, agent).reason
    (tmp_path / "certificate.npz").write_bytes(b"PK\x03\x04 nothing")
    assert "no certificate" in check(tmp_path / "certificate.npz", env, agent).reason


def altered(certificate):
    """The certificate with one claim changed, by name."""
    c, frame = certificate, certificate.frame
    last, smallest = len(c.sizes) - 1, c.sizes.min()

    def at(array, index, value):
        array = array.copy()
        array[..., index] = value
        return array

    yield "box grown", {"sizes": at(c.sizes, last, c.sizes[last] * 2)}
    yield "box moved", {"corners": at(c.corners, 0, [CELLS - smallest] * 2)}
    yield "box outside", {"corners": at(c.corners, 0, [-1, 0])}
    yield "box removed", {"corners": c.corners[:, 1:], "sizes": c.sizes[1:], "steps": c.steps[1:]}
    yield "boxes reversed", {"corners": c.corners[:, ::-1], "sizes": c.sizes[::-1], "steps": c.steps[::-1]}
    yield "fewer steps", {"steps": np.ones_like(c.steps)}
    yield "huge size", {"sizes": at(c.sizes, 0, 2**62)}
    yield "core larger", {"core": c.level / 2}
    yield "trap beyond the level", {"trap": c.level * 1.1}
    yield "trap below the core", {"trap": c.core / 2}
    yield "contraction stronger", {"contraction": c.contraction * 0.9}
    yield "level higher", {"level": c.level * 4}
    yield "centre moved", {"frame": Frame(frame.centre + 0.5, frame.basis)}
    yield "basis turned", {"frame": Frame(frame.centre, frame.basis[::-1].copy())}
    yield "larger share", {"region_share": min(1.0, c.region_share + 1e-6) if c.region_share < 1 else 0.5}
    yield "larger error", {"action_error": 0.5}


def test_the_resting_box_holds_what_action_errors_can_hold():
    system = Bumped()
    proof = prove(system, lac.controllers.zero(system), action_error=0.04, region=([-3.0, -3.0], [3.0, 3.0]))
    state = np.array([0.78, 0.0])
    after = system.dynamics(state[None], np.zeros((1, 1)), np.zeros((1, 0)))[0]
    held = (state - after)[0] / 5.0  # the error of the action, in half-widths, with which the state stays where it is
    assert abs(held) < proof.action_error
    assert np.abs(state[0] - proof.equilibrium[0]) <= proof.resting_box[0]


def test_an_altered_certificate_is_refused(oscillator):
    env, agent, proof = oscillator
    for name, change in altered(proof.certificate):
        certificate = dataclasses.replace(proof.certificate, **change)
        assert first_flaw(certificate, env, ClosedLoop(env, agent, certificate.action_error)), name


def test_what_cannot_be_proved_is_named():
    env, three = van_der_pol(), Clockwork()
    agent = agent_for(env)
    for wrong, policy, words in (
        (three, agent_for(env), "3 states"),
        (gymnasium.make("lac/Oscillator-v1"), agent, "states"),
        (gymnasium.make("Pendulum-v1"), agent, "no system with dynamics"),
        (gymnasium.wrappers.RescaleAction(env, -1.0, 1.0), agent, "wrapper"),
        (Lookup(), agent, "namespace xp"),
        (env, lambda obs: obs, "numbers in it"),
        (env, agent_for(env, activation="gelu"), "GELU"),
    ):
        with pytest.raises(NotProvedError, match=words):
            prove(wrong, policy)
    with pytest.raises(NotProvedError, match="start_region"):
        prove(LinearPlant(), lac.controllers.lqr(LinearPlant()))
    with pytest.raises(NotProvedError, match="region"):
        prove(env, agent, region=([1.0, 1.0], [0.0, 0.0]))
    with pytest.raises(NotProvedError, match="action_error"):
        prove(env, agent, action_error=-1.0)


def mutants(env, number, rng):
    """Agents that are not the one that was proved: flipped or scaled gains, a push, a pocket, other weights."""
    for i in range(number):
        agent = regulating_agent(env, GAIN, seed=i if i % 5 == 4 else 0)
        actor = agent.ac.pi
        with torch.no_grad():
            if i % 5 == 0:
                actor.mu_layer.weight.mul_(-float(rng.uniform(0.2, 2)))
            elif i % 5 == 1:
                actor.mu_layer.weight.mul_(float(rng.uniform(0, 1.5)))
            elif i % 5 == 2:
                actor.mu_layer.bias.add_(float(rng.normal()))
            elif i % 5 == 3:  # a tent of the first state, in three neurons, in which the action is another
                place, width, height = rng.uniform(-1.5, 1.5), rng.uniform(0.05, 0.3), rng.normal() * 2
                for k, (shift, factor) in enumerate(((-1, 1), (0, -2), (1, 1))):
                    actor.net[0].weight[5 + k] = torch.tensor([2.0, 0.0])
                    actor.net[0].bias[5 + k] = -float(place + shift * width)
                    actor.net[2].weight[5 + k] = 0.0
                    actor.net[2].weight[5 + k, 5 + k] = 1.0
                    actor.mu_layer.weight[0, 5 + k] = factor * height / width
        yield agent


def test_the_certificate_of_an_agent_is_not_that_of_one_with_a_flipped_gain(oscillator):
    env, _, proof = oscillator
    flipped = next(mutants(env, 1, np.random.default_rng(0)))
    loop = ClosedLoop(env, flipped, proof.action_error)
    assert first_flaw(dataclasses.replace(proof.certificate, policy_sha256=loop.law.sha256()), env, loop)


@pytest.mark.slow
def test_a_hundred_mutants_give_no_false_proof():
    """A mutant may converge, though to a place far from the target: then its proof is true and its offset says so."""
    env, proved = van_der_pol(), 0
    for i, agent in enumerate(mutants(env, 100, np.random.default_rng(0))):
        try:
            proof = prove(env, agent)
        except NotProvedError:
            continue
        ends = assert_is_true(proof, env, agent, 500, seed=i)
        assert np.abs(ends).max() >= proof.offset / 2
        proved += 1
    assert proved >= 20


class Filtered(lac.LAC):
    def get_action(self, s, deterministic=False):
        return np.clip(super().get_action(s, deterministic), -0.01, 0.01)


class Opposite(LinearRegulator):
    def _law(self, observations):
        return -super()._law(observations)


def test_a_policy_that_acts_by_a_method_of_its_own_has_no_known_law():
    env = van_der_pol()
    for policy in (Filtered(env), make_controller(Opposite, env)):
        with pytest.raises(NotProvedError, match=f"the policy is a {type(policy).__name__}.*act by the methods"):
            prove(env, policy)

"""The pure dynamics of our own systems: one text for steps, batches, torch and gradients."""

import gymnasium
import numpy as np
import pytest
import torch
from system_support import IDS

from lac.envs.system import System


def started(env_id, seed=0):
    """A system with constants, forces and disturbances that are not those of every day."""
    system = gymnasium.make(env_id).unwrapped
    assert isinstance(system, System)
    rng = np.random.default_rng(seed)
    system.reset(seed=seed)
    system.external_force = 0.05 * rng.normal(size=system.external_force.shape)
    system.process_disturbance = 0.001 * rng.normal(size=system.state_dim)
    return system, rng


def arguments(system, rng, number=None):
    """States after a few random steps, actions and noise; of one system, or of several."""
    states, actions, noises = [], [], []
    for seed in range(number or 1):
        system.reset(seed=seed)
        for _ in range(3):
            system.step(rng.uniform(system.action_space.low, system.action_space.high))
        states.append(system.get_state()["state"])
        actions.append(rng.uniform(system.action_space.low, system.action_space.high))
        noises.append(system.draw_noise())
    stacked = (np.stack(states), np.stack(actions), np.stack(noises))
    return stacked if number else tuple(part[0] for part in stacked)


def tensors(parts):
    return tuple(torch.tensor(part, dtype=torch.float64) for part in parts)


@pytest.mark.parametrize("number", [None, 5])
@pytest.mark.parametrize("env_id", IDS)
def test_torch_gives_what_numpy_gives(env_id, number):
    system, rng = started(env_id)
    parts = arguments(system, rng, number)
    before = [part.copy() for part in parts]
    after = system.dynamics(*parts, np)
    in_torch = system.dynamics(*tensors(parts), torch)
    np.testing.assert_allclose(in_torch.numpy(), after, rtol=1e-12, atol=1e-12)
    observed = system.observe(torch.as_tensor(after), torch)
    np.testing.assert_allclose(observed.numpy(), system.observe(after), rtol=1e-12, atol=1e-12)
    outside = 3.0 * parts[1]
    np.testing.assert_array_equal(system.bounded(torch.tensor(outside), torch).numpy(), system.bounded(outside))
    assert all(np.array_equal(part, copy) for part, copy in zip(parts, before, strict=True)), "inputs have changed"


@pytest.mark.parametrize("env_id", IDS)
def test_the_rows_of_a_batch_are_single_steps(env_id):
    system, rng = started(env_id)
    states, actions, noise = arguments(system, rng, 4)
    together = system.dynamics(states, actions, noise)
    for i in range(4):
        alone = system.dynamics(states[i], actions[i], noise[i])
        np.testing.assert_allclose(alone, together[i], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("env_id", IDS)
def test_a_step_is_the_dynamics_of_the_bounded_action(env_id):
    system, rng = started(env_id)
    state = system.get_state()
    action = 1.5 * rng.uniform(system.action_space.low, system.action_space.high)
    noise = system.draw_noise()
    expected = system.dynamics(state["state"], system.bounded(action), noise)
    system.set_state(state)  # the generator is where it was
    observation = system.step(action)[0]
    np.testing.assert_array_equal(system.get_state()["state"], expected)
    np.testing.assert_array_equal(observation, system.observe(expected))


@pytest.mark.parametrize("env_id", IDS)
def test_gradients_are_those_of_finite_differences(env_id):
    system, rng = started(env_id)
    state, action, noise = arguments(system, rng)
    jacobians = torch.func.jacrev(lambda x, u: system.dynamics(x, u, torch.tensor(noise), torch), argnums=(0, 1))(
        *tensors((state, action))
    )
    h = 1e-6
    for which, jacobian in enumerate(jacobians):
        for column in range(jacobian.shape[1]):
            moved = []
            for sign in (1, -1):
                parts = [state.copy(), action.copy()]
                parts[which][column] += sign * h
                moved.append(system.dynamics(*parts, noise))
            np.testing.assert_allclose(
                jacobian[:, column].numpy(), (moved[0] - moved[1]) / (2 * h), rtol=1e-5, atol=1e-6
            )

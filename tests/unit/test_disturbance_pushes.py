"""Impulses and sinusoids change the simulated system as calculated by hand."""

from functools import partial

import gymnasium
import numpy as np
import pytest
from disturbance_support import ACTION, Foreign, cart, oscillator, predicted, pushes, states_of

from lac.envs.disturbances import (
    Impulse,
    Sinusoid,
)
from lac.envs.registration import ENVIRONMENTS


def test_an_impulse_hits_exactly_one_step():
    states = states_of(Impulse(oscillator(), 0.3, at_step=7, direction="constant"), n_steps=10)
    np.testing.assert_array_equal(states[1:], predicted(states[:-1], ACTION + pushes(10, 0.3, 7)))
    assert not np.allclose(states[8], predicted(states[7:8], ACTION), atol=1e-3)


def test_an_impulse_comes_in_each_episode():
    env = Impulse(oscillator(), 0.3, at_step=3, direction="constant")
    np.testing.assert_array_equal(states_of(env, n_steps=5), states_of(env, n_steps=5))
    states = states_of(env, n_steps=5)
    np.testing.assert_array_equal(states[4], predicted(states[3:4], ACTION + 0.3)[0])


def test_a_recurring_impulse_begins_with_step_0():
    states = states_of(Impulse(oscillator(), 0.3, every=4, direction="constant"), n_steps=10)
    np.testing.assert_array_equal(states[1:], predicted(states[:-1], ACTION + pushes(10, 0.3, 0, 4, 8)))


def test_an_impulse_against_the_action():
    # The paper's -magnitude sign(action); the third light is off, and its sign is 0.
    states = states_of(Impulse(oscillator(), 0.15, at_step=0), n_steps=1)
    np.testing.assert_array_equal(states[1:], predicted(states[:1], ACTION - [0.15, 0.15, 0.0]))


def test_an_action_is_bounded_after_the_impulse():
    # A large impulse switches the lights off for one step, and no more than that.
    states = states_of(Impulse(oscillator(), 80.0, at_step=0), n_steps=1)
    np.testing.assert_array_equal(states[1:], predicted(states[:1], np.zeros(3)))


def test_an_external_force_is_not_bounded():
    # The paper's cart: 80 N beside an actuator of 1 N, away from the origin.
    env = Impulse(cart(), 80.0, at_step=1, direction="sign_of_state", state_index=0, channel="external_force")
    states = states_of(env, n_steps=3, action=[5.0], options={"start": (-2.0, 0.5)})
    # v rises by the clipped action 1 in each step, and falls by 80 in step 1, where x is -1.5.
    np.testing.assert_allclose(states[:, 1], [0.5, 1.5, 1.5 + 1.0 - 80.0, -76.5])
    np.testing.assert_allclose(states[:, 0], [-2.0, -1.5, 0.0, -77.5])


@pytest.mark.parametrize(("start", "after"), [((3.0, 0.0), 2.0), ((-3.0, 0.0), -2.0), ((0.0, 7.0), 7.0)])
def test_the_sign_of_a_state_before_the_step(start, after):
    env = Impulse(cart(), 2.0, every=1, direction="sign_of_state", state_index=0, channel="external_force")
    assert states_of(env, n_steps=1, action=[0.0], options={"start": start})[1, 1] == after


def test_a_force_by_the_sign_of_the_action():
    env = Impulse(cart(), 2.0, every=1, channel="external_force")
    states = states_of(env, n_steps=1, action=[0.5])
    assert states[1, 1] == 0.5 - 2.0


def test_a_magnitude_for_each_entry():
    states = states_of(
        Impulse(oscillator(), [1.0, 0.0, -2.0], at_step=0, direction="constant", channel="external_force"), n_steps=1
    )
    np.testing.assert_array_equal(states[1:], predicted(states[:1], ACTION, force=[1.0, 0.0, -2.0]))
    undisturbed = predicted(states[:1], ACTION)[0]
    np.testing.assert_allclose((states[1] - undisturbed)[:3], [1.0, 0.0, max(-2.0, -undisturbed[2])])


def test_an_impulse_adds_to_a_force_that_is_there():
    env = cart()
    env.unwrapped.external_force = np.array([0.25])
    env = Impulse(env, 2.0, at_step=0, direction="constant", channel="external_force")
    assert states_of(env, n_steps=2, action=[0.0])[:, 1].tolist() == [0.0, 2.25, 2.5]


def test_the_paper_pushes_the_cart_beyond_its_actuator():
    make = partial(gymnasium.make, "lac/CartPoleCost-v1")
    env = Impulse(make(), 80.0, at_step=2, direction="sign_of_state", state_index=0, channel="external_force")
    states = states_of(env, seed=3, n_steps=4, action=np.array([30.0]))
    other = make().unwrapped
    forces = [0.0, 0.0, 80.0 * np.sign(states[2, 0]), 0.0]
    for before, after, force in zip(states[:-1], states[1:], forces, strict=True):
        other.external_force = np.array([force])
        np.testing.assert_array_equal(other.step_batch(before[None], [[20.0]]).states[0], after)


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_every_environment_of_ours_feels_a_force_and_gives_its_state_back(env_id):
    try:
        env = gymnasium.make(env_id, disable_env_checker=True)
    except gymnasium.error.DependencyNotInstalled as error:
        pytest.skip(str(error))
    middle = 0.5 * (env.action_space.low + env.action_space.high)
    nominal = states_of(env, n_steps=4, action=middle)
    pushed = Impulse(env, 0.1, at_step=1, direction="constant", channel="external_force")
    states = states_of(pushed, n_steps=4, action=middle)
    np.testing.assert_array_equal(states[:2], nominal[:2])
    assert not np.array_equal(states[2], nominal[2])
    np.testing.assert_array_equal(states_of(env, n_steps=4, action=middle), nominal)


def test_a_sinusoid_of_phase_0():
    env = Sinusoid(cart(), 3.0, period=4, random_phase=False, channel="external_force")
    states = states_of(env, n_steps=6, action=[0.0])
    np.testing.assert_allclose(np.diff(states[:, 1]), [0.0, 3.0, 0.0, -3.0, 0.0, 3.0], atol=1e-12)


def test_a_sinusoid_has_a_random_phase_for_each_actuator_and_episode():
    env = Sinusoid(Foreign(), [2.0, 5.0], period=8)
    phases = []
    for seed in (0, None):
        env.reset(seed=seed)
        env.unwrapped.actions.clear()
        for _ in range(16):
            env.step(np.zeros(2))
        added = np.array(env.unwrapped.actions)
        np.testing.assert_allclose(added[:8], added[8:], atol=1e-12)
        # A sine is its value and its slope: the value a quarter of a period later is the cosine.
        np.testing.assert_allclose(np.hypot(added[0], added[2]), [2.0, 5.0])
        phases.append(np.arctan2(added[0] / [2.0, 5.0], added[2] / [2.0, 5.0]))
    assert len(set(np.round(np.ravel(phases), 6))) == 4

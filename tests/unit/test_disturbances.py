"""What holds for all disturbances: they repeat, leave nothing behind, and refuse what makes no sense."""

import gymnasium
import numpy as np
import pytest
from disturbance_support import ACTION, N_STEPS, Foreign, cart, oscillator, states_of

from lac.envs import wrap_env
from lac.envs.disturbances import (
    DisturbanceError,
    Impulse,
    Noise,
    Parameters,
    Reference,
    Sinusoid,
    argument_errors,
    disturbed,
)
from lac.evaluation.rollouts import rollout
from lac.evaluation.steppers import can_step_as_batch

EVERY_KIND = {
    "impulse": lambda env: Impulse(env, 0.3, every=2, direction="constant"),
    "force": lambda env: Impulse(env, 0.3, at_step=0, direction="constant", channel="external_force"),
    "sinusoid": lambda env: Sinusoid(env, 0.3, period=5),
    "action noise": lambda env: Noise(env, "action", std=0.1),
    "process noise": lambda env: Noise(env, "process", std=0.1, dims=[0, 1, 2, 3, 4, 5]),
    "parameters": lambda env: Parameters(env, {"K": 5.0}),
    "reference": lambda env: Reference(env, constant=3.0),
}
RANDOM = [name for name in EVERY_KIND if "noise" in name or name == "sinusoid"]


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_simulated_system_changes_below_other_wrappers(name):
    nominal, other = wrap_env(oscillator(), max_ep_len=50), wrap_env(EVERY_KIND[name](oscillator()), max_ep_len=50)
    observations = []
    for env in (nominal, other):
        env.reset(seed=0)
        observations.append([env.step(ACTION)[0] for _ in range(N_STEPS)])
    assert np.abs(np.diff(observations, axis=0)).max() > 1e-3


@pytest.mark.parametrize("name", EVERY_KIND)
def test_an_episode_is_repeatable_by_its_seed(name):
    env = EVERY_KIND[name](oscillator())
    first, other, again = (states_of(env, seed) for seed in (7, 8, 7))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, states_of(EVERY_KIND[name](oscillator()), 7))
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_environment_is_as_before_once_it_is_removed(name):
    env = oscillator()
    nominal = states_of(env, 3)
    other = EVERY_KIND[name](env)
    states_of(other, 3)
    assert not np.any(env.unwrapped.external_force), "a force is there during a step only"
    assert not np.any(env.unwrapped.process_disturbance)
    other.close()
    np.testing.assert_array_equal(states_of(env, 3), nominal)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_stream_of_the_environment_is_left_alone(name):
    plain, env = oscillator(), EVERY_KIND[name](oscillator())
    for system in (plain, env):
        states_of(system, 5)
        system.reset()
    np.testing.assert_array_equal(plain.unwrapped.get_state()["state"], env.unwrapped.get_state()["state"])
    np.testing.assert_array_equal(plain.unwrapped.get_state()["generator"], env.unwrapped.get_state()["generator"])


@pytest.mark.parametrize("name", RANDOM)
def test_the_next_episode_without_a_seed_is_another_one(name):
    env = EVERY_KIND[name](oscillator())
    fixed = {"random": False}
    first = states_of(env, 5, options=fixed)
    second = states_of(env, None, options=fixed)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(states_of(env, 5, options=fixed), first)
    np.testing.assert_array_equal(states_of(env, None, options=fixed), second)


def test_disturbances_around_each_other_have_streams_of_their_own():
    env = Noise(Noise(Foreign(), "action"), "action")
    env.reset(seed=0)
    env.step(np.zeros(2))
    alone = Noise(Foreign(), "action")
    alone.reset(seed=0)
    alone.step(np.zeros(2))
    (both,), (inner,) = env.unwrapped.actions, alone.unwrapped.actions
    outer = both - inner
    assert np.abs(outer - inner).min() > 1e-3


def test_a_failing_step_leaves_no_force_behind():
    env = Impulse(oscillator(clip_action=False), 1.0, every=1, direction="constant", channel="external_force")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="clip_action"):
        env.step(np.full(3, 2.0))
    assert env.unwrapped.external_force.tolist() == [0.0, 0.0, 0.0]


# Refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Impulse(oscillator(), "big", at_step=1), "magnitude is 'big'; it must be a finite number"),
        (lambda: Impulse(oscillator(), np.inf, at_step=1), "magnitude is inf"),
        (lambda: Impulse(oscillator(), [1.0, 2.0], at_step=1), "magnitude has 2 numbers; it must be one.* 3"),
        (lambda: Impulse(oscillator(), 1.0), "at_step and every are not set; give one of them"),
        (lambda: Impulse(oscillator(), 1.0, at_step=1, every=1), "at_step is 1 and every is 1; one of them"),
        (lambda: Impulse(oscillator(), 1.0, at_step=-1), "at_step is -1; it must be a whole number of at least 0"),
        (lambda: Impulse(oscillator(), 1.0, every=0), "every is 0; it must be a whole number of at least 1"),
        (lambda: Impulse(oscillator(), 1.0, every=1, direction="sign_of_acton"), "Did you mean 'sign_of_action'"),
        (lambda: Impulse(oscillator(), 1.0, every=1, direction="sign_of_state"), "state_index is not set"),
        (lambda: Impulse(oscillator(), 1.0, every=1, state_index=0), "state_index is 0; only direction=sign_of_state"),
        (
            lambda: Impulse(oscillator(), 1.0, every=1, direction="sign_of_state", state_index=7),
            "state_index is 7.*7 states, counted from 0",
        ),
        (
            lambda: Impulse(Foreign(), 1.0, every=1, direction="sign_of_state", state_index=0),
            "state_index is 0, but Foreign has no get_state",
        ),
        (
            lambda: Impulse(Foreign(), 1.0, every=1, channel="external_force"),
            "channel is 'external_force', but Foreign has no external_force; choose channel=action",
        ),
        (lambda: Impulse(gymnasium.make("CartPole-v1"), 1.0, every=1), r"action space.*CartPole-v1 is Discrete\(2\)"),
        (lambda: Sinusoid(oscillator(), 1.0, period=1), "period is 1; it must be .* at least 2"),
        (lambda: Sinusoid(oscillator(), 1.0, period=None), "period is not set"),
        (lambda: Sinusoid(oscillator(), 1.0, period=2, random_phase=False), "period is 2.*0 in every step"),
        (lambda: Sinusoid(Foreign(), 1.0, period=5, channel="external_force"), "Foreign has no external_force"),
        (lambda: Noise(oscillator(), "actions"), "target is 'actions'.*Did you mean 'action'"),
        (lambda: Noise(oscillator(), "action", std=-1.0), "std is -1.0; it must be a finite number of at least 0"),
        (lambda: Noise(oscillator(), "action", mean=[1.0, 2.0]), "mean has 2 numbers; it must be one.* 3"),
        (lambda: Noise(oscillator(), "observation", dims=[8]), r"dims is \[8\], but there are 8 entries"),
        (lambda: Noise(oscillator(), "observation", dims=[1, 1]), r"dims is \[1, 1\]; it must be a list of different"),
        (lambda: Noise(oscillator(), "observation", dims=[]), r"dims is \[\]; it must be a list"),
        (lambda: Noise(oscillator(), "process"), "dims is not set"),
        (lambda: Noise(Foreign(), "process", dims=[0]), "Foreign has no process_disturbance; choose target=action"),
        (lambda: Noise(gymnasium.make("Blackjack-v1"), "observation"), "observation space of Blackjack-v1"),
        (lambda: Reference(oscillator()), "constant is not set; give it, or one of offset, amplitude, period, phase"),
        (lambda: Reference(oscillator(), constant=8.0, period=150), "constant is 8.0, which excludes period"),
        (lambda: Reference(oscillator(), period=0), "period is 0"),
        (lambda: Reference(cart(), period=150), "period cannot be set: Cart has no reference_frequency"),
        (lambda: Reference(cart(), constant=8.0), "constant cannot be set: Cart has no reference_offset"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_when_it_is_built(make, told):
    with pytest.raises(DisturbanceError, match=told):
        make()


def test_all_problems_are_told_at_once():
    with pytest.raises(DisturbanceError) as refusal:
        Impulse(oscillator(), "big", every=0, direction="up", channel="air")
    assert [problem.split()[0] for problem in refusal.value.errors] == ["magnitude", "every", "direction", "channel"]


def test_a_config_is_found_by_its_kind():
    settings = {"name": "gust", "kind": "noise", "target": "action", "mean": 0.0, "std": -1.0, "dims": None}
    assert argument_errors(settings, "disturbance.")[0].startswith("disturbance.std is -1.0; it must be")
    env = disturbed(oscillator(), settings | {"std": 0.1})
    assert isinstance(env, Noise)
    plain = oscillator()
    assert disturbed(plain, {"name": "none", "kind": "none"}) is plain


def test_numbers_and_arrays_of_numpy_are_those_of_python():
    python = Noise(oscillator(), "observation", mean=0.5, std=[1.0, 2.0], dims=[0, 2])
    numpys = Noise(oscillator(), "observation", mean=np.float32(0.5), std=np.array([1.0, 2.0]), dims=np.array([0, 2]))
    np.testing.assert_array_equal(python.reset(seed=3)[0], numpys.reset(seed=3)[0])
    for step in (2, np.int64(2)):
        env = Impulse(oscillator(), np.float32(0.3), at_step=step)
        env.reset(seed=3)
        env.step(ACTION)


def test_a_push_after_the_end_is_refused_when_an_episode_starts():
    env = Impulse(oscillator(max_episode_steps=30), 1.0, at_step=30)
    with pytest.raises(DisturbanceError, match=r"at_step is 30.*Oscillator.*step 29"):
        env.reset(seed=0)


def test_a_push_may_come_after_the_usual_end_in_a_longer_test():
    envs = [Impulse(gymnasium.make("lac/CartPoleCost-v1", max_episode_steps=3), 1e4, 5, direction="constant")]
    tested = rollout(lambda obs: np.zeros((len(obs), 1)), envs, [2], steps=9, beyond_limits=True)
    calm = rollout(lambda obs: np.zeros((len(obs), 1)), [envs[0].env], [2], steps=9, beyond_limits=True)
    # Clipped to 20 newtons at step 5 alone: the speed of the cart differs after it, not before.
    assert tested.lengths.tolist() == [9]
    np.testing.assert_array_equal(tested.states[0, :6], calm.states[0, :6])
    assert abs(tested.states[0, 6, 1] - calm.states[0, 6, 1]) > 0.1


@pytest.mark.parametrize("env_id", ["CartPoleCost", "Oscillator", "Ex3EKF", "VanDerPol", "QuadrotorTracking"])
@pytest.mark.parametrize(
    "disturb",
    [
        lambda env: Impulse(env, 0.5, every=3, channel="external_force", direction="sign_of_state", state_index=1),
        lambda env: Impulse(env, 0.5, at_step=4),
        lambda env: Sinusoid(env, 0.3, period=5, channel="external_force"),
        lambda env: Noise(env, "process", std=0.1, dims=[0, 1]),
        lambda env: Noise(env, "observation", std=0.1),
        lambda env: Noise(env, "action", std=0.1),
    ],
    ids=["recurring force", "impulse", "sine", "process noise", "observation noise", "action noise"],
)
def test_disturbed_systems_go_through_the_same_episodes_at_once(env_id, disturb):
    envs = [disturb(gymnasium.make(f"lac/{env_id}-v1", max_episode_steps=15)) for _ in range(3)]
    dim, act_dim = envs[0].observation_space.shape[0], envs[0].action_space.shape[0]
    weights = np.random.default_rng(0).normal(size=(dim, act_dim))
    at_once, one_by_one = (
        rollout(lambda obs: np.tanh(np.asarray(obs) @ weights), tested, range(5))
        for tested in (envs, [gymnasium.Wrapper(env) for env in envs])
    )
    assert can_step_as_batch(envs)
    np.testing.assert_array_equal(at_once.lengths, one_by_one.lengths)
    np.testing.assert_allclose(at_once.observations, one_by_one.observations, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(at_once.total_costs, one_by_one.total_costs, rtol=1e-9)

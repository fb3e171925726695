"""The state of an environment in the middle of an episode, through its wrappers."""

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import NormalizeObservation, RecordEpisodeStatistics, TimeAwareObservation

import lac  # noqa: F401 (registers the environments)
from lac.envs import wrap_env
from lac.envs.disturbances import Impulse, Noise, Parameters, Sinusoid
from lac.envs.states import NoStateError, env_state, set_env_state
from lac.runs.state_file import read_state, write_state

STACKS = {
    "time limit": lambda env: env,
    "noise": lambda env: Noise(env, "observation", std=0.3),
    "sine": lambda env: Sinusoid(env, magnitude=1.0, period=7.5),
    "impulse": lambda env: Impulse(env, magnitude=2.0, every=9),
    "nested": lambda env: Noise(Parameters(Sinusoid(env, 1.0, 7.5), {"q": 0.02}), "action", std=0.1),
    "statistics": lambda env: RecordEpisodeStatistics(NormalizeObservation(env)),
    "time": TimeAwareObservation,
}


def steps(env, number, actions):
    """What an environment gives, over the ends of its episodes."""
    given = []
    for _ in range(number):
        obs, cost, terminated, truncated, _ = env.step(actions.uniform(-5.0, 5.0, 2))
        given.append((obs.tolist(), float(cost), terminated, truncated))
        if terminated or truncated:
            given.append(env.reset()[0].tolist())
    return given


@pytest.mark.parametrize("name", STACKS)
def test_an_episode_goes_on_from_its_middle(tmp_path, name):
    first, second = (wrap_env(STACKS[name](gymnasium.make("lac/Ex3EKF-v1", max_episode_steps=30))) for _ in range(2))
    actions = np.random.default_rng(0)
    first.reset(seed=5)
    steps(first, 47, actions)
    write_state(tmp_path / "file", env_state(first))
    expected = steps(first, 60, np.random.default_rng(1))
    second.reset(seed=8)
    steps(second, 5, actions)
    set_env_state(second, read_state(tmp_path / "file"))
    assert steps(second, 60, np.random.default_rng(1)) == expected


def test_a_state_is_not_changed_by_later_steps():
    env = wrap_env(STACKS["nested"](gymnasium.make("lac/Ex3EKF-v1")))
    env.reset(seed=5)
    state = env_state(env)
    before = repr(state)
    steps(env, 10, np.random.default_rng(0))
    assert repr(state) == before


class Holder(gymnasium.Wrapper):
    def __init__(self, env, held):
        super().__init__(env)
        self.held = held


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: gymnasium.make("Pendulum-v1"), "PendulumEnv has no get_state"),
        (lambda: Holder(gymnasium.make("lac/Ex3EKF-v1"), {1, 2}), "held of Holder is of the type set"),
    ],
)
def test_an_environment_without_a_state_is_named(make, told):
    with pytest.raises(NoStateError, match=told):
        env_state(make())


def test_a_state_of_other_wrappers_is_refused():
    plain, other = gymnasium.make("lac/Ex3EKF-v1"), Noise(gymnasium.make("lac/Ex3EKF-v1"), "action")
    with pytest.raises(NoStateError, match="wrappers of Ex3EKF"):
        set_env_state(other, env_state(plain))

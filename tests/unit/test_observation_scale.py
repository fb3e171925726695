"""``observation_scale=auto``: measured before the training, the same for the same seed, saved with the policy."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from lac import LAC, load_agent
from lac import lac as train_lac
from lac.agents.policy_files import read_policy
from lac.settings.algorithms import ALGORITHMS
from lac.settings.training import LoopSettings
from lac.training.plan import TrainingPlan
from lac.training.trainer import Trainer

SMALL = {"hidden_sizes": [8], "observation_scale": "auto"}


class Levels(gymnasium.Env):
    """Observes 3 and -4 in turn, a tiny number, what was always 0, and the sign of the action; ends after 7 steps."""

    observation_space = Box(-np.inf, np.inf, (4,))
    action_space = Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._observation(0.0), {}

    def step(self, action):
        self.steps += 1
        return self._observation(action[0]), 1.0, False, self.steps == 7, {}

    def _observation(self, action):
        # Seven observations an episode, since the one of the reset takes the place of the last: four times -4.
        return np.array([3.0 if self.steps % 2 else -4.0, 1e-6, 0.0, np.sign(action)], np.float32)


def trainer(make=Levels, num_envs=1, seed=3, **loop):
    plan = TrainingPlan(
        algorithm=ALGORITHMS["lac"](),
        seed=seed,
        loop=LoopSettings(epochs=1, steps_per_epoch=30, update_after=10, update_every=10, batch_size=8, **loop),
        ac_kwargs=SMALL,
        num_envs=num_envs,
    )
    return Trainer(plan, make)


def scale_of(training):
    with training:
        return (1.0 / training.agent.ac.pi.scale_input.inverse_width).tolist()


@pytest.mark.parametrize("num_envs", [1, 4])
def test_it_is_the_root_mean_square_over_random_steps(num_envs):
    level, tiny, still, sign = scale_of(trainer(num_envs=num_envs))
    assert level == pytest.approx(np.sqrt((4 * 16 + 3 * 9) / 7), rel=1e-3)
    assert tiny == pytest.approx(1e-3)  # not blown up
    assert still == 1.0
    assert sign == pytest.approx(np.sqrt(6 / 7), rel=1e-2)  # 0 at the resets


class Rough(gymnasium.Env):
    """Observes a pressure in pascals, an angle in radians, a length that is 1e9 once in 400 steps, and contact."""

    observation_space = Box(-np.inf, np.inf, (4,))
    action_space = Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.step(None)[0], {}

    def step(self, action):
        self.steps += 1
        is_now = self.steps % 400 == 0
        observation = [2e5, 0.05, 1e9 if is_now else 2.0, float(is_now)]
        return np.array(observation, np.float32), 1.0, False, self.steps == 4000, {}


def test_outliers_large_units_and_rare_events_leave_every_observation_visible():
    pressure, angle, length, contact = scale_of(trainer(Rough))
    assert pressure == pytest.approx(2e5)
    assert angle == pytest.approx(0.05, rel=1e-3)
    assert length == pytest.approx(2.0, rel=0.05)
    assert contact == pytest.approx(0.05, rel=0.05)  # the square root of 1/400


def test_many_environments_do_not_measure_their_initial_states_alone():
    one, many = (scale_of(trainer(lambda: gymnasium.make("lac/Oscillator-v1"), num_envs=n)) for n in (1, 500))
    assert np.asarray(many[3:6]) == pytest.approx(np.asarray(one[3:6]), rel=0.2)  # proteins, which begin low


def test_it_depends_on_the_seed_alone():
    def pendulum():
        return gymnasium.make("lac/PendulumStabilise-v1")

    first, again, other = (scale_of(trainer(pendulum, seed=seed)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_it_is_saved_and_a_training_from_that_policy_takes_it(tmp_path):
    def train(folder, **kwargs):
        return train_lac(
            Levels,
            ac_kwargs=SMALL,
            **{"epochs": 1, "steps_per_epoch": 30, "update_after": 10, "update_every": 10, "batch_size": 8},
            num_test_episodes=1,
            logger_kwargs={"output_dir": str(tmp_path / folder), "quiet": True, "use_wandb": False},
            **kwargs,
        )[0]

    agent = train("first", seed=3)
    saved = read_policy(tmp_path / "first")[1]["ac_kwargs"]["observation_scale"]
    assert saved == pytest.approx((1.0 / agent.ac.pi.scale_input.inverse_width).tolist(), rel=1e-6)
    obs = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)
    loaded = load_agent(tmp_path / "first")
    assert np.array_equal(loaded.get_action(obs, True), agent.get_action(obs, True))

    second = train("second", seed=4, start_policy=str(tmp_path / "first"))
    assert torch.equal(second.ac.pi.scale_input.inverse_width, agent.ac.pi.scale_input.inverse_width)


def test_an_agent_without_a_training_has_nothing_to_measure():
    with pytest.raises(ValueError, match="observation_scale is 'auto'"):
        LAC(Levels(), ac_kwargs=SMALL)

"""What a training is said to need, against what its parts really take."""

import numpy as np
import pytest
from gymnasium.spaces import Box

from lac.devices import memory_of_machine
from lac.envs.vector import Spaces
from lac.settings.algorithms import ALGORITHMS
from lac.settings.training import LoopSettings
from lac.training.memory import memory_errors
from lac.training.plan import TrainingPlan

SPACES = Spaces(Box(-np.inf, np.inf, (3,)), Box(-1.0, 1.0, (2,)))
SIZES = {"hidden_sizes": {"actor": [16, 4], "critic": [8, 8]}}


def a_plan(algorithm="lac", hidden_sizes=SIZES, horizon=None, **loop):
    settings = {} if horizon is None else {"horizon_length": horizon}
    return TrainingPlan(ALGORITHMS[algorithm](**settings), seed=0, loop=LoopSettings(**loop), ac_kwargs=hidden_sizes)


def told(plan, limit):
    return memory_errors(plan, 3, 2, name=str, limit=limit)


@pytest.mark.parametrize("horizon", [0, 4])
def test_the_buffer_is_told_with_the_bytes_that_it_takes(horizon):
    plan = a_plan(horizon=horizon, replay_size=10**6, epochs=1, steps_per_epoch=5000, update_after=10**4)
    buffer = plan.build_buffer(plan.build_agent(SPACES), SPACES, seed=0)
    taken = buffer._rows.nbytes
    (sentence,) = told(plan, taken - 1)
    assert sentence.startswith(f"train.replay_size is 1000000: the replay buffer takes {taken} bytes")
    # As large as the run, not as the setting.
    assert taken == 5000 * 4 * (3 + 2 + 3 + 2 + (horizon > 0))


@pytest.mark.parametrize("algorithm", ["lac", "latc", "sac"])
@pytest.mark.parametrize("part", ["actor", "critic"])
def test_networks_are_told_with_at_least_their_weights_in_five_copies(algorithm, part):
    sizes = {"hidden_sizes": {"actor": [4], "critic": [4]} | {part: [300, 200]}}
    plan = a_plan(algorithm, sizes, epochs=1, steps_per_epoch=10, update_after=100)
    agent = plan.build_agent(SPACES)
    modules = [agent.ac.pi] if part == "actor" else agent.critics
    taken = 5 * 4 * sum(p.numel() for module in modules for p in module.parameters())
    (sentence,) = told(plan, 0.9 * taken)
    assert sentence.startswith(f"network.hidden_sizes.{part} is [300, 200]: ")
    assert told(plan, 1.1 * taken) == []


def test_a_round_of_updates_is_told_with_both_of_its_keys():
    plan = a_plan(batch_size=1000, steps_per_update=50, epochs=1, steps_per_epoch=1000, update_after=10)
    (sentence,) = told(plan, 1_000_000)
    assert "train.batch_size is 1000, and train.steps_per_update is 50" in sentence
    assert f"{1000 * 50 * 10 * 4} bytes" in sentence


def test_what_cannot_fit_together_names_the_largest():
    plan = a_plan(batch_size=100, steps_per_update=10, epochs=1, steps_per_epoch=1000, update_after=10)
    assert told(plan, 10**8) == []
    (sentence,) = told(plan, 60_000)  # 40 000 each for the buffer and a round
    assert "train.replay_size" in sentence


def test_the_default_training_fits_this_machine_and_an_absurd_one_does_not():
    assert memory_errors(TrainingPlan(ALGORITHMS["lac"](), seed=0), 3, 2, name=str) == []
    huge = a_plan(replay_size=10**15, epochs=10**9, steps_per_epoch=10**6)
    (sentence,) = memory_errors(huge, 3, 2, name=str)
    assert "train.replay_size is 1000000000000000" in sentence
    assert 2**28 < memory_of_machine() < 2**60

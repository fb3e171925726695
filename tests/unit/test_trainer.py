"""The training loop: that its state is complete, and that it ends where it is asked to."""

import gymnasium
import pytest
import torch

import lac  # noqa: F401 (registers the environments)
from lac.engines import choose_engine
from lac.envs import wrap_vector_env
from lac.envs.vector import Spaces
from lac.settings.algorithms import ALGORITHMS
from lac.settings.training import LoopSettings, ScheduleSettings
from lac.training.collector import Collector
from lac.training.plan import TrainingPlan
from lac.training.stopping import Stop, StopKind
from lac.training.trainer import Trainer, seed_everything

PRUNED = Stop(StopKind.PRUNED)
LOOP = {"steps_per_epoch": 30, "update_after": 10, "update_every": 10, "steps_per_update": 3, "batch_size": 8}


class Recorder:
    """Asks for the end after some epochs."""

    def __init__(self, last_epoch=None):
        self.last_epoch, self.rows = last_epoch, []

    def progress(self, env_steps, values):
        pass

    def epoch(self, metrics, agent):
        self.rows.append({name: value for name, value in metrics.items() if not name.startswith("time/")})
        return PRUNED if metrics["epoch"] == self.last_epoch else None


def built(algorithm, recorder, **changes):
    """A trainer, its agent and its environments, as ``train`` builds them."""
    plan = TrainingPlan(
        algorithm=ALGORITHMS[algorithm](**changes),
        seed=4,
        loop=LoopSettings(epochs=2, **LOOP),
        schedule=ScheduleSettings(decay_ref="step"),
        ac_kwargs={"hidden_sizes": {"actor": [8], "critic": [8]}},
        num_envs=2,
    )
    seeds = seed_everything(plan.seed)
    envs = wrap_vector_env(lambda: gymnasium.make("lac/Ex3EKF-v1"), plan.num_envs, "minimize", None)
    agent = plan.build_agent(Spaces(envs.single_observation_space, envs.single_action_space))
    buffer = plan.build_buffer(agent, Spaces(envs.single_observation_space, envs.single_action_space), seeds["replay"])
    collector = Collector(envs, seeds["env"])
    return Trainer(plan, agent, choose_engine(agent), buffer, envs, collector, [], recorder), agent, envs


@pytest.mark.parametrize(
    ("algorithm", "changes"), [("lac", {"horizon_length": 5}), ("lac", {}), ("latc", {}), ("sac", {})]
)
def test_a_training_continues_from_its_state_with_the_same_bits(algorithm, changes):
    undisturbed = Recorder()
    trainer, expected, _ = built(algorithm, undisturbed, **changes)
    assert trainer.run() is None

    first, agent, envs = built(algorithm, Recorder(last_epoch=1), **changes)
    assert first.run() == PRUNED
    state = first.state_dict()
    systems = [env.unwrapped.get_state() for env in envs.envs]

    continued = Recorder()
    second, agent, envs = built(algorithm, continued, **changes)
    torch.randn(100)  # global generators are elsewhere by now
    second.load_state_dict(state)
    for env, system in zip(envs.envs, systems, strict=True):
        env.unwrapped.set_state(system)
    assert second.run() is None
    assert repr(continued.rows) == repr(undisturbed.rows[1:])  # which has NaN where no episode has ended
    assert all(torch.equal(one, other) for one, other in zip(agent.parameters(), expected.parameters(), strict=True))


def test_diverged_weights_end_the_training_with_a_reason():
    recorder = Recorder()
    trainer, agent, _ = built("lac", recorder)
    with torch.no_grad():
        agent.ac.L.L[0].bias[0] = float("nan")
    stop = trainer.run()
    assert stop.kind is StopKind.DIVERGED
    assert "after 10 steps" in stop.reason
    assert recorder.rows == []

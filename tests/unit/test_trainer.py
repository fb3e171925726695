"""The training loop: that its state is complete, and that it ends where it is asked to."""

import gymnasium
import pytest
import torch

import lac  # noqa: F401 (registers the environments)
from lac.settings.algorithms import ALGORITHMS
from lac.settings.training import LoopSettings, ScheduleSettings
from lac.training.divergence import DivergenceError
from lac.training.plan import TrainingPlan
from lac.training.stopping import Stop, StopKind
from lac.training.trainer import Trainer

PRUNED = Stop(StopKind.PRUNED)
LOOP = {"steps_per_epoch": 30, "update_after": 10, "update_every": 10, "steps_per_update": 3, "batch_size": 8}


class Recorder:
    """Asks for the end after some epochs."""

    def __init__(self, last_epoch=None):
        self.last_epoch, self.rows = last_epoch, []

    def start(self, agent, plan, engine):
        pass

    def warn(self, text):
        pass

    def progress(self, env_steps, values):
        pass

    def between_steps(self, training):
        pass

    def trained(self, agent, test, yardstick):
        pass

    def epoch(self, metrics, agent):
        self.rows.append({name: value for name, value in metrics.items() if not name.startswith("time/")})
        return PRUNED if metrics["epoch"] == self.last_epoch else None


def built(algorithm, **changes):
    plan = TrainingPlan(
        algorithm=ALGORITHMS[algorithm](**changes),
        seed=4,
        loop=LoopSettings(epochs=2, **LOOP),
        schedule=ScheduleSettings(decay_ref="step"),
        ac_kwargs={"hidden_sizes": {"actor": [8], "critic": [8]}},
        num_envs=2,
    )
    return Trainer(plan, lambda: gymnasium.make("lac/Ex3EKF-v1"))


@pytest.mark.parametrize(
    ("algorithm", "changes"), [("lac", {"horizon_length": 5}), ("lac", {}), ("latc", {}), ("sac", {})]
)
def test_a_training_continues_from_its_state_with_the_same_bits(algorithm, changes):
    undisturbed = Recorder()
    expected = built(algorithm, **changes)
    assert expected.run(undisturbed) is None

    first = built(algorithm, **changes)
    assert first.run(Recorder(last_epoch=1)) == PRUNED
    state = first.state_dict()

    continued = Recorder()
    second = built(algorithm, **changes)
    torch.randn(100)  # global generators are elsewhere by now
    second.load_state_dict(state)
    assert second.deviations == []
    assert second.run(continued) is None
    assert repr(continued.rows) == repr(undisturbed.rows[1:])  # which has NaN where no episode has ended
    parameters = zip(second.agent.parameters(), expected.agent.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in parameters)


@pytest.mark.parametrize(("algorithm", "has_other_loss"), [("lac", True), ("sac", False)])
def test_diverged_weights_end_the_training_with_a_reason(algorithm, has_other_loss):
    recorder, trainer = Recorder(), built(algorithm)
    with torch.no_grad():
        next(trainer.agent.critics[0].parameters())[0] = float("nan")
    with pytest.raises(DivergenceError, match="after 10 steps") as caught:
        trainer.run(recorder)
    assert ("critic_loss" in str(caught.value)) == has_other_loss
    assert recorder.rows == []

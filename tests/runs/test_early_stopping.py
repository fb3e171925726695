"""Runs that end before their last epoch, since their tests are good enough or improve no more."""

import pytest
from resume_support import fingerprint, maker, train_on
from run_support import metrics_without_times, summary_of

from lac.cli.resume import is_stopped
from lac.runs import RunError
from lac.settings.training import LoopSettings
from lac.training.stopping import EarlyStopping

# The policy stays as it is, so that no test is better than the first one.
STILL = {"lr_a": 0.0, "steps_per_epoch": 60, "epochs": 9, "lr_decay_type": "constant", "update_after": 50}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """A picture takes longer than one of these runs."""
    monkeypatch.setattr("lac.runs.recorder.learning_curve", lambda *_: None)


def epochs_until_stop(loop, tests):
    """After how many tests, each (early terminations, cost), a training stops; None if it does not."""
    stopping = EarlyStopping(loop)
    for number, (deaths, cost) in enumerate(tests, start=1):
        stopping.add({"death_rate": deaths, "cost_mean": cost})
        # What goes on from here must know as much.
        stopping, state = EarlyStopping(loop), stopping.state_dict()
        stopping.load_state_dict(state)
        if stopping.stop is not None:
            return number
    return None


@pytest.mark.parametrize(
    ("settings", "tests", "number"),
    [
        ({"stop_below": 5.0}, [(0, 9), (0.1, 1), (0, 5), (0, 4.9)], 4),  # not by a low cost of short episodes
        ({"patience": 2}, [(0, 9), (0, 8), (0, 8), (0, 9), (0, 1)], 4),  # an equal test is not better
        ({"patience": 2}, [(1, 1), (0.5, 7), (1, 0), (0.5, 6), (0.6, 0), (0.5, 6)], 6),  # terminations count first
        ({"patience": 2, "stop_below": 5.0}, [(0, 9), (0, 4)], 2),
        ({"patience": 3}, [(0, 9), (0, 10), (0, 10)], None),
        ({}, [(0, 0), (0, 0), (0, 0)], None),
    ],
)
def test_the_test_that_ends_a_training(settings, tests, number):
    assert epochs_until_stop(LoopSettings(**settings), tests) == number


@pytest.mark.parametrize("num_envs", [1, 7])  # 7 vector environments have not finished their step when an epoch ends
def test_a_run_without_a_better_test_ends_early_and_goes_on_with_more_patience(tmp_path, num_envs):
    run, other = tmp_path / "run", tmp_path / "other"
    settings = {**STILL, "num_envs": num_envs}
    train_on("lac", run, maker(), patience=2, **settings)
    summary = summary_of(run)
    assert (summary["status"], summary["final"]["epoch"]) == ("finished", 3)
    assert summary["stopped"] == {"reason": "no better test in 2 epochs", "stop_below": None, "patience": 2}
    assert "final_long" in summary
    assert "stopped    no better test in 2 epochs" in (run / "train.log").read_text()
    assert is_stopped(summary, {"patience": 2, "stop_below": None})
    assert not is_stopped(summary, {"patience": 3, "stop_below": None})
    with pytest.raises(RunError, match=r"stopped early .no better test in 2 epochs"):
        train_on("lac", run, maker(), patience=2, **settings)

    train_on("lac", run, maker(), patience=4, **settings)
    train_on("lac", other, maker(), patience=4, **settings)
    assert summary_of(run)["final"] == summary_of(other)["final"]
    assert len(metrics_without_times(run)) == 5
    assert fingerprint(run) == fingerprint(other)


def test_a_cost_that_is_low_enough_ends_a_run(tmp_path):
    train_on("sac", tmp_path / "run", maker(steps=5), stop_below=1e6, **STILL)  # too short to terminate
    summary = summary_of(tmp_path / "run")
    assert (summary["status"], summary["final"]["epoch"]) == ("finished", 1)
    assert "is below 1e+06" in summary["stopped"]["reason"]

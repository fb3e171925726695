"""A run that is killed at any moment and goes on has the same bits in the end."""

import math
import shutil
import signal
from functools import partial
from types import SimpleNamespace

import gymnasium
import pytest
from resume_support import NOISE, fingerprint, maker, train, train_on, train_with_kills
from run_support import metrics_of, summary_of

from lac.runs import RunError
from lac.runs.checkpoints import newest_checkpoint
from lac.runs.ending import Interruption

HOPPER = "lac/HopperCost-v1"
CASES = {
    "lac": ("lac", {}, {}),
    "latc": ("latc", {}, {}),
    "sac": ("sac", {}, {}),
    "lac in torch": ("lac", {"engine": "torch"}, {}),
    "sac in torch": ("sac", {"engine": "torch"}, {}),
    "four environments": ("lac", {"num_envs": 4}, {}),
    "finite horizon": ("lac", {"horizon_length": 5}, {}),
    "finite horizon, four environments": ("latc", {"horizon_length": 5, "num_envs": 4}, {}),
    "noise": ("lac", {"num_envs": 4}, {"disturbance": NOISE}),
    "robot": ("lac", {}, {"env_id": HOPPER}),
    "robot, finite horizon, noise, torch": (
        "lac",
        {"horizon_length": 5, "engine": "torch"},
        {"env_id": HOPPER, "disturbance": NOISE},
    ),
    "scaled observations, an actor without biases": (
        "lac",
        {"ac_kwargs": {"hidden_sizes": [8], "observation_scale": "auto", "actor_bias": False}},
        {},
    ),
    "early end, seven environments": ("lac", {"num_envs": 7, "patience": 6}, {}),
    "updates by step": ("lac", {"lr_decay_ref": "step"}, {"env_id": "lac/Ex3EKF-v1"}),
}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """A picture takes longer than one of these runs."""
    monkeypatch.setattr("lac.runs.recorder.learning_curve", lambda *_: None)


def both(tmp_path, monkeypatch, name, kills, longest, **settings):
    """The fingerprints of a run that nothing disturbs and of one that is killed."""
    # Checkpoints take half of the time, so that there is one between any two kills.
    monkeypatch.setattr("lac.runs.checkpoints._SHARE", 0.5)
    algorithm, changes, env = CASES[name]
    runs = [tmp_path / "undisturbed", tmp_path / "killed"]
    settings |= {"logging": {"keep_policies": 3}}
    tasks = [partial(train, algorithm, run, maker(**env), **changes, **settings) for run in runs]
    tasks[0]()
    killed = train_with_kills(partial(tasks[1], checkpoint_seconds=0.0), runs[1], kills, longest)
    resumptions = summary_of(runs[1])["resumptions"]
    steps = [entry["env_steps"] for entry in resumptions]
    print(f"{name}: {killed} kills, went on from {steps}, {fingerprint(runs[1])}")
    assert [entry["deviations"] for entry in resumptions] == [[]] * len(resumptions)
    assert len(set(steps)) >= killed // 2, "most kills lost little"
    return fingerprint(runs[0]), fingerprint(runs[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_run_that_is_killed_twenty_times_ends_with_the_same_bits(tmp_path, monkeypatch, name):
    undisturbed, killed = both(tmp_path, monkeypatch, name, kills=20, longest=0.3, epochs=25 if "robot" in name else 60)
    assert killed == undisturbed


def test_a_run_that_is_killed_ends_with_the_same_bits(tmp_path, monkeypatch):
    undisturbed, killed = both(tmp_path, monkeypatch, "finite horizon, four environments", kills=3, longest=0.2)
    assert killed == undisturbed


class Signalling(gymnasium.Wrapper):
    """Sends a signal to this process in the middle of a step, once."""

    sent = 0

    def __init__(self, env, number, at):
        super().__init__(env)
        self.constants = lambda: (number, at)
        self.steps = 0

    def step(self, action):
        number, at = self.constants()
        self.steps += 1
        if self.steps == at and not Signalling.sent:
            Signalling.sent = number
            signal.raise_signal(number)
        return super().step(action)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    train("lac", run, lambda: Signalling(maker()(), 0, math.inf))
    return fingerprint(run)


def exit_at(number, _frame):
    raise SystemExit(128 + number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR2])
def test_a_signal_is_followed_by_a_checkpoint_of_that_very_step(tmp_path, monkeypatch, undisturbed, number):
    """SIGUSR2 is that of a cluster that takes the machine away, where its package handles it."""
    monkeypatch.setattr(Signalling, "sent", 0)
    before = signal.getsignal(number)
    if number != signal.SIGINT:
        signal.signal(number, exit_at)
    run = tmp_path / "run"
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train("lac", run, lambda: Signalling(maker()(), number, 777))
        assert signal.getsignal(number) == (before if number == signal.SIGINT else exit_at)
    finally:
        signal.signal(number, before)
    assert summary_of(run)["status"] == "interrupted"
    assert newest_checkpoint(run)[0].env_steps == 777
    train("lac", run, lambda: Signalling(maker()(), number, 777))
    (resumption,) = summary_of(run)["resumptions"]
    assert (resumption["env_steps"], resumption["deviations"]) == (777, [])
    assert "warnings" not in summary_of(run)
    assert fingerprint(run) == undisturbed


def test_the_same_signal_again_is_not_kept(monkeypatch):
    now, interruption = [0.0], Interruption()
    monkeypatch.setattr("lac.runs.ending.time", SimpleNamespace(monotonic=lambda: now[0]))
    interruption.begin()
    try:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # a scheduler sends it to the process and to its group
        assert interruption.is_pending
        now[0] = 1.5
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        interruption.end()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_run(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("lac.runs.checkpoints.write_state", full)
    train("lac", tmp_path / "run", maker(), epochs=1)
    assert summary_of(tmp_path / "run")["status"] == "finished"
    assert "a checkpoint could not be written (no space left)" in summary_of(tmp_path / "run")["warnings"][0]


def test_a_finished_run_is_extended_to_what_it_would_have_been(tmp_path):
    """With constant learning rates, though its buffer was smaller before."""
    run, whole = tmp_path / "run", tmp_path / "whole"
    settings = {"lr_decay_type": "constant", "replay_size": 100_000}
    train("sac", run, maker(), **settings, epochs=2)
    with pytest.raises(RunError, match="run is finished; give more epochs"):
        train_on("sac", run, maker(), **settings, epochs=2)
    with pytest.raises(ValueError, match="epochs is 1, but the run has 2; give at least as many"):
        train_on("sac", run, maker(), **settings, epochs=1)
    train_on("sac", run, maker(), **settings, epochs=4)
    train("sac", whole, maker(), **settings, epochs=4)
    assert fingerprint(run) == fingerprint(whole)
    assert summary_of(run)["resumptions"][0]["deviations"] == []


@pytest.mark.parametrize("lr_decay_ref", ["epoch", "step"])
def test_an_extended_run_has_the_rates_of_the_longer_schedule(tmp_path, lr_decay_ref):
    run, whole = tmp_path / "run", tmp_path / "whole"
    settings = {"lr_decay_ref": lr_decay_ref, "lr_a": 1e-3, "lr_a_final": 1e-5}
    train("lac", run, maker(), **settings, epochs=2)
    train_on("lac", run, maker(), **settings, epochs=4)
    train("lac", whole, maker(), **settings, epochs=4)
    expected = [row["lr/actor"] for row in metrics_of(whole)[2:]]
    assert [row["lr/actor"] for row in metrics_of(run)[2:]] == expected
    assert expected[0] > expected[1] == pytest.approx(1e-5)


def test_a_horizon_may_be_longer_than_the_first_epoch(tmp_path):
    lengths = {"horizon_length": 60, "steps_per_epoch": 50, "update_after": 20, "update_every": 10}
    train("lac", tmp_path / "run", maker("lac/OscillatorComplicated-v1"), **lengths)
    first, second, *_ = [row["updates"] for row in metrics_of(tmp_path / "run")]
    assert first == 0 < second
    assert summary_of(tmp_path / "run")["status"] == "finished"


def test_what_is_not_exact_is_said(tmp_path):
    def make():
        return gymnasium.make("Pendulum-v1", max_episode_steps=70)

    run, settings = tmp_path / "run", {"opt_type": "maximize", "horizon_length": 5}
    train("lac", run, make, **settings, epochs=2)
    train_on("lac", run, make, **settings, epochs=3, engine="torch")
    rates, engine, episodes = summary_of(run)["resumptions"][0]["deviations"]
    assert rates.startswith("learning rates follow the schedule of 3 epochs from here on and followed that of 2")
    assert engine == "the engine is torch and was compiled"
    assert episodes == "new episodes begin, since PendulumEnv has no get_state and set_state"
    warnings = summary_of(run)["warnings"]
    assert warnings == [f"the run does not continue with the same bits: {text}" for text in (rates, engine, episodes)]
    assert [row["epoch"] for row in metrics_of(run)] == [1, 2, 3]
    first = newest_checkpoint(run)[0].training["environments"]
    assert (first["members"], first["problem"]) == (None, "PendulumEnv has no get_state and set_state")


@pytest.mark.parametrize(
    ("changes", "make", "told"),
    [
        ({"gamma": 0.9, "batch_size": 8}, maker(), "gamma is 0.9, but the run has 0.99; batch_size is 8"),
        ({"horizon_length": 3}, maker(), "horizon_length is 3"),
        ({"num_envs": 2}, maker(), "num_envs is 2"),
        ({"seed": 4}, maker(), "seed is 4"),
        ({"epochs": 1}, maker(), "epochs is 1, but the run has 2; give at least as many"),
        ({}, maker("lac/Ex3EKF-v1"), "other networks or spaces: obs_dim"),
        ({}, maker(steps=50), "another environment.*max_episode_steps 50 instead of 70"),
        ({}, maker(max_cost=5), r"another environment.*kwargs \{'max_cost': 5\} instead of \{\}"),
        ({"ac_kwargs": {"hidden_sizes": [9]}}, maker(), "hidden_sizes"),
    ],
)
def test_what_would_change_the_mathematics_is_refused_and_changes_nothing(finished_run, changes, make, told):
    files = {file: file.stat().st_mtime_ns for file in finished_run.rglob("*")}
    with pytest.raises(ValueError, match=told):
        train_on("lac", finished_run, make, **({"epochs": 3} | changes))
    assert {file: file.stat().st_mtime_ns for file in finished_run.rglob("*")} == files


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda content: content + b'{"epoch": 3, "env', None),  # what a power cut leaves of a line
        (lambda content: content.replace(b'"env_steps": 300', b'"env_steps": 308'), "line 1"),  # a flipped bit
        (lambda content: content.replace(b"\n", b"\x0b", 1), "line 1"),
        (lambda content: content[:-7], "line 2"),
        (lambda content: b"", "missing or empty"),
    ],
)
def test_damaged_lines_of_metrics_are_named_and_put_back(finished_run, tmp_path, spoil, told):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    file = run / "metrics.jsonl"
    content = file.read_bytes()
    file.write_bytes(spoil(content))
    assert file.read_bytes() != content
    train_on("lac", run, maker(), epochs=3)
    assert file.read_bytes().startswith(content)
    assert [row["epoch"] for row in metrics_of(run)] == [1, 2, 3]
    warnings = [text for text in summary_of(run)["warnings"] if "metrics.jsonl" in text]
    assert len(warnings) == (told is not None)
    assert all(told in text for text in warnings)


@pytest.fixture(autouse=True)
def usual_interrupt():
    """Python's own handler of SIGINT: processes that run tests side by side ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    run = tmp_path_factory.mktemp("finished") / "run"
    train("lac", run, maker(), epochs=2)
    return run


def test_a_run_without_a_whole_checkpoint(tmp_path, monkeypatch):
    """One that has not come to its first begins again; one whose only checkpoint is damaged is not overwritten."""
    monkeypatch.setattr(Signalling, "sent", 0)
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train("lac", run, lambda: Signalling(maker()(), signal.SIGINT, 400))
    (file,) = run.glob("checkpoints/step-*")
    content = file.read_bytes()
    file.write_bytes(content[:5000])
    with pytest.raises(RunError, match=f"has no checkpoint to go on from .the checkpoint {file.name} is not whole"):
        train("lac", run, maker())
    file.unlink()
    train("lac", run, lambda: Signalling(maker()(), signal.SIGINT, 400))
    assert summary_of(run)["resumptions"][0]["checkpoint"] is None
    assert [row["epoch"] for row in metrics_of(run)] == [1, 2, 3, 4]

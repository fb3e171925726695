"""``train.py resume=...``: which run goes on, what may be given with it, and what it leaves."""

import shutil
import signal
from pathlib import Path

import pytest
from run_support import TINY_RUN, contents, lines_of_metrics, metrics_of, summary_of, wandb_files, wandb_records

from lac.runs import load

OFF = "wandb.mode=disabled"


@pytest.fixture
def run(trained, tmp_path):
    """A finished run of two epochs in ``outputs/run``."""
    shutil.copytree(trained.folder, tmp_path / "outputs" / "run", symlinks=True)
    return tmp_path / "outputs" / "run"


def test_the_newest_unfinished_run_goes_on(train_here, run, monkeypatch, tmp_path):
    """Ended by a signal, it says how it goes on; Hydra's records of both calls are kept."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    other = tmp_path / "outputs" / "day" / "other"
    command = [*TINY_RUN[1:], "env=gym", "env.id=signalling_env:Signalling-v0", "algo=sac", "train.epochs=4", OFF]
    end = train_here(*command, f"hydra.run.dir={other}")
    assert end.status == 128 + signal.SIGTERM
    assert summary_of(other)["status"] == "interrupted"
    assert "resume=outputs/day/other" in end.stdout
    end = train_here(*command, "resume=auto")
    assert end.status == 0, end.stderr
    assert summary_of(other)["status"] == "finished"
    (resumption,) = summary_of(other)["resumptions"]
    assert resumption["deviations"] == []
    assert f"continues  from step {resumption['env_steps']} ({resumption['checkpoint']})" in end.stdout
    assert [row["epoch"] for row in metrics_of(other)] == [1, 2, 3, 4]
    assert (other / ".hydra" / "resumed-1" / "overrides.yaml").is_file()
    assert load(other).config["resume"] is None
    assert "there is no unfinished run in outputs" in train_here("resume=auto").stderr


REFUSED = {
    "algo.gamma=0.9": "algo.gamma is 0.9, but the run that goes on has 0.99",
    "env=cartpole_cost": "env.id is 'lac/CartPoleCost-v1', but the run that goes on has 'lac/Oscillator-v1'",
    "disturbance=impulse": "disturbance.kind is 'impulse'",
    "seed=9": "seed is 9, but the run that goes on has 0",
    "+env.kwargs.clip_action=false": "env.kwargs.clip_action is False",
    "tuned=oscillator": "tuned cannot be chosen for a run that goes on",
    "wandb.project=other": "wandb.project is 'other', but the run that goes on has 'lac', and its run on W&B",
    "train.batch_size=7": "train.batch_size is 7",
    "train.max_ep_len=9": "train.max_ep_len is 9",
}


def test_what_would_change_the_mathematics_is_refused_by_name(train_here, run):
    before = contents(run)
    free = ("device.engine=torch", "wandb.tags=[a]", "train.final_test_episodes=3")
    end = train_here("resume=outputs/run", *REFUSED, *free)
    assert end.status == 2
    assert [told for told in REFUSED.values() if told not in end.stderr] == []
    assert "device" not in end.stderr
    assert "tags" not in end.stderr
    assert "final_test_episodes" not in end.stderr
    shorter = train_here("resume=outputs/run", "train.epochs=1")
    assert "train.epochs is 1, but the run has 2" in shorter.stderr
    finished = train_here("resume=outputs/run", *TINY_RUN)
    assert "outputs/run is finished; give more train.epochs than its 2 to extend it" in finished.stderr
    nothing = train_here("resume=outputs")
    assert "resume is 'outputs': no run has begun in outputs" in nothing.stderr
    sweep = train_here("-m", "seed=1,2", "resume=outputs/run")
    assert sweep.status == 2
    assert "resume is 'outputs/run', which is for one run; leave -m out" in sweep.stderr
    assert contents(run) == before


def test_what_may_change_may_be_changed_back(train_here, run):
    """Also to what the run was started with, which may be given again."""
    for epochs, patience in ((3, 9), (4, 8)):
        end = train_here("resume=outputs/run", f"train.epochs={epochs}", f"train.patience={patience}", OFF)
        assert end.status == 0, end.stderr
        assert load(run).config["train"]["patience"] == patience
    overrides = run / ".hydra" / "overrides.yaml"
    overrides.write_text(overrides.read_text() + "- train.patience=7\n")
    end = train_here("resume=outputs/run", "train.epochs=5", "train.patience=7", OFF)
    assert end.status == 0, end.stderr
    assert load(run).config["train"]["patience"] == 7


def test_a_signal_before_the_first_step_changes_nothing(train_here, run, monkeypatch, tmp_path):
    """A summary without a config is a run from which nothing could go on."""

    def end_process(*_):
        raise SystemExit(128 + signal.SIGTERM)

    before, new = summary_of(run), (*TINY_RUN, "train.epochs=1", OFF, "hydra.run.dir=new")
    with monkeypatch.context() as patch:
        patch.setattr("lac.cli.train._write_config", end_process)
        for arguments in (new, ("resume=outputs/run", "train.epochs=3", OFF)):
            assert train_here(*arguments).status == 128 + signal.SIGTERM
    assert not (tmp_path / "new" / "summary.json").exists()
    assert summary_of(run) == before
    assert train_here(*new).status == 0


def history_on_wandb(file, environment):
    """The id and the epochs of an offline part of a run."""
    records = wandb_records(file, environment)
    # A process that was killed early has sent nothing.
    items = [record["item"] for record in records.get("history", []) if "epoch" in record["item"]]
    return records["run"][0]["run_id"], items


def assert_one_run_on_wandb(run, environment):
    """Each part begins with the parts before it, so that the last one is the whole run; no step is there twice."""
    ids, parts = zip(*(history_on_wandb(file, environment) for file in wandb_files(run)), strict=True)
    assert set(ids) == {summary_of(run)["wandb"]["id"]}
    for items in parts:
        steps = [item["_step"] for item in items]
        assert steps == sorted(set(steps)) == [item["env_steps"] for item in items]
    own = [[{name: value for name, value in item.items() if name[0] != "_"} for item in items] for items in parts]
    assert own[-1] == metrics_of(run)
    times = {name for name in own[-1][0] if name.startswith("time/")}
    for items in own[:-1]:
        # Epochs behind the checkpoint from which the run went on are done again, with the same numbers but their times.
        for one, other in zip(items, own[-1], strict=False):
            assert {name: one[name] for name in one.keys() - times} == {
                name: other[name] for name in one.keys() - times
            }
    return parts


@pytest.mark.slow
def test_the_run_on_wandb_is_one(train_here, run, clean_environment):
    """Each offline part has all metrics up to its end, so that the last one is the whole run."""
    before = wandb_files(run)
    end = train_here("resume=outputs/run", "train.epochs=4")
    assert end.status == 0, end.stderr
    (added,) = set(wandb_files(run)) - set(before)
    assert added.name == before[0].name
    first, last = assert_one_run_on_wandb(run, clean_environment)
    assert [len(first), len(last)] == [2, 4]
    assert f"wandb sync outputs/run/wandb/{added.parent.name}" in end.stdout
    assert load(run).config["train"]["epochs"] == 4
    assert "learning rates follow the schedule of 4 epochs" in end.stdout


@pytest.mark.slow
def test_a_run_that_is_killed_twice_is_one_on_wandb(start, tmp_path, clean_environment):
    """Killed before its first checkpoint and after it; W&B's own process ends the part of a run that has died."""
    run = tmp_path / "run"
    first = [*TINY_RUN, "train.epochs=40", "train.checkpoint_seconds=1", "wandb.mode=offline", "hydra.run.dir=run"]
    for arguments, moment in ((first, 1), (["resume=run"], 20)):
        running = start(*arguments)
        running.wait_alive_until(lambda moment=moment: lines_of_metrics(run) >= moment)
        running.process.send_signal(signal.SIGKILL)
        running.end()
        running.wait_until_alone()
    assert start("resume=run").end() == 0
    lengths = [len(items) for items in assert_one_run_on_wandb(run, clean_environment)]
    assert len(lengths) == 3
    assert lengths[1] > 0
    assert lengths[2] == 40
    assert len(summary_of(run)["resumptions"]) == 2


@pytest.mark.slow
def test_a_job_of_several_seeds_goes_on_with_the_seeds_that_are_left(start, train_here, tmp_path):
    job = tmp_path / "outputs" / "job"
    running = start(*TINY_RUN, "train.epochs=40", "train.seeds=3", OFF, f"hydra.run.dir={job}")
    running.wait_alive_until(lambda: lines_of_metrics(job / "seed-1") > 0)
    running.process.send_signal(signal.SIGKILL)
    running.end()
    first = (job / "seed-0" / "metrics.jsonl").read_text()
    end = train_here("resume=auto")
    assert end.status == 0, end.stderr
    assert (job / "seed-0" / "metrics.jsonl").read_text() == first
    assert [len(metrics_of(job / f"seed-{seed}")) for seed in range(3)] == [40] * 3
    assert summary_of(job)["status"] == "finished"
    assert len(summary_of(job)["costs"]) == 3

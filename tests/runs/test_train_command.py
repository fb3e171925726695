"""Real runs of ``scripts/train.py``: what they leave, how they end, and that they can be had again."""

import hashlib
import json
import math
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

import lac

ROOT = Path(__file__).parents[2]
TRAIN = ROOT / "scripts" / "train.py"
RECORDS_OF_HYDRA = {".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"}

SIZE = ["train.steps_per_epoch=150", "train.update_after=100", "train.update_every=50", "train.steps_per_update=2"]
TINY = ["env=oscillator", "tuned=none", "network=small", "train.epochs=2", "train.num_test_episodes=2", *SIZE]
FAILING = [
    "env=gym",
    "env.id=failing_env:Failing-v0",
    "train.epochs=2",
    "train.num_test_episodes=1",
    "wandb.mode=disabled",
]

PROMISED_METRICS = {
    "": "epoch env_steps updates",
    "train/": (
        "cost_mean ep_len_mean alpha labda labda_raw decrease critic_loss actor_loss alpha_loss labda_loss l_mean "
        "entropy"
    ),
    "test/": "cost_mean cost_std cost_min cost_max ep_len_mean death_rate",
    "lr/": "actor critic alpha labda",
    "time/": "seconds steps_per_second updates_per_second",
}


def metrics_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def summary_of(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "policy" / "final.safetensors")


def without_times(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


def contents(run: Path) -> dict[str, str]:
    """A checksum of each file of a run."""
    files = sorted(path for path in run.rglob("*") if path.is_file())
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def wandb_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.wandb"))


def wandb_records(file: Path, environment: dict[str, str]) -> dict[str, list[dict]]:
    """The records of an offline run by type, as W&B's own reader tells them."""
    wandb = Path(sys.executable).with_name("wandb")
    command = [str(wandb), "leet", "inspect", "--json", str(file)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    records: dict[str, list[dict]] = {}
    for line in result.stdout.splitlines():
        record = json.loads(line)
        records.setdefault(record["type"], []).append(record[record["type"]])
    return records


@dataclass(frozen=True)
class Trained:
    folder: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def trained(train_once) -> Trained:
    """One run in a process of its own, its output piped."""
    folder, end = train_once("trained", *TINY, "wandb.mode=offline", "hydra.run.dir=run")
    assert end.status == 0, end.stderr
    return Trained(folder / "run", end.stdout, end.stderr)


# What a run leaves


def test_files_of_a_run(trained):
    files = {name for name in contents(trained.folder) if not name.startswith("wandb/")}
    results = {".lock", "config.yaml", "metrics.jsonl", "summary.json", "learning_curve.png", "train.log"}
    assert files == RECORDS_OF_HYDRA | results | {"policy/final.safetensors", "policy/best.safetensors"}


def test_nothing_is_left_beside_the_run_folder(trained):
    assert [path.name for path in trained.folder.parent.iterdir()] == [trained.folder.name]


def test_metrics_hold_every_promised_key(trained):
    rows = metrics_of(trained.folder)
    assert [(row["epoch"], row["env_steps"], row["updates"]) for row in rows] == [(1, 150, 4), (2, 300, 10)]
    promised = {prefix + name for prefix, names in PROMISED_METRICS.items() for name in names.split()}
    for row in rows:
        assert promised - set(row) == set()
        assert all(isinstance(value, (int, float)) and math.isfinite(value) for value in row.values())


def test_metrics_hold_together(trained):
    for row in metrics_of(trained.folder):
        assert row["test/cost_min"] <= row["test/cost_mean"] <= row["test/cost_max"]
        assert row["test/cost_std"] == pytest.approx((row["test/cost_max"] - row["test/cost_min"]) / 2)
        assert 0 < row["train/labda"] <= 1
        assert row["train/labda"] == pytest.approx(min(1.0, row["train/labda_raw"]))
    first, last = metrics_of(trained.folder)
    assert first["lr/actor"] == pytest.approx(1e-4)
    assert last["lr/actor"] == pytest.approx(1e-10)
    assert last["time/seconds"] > first["time/seconds"] > 0


def test_summary(trained):
    summary, rows = summary_of(trained.folder), metrics_of(trained.folder)
    assert summary["status"] == "finished"
    assert summary["seed"] == 0
    assert summary["final"]["cost_mean"] == rows[-1]["test/cost_mean"]
    assert summary["final"]["env_steps"] == 300
    assert summary["best"]["cost_mean"] == min(row["test/cost_mean"] for row in rows)
    assert summary["wall_time"] >= rows[-1]["time/seconds"]
    assert summary["versions"]["torch"] == torch.__version__
    assert summary["versions"]["lac"] == lac.__version__
    assert summary["machine"]["cpus"] == os.cpu_count()
    git = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=10
    )
    assert summary["git_commit"] == (git.stdout.strip() or None)


def test_config_is_resolved(trained):
    text = (trained.folder / "config.yaml").read_text()
    values = OmegaConf.load(trained.folder / "config.yaml")
    assert values.train.epochs == 2
    assert values.network.hidden_sizes.actor == [64, 64]
    assert values.env.id == "lac/Oscillator-v1"
    assert "${" not in text
    assert "???" not in text


def test_learning_curve_is_a_picture(trained):
    content = (trained.folder / "learning_curve.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    assert 400 <= width <= 3000
    assert 300 <= height <= 3000
    assert content.rstrip().endswith(b"IEND\xaeB`\x82")
    assert len(content) > 10_000, "an empty picture of this size is smaller"


def test_log_says_what_the_console_said(trained):
    log = (trained.folder / "train.log").read_text()
    assert [line.rstrip() for line in log.splitlines()] == [line.rstrip() for line in trained.stdout.splitlines()]
    final = summary_of(trained.folder)["final"]
    assert "finished" in log
    assert f"{final['cost_mean']:.1f}" in log
    assert str(trained.folder.name) in log


def test_piped_output_is_clean(trained):
    for text in (trained.stdout, (trained.folder / "train.log").read_text()):
        assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f]", text) == []
    assert trained.stderr == ""


def test_console_tells_what_to_do_next(trained):
    folder = trained.folder.name
    assert f"scripts/evaluate.py run_dir={folder}" in trained.stdout
    assert f"--config-dir {folder} --config-name config" in trained.stdout
    assert f"wandb sync {wandb_files(trained.folder)[0].parent.relative_to(trained.folder.parent)}" in trained.stdout


def test_policy_restores(trained):
    env = gymnasium.make("lac/Oscillator-v1")
    kwargs = {"hidden_sizes": {"actor": [64, 64], "critic": [64, 64, 16]}}
    restored = lac.LAC(env, ac_kwargs={**kwargs, "activation": torch.nn.ReLU})
    observations = np.random.default_rng(0).uniform(0, 5, (5, *env.observation_space.shape)).astype(np.float32)
    before = restored.get_action(observations, deterministic=True)
    restored.restore(trained.folder)
    actions = restored.get_action(observations, deterministic=True)
    assert not np.allclose(before, actions)
    np.testing.assert_array_equal(lac.load_agent(trained.folder).get_action(observations, deterministic=True), actions)


# Weights & Biases


@pytest.fixture(scope="module")
def wandb_run(trained, clean_environment) -> dict[str, list[dict]]:
    (file,) = wandb_files(trained.folder)
    return wandb_records(file, clean_environment)


def test_wandb_has_the_config(trained, wandb_run):
    config = dict(wandb_run["run"][0]["config"]["update"])
    config.pop("_wandb")
    assert config == OmegaConf.to_container(
        OmegaConf.masked_copy(OmegaConf.load(trained.folder / "config.yaml"), list(config))
    )
    assert {"algo", "env", "network", "train", "seed"} <= set(config)


def test_wandb_has_the_metrics(trained, wandb_run):
    items = [record["item"] for record in wandb_run["history"]]
    logged = [{name: value for name, value in item.items() if name[0] != "_"} for item in items if "epoch" in item]
    assert logged == metrics_of(trained.folder)


def test_wandb_draws_over_environment_steps(wandb_run):
    assert {"glob_name": "*", "step_metric": "env_steps"}.items() <= wandb_run["metric"][0].items()


def test_wandb_has_the_results(trained, wandb_run):
    summary = {name: value for record in wandb_run["summary"] for name, value in record["update"].items()}
    results = summary_of(trained.folder)
    assert summary["status"] == "finished"
    assert summary["final/cost_mean"] == results["final"]["cost_mean"]
    assert summary["best/cost_mean"] == results["best"]["cost_mean"]
    picture = (trained.folder / "learning_curve.png").read_bytes()
    assert summary["learning_curve.sha256"] == hashlib.sha256(picture).hexdigest()
    files = {entry["path"] for entry in wandb_run["artifact"][0]["manifest"]["contents"]}
    assert files == {"final.safetensors", "best.safetensors"}
    assert wandb_run["exit"][0].get("exit_code", 0) == 0


def test_wandb_names_the_run(trained, wandb_run):
    run = wandb_run["run"][0]
    assert run["project"] == "lac"
    assert {"oscillator", "lac"} <= set(run["tags"])
    assert run["job_type"] == "train"
    assert summary_of(trained.folder)["wandb"]["mode"] == "offline"
    assert run["run_id"] == summary_of(trained.folder)["wandb"]["id"]


# The same run again


def test_config_file_runs_again(trained, train_here, tmp_path):
    end = train_here(
        "--config-dir", trained.folder, "--config-name", "config", "wandb.mode=disabled", "hydra.run.dir=again"
    )
    assert end.status == 0, end.stderr
    assert without_times(metrics_of(tmp_path / "again")) == without_times(metrics_of(trained.folder))
    rerun, first = (OmegaConf.load(run / "config.yaml") for run in (tmp_path / "again", trained.folder))
    first.wandb.mode = "disabled"
    assert rerun == first


def test_config_file_takes_overrides_and_refuses_wrong_ones(trained, train_here, tmp_path):
    again = ["--config-dir", trained.folder, "--config-name", "config", "hydra.run.dir=again"]
    end = train_here(*again, "algo.gama=0.9")
    assert end.status == 2
    assert "Did you mean 'algo.gamma'" in end.stderr
    end = train_here(*again, "train.epochs=1e3")
    assert end.status == 2
    assert "train.epochs" in end.stderr
    assert "1000" in end.stderr
    end = train_here(*again, "wandb.mode=disabled", "seed=1", "train.epochs=1", "train.steps_per_epoch=20")
    assert end.status == 0, end.stderr
    assert summary_of(tmp_path / "again")["seed"] == 1


def test_python_and_the_command_line_give_equal_weights(trained, tmp_path):
    lac.lac(
        lambda: gymnasium.make("lac/Oscillator-v1"),
        ac_kwargs={
            "hidden_sizes": {"actor": [64, 64], "critic": [64, 64, 16]},
            "activation": torch.nn.ReLU,
            "output_activation": {"actor": torch.nn.ReLU},
        },
        epochs=2,
        steps_per_epoch=150,
        update_after=100,
        update_every=50,
        steps_per_update=2,
        num_test_episodes=2,
        seed=0,
        logger_kwargs={"output_dir": str(tmp_path / "python"), "quiet": True},
    )
    command, python = weights_of(trained.folder), weights_of(tmp_path / "python")
    assert command.keys() == python.keys()
    assert [name for name in command if not torch.equal(command[name], python[name])] == []
    assert without_times(metrics_of(tmp_path / "python")) == without_times(metrics_of(trained.folder))


def test_drawn_seed_is_recorded_so_that_the_run_can_be_had_again(train_here, tmp_path):
    short = [*TINY, "train.epochs=1", "train.steps_per_epoch=110", "train.num_test_episodes=1", "wandb.mode=disabled"]
    assert train_here(*short, "seed=null", "hydra.run.dir=drawn").status == 0
    seed = summary_of(tmp_path / "drawn")["seed"]
    assert isinstance(seed, int)
    assert train_here("--config-dir", "drawn", "--config-name", "config", "hydra.run.dir=again").status == 0
    assert summary_of(tmp_path / "again")["seed"] == seed
    assert without_times(metrics_of(tmp_path / "again")) == without_times(metrics_of(tmp_path / "drawn"))


# Folders


def test_second_start_into_the_same_folder_is_refused_and_keeps_the_first(trained, train_here):
    before = contents(trained.folder)
    end = train_here(*TINY, "seed=5", "wandb.mode=disabled", f"hydra.run.dir={trained.folder}")
    assert end.status == 2
    assert trained.folder.name in end.stderr
    assert "Traceback" not in end.stderr
    assert contents(trained.folder) == before


def test_reward_is_maximised_into_a_folder_named_after_the_run(train_here, tmp_path):
    end = train_here(
        "env=gym",
        "env.id=Pendulum-v1",
        "algo.opt_type=maximize",
        "network=small",
        "train.epochs=1",
        "train.num_test_episodes=1",
        "wandb.mode=disabled",
        *SIZE,
        "train.steps_per_epoch=210",
    )
    assert end.status == 0, end.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    (summary,) = tmp_path.rglob("summary.json")
    run = summary.parent
    assert re.fullmatch(r"outputs/\d{4}-\d\d-\d\d/\d\d-\d\d-\d\d-gym-lac-.*", str(run.relative_to(tmp_path)))
    assert re.search("opt_type.maximize", run.name)
    assert "/" not in run.name
    (row,) = metrics_of(run)
    # The reward of the pendulum is from about -16.3 to 0, so 200 steps cost from 0 to 3260.
    assert 0 < row["train/cost_mean"] < 3260
    assert 0 < row["test/cost_mean"] < 3260
    assert row["test/ep_len_mean"] == 200
    assert summary_of(run)["status"] == "finished"


def test_rewards_taken_for_costs_are_told(train_here, tmp_path):
    end = train_here("env=gym", "env.id=Pendulum-v1", "wandb.mode=disabled", *SIZE, "hydra.run.dir=run")
    assert end.status == 2
    assert "env.id=Pendulum-v1" in end.stderr
    assert "algo.opt_type" in end.stderr
    assert not (tmp_path / "run" / "summary.json").exists()


def test_training_starts_from_a_policy(trained, train_here, tmp_path):
    end = train_here(
        *TINY,
        "seed=9",
        f"train.start_policy={trained.folder}",
        "train.epochs=1",
        "train.steps_per_epoch=20",
        "train.num_test_episodes=0",
        "wandb.mode=disabled",
        "hydra.run.dir=next",
    )
    assert end.status == 0, end.stderr
    start, first = weights_of(tmp_path / "next"), weights_of(trained.folder)
    networks = [name for name in first if not name.startswith("log_")]
    assert len(networks) > 8
    assert [name for name in networks if not torch.equal(start[name], first[name])] == []


# Sweeps


@pytest.fixture(scope="module")
def sweep(train_once) -> Path:
    short = [*TINY, "train.epochs=1", "train.num_test_episodes=1"]
    folder, end = train_once("sweep", "-m", *short, "seed=0,1", "hydra.sweep.dir=outputs/multirun/two")
    assert end.status == 0, end.stderr
    return folder / "outputs" / "multirun" / "two"


def jobs_of(sweep: Path) -> list[Path]:
    return sorted(path.parent for path in sweep.glob("*/summary.json"))


def test_sweep_has_a_folder_for_each_job(sweep):
    jobs = jobs_of(sweep)
    assert [job.name for job in jobs] == ["0-seed_0", "1-seed_1"]
    assert [summary_of(job)["seed"] for job in jobs] == [0, 1]
    assert [summary_of(job)["status"] for job in jobs] == ["finished", "finished"]
    first, second = (metrics_of(job) for job in jobs)
    assert len(first) == len(second) == 1
    assert without_times(first) != without_times(second)


def test_sweep_has_a_wandb_run_for_each_job(sweep, clean_environment):
    assert len({summary_of(job)["wandb"]["id"] for job in jobs_of(sweep)}) == len(jobs_of(sweep)) == 2
    for seed, job in enumerate(jobs_of(sweep)):
        assert re.search(r"offline.*no API key", (job / "train.log").read_text())  # of wandb.mode=auto
        (file,) = wandb_files(job)
        run = wandb_records(file, clean_environment)
        assert run["run"][0]["config"]["update"]["seed"] == seed
        assert run["run"][0]["run_id"] == summary_of(job)["wandb"]["id"]
        assert (run["run"][0]["run_group"], run["run"][0]["job_type"]) == ("two", "train")
        logged = [record["item"]["test/cost_mean"] for record in run["history"] if "epoch" in record["item"]]
        assert logged == [row["test/cost_mean"] for row in metrics_of(job)]
        # What `wandb sync` will upload must not lie in the folder of another job.
        staged = run["artifact"][0]["manifest"]["contents"]
        assert [entry["local_path"] for entry in staged if not Path(entry["local_path"]).is_relative_to(job)] == []


# Ends


def test_training_that_fails_says_why(train_here, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    end = train_here(*FAILING, *SIZE, "train.steps_per_epoch=50", "hydra.run.dir=run")
    assert end.status == 1
    run = tmp_path / "run"
    summary = summary_of(run)
    assert summary["status"] == "failed"
    for text in (summary["error"], (run / "train.log").read_text()):
        assert "Traceback" in text
        assert "the simulator fell over" in text
    assert "the simulator fell over" in end.stdout + end.stderr
    assert [row["epoch"] for row in metrics_of(run)] == [1]
    assert (run / "policy" / "final.safetensors").is_file()


@dataclass
class Running:
    """A training that would go on for hours."""

    process: subprocess.Popen
    folder: Path

    def epochs(self) -> int:
        file = self.folder / "metrics.jsonl"
        return file.read_text().count("\n") if file.exists() else 0

    def wait_until(self, happened: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not happened():
            assert self.process.poll() is None, "the training has ended"
            assert time.monotonic() < end, "nothing happens"
            time.sleep(0.05)

    def wait_for_epochs(self, number: int) -> None:
        goal = self.epochs() + number
        self.wait_until(lambda: self.epochs() >= goal)


@pytest.fixture
def start(clean_environment, tmp_path) -> Iterator[Callable[..., Running]]:
    started: list[subprocess.Popen] = []

    def begin(*arguments: str) -> Running:
        command = [sys.executable, str(TRAIN), *TINY, "train.epochs=100000", "hydra.run.dir=run", *arguments]
        with (tmp_path / "console").open("w") as console:
            process = subprocess.Popen(
                command, cwd=tmp_path, env=clean_environment, stdout=console, stderr=subprocess.STDOUT
            )
        started.append(process)
        return Running(process, tmp_path / "run")

    yield begin
    for process in started:
        process.kill()
        process.wait()


def assert_interrupted(run: Running, number: int) -> None:
    assert run.process.wait(timeout=60) == 128 + number
    summary, rows = summary_of(run.folder), metrics_of(run.folder)
    assert summary["status"] == "interrupted"
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    # A signal may arrive while the last epoch is being written down.
    assert summary["final"]["env_steps"] in [row["env_steps"] for row in rows[-2:]]
    lac.load_agent(run.folder)
    console = (run.folder.parent / "console").read_text()
    assert "interrupted" in console
    assert "Traceback" not in console


def test_ctrl_c_keeps_what_there_is(start):
    run = start("wandb.mode=disabled")
    run.wait_for_epochs(2)
    assert summary_of(run.folder)["status"] == "running"
    run.process.send_signal(signal.SIGINT)
    assert_interrupted(run, signal.SIGINT)


def test_termination_keeps_what_there_is(start, clean_environment):
    run = start("wandb.mode=offline")
    run.wait_for_epochs(2)
    run.process.send_signal(signal.SIGTERM)
    assert_interrupted(run, signal.SIGTERM)
    (file,) = wandb_files(run.folder)
    records = wandb_records(file, clean_environment)
    logged = [record["item"]["epoch"] for record in records["history"] if "epoch" in record["item"]]
    epochs = [row["epoch"] for row in metrics_of(run.folder)]
    assert logged in (epochs, epochs[:-1])
    assert records["exit"][0]["exit_code"] != 0


def descendants(pid: int) -> list[int]:
    children = [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]
    return children + [found for child in children for found in descendants(child)]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds W&B's process in /proc")
def test_training_goes_on_when_the_process_of_wandb_dies(start):
    run = start("wandb.mode=offline")
    run.wait_until(lambda: wandb_files(run.folder) != [])
    services = [pid for pid in descendants(run.process.pid) if "wandb-core" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert services
    for pid in services:
        os.kill(pid, signal.SIGKILL)
    run.wait_for_epochs(3)
    run.process.send_signal(signal.SIGINT)
    assert_interrupted(run, signal.SIGINT)
    warnings = [line for line in (run.folder / "train.log").read_text().splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert "W&B" in warnings[0]

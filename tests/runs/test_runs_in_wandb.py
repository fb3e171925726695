"""What real runs of ``scripts/train.py`` leave in Weights & Biases."""

import hashlib
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from run_support import TINY_RUN, metrics_of, metrics_without_times, summary_of, wandb_files, wandb_records
from sweep_support import TINY_SWEEP, jobs_of

from lac.loggers.wandb import WandbLogger, WandbSettings
from lac.runs import recorder


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


# Sweeps


@pytest.fixture(scope="module")
def sweep(train_once) -> Path:
    short = [*TINY_RUN, "train.epochs=1", "train.num_test_episodes=1"]
    folder, end = train_once("sweep", "-m", *short, "seed=0,1", "hydra.sweep.dir=outputs/multirun/two")
    assert end.status == 0, end.stderr
    return folder / "outputs" / "multirun" / "two"


def test_sweep_has_a_folder_for_each_job(sweep):
    jobs = jobs_of(sweep)
    assert [job.name for job in jobs] == ["0-seed_0", "1-seed_1"]
    assert [summary_of(job)["seed"] for job in jobs] == [0, 1]
    assert [summary_of(job)["status"] for job in jobs] == ["finished", "finished"]
    first, second = map(metrics_without_times, jobs)
    assert len(first) == len(second) == 1
    assert first != second


def test_sweep_has_a_wandb_run_for_each_job(sweep, clean_environment):
    assert len({summary_of(job)["wandb"]["id"] for job in jobs_of(sweep)}) == len(jobs_of(sweep)) == 2
    for seed, job in enumerate(jobs_of(sweep)):
        assert re.search(r"offline.*no API key", (job / "train.log").read_text())  # of wandb.mode=auto
        (file,) = wandb_files(job)
        run = wandb_records(file, clean_environment)
        assert run["run"][0]["config"]["update"]["seed"] == seed
        assert run["run"][0]["run_id"] == summary_of(job)["wandb"]["id"]
        assert (run["run"][0]["run_group"], run["run"][0]["job_type"]) == ("two", "train")
        assert run["run"][0]["display_name"] == f"oscillator-lac-{seed}-seed_{seed}"
        logged = [record["item"]["test/cost_mean"] for record in run["history"] if "epoch" in record["item"]]
        assert logged == [row["test/cost_mean"] for row in metrics_of(job)]
        # What `wandb sync` will upload must not lie in the folder of another job.
        staged = run["artifact"][0]["manifest"]["contents"]
        assert [entry["local_path"] for entry in staged if not Path(entry["local_path"]).is_relative_to(job)] == []


# Names


@pytest.fixture
def labels(monkeypatch) -> list[WandbSettings]:
    """What the runs of this test ask W&B for."""
    asked: list[WandbSettings] = []

    class Listening(WandbLogger):
        def __init__(self, settings, *others) -> None:
            asked.append(settings)
            super().__init__(settings, *others)

    monkeypatch.setattr(recorder, "WandbLogger", Listening)
    return asked


ONE_EPOCH = [*TINY_SWEEP[1:], "train.epochs=1", "train.num_test_episodes=0"]


@pytest.mark.parametrize("given", [None, "mine"])
def test_names_of_a_sweep_say_what_differs(given, labels, train_here):
    words = [] if given is None else [f"wandb.name={given}"]
    end = train_here("-m", *ONE_EPOCH, "algo.alpha3=0.1,0.3", "train.seeds=2", *words, "hydra.sweep.dir=made/../sweep")
    assert end.status == 0, end.stderr
    first = given or "oscillator-lac"
    jobs = ["0-alpha3_0.1", "1-alpha3_0.3"]
    assert [label.name for label in labels] == [f"{first}-{job}-seed-{seed}" for job in jobs for seed in (0, 1)]
    assert {label.group for label in labels} == {"sweep"}


def test_seeds_of_one_run_have_names_of_their_own(labels, train_here, monkeypatch):
    monkeypatch.setenv("WANDB_NAME", "mine")
    monkeypatch.setenv("WANDB_RUN_GROUP", "study")
    monkeypatch.setenv("WANDB_JOB_TYPE", "ablation")
    assert train_here(*ONE_EPOCH, "train.seeds=2", "hydra.run.dir=run").status == 0
    assert [(label.name, label.group, label.job_type) for label in labels] == [
        ("mine-seed-0", "study", "ablation"),
        ("mine-seed-1", "study", "ablation"),
    ]


def test_runs_of_wandbs_agents_have_names_of_their_own(labels, train_here):
    """Each agent starts single runs, which differ in their overrides."""
    for number, alpha3 in enumerate(["0.1", "0.3"]):
        end = train_here(*ONE_EPOCH, f"algo.alpha3={alpha3}", "seed=4", f"hydra.run.dir=run{number}")
        assert end.status == 0, end.stderr
    assert len({label.name for label in labels}) == 2
    for label, alpha3 in zip(labels, ["0.1", "0.3"], strict=True):
        assert label.name.startswith("oscillator-lac-")
        assert f"alpha3_{alpha3}" in label.name
        assert label.name.endswith("-seed_4")

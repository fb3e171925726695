"""The sweep file for W&B's agents: what it says, and what W&B's own agent makes of it, offline."""

import json
import os
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from run_support import ROOT, wandb_records
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args
from wandb.wandb_agent import Agent

SCRIPT = ROOT / "scripts" / "wandb_sweep.py"
TINY = [
    "tuned=none",
    "train.epochs=1",
    "train.steps_per_epoch=150",
    "train.update_after=100",
    "train.update_every=50",
    "train.steps_per_update=1",
    "train.num_test_episodes=1",
]


@pytest.fixture
def sweep_of(script_here, tmp_path):
    """The sweep file of some words, read back."""

    def sweep(*words: str) -> dict:
        end = script_here(SCRIPT, *words, "output=made/sweep.yaml")
        assert end.status == 0, end.stderr
        assert "wandb sweep made/sweep.yaml" in end.stdout
        assert [path.name for path in tmp_path.iterdir()] == ["made"]
        return OmegaConf.to_container(OmegaConf.load(tmp_path / "made" / "sweep.yaml"))

    return sweep


def agents_words(sweep: dict, **chosen: object) -> list[str]:
    """The words after ``python scripts/train.py`` that W&B's agent would run, by W&B's own substitution."""
    args = create_sweep_command_args({"args": {name: {"value": value} for name, value in chosen.items()}})
    words: list[str] = []
    for word in create_sweep_command(sweep["command"]):
        words += args.get(word[2:-1], [word]) if word.startswith("${") else [word]
    assert words[:3] == ["${env}", "${interpreter}", "${program}"]
    return words[3:]


def test_grid_over_the_words_of_a_multirun(sweep_of):
    sweep = sweep_of("-m", "env=oscillator", "seed=0,1,2", "algo.alpha3=0.1,0.3", "train.epochs=3")
    assert sweep == {
        "program": str(ROOT / "scripts" / "train.py"),
        "project": "lac",
        "method": "grid",
        "metric": {"name": "test/cost_mean", "goal": "minimize"},
        "parameters": {"seed": {"values": [0, 1, 2]}, "algo.alpha3": {"values": [0.1, 0.3]}},
        "command": [
            *("${env}", "${interpreter}", "${program}"),
            *("env=oscillator", "train.epochs=3", "${args_no_hyphens}"),
        ],
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {
            "seed=range(1,4)": {"values": [1, 2, 3]},
            "algo.alpha3=choice(0.1,0.2)": {"values": [0.1, 0.2]},
            "algo.adaptive_temperature=true,false": {"values": [True, False]},
            "algo.target_entropy=null,-3": {"values": ["null", -3]},
            "network=paper,small": {"values": ["paper", "small"]},
            "network.hidden_sizes.actor=[64,64],[32]": {"values": ["[64,64]", "[32]"]},
            "wandb.name='a b',c": {"values": ["'a b'", "c"]},
            "env.kwargs.max_cost=50,100": {"values": [50, 100]},
        },
        {
            "algo.alpha3=range(0,1,0.25)": {"values": [0.0, 0.25, 0.5, 0.75]},
            "network=glob(paper*,exclude=p*r)": {"values": ["paper_small"]},
            "+env.kwargs.max_cost=50,100": {"values": [50, 100]},
        },
        {
            "algo.alpha3=interval(0.05,1)": {"distribution": "uniform", "min": 0.05, "max": 1.0},
            "algo.lr_a=tag(log,interval(1e-4,1e-2))": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
            "algo.horizon_length=interval(1,9)": {"distribution": "int_uniform", "min": 1, "max": 9},
        },
    ],
    ids=["values", "ranges", "intervals"],
)
@pytest.mark.slow
def test_each_kind_of_sweep(parameters, sweep_of):
    sweep = sweep_of(*parameters)
    assert sweep["parameters"] == {word.partition("=")[0].lstrip("+"): p for word, p in parameters.items()}
    is_random = any("distribution" in parameter for parameter in parameters.values())
    assert sweep["method"] == ("random" if is_random else "grid")


def test_settings_of_the_sweep(sweep_of):
    words = ["algo.alpha3=interval(0.05,1)", "wandb.project=mine", "wandb.entity=we"]
    sweep = sweep_of(*words, "method=bayes", "metric=test/death_rate", "name=my sweep")
    named = {key: sweep[key] for key in ("name", "project", "entity", "method", "metric")}
    assert named == {
        "name": "my sweep",
        "project": "mine",
        "entity": "we",
        "method": "bayes",
        "metric": {"name": "test/death_rate", "goal": "minimize"},
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["seed=0"], ["nothing is swept", "seed=0,1,2"]),
        (
            ["algo.gama=1,2", "algo.gamma=0.9,2", "algo.polyak=interval(0.5,3)", "+wandb.notes=a,b", "outptu=x"],
            [
                *("algo.gama is not a key", "Did you mean 'algo.gamma'", "wandb.notes is not a key", "outptu is not"),
                *("algo.gamma is 2", "algo.polyak is 3", "from 0 to 1"),
            ],
        ),
        (
            ["seed=0,1", "method=gird", "hydra.run.dir=x", "algo=(("],
            [
                *("method is 'gird'", "grid, random, bayes", "Did you mean 'grid'", "algo=((", "KEY=VALUE"),
                *("hydra.run.dir", "leave it out"),
            ],
        ),
        (["algo.alpha3=interval(0.1,1)", "method=grid"], ["method is 'grid'", "algo.alpha3", "random or bayes"]),
        (
            [
                *("algo.alpha3=interval(1,0.1)", "algo.lr_a=tag(log,interval(0,1))"),
                "algo.horizon_length=tag(log,interval(1,9))",
            ],
            [
                *("algo.alpha3 is an interval from 1 to 0.1; the second number must be above", "algo.lr_a begins at 0"),
                *("above 0", "algo.horizon_length is a whole number"),
            ],
        ),
    ],
)
def test_what_is_no_sweep_is_refused(words, told, script_here, tmp_path):
    end = script_here(SCRIPT, *words)
    assert end.status == 2, end.stderr
    assert all(text in end.stderr for text in told), end.stderr
    assert "Traceback" not in end.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_key(script_here):
    end = script_here(SCRIPT, "--help")
    assert end.status == 0
    for key in ("output", "method", "metric", "name", "overrides"):
        assert f"\n  {key} " in end.stdout
    assert "${" not in end.stdout


@pytest.mark.slow
def test_what_the_agent_runs_composes_to_what_was_chosen(sweep_of, train_here):
    swept = {
        "algo": "lac",
        "algo.alpha3": 0.30000000000000004,
        "algo.lr_a": 1.5e-05,
        "algo.target_entropy": "null",
        "algo.anti_windup": True,
        "network.hidden_sizes.actor": "[64,64]",
        "wandb.name": "'a b'",
        "env.kwargs.max_cost": 50,
    }
    sweep = sweep_of(
        *("env=oscillator", "network=small", "tuned=none", "algo=lac,lac", "algo.alpha3=range(0.2,0.4,0.1)"),
        *("algo.lr_a=tag(log,interval(1e-5,1e-2))", "algo.target_entropy=null,-3", "algo.anti_windup=true,false"),
        *("network.hidden_sizes.actor=[64,64],[32]", "wandb.name='a b',c", "env.kwargs.max_cost=50,100"),
    )
    assert sweep["parameters"].keys() == swept.keys()
    end = train_here(*agents_words(sweep, **swept), "--cfg", "job")
    assert end.status == 0, end.stderr
    cfg = OmegaConf.create(end.stdout)
    assert (cfg.algo.alpha3, cfg.algo.lr_a, cfg.algo.target_entropy) == (0.30000000000000004, 1.5e-05, None)
    assert (cfg.algo.anti_windup, cfg.wandb.name, cfg.env.kwargs) == (True, "a b", {"max_cost": 50})
    assert cfg.network.hidden_sizes == {"actor": [64, 64], "critic": [64, 64, 16]}


@pytest.mark.slow
def test_agent_trains_into_its_own_run(sweep_of, monkeypatch, clean_environment, tmp_path):
    """W&B's agent itself starts the command; only the server that would choose the values is missing."""
    sweep = sweep_of(*TINY, "network=small", "algo=lac,lac", "algo.alpha3=0.1,0.25")
    for name, value in clean_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    # The agent sets these; this puts them back.
    for name, value in {"WANDB_SWEEP_ID": "sweep1", "WANDB_RUN_ID": "", "WANDB_SWEEP_PARAM_PATH": ""}.items():
        monkeypatch.setenv(name, value)
    agent = Agent.__new__(Agent)
    agent._sweep_command, agent._function, agent._in_jupyter = sweep["command"], None, False
    agent._forward_signals, agent._run_processes = False, {}
    chosen = {"algo": {"value": "lac"}, "algo.alpha3": {"value": 0.25}}
    agent._command_run({"run_id": "agents1", "program": sweep["program"], "args": chosen})
    assert agent._run_processes["agents1"]._popen.wait(timeout=300) == 0

    (summary,) = (json.loads(path.read_text()) for path in tmp_path.rglob("summary.json"))
    assert (summary["status"], summary["wandb"]["id"]) == ("finished", "agents1")
    (file,) = tmp_path.rglob("*.wandb")
    records = wandb_records(file)
    config: dict = {}
    for told in [*(run["config"] for run in records["run"]), *records.get("config", [])]:
        config |= told.get("update", {})
    # W&B keeps its own word for the group, and the keys of the group are found beside it.
    assert config["algo"] == "lac"
    assert (config["algo.name"], config["algo.alpha3"], config["algo.horizon_length"]) == ("lac", 0.25, 0)
    assert config["network"]["hidden_sizes"]["actor"] == [64, 64]

"""The group ``disturbance``: its schemas, files and wrappers belong together; testing and training under one."""

import inspect
import json
import shutil
from dataclasses import fields

import numpy as np
import pytest
from help_support import described_names
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import lac
from lac.agents.loading import load_agent
from lac.cli.app import register
from lac.cli.train import training_plan
from lac.config.help import options
from lac.config.schemas import CONFIG_DIR
from lac.envs import wrap_env
from lac.envs.disturbances import DISTURBANCES, Impulse, Noise
from lac.envs.factory import environment_factory
from lac.evaluation.rollouts import FIRST_TEST_SEED, evaluate
from lac.settings.disturbances import KINDS

NEEDED = {
    "noise_process": ["disturbance.dims=[0,3]"],
    "parameters": ["++disturbance.values.K=5"],
    "reference": ["disturbance.constant=3"],
}
OPTIONS = sorted(set(options("disturbance")) - {"none"})
TINY = [
    "network=small",
    "train.epochs=1",
    "train.steps_per_epoch=120",
    "train.update_after=100",
    "train.update_every=10",
    "train.steps_per_update=1",
    "train.num_test_episodes=1",
    "wandb.mode=disabled",
]


def composed(*overrides):
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("train", overrides=list(overrides))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a run with a policy as it is before training."""
    folder, cfg = tmp_path_factory.mktemp("saved") / "run", composed("network=small")
    env = environment_factory(OmegaConf.to_container(cfg.env))()
    lac.LAC(env, ac_kwargs=training_plan(OmegaConf.to_container(cfg)).ac_kwargs).save(folder)
    OmegaConf.save(cfg, folder / "config.yaml")
    (folder / "summary.json").write_text('{"status": "finished"}')
    return folder


@pytest.fixture
def run(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "run")


@pytest.fixture
def evaluate_here(script_here, run, monkeypatch):
    # Drawing takes longer than everything else here.
    monkeypatch.setattr("lac.figures.trajectories", lambda _episodes, path, *_: path.touch())
    return lambda *arguments: script_here("evaluate.py", f"run_dir={run}", "episodes=3", *arguments)


def result(run, name="evaluation"):
    return json.loads((run / f"{name}.json").read_text())


# Schemas, files and wrappers --------------------------------------------------------------------------


def test_every_kind_has_a_schema_and_a_wrapper_with_the_same_arguments():
    assert list(KINDS) == ["none", *DISTURBANCES]
    for kind, wrapper in DISTURBANCES.items():
        keys = [f.name for f in fields(KINDS[kind])]
        assert ["name", "kind", *inspect.signature(wrapper).parameters] == [*keys[:2], "env", *keys[2:]]


@pytest.mark.parametrize("option", ["none", *OPTIONS])
def test_files_have_all_keys_of_their_schema(option):
    node = composed(f"disturbance={option}").disturbance
    assert not OmegaConf.missing_keys(node)
    assert set(node) == {f.name for f in fields(KINDS[node.kind])}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_changes_what_is_observed_or_done(option):
    cfg = composed(f"disturbance={option}", "++env.kwargs.max_cost=1e9", *NEEDED.get(option, []))
    values = OmegaConf.to_container(cfg)
    observations = []
    for disturbance in (None, values["disturbance"]):
        env = environment_factory(values["env"], disturbance)()
        env.reset(seed=0)
        observations.append([env.step(np.full(3, 0.5))[0] for _ in range(202)])
    assert np.abs(np.diff(observations, axis=0)).max() > 1e-3


def test_help_describes_the_keys_of_all_kinds(train_once, script_here):
    for end in (train_once("help", "--help")[1], script_here("evaluate.py", "--help")):
        assert end.status == 0
        keys = {f"disturbance.{f.name}" for schema in KINDS.values() for f in fields(schema)}
        assert keys | {f"disturbance={option}" for option in options("disturbance")} <= described_names(end.stdout)


# Testing ----------------------------------------------------------------------------------------------


def test_a_policy_is_tested_under_a_disturbance_beside_its_other_test(evaluate_here, run):
    assert evaluate_here().status == 0
    before = (run / "evaluation.json").read_bytes()
    assert json.loads(before)["disturbance"] is None
    changes = ["disturbance=impulse", "disturbance.magnitude=80", "disturbance.at_step=2"]
    end = evaluate_here(*changes)
    assert end.status == 0, end.stderr
    assert "magnitude=80" in end.stdout
    assert (run / "evaluation.json").read_bytes() == before
    told = result(run, "evaluation-impulse-magnitude=80-at_step=2")
    assert (told["disturbance"]["magnitude"], told["disturbance"]["at_step"]) == (80, 2)
    assert (run / "trajectories-impulse-magnitude=80-at_step=2.png").exists()

    # The same by hand.
    policy = load_agent(run)
    envs = [Impulse(wrap_env(composed_environment()), 80, at_step=2) for _ in range(3)]
    costs = evaluate(lambda obs: policy.get_action(obs, deterministic=True), envs, 3, FIRST_TEST_SEED).total_costs
    assert told["cost_mean"] == pytest.approx(costs.mean(), rel=1e-12)
    assert told["cost_mean"] != json.loads(before)["cost_mean"]


def composed_environment():
    return environment_factory(OmegaConf.to_container(composed().env))()


def test_a_random_disturbance_gives_the_same_result_again(evaluate_here, run):
    results = []
    for _ in range(2):
        assert evaluate_here("disturbance=noise_action", "disturbance.std=0.3").status == 0
        results.append(result(run, "evaluation-noise_action-std=0.3"))
    assert results[0] == results[1]


def test_attributes_are_set_without_a_plus(evaluate_here, run):
    changes = ["disturbance=parameters", "disturbance.values.b=1", "disturbance.values.delta=[0,0,0,0,0,1]"]
    assert evaluate_here(*changes, "disturbance.name=weak_light").status == 0
    (file,) = run.glob("evaluation-weak_light-values.b=1-values.delta=_0_0_0_0_0_1-*.json")
    told = json.loads(file.read_text())
    assert told["disturbance"]["values"] == {"b": 1, "delta": [0, 0, 0, 0, 0, 1]}


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ("disturbance=impuls", ["disturbance is 'impuls'"]),
        (
            "disturbance=impulse disturbance.magnitud=80 disturbance.std=1",
            ["disturbance.magnitud is not a key", "disturbance.std is not a key of this disturbance"],
        ),
        ("disturbance=impulse +disturbance.evry=1", ["disturbance.evry is not a key of this disturbance"]),
        ("disturbance.magnitude=80", ["disturbance.magnitude is not a key of disturbance=none"]),
        (
            "disturbance=impulse disturbance.magnitude=big disturbance.channel=air episodes=0",
            ["episodes is 0", "disturbance.magnitude is 'big'", "disturbance.channel is 'air'"],
        ),
        ("disturbance=impulse disturbance.magnitude=[1,2]", ["disturbance.magnitude has 2 numbers"]),
        ("disturbance=parameters disturbance.values.KK=5", ["disturbance.values.KK cannot be set"]),
    ],
)
def test_a_wrong_disturbance_is_refused_before_a_test(arguments, lines, evaluate_here, run):
    before = sorted(run.rglob("*"))
    end = evaluate_here(*arguments.split())
    assert (end.status, end.stdout) == (2, "")
    told = end.stderr.partition("This cannot be run")[2].splitlines()[1:]
    assert len(told) == len(lines), end.stderr
    assert all(line.strip().startswith(start) for line, start in zip(told, lines, strict=True)), end.stderr
    assert sorted(run.rglob("*")) == before


# Training ---------------------------------------------------------------------------------------------


def test_training_under_a_disturbance_can_be_run_again(train_here, tmp_path):
    noise = ["disturbance=noise_action", "disturbance.std=0.5"]
    assert train_here(*TINY, "hydra.run.dir=nominal").status == 0
    assert train_here(*TINY, *noise, "hydra.run.dir=noisy").status == 0
    end = train_here("--config-dir", "noisy", "--config-name", "config", "hydra.run.dir=again")
    assert end.status == 0, end.stderr
    rows = [json.loads((tmp_path / name / "metrics.jsonl").read_text()) for name in ("nominal", "noisy", "again")]
    nominal, noisy, again = ({k: v for k, v in row.items() if not k.startswith("time/")} for row in rows)
    assert noisy == again
    assert noisy["train/cost_mean"] != nominal["train/cost_mean"]
    assert noisy["test/cost_mean"] != nominal["test/cost_mean"]


def test_the_two_doors_train_under_the_same_disturbance():
    values = OmegaConf.to_container(composed("disturbance=noise_observation", "disturbance.dims=[3]"))
    steps = []
    for env in (
        environment_factory(values["env"], values["disturbance"])(),
        Noise(composed_environment(), "observation", std=0.1, dims=[3]),
    ):
        env.reset(seed=4)
        steps.append([env.step(np.full(3, 0.5))[0] for _ in range(5)])
    np.testing.assert_array_equal(*steps)

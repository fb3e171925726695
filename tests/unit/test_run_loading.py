"""Runs read from their folders: what is given, and what is said of damaged ones."""

import os
import shutil
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from omegaconf import OmegaConf
from saved_run_support import ROWS, SUMMARY, compose_config, save_run

from lac import runs
from lac.envs.disturbances import DisturbanceError
from lac.runs import RunError, load
from lac.runs.config_file import read_config

KICK = {"name": "kick", "kind": "impulse", "magnitude": 50.0, "at_step": 1, "every": None}
KICK |= {"direction": "constant", "state_index": None, "channel": "action"}


@pytest.fixture(scope="module")
def config():
    return compose_config()


@pytest.fixture(scope="module")
def saved(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "run"
    save_run(folder, config)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "run")


def replace(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


# A run in order ---------------------------------------------------------------------------------------


def test_a_run_is_read(folder, config):
    run = runs.load(str(folder))
    assert (run.folder, run.status, run.summary, run.metrics) == (folder, "finished", SUMMARY, ROWS)
    assert run.config == OmegaConf.to_container(config, resolve=True)


def test_the_environment_is_wrapped_as_for_training_and_fits_the_policy(folder):
    agent, (env, other) = load(folder).closed_loop(num_envs=2)
    assert env.unwrapped is not other.unwrapped
    observation, _ = env.reset(seed=0)
    ends = []
    for _ in range(7):
        observation, *_, truncated, _ = env.step(agent.get_action(observation, deterministic=True))
        ends.append(truncated)
    assert ends == [False] * 6 + [True], "train.max_ep_len"


def test_an_environment_that_can_exist_only_once_is_used_alone(folder, monkeypatch):
    make, made = gymnasium.make, []

    def make_once(*args, **kwargs):
        if made:
            raise RuntimeError("the port is taken")
        made.append(make(*args, **kwargs))
        return made[0]

    monkeypatch.setattr(gymnasium, "make", make_once)
    _, envs = load(folder).closed_loop(num_envs=3)
    assert [env.unwrapped for env in envs] == [made[0].unwrapped]


def test_the_scalar_of_an_environment_with_rewards_is_a_cost(folder):
    replace(folder / "config.yaml", "lac/CartPoleCost-v1", "Pendulum-v1")
    replace(folder / "config.yaml", "opt_type: minimize", "opt_type: maximize")
    env = load(folder).environment()()
    env.reset(seed=0)
    assert env.step(np.zeros(1, np.float32))[1] >= 0.0


def test_the_environment_may_be_disturbed(folder):
    run, observations = load(folder), []
    for disturbance in (None, KICK):
        env = run.environment(disturbance)()
        env.reset(seed=0)
        observations.append([env.step(np.zeros(1))[0] for _ in range(3)])
    is_other = np.not_equal(*observations).any(axis=1)
    assert is_other.tolist() == [False, True, True]
    with pytest.raises(DisturbanceError, match="magnitude"):
        run.environment(KICK | {"magnitude": [1.0, 2.0]})()


def test_reading_a_run_does_not_import_torch_and_matplotlib(folder):
    code = (
        f"import sys; from lac import runs; run = runs.load({str(folder)!r}); run.metrics; run.environment()\n"
        "print(sorted({'torch', 'hydra', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.strip() == "[]"


SCALARS = "1e-4 1E5 -1e+3 1.5e-3 3 0x1f 1_000.5 .5 .inf -.inf 2026-11-25 12:30:45.5 yes null ~ '1e-4' ${seed} ??? é"


@pytest.mark.parametrize("text", [*SCALARS.split(), "[1e-3, {a: 2e2}]"])
def test_values_are_those_of_omegaconf(text, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(f"key: {text}\n", encoding="utf-8")
    expected = OmegaConf.to_container(OmegaConf.load(file))["key"]
    value = read_config(file)["key"]
    assert (value, type(value)) == (expected, type(expected))


HOSTILE = """
seed: ${oc.env:LAC_TEST_SECRET}
callback: {_target_: os.mkdir, path: PLACE}
env:
  id: lac/CartPoleCost-v1
  max_episode_steps: null
  reward_max: null
  kwargs: {friction: {_target_: os.mkdir, path: PLACE}, mass: '${oc.env:LAC_TEST_SECRET}'}
algo: {name: lac, opt_type: minimize}
train: {max_ep_len: 7}
"""


def test_a_config_is_data_alone(folder, monkeypatch, tmp_path):
    """Nothing in it is called, and no environment variable is read."""
    monkeypatch.setenv("LAC_TEST_SECRET", "0123456789")
    (folder / "config.yaml").write_text(HOSTILE.replace("PLACE", str(tmp_path / "made")))
    run = load(folder)
    with pytest.raises(RunError) as caught:
        run.environment()()
    assert run.config["seed"] == "${oc.env:LAC_TEST_SECRET}"
    assert run.config["callback"] == {"_target_": "os.mkdir", "path": str(tmp_path / "made")}
    assert "0123456789" not in str(run.config) + str(caught.value)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/name:os.mkdir", "!!python/module:this"])
def test_no_object_is_made_from_a_config(tag, folder, tmp_path):
    (folder / "config.yaml").write_text(f"seed: {tag} [{tmp_path / 'made'}]\n")
    with pytest.raises(RunError, match=r"config\.yaml is damaged"):
        load(folder)
    assert not (tmp_path / "made").exists()


# Runs that are damaged --------------------------------------------------------------------------------


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def remove(name):
    return lambda folder: (folder / name).unlink()


DAMAGES = [
    ("config.yaml", remove("config.yaml"), "is missing", load),
    ("config.yaml", write("config.yaml", ""), "is empty", load),
    ("config.yaml", write("config.yaml", "a: [1"), "is damaged", load),
    ("config.yaml", write("config.yaml", "text"), "has no env.id", lambda folder: load(folder).environment()),
    ("config.yaml", write("config.yaml", "seed: 0"), "has no env.id", lambda folder: load(folder).environment()),
    ("summary.json", remove("summary.json"), "is missing", load),
    ("summary.json", write("summary.json", ""), "is empty", load),
    ("summary.json", write("summary.json", '{"status"'), "is damaged", load),
    ("summary.json", write("summary.json", "[]"), "is damaged", load),
    ("summary.json", write("summary.json", "{}"), "has no status", load),
    ("metrics.jsonl", remove("metrics.jsonl"), "is missing", lambda folder: load(folder).metrics),
    ("metrics.jsonl", write("metrics.jsonl", ""), "is empty", lambda folder: load(folder).metrics),
    (
        "metrics.jsonl",
        write("metrics.jsonl", '{"a": 1}\n{"a\n{"a": 1}\n'),
        "line 2",
        lambda folder: load(folder).metrics,
    ),
    ("metrics.jsonl", write("metrics.jsonl", "1\n2\n"), "line 1", lambda folder: load(folder).metrics),
    *(
        (
            "metrics.jsonl",
            write("metrics.jsonl", f"{line}\n"),
            "is damaged (line 1",
            lambda folder: load(folder).metrics,
        )
        for line in ("[1]", '{"a": "text"}', '{"a": [1]}', '{"a": true}', f'{{"a": 1{"0" * 400}}}', "[" * 100_000)
    ),
    *(
        ("summary.json", write("summary.json", text), "is damaged", load)
        for text in ('{"status": ["finished"]}', '{"status": 1}', "[" * 100_000)
    ),
    *(
        (
            name,
            lambda folder, name=name: ((folder / name).unlink(), os.mkfifo(folder / name)),
            "not a file",
            lambda folder: load(folder).metrics,
        )
        for name in ("summary.json", "config.yaml", "metrics.jsonl")
    ),
    ("final.safetensors", remove("policy/final.safetensors"), "is missing", lambda folder: load(folder).policy()),
    (
        "final.safetensors",
        lambda folder: (folder / "policy/final.safetensors").write_bytes(b"\x00" * 50),
        "is damaged",
        lambda folder: load(folder).policy(),
    ),
    ("best.safetensors", lambda folder: None, "is missing", lambda folder: load(folder).policy("best")),
]


@pytest.mark.parametrize(("file", "damage", "problem", "use"), DAMAGES)
def test_one_sentence_names_the_damaged_file_and_what_to_do(file, damage, problem, use, folder):
    damage(folder)
    with pytest.raises(RunError) as caught:
        use(folder)
    sentence = str(caught.value)
    assert file in sentence
    assert problem in sentence
    assert str(folder) in sentence
    assert "train" in sentence.rpartition(";")[2]
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id: lac/CartPoleCost-v1", "id: 7"),
        ("id: lac/CartPoleCost-v1", "id: .:x"),
        ("id: lac/CartPoleCost-v1", "id: ${oc.env:HOME}"),
        ("kwargs: {}", "kwargs: 5"),
        ("kwargs: {}", "kwargs: {1: 2}"),
        ("opt_type: minimize", "opt_type: banana"),
        ("max_ep_len: 7", "max_ep_len: abc"),
        ("env:\n", "env: 5\nother:\n"),
    ],
)
def test_settings_that_no_run_has_are_told_in_one_sentence(old, new, folder):
    replace(folder / "config.yaml", old, new)
    with pytest.raises(RunError) as caught:
        load(folder).environment()()
    assert str(caught.value).startswith(str(folder / "config.yaml"))
    assert "\n" not in str(caught.value)


def test_a_last_line_that_was_cut_off_is_left_out(folder):
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"env_steps": 3')
    assert load(folder).metrics == ROWS


def test_what_is_not_needed_may_be_damaged(folder):
    (folder / "metrics.jsonl").unlink()
    shutil.rmtree(folder / "policy")
    load(folder).environment()()


@pytest.mark.parametrize(
    ("env_id", "words"),
    [
        ("lac/Nowhere-v1", ["lac/Nowhere-v1", "not registered"]),
        ("nowhere:Env-v0", ["nowhere:Env-v0", "cannot be imported"]),
        ("lac/Oscillator-v1", ["observations of shape (4,)", "observations of shape (8,)"]),
        ("MountainCarContinuous-v0", ["observations of shape (4,)", "observations of shape (2,)"]),
    ],
)
def test_an_environment_that_there_is_not_or_that_does_not_fit(env_id, words, folder):
    replace(folder / "config.yaml", "lac/CartPoleCost-v1", env_id)
    with pytest.raises(RunError) as caught:
        load(folder).closed_loop()
    assert all(word in str(caught.value) for word in [*words, str(folder / "config.yaml")]), caught.value


def test_an_environment_that_cannot_be_built(folder):
    replace(folder / "config.yaml", "  kwargs: {}", "  kwargs: {render_mode: nothing}")
    make = load(folder).environment()
    with pytest.raises(RunError, match="render_mode is 'nothing'"):
        make()

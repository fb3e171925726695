"""``--help``, ``--cfg job``, completion; and that every option composes, holds together and says what wins."""

import inspect
import json
import subprocess
import sys
from functools import cache

import gymnasium
import pytest
import torch
from config_support import CONF, ROOT, composing, keys_of, options
from help_support import described_names
from omegaconf import DictConfig, OmegaConf

import lac
from lac import LAC
from lac.cli.train import training_plan
from lac.config.checks import config_errors
from lac.envs.factory import environment_factory
from lac.settings.algorithms import ALGORITHMS
from lac.settings.commands import TrainCommand, config_keys
from lac.settings.fields import leaves
from lac.training.trainer import Trainer

GROUPS = ["algo", "env", "network", "lr_schedule", "device", "disturbance", "recipe", "tuned", "experiment"]

# The keys of cli.md that exist by now.
PROMISED_KEYS = {
    "algo": (
        "alpha alpha3 labda gamma polyak target_entropy adaptive_temperature lr_a lr_c lr_alpha lr_labda opt_type "
        "horizon_length"
    ),
    "env": "id max_episode_steps termination_cost kwargs",
    "network": "hidden_sizes.actor hidden_sizes.critic activation.actor activation.critic output_activation.actor",
    "lr_schedule": (
        "decay_type decay_ref lr_a_final lr_c_final lr_alpha_final lr_labda_final lr_a_decay_type lr_c_decay_type "
        "lr_alpha_decay_type lr_labda_decay_type"
    ),
    "device": "name threads",
    "train": (
        "epochs steps_per_epoch start_steps update_every update_after steps_per_update batch_size replay_size "
        "num_test_episodes max_ep_len save_freq start_policy export"
    ),
    "wandb": "mode project entity group name tags",
}


# Where the environments of an extra are, and the package it brings.
EXTRAS = {"lac.envs.mujoco": "mujoco", "lac.envs.fetch": "gymnasium_robotics"}


def overrides_for(group: str, option: str) -> list[str]:
    """What has to be said beside an option to make it a config that can be run."""
    if (group, option) == ("env", "gym"):
        return ["env=gym", "env.id=Pendulum-v1", "algo.opt_type=maximize"]
    if group == "tuned" and option != "none":
        return [f"env={option.removesuffix('_settling')}", f"tuned={option}"]
    if group == "recipe" and option in {"latc", "sac"}:
        return [f"algo={option}", f"recipe={option}"]
    if group == "disturbance":
        needed = {
            "noise_process": ["disturbance.dims=[0,3]"],
            "parameters": ["++disturbance.values.K=5"],
            "reference": ["disturbance.period=150"],
        }
        return [f"disturbance={option}", *needed.get(option, [])]
    return [f"{group}={option}"]


CHOICES = [pytest.param(group, option, id=f"{group}={option}") for group in GROUPS for option in options(group)]
PRESETS = [p for p in CHOICES if p.values[0] == "experiment" or (p.values[0] == "tuned" and p.values[1] != "none")]
OTHERS = [p for p in CHOICES if p not in PRESETS]


@cache
def defaults_of(env: str, algo: str) -> DictConfig:
    with composing() as composer:
        return composer(f"env={env}", f"algo={algo}", "tuned=none")


def plain(cfg: DictConfig) -> dict:
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


def test_help_names_everything(train_once, composed):
    keys = set(keys_of(plain(composed())))
    _, end = train_once("help", "--help")
    assert end.status == 0
    assert "python scripts/train.py env=oscillator algo.alpha3=0.1" in end.stdout
    choices = {f"{group}={option}" for group in GROUPS for option in options(group)}
    assert (keys | choices) - described_names(end.stdout) == set()
    assert "${" not in end.stdout
    assert "$$" not in end.stdout


def test_cfg_job_prints_the_config_and_leaves_nothing(train_here, tmp_path):
    end = train_here("--cfg", "job", "algo.gamma=0.9", "seed=7")
    assert end.status == 0
    printed = OmegaConf.create(end.stdout)
    assert (printed.algo.gamma, printed.seed) == (0.9, 7)
    assert list(tmp_path.iterdir()) == []


def test_telling_needs_neither_torch_nor_wandb(clean_environment, tmp_path):
    code = (
        "import json, runpy, sys\n"
        "from hydra.core.global_hydra import GlobalHydra\n"
        "script = sys.argv[1]\n"
        "for arguments in (['--cfg', 'job'], ['--help'], ['algo.gamma=2']):\n"
        "    GlobalHydra.instance().clear()\n"
        "    sys.argv[1:] = arguments\n"
        "    try:\n        runpy.run_path(script, run_name='__main__')\n"
        "    except SystemExit:\n        pass\n"
        "print('\\n' + json.dumps([name for name in ('hydra', 'torch', 'wandb', 'matplotlib') if name in sys.modules]))"
    )
    command = [sys.executable, "-c", code, str(ROOT / "scripts" / "train.py")]
    result = subprocess.run(
        command, cwd=tmp_path, env=clean_environment, capture_output=True, text=True, timeout=180, check=True
    )
    assert "algo.gamma is 2" in result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == ["hydra"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("env=os", ["env=oscillator"]), ("algo.al", ["algo.alpha3=", "algo.alpha="]), ("netw", ["network="])],
)
def test_shell_completion(typed, offered, train_here, monkeypatch):
    monkeypatch.setenv("COMP_LINE", f"python train.py {typed}")
    end = train_here("--shell-completion", "query=bash")
    assert set(offered) <= set(end.stdout.split())


@pytest.mark.parametrize("algorithm", options("algo"))
def test_schema_and_files_have_the_same_keys(algorithm, composed):
    schemas = [leaves(TrainCommand), leaves(ALGORITHMS[algorithm], "algo.")]
    assert set(keys_of(plain(composed(f"algo={algorithm}")))) == {name for schema in schemas for name, _ in schema}


def test_default_config_lacks_nothing(composed):
    assert OmegaConf.missing_keys(composed()) == set()


def test_promised_keys_exist(composed):
    promised = {f"{group}.{key}" for group, keys in PROMISED_KEYS.items() for key in keys.split()} | {"seed"}
    assert promised - set(keys_of(plain(composed()))) == set()


@pytest.mark.parametrize(("group", "option"), OTHERS)
def test_every_option_composes_without_problems(group, option, composed):
    if option == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    cfg = composed(*overrides_for(group, option))
    module = str(gymnasium.spec(cfg.env.id).entry_point).partition(":")[0]
    if module in EXTRAS:
        pytest.importorskip(EXTRAS[module])
    assert config_errors(cfg) == []
    if group in {"algo", "env", "device", "disturbance"}:
        assert cfg[group].name == option


@pytest.mark.parametrize(("group", "option"), CHOICES)
def test_every_option_has_a_comment_that_explains_it(group, option):
    first = (CONF / group / f"{option}.yaml").read_text().splitlines()
    assert any(line.startswith("# ") and "@package" not in line for line in first[:2])


class BuiltError(Exception):
    """The training was about to begin."""


class StopsAtTheStart:
    def start(self, agent: object, plan: object, engine: str) -> None:
        self.agent, self.plan = agent, plan
        raise BuiltError


@pytest.mark.parametrize(("group", "option"), [*PRESETS, pytest.param("env", "gym", id="env=gym")])
def test_presets_compose_without_problems_and_build_their_agent(group, option, composed):
    cfg = composed(*overrides_for(group, option), "device=cpu")
    values = plain(cfg)
    recorder = StopsAtTheStart()
    make = environment_factory(values["env"])
    try:
        make().close()
    except gymnasium.error.DependencyNotInstalled as error:
        pytest.skip(str(error))
    assert config_errors(cfg) == []
    with pytest.raises(BuiltError):
        Trainer(training_plan(values), make).run(recorder)
    agent, hidden = recorder.agent, values["network"]["hidden_sizes"]
    if values["algo"]["name"] != "sac":
        assert agent.settings.alpha3 == values["algo"]["alpha3"]
        assert float(agent.labda) == pytest.approx(values["algo"]["labda"])
    assert {hidden["actor"][0], hidden["critic"][0]} <= {p.shape[0] for p in agent.ac.parameters() if p.ndim == 2}
    assert recorder.plan.loop.epochs == values["train"]["epochs"]


@pytest.mark.parametrize("option", options("experiment"))
def test_experiments_hold_only_what_differs_from_the_defaults(option):
    preset = OmegaConf.load(CONF / "experiment" / f"{option}.yaml")
    chosen = {name: value for entry in preset.defaults if not isinstance(entry, str) for name, value in entry.items()}
    for part in ("defaults", "hydra"):
        preset.pop(part, None)
    # An experiment that stands on another one, which is the oscillator's, chooses nothing itself.
    defaults = defaults_of(chosen.get("override /env", "oscillator"), chosen.get("override /algo", "lac"))
    keys = list(keys_of(OmegaConf.to_container(preset)))
    assert [key for key in keys if OmegaConf.select(defaults, key) == OmegaConf.select(preset, key)] == []


def test_experiment_wins_over_tuned_and_command_line_over_both(composed):
    presets = ["tuned=oscillator", "experiment=slc2024/oscillator"]
    tuned = OmegaConf.load(CONF / "tuned" / "oscillator.yaml")
    of_all = OmegaConf.load(CONF / "published" / "slc2024.yaml")
    published = OmegaConf.merge(of_all, OmegaConf.load(CONF / "experiment" / "slc2024" / "oscillator.yaml"))

    both = composed(*presets)
    assert both.algo.alpha == published.algo.alpha != tuned.algo.alpha
    assert both.train.epochs == published.train.epochs != tuned.train.epochs
    assert both.algo.target_entropy == tuned.algo.target_entropy, "what the experiment leaves open is tuned"

    told = composed(*presets, "algo.alpha=0.75", "algo.target_entropy=-1")
    assert (told.algo.alpha, told.algo.target_entropy) == (0.75, -1.0)
    assert told.train.epochs == published.train.epochs


def test_order_on_the_command_line_does_not_matter(composed):
    arguments = ["algo.alpha=0.75", "experiment=slc2024/oscillator", "network=small"]
    assert composed(*arguments) == composed(*reversed(arguments))


@pytest.mark.parametrize("network", ["paper", "small"])
def test_network_on_the_command_line_wins_over_tuned_and_experiment(network, composed):
    sizes = OmegaConf.load(CONF / "network" / f"{network}.yaml").hidden_sizes
    assert composed("tuned=oscillator", f"network={network}").network.hidden_sizes == sizes
    assert composed("experiment=slc2024/oscillator", f"network={network}").network.hidden_sizes == sizes


def test_without_tuned_settings_the_defaults_are_those_of_the_python_api(composed):
    keys = {leaf.argument: key for key, leaf in config_keys("train", "lac").items()}
    cfg = composed("tuned=none")
    defaults = {name: p.default for name, p in inspect.signature(lac.lac).parameters.items()}
    # The networks are compared below; a command has its own folder, seed and choice of device, and no callbacks.
    apart = {"env_fn", "actor_critic", "ac_kwargs", "logger_kwargs", "seed", "device", "callbacks"}
    assert {name: OmegaConf.select(cfg, keys[name]) for name in defaults if name not in apart} == {
        name: value for name, value in defaults.items() if name not in apart
    }


def test_without_tuned_settings_the_networks_are_those_of_the_python_api(composed):
    env = gymnasium.make("lac/Oscillator-v1")
    ac_kwargs = training_plan(plain(composed("tuned=none"))).ac_kwargs
    assert repr(LAC(env, ac_kwargs=ac_kwargs).ac) == repr(LAC(env).ac)


def test_arguments_of_the_environment_reach_it(composed):
    values = plain(composed("+env.kwargs.max_cost=1e6", "env.max_episode_steps=7"))
    env = environment_factory(values["env"])()
    env.reset(seed=0)
    assert env.unwrapped.max_cost == 1e6
    assert [env.step(env.action_space.high)[2:4] for _ in range(7)] == [(False, False)] * 6 + [(False, True)]


def test_dashboard_says_what_it_needs_where_its_extra_is_missing(script_here, monkeypatch, tmp_path):
    monkeypatch.setattr("lac.cli.dashboard.find_spec", lambda name: None)
    end = script_here(ROOT / "scripts" / "dashboard.py")
    assert end.status == 2
    assert 'pip install -c constraints.txt -e ".[dashboard]"' in end.stderr
    assert list(tmp_path.iterdir()) == []

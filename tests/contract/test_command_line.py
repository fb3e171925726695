"""What wrong input gets: one message that helps, exit status 2, no traceback, nothing built, nothing on disk."""

from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest
import torch

from lac import training


class TrainingStarted(BaseException):
    """Not an Exception, so that nothing on the way up takes it for a failed run."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was built or started; a command line that slips through would otherwise train for many minutes."""
    events: list[str] = []
    make = gymnasium.make

    def recorded_make(env_id: str, *args: object, **kwargs: object) -> object:
        events.append(f"environment {env_id}")
        return make(env_id, *args, **kwargs)

    def recorded_train(*_args: object, **_kwargs: object) -> None:
        events.append("training")
        raise TrainingStarted

    monkeypatch.setattr(gymnasium, "make", recorded_make)
    monkeypatch.setattr(training, "train", recorded_train)
    yield events


def left_behind(folder: Path) -> list[str]:
    """Files beside Hydra's own records."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    own = [path for path in paths if ".hydra" in path.parts or path.name == "multirun.yaml"]
    return [str(path.relative_to(folder)) for path in paths if path not in own]


def lacking(message: str, expected: list[str]) -> list[str]:
    """Which of the expected words the message does not hold; a key counts only as a whole."""
    words = "".join(c if c.isalnum() or c in "._/-+" else " " for c in message).split()
    whole = {word.strip(".") for word in words}
    return [text for text in expected if text not in message and text not in whole]


LR_WORDS = ["linear", "exponential", "constant"]

# arguments; key that is named; value that is quoted; allowed values and hints that are told
WRONG = {
    # names that do not exist
    "misspelt key": ("algo.gama=0.9", "algo.gama", "", ["Did you mean 'algo.gamma'"]),
    "misspelt first part": ("trian.epochs=3", "trian.epochs", "", ["Did you mean 'train.epochs'"]),
    "key without its group": ("gamma=0.9", "gamma", "", ["Did you mean 'algo.gamma'"]),
    "misspelt group": ("netwrok=small", "netwrok", "", ["Did you mean 'network'"]),
    "key of nothing": ("quantum=1", "quantum", "", ["--help"]),
    "added key": ("+algo.extra=1", "algo.extra", "", ["alpha3", "gamma", "lr_a"]),
    "added group of keys": ("+network.depth=3", "network.depth", "", ["hidden_sizes", "activation"]),
    "added key, nearly right": ("+wandb.projct=x", "wandb.projct", "", ["Did you mean 'project'"]),
    "deleted key": ("~algo.gamma", "algo.gamma", "", []),
    # options of groups
    "misspelt algorithm": ("algo=lax", "algo", "lax", ["Did you mean 'lac'"]),
    "misspelt environment": ("env=oscilator", "env", "oscilator", ["gym", "Did you mean 'oscillator'"]),
    "unknown network": ("network=tiny", "network", "tiny", ["default", "paper", "small"]),
    "misspelt schedule": ("lr_schedule=liner", "lr_schedule", "liner", [*LR_WORDS, "Did you mean 'linear'"]),
    "unknown device option": ("device=tpu", "device", "tpu", ["auto", "cpu", "cuda"]),
    "unknown tuned settings": ("tuned=best", "tuned", "best", ["none"]),
    "misspelt experiment": (
        "experiment=slc2024/oscilator",
        "experiment",
        "slc2024/oscilator",
        ["Did you mean 'slc2024/oscillator'"],
    ),
    "no algorithm": ("algo=null", "algo", "null", ["lac"]),
    "no environment": ("env=null", "env", "null", ["oscillator", "gym"]),
    "algorithm forced by name": ("algo.name=lax", "algo.name", "lax", ["lac"]),
    # types
    "word for a number": ("algo.gamma=abc", "algo.gamma", "abc", ["a number"]),
    "exponent for a whole number": ("train.epochs=1e3", "train.epochs", "1e3", ["a whole number", "1000"]),
    "fraction for a whole number": ("train.epochs=1.5", "train.epochs", "1.5", ["a whole number"]),
    "null for a whole number": ("train.epochs=null", "train.epochs", "null", ["a whole number"]),
    "nothing for a number": ("algo.gamma=", "algo.gamma", "''", ["a number"]),
    "word for a seed": ("seed=abc", "seed", "abc", ["a whole number"]),
    "word for a flag": ("network.normalise_actions=maybe", "network.normalise_actions", "maybe", ["true", "false"]),
    "word for tags": ("wandb.tags=x", "wandb.tags", "x", ["list"]),
    "words for sizes": ("network.hidden_sizes.actor=[a]", "network.hidden_sizes.actor", "[a]", ["whole number"]),
    # ranges
    "no epochs": ("train.epochs=0", "train.epochs", "0", ["at least 1"]),
    "gamma above 1": ("algo.gamma=2", "algo.gamma", "2", ["from 0 to 1"]),
    "labda above 1": ("algo.labda=2", "algo.labda", "2", ["from 0 to 1"]),
    "negative alpha3": ("algo.alpha3=-0.1", "algo.alpha3", "-0.1", ["at least 0"]),
    "nan": ("algo.polyak=nan", "algo.polyak", "nan", ["from 0 to 1"]),
    "infinite rate": ("algo.lr_a=inf", "algo.lr_a", "inf", ["finite"]),
    "negative final rate": ("lr_schedule.lr_c_final=-1e-9", "lr_schedule.lr_c_final", "-1e-09", ["at least 0"]),
    "negative seed": ("seed=-1", "seed", "-1", ["whole number", "4294967295"]),
    "no threads": ("device.threads=0", "device.threads", "0", ["at least 1"]),
    # words
    "misspelt opt_type": ("algo.opt_type=maximise", "algo.opt_type", "maximise", ["Did you mean 'maximize'"]),
    "misspelt loss": ("algo.critic_loss=relativ", "algo.critic_loss", "relativ", ["Did you mean 'relative'"]),
    "misspelt decay": ("lr_schedule.decay_type=liner", "lr_schedule.decay_type", "liner", ["Did you mean 'linear'"]),
    "misspelt reference": ("lr_schedule.decay_ref=epochs", "lr_schedule.decay_ref", "epochs", ["Did you mean 'epoch'"]),
    "unknown decay": ("lr_schedule.lr_a_decay_type=cosine", "lr_schedule.lr_a_decay_type", "cosine", LR_WORDS),
    "misspelt wandb mode": ("wandb.mode=onlin", "wandb.mode", "onlin", ["Did you mean 'online'", "disabled"]),
    "misspelt device": ("device.name=cdua", "device.name", "cdua", ["cpu", "cuda", "auto"]),
    "device with a wrong number": ("device.name=gpu:x", "device.name", "gpu:x", ["gpu:N", "cpu"]),
    # networks
    "no actor": ("network.hidden_sizes.actor=[]", "network.hidden_sizes.actor", "[]", ["at least one"]),
    "empty layer": ("network.hidden_sizes.critic=[64,0]", "network.hidden_sizes.critic", "[64, 0]", ["above 0"]),
    "misspelt activation": (
        "network.activation.actor=rellu",
        "network.activation.actor",
        "rellu",
        ["Did you mean 'relu'"],
    ),
    "capital activation": (
        "network.output_activation.actor=Tanh",
        "network.output_activation.actor",
        "Tanh",
        ["Did you mean 'tanh'"],
    ),
    "negative scale": ("network.observation_scale=-1", "network.observation_scale", "-1", ["above 0"]),
    # environments
    "gym without id": ("env=gym", "env.id", "", ["not set", "env.id=Pendulum-v1"]),
    "misspelt id": ("env=gym env.id=Pendulm-v1", "env.id", "Pendulm-v1", ["Did you mean 'Pendulum-v1'"]),
    "misspelt own id": ("env.id=lac/Oscilator-v1", "env.id", "Oscilator", ["Did you mean 'lac/Oscillator-v1'"]),
    "module that is not there": ("env=gym env.id=no_such_module:X-v0", "env.id", "no_such_module:X-v0", []),
    "misspelt argument": ("+env.kwargs.max_cst=1", "env.kwargs.max_cst", "", ["Did you mean 'max_cost'"]),
    "misspelt argument, not added": ("env.kwargs.max_cst=1", "env.kwargs.max_cst", "", ["max_cost"]),
    # files
    "policy that is not there": ("train.start_policy=no/run", "train.start_policy", "no/run", ["does not exist"]),
    "policy in an empty folder": ("train.start_policy=.", "train.start_policy", "'.'", ["run folder"]),
    # Hydra's grammar
    "key without a value": ("algo.gamma", "algo.gamma", "", ["KEY=VALUE"]),
    "value without a key": ("=3", "=3", "", ["KEY=VALUE"]),
    "open bracket": ("algo.gamma=[", "algo.gamma=[", "", ["KEY=VALUE"]),
    "trailing comma": ("algo.gamma=0.9,", "algo.gamma=0.9,", "", ["KEY=VALUE"]),
    "sweep without -m": ("seed=0,1", "seed", "0,1", ["-m"]),
    "unknown variable": ("algo.gamma=${oc.env:NO_SUCH_VARIABLE}", "algo.gamma", "NO_SUCH_VARIABLE", []),
    "misspelt main config": ("--config-name=trian", "--config-name", "trian", ["train"]),
}

# The same for what can be told only of an environment that is built.
WRONG_FOR_THE_ENVIRONMENT = {
    "discrete actions": ("env=gym env.id=CartPole-v1", "env.id", "CartPole-v1", ["Discrete", "continuous"]),
    "reward without a bound": ("algo.opt_type=maximize", "algo.opt_type", "maximize", ["env.reward_max"]),
    "time limit too long": ("train.max_ep_len=1000", "train.max_ep_len", "1000", ["400", "env.max_episode_steps"]),
    "scales that do not fit": ("network.observation_scale=[1,2]", "network.observation_scale", "2", ["8"]),
    "argument of another type": ("+env.kwargs.max_cost=abc", "env.kwargs.max_cost", "abc", []),
}


@pytest.mark.parametrize("line", [pytest.param(case, id=name) for name, case in WRONG.items()])
def test_wrong_command_line_is_refused_before_anything_is_built(line, train_here, started, tmp_path):
    arguments, key, value, hints = line
    end = train_here(*arguments.split())
    assert started == []
    assert_refused(end, [key, value, *hints], tmp_path)


@pytest.mark.parametrize("line", [pytest.param(case, id=name) for name, case in WRONG_FOR_THE_ENVIRONMENT.items()])
def test_what_the_environment_cannot_do_is_refused_before_a_network_is_built(line, train_here, started, tmp_path):
    arguments, key, value, hints = line
    end = train_here(*arguments.split())
    assert "training" not in started
    assert_refused(end, [key, value, *hints], tmp_path)


def assert_refused(end, expected, folder):
    assert end.status == 2, end.stderr
    assert lacking(end.stderr, expected) == [], end.stderr
    assert "Traceback" not in end.stderr
    assert "Error executing job" not in end.stderr, "Hydra's own message stands beside ours"
    assert end.stdout == ""
    assert left_behind(folder) == []


def test_right_command_line_reaches_the_training(train_here, started):
    with pytest.raises(TrainingStarted):
        train_here("hydra.run.dir=run", "env=oscillator", "wandb.mode=disabled")
    assert started[-1] == "training"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("argument", ["device=cuda", "device.name=gpu", "device.name=cuda:1"])
def test_gpu_that_is_not_there_is_refused(argument, train_here, started, tmp_path):
    end = train_here(argument)
    assert started == []
    assert_refused(end, ["device.name", argument.split("=")[1], "cpu", "auto"], tmp_path)


def test_all_problems_are_told_at_once(train_here, started, tmp_path):
    wrong = "algo=lax trian.epochs=3 algo.gamma=2 algo.lr_a=abc wandb.mode=onlin env.id=Pendulm-v1 train.batch_size=1e3"
    end = train_here(*wrong.split())
    assert started == []
    named = [argument.split("=")[0] for argument in wrong.split()]
    assert_refused(end, [*named, "'train.epochs'", "'online'", "'Pendulum-v1'", "1000"], tmp_path)


def test_each_problem_is_told_once(train_here, started):
    end = train_here("algo.gamma=2", "algo.labda=abc")
    assert end.stderr.count("algo.gamma") == 1
    assert end.stderr.count("algo.labda") == 1
    assert started == []


def test_missing_id_does_not_hide_other_problems(train_here, started, tmp_path):
    end = train_here("env=gym", "algo.gamma=2")
    assert_refused(end, ["env.id", "algo.gamma"], tmp_path)
    assert started == []


def test_sweep_is_refused_before_its_first_job(train_here, started, tmp_path):
    end = train_here("-m", "algo.gamma=0.9,2", "hydra.sweep.dir=sweep", "wandb.mode=disabled")
    assert "training" not in started
    assert_refused(end, ["algo.gamma", "2", "from 0 to 1"], tmp_path)


def test_wrong_type_in_a_sweep(train_here, started, tmp_path):
    end = train_here("-m", "algo.gamma=0.9,abc", "hydra.sweep.dir=sweep")
    assert started == []
    assert_refused(end, ["algo.gamma", "abc", "a number"], tmp_path)


def test_misspelt_key_in_a_sweep(train_here, started, tmp_path):
    end = train_here("-m", "seed=0,1", "algo.gama=0.9", "hydra.sweep.dir=sweep")
    assert started == []
    assert_refused(end, ["algo.gama", "'algo.gamma'"], tmp_path)


def test_unknown_flag_is_refused(train_here, started):
    end = train_here("--nonsense")
    assert end.status == 2
    assert "--nonsense" in end.stderr
    assert started == []


@pytest.mark.parametrize("wrong", ["algo.gamma=2", "train.epochs=1e3 wandb.mode=onlin", "env=gym env.id=CartPole-v1"])
def test_message_in_a_process_of_its_own(wrong, train_apart, tmp_path):
    end = train_apart(*wrong.split(), "hydra.run.dir=run", cwd=tmp_path)
    assert_refused(end, [argument.split("=")[0] for argument in wrong.split() if argument != "env=gym"], tmp_path)


@pytest.mark.parametrize("wrong", ["algo.gama=0.9", "algo.gamma=2"])
def test_full_error_shows_the_traceback(wrong, train_apart, tmp_path):
    end = train_apart(wrong, "hydra.run.dir=run", cwd=tmp_path, HYDRA_FULL_ERROR="1")
    assert end.status != 0
    assert "Traceback" in end.stderr
    assert wrong.split("=")[0] in end.stderr
    assert left_behind(tmp_path) == []

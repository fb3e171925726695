"""What wrong input gets: one message that helps, exit status 2, no traceback, nothing built, nothing on disk."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import gymnasium
import pytest
import torch
from wrong_command_lines import WRONG, WRONG_FOR_THE_ENVIRONMENT, WRONG_TOGETHER

from lac.training.trainer import Trainer


class TrainingStarted(BaseException):
    """Not an Exception, so that nothing on the way up takes it for a failed run."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was built or started; a command line that slips through would otherwise train for many minutes."""
    events: list[str] = []
    make = gymnasium.make

    def recorded_make(env_id: str, *args: object, **kwargs: object) -> object:
        events.append(f"environment {env_id}")
        return make(env_id, *args, **kwargs)

    def recorded_run(*_args: object, **_kwargs: object) -> None:
        events.append("training")
        raise TrainingStarted

    monkeypatch.setattr(gymnasium, "make", recorded_make)
    monkeypatch.setattr(Trainer, "run", recorded_run)
    return events


def left_behind(folder: Path) -> list[str]:
    """Files beside Hydra's own records."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    own = [path for path in paths if ".hydra" in path.parts or path.name == "multirun.yaml"]
    return [str(path.relative_to(folder)) for path in paths if path not in own]


def told(message: str, key: str, value: str = "", hints: Iterable[str] = ()) -> bool:
    """Whether one line of the message names the key, as a whole word, quotes the value and holds the hints."""
    named = re.compile(rf"(?<![\w./]){re.escape(key)}(?![\w/]|\.\w)")
    quoted = re.compile(rf"(?<![\w.]){re.escape(value)}(?!\w)")
    return any(
        # What is allowed may be told with the same number.
        named.search(line) and quoted.search(line.partition("must be")[0]) and all(hint in line for hint in hints)
        for line in message.splitlines()
    )


def assert_refused(end, problems, folder):
    """One message with a line for each problem (key, value, hints), exit status 2, nothing else."""
    assert end.status == 2, end.stderr
    assert [problem for problem in problems if not told(end.stderr, *problem)] == [], end.stderr
    assert "Traceback" not in end.stderr
    assert "Error executing job" not in end.stderr, "Hydra's own message stands beside ours"
    assert end.stdout == ""
    assert left_behind(folder) == []


@pytest.mark.parametrize("line", [pytest.param(case, id=name) for name, case in WRONG.items()])
def test_wrong_command_line_is_refused_before_anything_is_built(line, train_here, started, tmp_path):
    arguments, *problem = line
    (tmp_path / "empty").mkdir()
    end = train_here(*arguments.split())
    assert_refused(end, [problem], tmp_path)
    assert started == []


@pytest.mark.parametrize("cases", [pytest.param(cases, id=name) for name, cases in WRONG_TOGETHER.items()])
def test_what_is_wrong_by_itself_is_told_all_at_once(cases, train_here, started, tmp_path):
    end = train_here(*(word for arguments, *_ in cases.values() for word in arguments.split()))
    assert_refused(end, [problem for _, *problem in cases.values()], tmp_path)
    assert started == []


@pytest.mark.parametrize("line", [pytest.param(case, id=name) for name, case in WRONG_FOR_THE_ENVIRONMENT.items()])
def test_what_the_environment_cannot_do_is_refused_before_a_network_is_built(line, train_here, started, tmp_path):
    arguments, *problem = line
    end = train_here(*arguments.split())
    assert_refused(end, [problem], tmp_path)
    assert "training" not in started


def test_right_command_line_reaches_the_training(train_here, started):
    with pytest.raises(TrainingStarted):
        train_here("hydra.run.dir=run", "env=oscillator", "wandb.mode=disabled")
    assert started[-1] == "training"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("argument", ["device=cuda", "device.name=cuda:1"])
def test_gpu_that_is_not_there_is_refused(argument, train_here, started, tmp_path):
    end = train_here(argument)
    assert_refused(end, [("device.name", argument.split("=")[1], ["cpu", "auto"])], tmp_path)
    assert started == []


def test_problems_of_all_kinds_are_told_at_once(train_here, started, tmp_path):
    end = train_here(
        "algo=lax", "trian.epochs=3", "algo.gamma=2", "algo.lr_a=abc", "wandb.mode=onlin", "env.id=Pendulm-v1", "seed"
    )
    problems = [
        ("algo", "lax"),
        ("trian.epochs", "", ["'train.epochs'"]),
        ("algo.gamma", "2"),
        ("algo.lr_a", "abc"),
        ("wandb.mode", "onlin", ["'online'"]),
        ("env.id", "Pendulm-v1", ["'Pendulum-v1'"]),
        ("seed", "", ["KEY=VALUE"]),
    ]
    assert_refused(end, problems, tmp_path)
    assert started == []
    assert all(end.stderr.count(key) == 1 for key in ("algo.gamma", "algo.lr_a", "wandb.mode", "env.id"))


def test_missing_id_does_not_hide_other_problems(train_here, started, tmp_path):
    end = train_here("env=gym", "algo.gamma=2")
    assert_refused(end, [("env.id",), ("algo.gamma", "2")], tmp_path)
    assert started == []


def test_interpolation_of_nothing_does_not_hide_other_problems(train_here, started, tmp_path):
    # Hydra fails on it by itself where it names the folder, but not with a given one.
    end = train_here("algo.gamma=${nothing}", "algo.polyak=2", "hydra.run.dir=run")
    assert_refused(end, [("algo.gamma", "", ["'nothing'"]), ("algo.polyak", "2")], tmp_path)
    assert started == []


def test_sweep_is_refused_before_its_first_job(train_here, started, tmp_path):
    end = train_here("-m", "algo.gamma=0.9,2", "hydra.sweep.dir=sweep", "wandb.mode=disabled")
    assert_refused(end, [("algo.gamma", "2", ["from 0 to 1"])], tmp_path)
    assert "training" not in started


def test_sweep_tells_its_wrong_keys_and_values(train_here, started, tmp_path):
    end = train_here("-m", "algo.gamma=0.9,abc", "algo.gama=0.9", "seed=0,1", "hydra.sweep.dir=sweep")
    assert_refused(end, [("algo.gamma", "abc", ["number"]), ("algo.gama", "", ["'algo.gamma'"])], tmp_path)
    assert started == []


def test_unknown_flag_is_refused(train_here, started):
    end = train_here("--nonsense")
    assert end.status == 2
    assert "--nonsense" in end.stderr
    assert started == []


@pytest.mark.parametrize("wrong", ["algo.gamma=2 wandb.mode=onlin", "train.epochs=1e3 algo.gama=0.9"])
def test_message_in_a_process_of_its_own(wrong, train_apart, tmp_path):
    end = train_apart(*wrong.split(), "hydra.run.dir=run", cwd=tmp_path)
    problems = [(argument.split("=")[0],) for argument in wrong.split()]
    assert_refused(end, problems, tmp_path)
    assert len(end.stderr.strip().splitlines()) <= 1 + len(problems), "one message: a heading and the problems"


@pytest.mark.parametrize("wrong", ["algo.gama=0.9", "algo.gamma=2"])
def test_full_error_shows_the_traceback(wrong, train_apart, tmp_path):
    end = train_apart(wrong, "hydra.run.dir=run", cwd=tmp_path, HYDRA_FULL_ERROR="1")
    assert end.status != 0
    assert "Traceback" in end.stderr
    assert wrong.split("=")[0] in end.stderr
    assert left_behind(tmp_path) == []


def test_ctrl_c_while_a_command_starts_leaves_no_traceback(clean_environment, tmp_path):
    """Python would raise KeyboardInterrupt within an import, here in that of Hydra."""
    program = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == "hydra.conf":
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # the processes of the tests may ignore it
from lac.cli.main import run_command
sys.meta_path.insert(0, Interrupt())
run_command("train")
"""
    command = [sys.executable, "-c", program]
    end = subprocess.run(command, cwd=tmp_path, env=clean_environment, capture_output=True, text=True, check=False)
    assert (end.returncode, end.stdout, end.stderr) == (-signal.SIGINT, "", "")


def test_a_config_that_no_training_has_written_is_refused_in_one_sentence(train_apart, tmp_path):
    """In a process of its own, since without the list of defaults Hydra sets up its own logging."""
    (tmp_path / "mine.yaml").write_text("algo: {name: lac}\n")
    end = train_apart("--config-dir", str(tmp_path), "--config-name", "mine", "hydra.run.dir=run", cwd=tmp_path)
    assert end.status == 2
    (sentence,) = end.stderr.splitlines()[1:]
    assert told(sentence, "the config", hints=["/schema/train@_here_", "config.yaml of a run"])

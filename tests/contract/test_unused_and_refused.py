"""Both doors: settings against each other, sizes, and the line of the start-up summary about unused settings."""

import numpy as np
import pytest
from api_support import SMALL, SPACES, UNTRAINED

from lac import LAC
from lac.settings.rules import SEED

RUN = [
    *("env=oscillator", "tuned=none", "network=small", "wandb.mode=disabled", "seed=0"),
    *("train.epochs=1", "train.steps_per_epoch=20", "train.num_test_episodes=0", "train.update_after=100"),
]


@pytest.mark.parametrize(
    "kwargs", [{"labda": 0.1, "labda_min": 0.9}, {"lr_decay_type": "exponential", "lr_a_final": 0}]
)
def test_python_refuses_what_cannot_be_meant_and_leaves_nothing(kwargs, train, tmp_path):
    with pytest.raises(ValueError, match=f"^{list(kwargs)[-1]} is "):
        train(**kwargs)
    assert list(tmp_path.iterdir()) == []


def test_an_agent_refuses_a_floor_above_its_labda():
    with pytest.raises(ValueError, match=r"^labda_min is 0\.9, above the initial labda=0\.1"):
        LAC(SPACES, ac_kwargs=SMALL, labda=0.1, labda_min=0.9)


@pytest.mark.parametrize("scale", [np.inf, 1e39, [1.0, np.inf, 1.0], 1e-45, np.nan])
def test_a_scale_that_single_precision_cannot_hold_is_refused(scale):
    with pytest.raises(ValueError, match="observation_scale"):
        LAC(SPACES, ac_kwargs=SMALL | {"observation_scale": scale})


def test_sizes_beyond_the_memory_are_refused_with_the_argument_and_the_bytes(train):
    with pytest.raises(ValueError, match=r"^replay_size is 1000000000000: the replay buffer takes \d{13,} bytes"):
        train(replay_size=10**12, epochs=10**6, steps_per_epoch=10**6)
    with pytest.raises(ValueError, match=r"^ac_kwargs: hidden_sizes\.actor is \[1000000, 1000000\]: .* bytes"):
        train(ac_kwargs={"hidden_sizes": {"actor": [10**6, 10**6], "critic": [8]}})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train.replay_size=1000000000000 train.epochs=1000000 train.steps_per_epoch=1000000", "train.replay_size is"),
        ("network.hidden_sizes.critic=[1000000,1000000]", "network.hidden_sizes.critic is [1000000, 1000000]: "),
        (
            "train.batch_size=1000000 train.steps_per_update=1000000 train.update_after=10",
            "train.batch_size is 1000000",
        ),
    ],
)
@pytest.mark.parametrize("place", [["hydra.run.dir=run"], ["-m", "seed=0,1", "hydra.sweep.dir=run"]])
def test_the_command_refuses_them_with_the_key(words, told, place, train_here, tmp_path):
    end = train_here(*place, *(word for word in RUN if word not in {"seed=0"}), *words.split())
    assert end.status == 2
    (sentence,) = end.stderr.splitlines()[1:]
    assert sentence.strip().startswith(told)
    assert " bytes (" in sentence
    left = [path for path in (tmp_path / "run").rglob("*") if path.is_file() and ".hydra" not in path.parts]
    assert [path.name for path in left if path.name != "multirun.yaml"] == []


def test_the_summary_at_the_start_tells_what_is_unused(train_here, tmp_path):
    words = ["train.save_freq=5", "algo.horizon_length=5", "algo.gamma=0.5", "fail_fast=true", "hydra.run.dir=run"]
    end = train_here(*RUN, *words)
    assert end.status == 0, end.stderr
    (line,) = [line for line in end.stdout.splitlines() if line.strip().startswith("unused:")]
    assert all(word in line for word in ("train.save_freq=5 (", "algo.gamma=0.5 (", "fail_fast=true ("))
    assert line in (tmp_path / "run" / "train.log").read_text()


def test_python_tells_it_by_its_arguments(train, capsys):
    train(save_freq=5, logger_kwargs={"quiet": False}, **UNTRAINED)
    assert "unused:    save_freq=5 (" in capsys.readouterr().out
    train(logger_kwargs={"quiet": False}, **UNTRAINED)
    assert "unused:" not in capsys.readouterr().out


def test_the_summary_at_the_start_tells_the_budget(train, capsys):
    train(
        epochs=3,
        steps_per_epoch=10,
        update_after=10,
        update_every=5,
        steps_per_update=2,
        logger_kwargs={"quiet": False},
    )
    assert "budget     30 steps, 10 updates;" in capsys.readouterr().out  # after steps 10, 15, 20, 25 and 30


def test_a_dry_run_of_one_run_is_refused(train_here, tmp_path):
    end = train_here(*RUN, "dry_run=true", "algo.gamma=2", "hydra.run.dir=run")
    assert end.status == 2
    assert "dry_run is true" in end.stderr
    assert "algo.gamma" in end.stderr
    assert not (tmp_path / "run" / "summary.json").exists()


def test_a_seed_is_drawn_so_that_the_others_fit_behind_it(train_here, tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.randbelow", lambda bound: bound - 1)
    end = train_here(*RUN[:-5], *RUN[-4:], "seed=null", "train.seeds=3", "hydra.run.dir=run")
    assert end.status == 0, end.stderr
    runs = [path.name for path in (tmp_path / "run").glob("seed-*")]
    assert sorted(runs) == [f"seed-{int(SEED.high) - back}" for back in (2, 1, 0)]

"""A run can be had again: from its config, from Python, with its seed, from its policy."""

import shutil

import gymnasium
import pytest
import torch
from omegaconf import OmegaConf
from run_support import TINY_RUN, metrics_without_times, summary_of, weights_of

import lac


def test_config_file_runs_again(trained, train_here, tmp_path):
    end = train_here(
        "--config-dir", trained.folder, "--config-name", "config", "wandb.mode=disabled", "hydra.run.dir=again"
    )
    assert end.status == 0, end.stderr
    assert metrics_without_times(tmp_path / "again") == metrics_without_times(trained.folder)
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
    assert end.stdout.splitlines()[-1].endswith("--config-name config seed=2")  # not the same run once more


VARIABLE = "LAC_TEST_SECRET"
PLACES = {
    "the config": ("\n  tags: []", "\n  tags: ['of ${oc.env:LAC_TEST_SECRET}']", "wandb.tags[0]"),
    "a default does not help": ("\n  group: null", "\n  group: ${oc.env:LAC_TEST_SECRET,none}", "wandb.group"),
    "a word in a word": ("\n  name: null", "\n  name: ${oc.decode:'${oc.env:LAC_TEST_SECRET}'}", "wandb.name"),
    "hydra's settings": ("\nseed: 0", "\nseed: 0\nhydra: {run: {dir: 'x${oc.env:LAC_TEST_SECRET}'}}", "hydra.run.dir"),
}


def a_config_that_reads_a_variable(trained, folder, old, new):
    text = (trained.folder / "config.yaml").read_text()
    assert old in text
    folder.mkdir()
    (folder / "config.yaml").write_text(text.replace(old, new))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("is_sweep", [False, True])
def test_no_config_file_reads_an_environment_variable(place, is_sweep, trained, train_here, tmp_path, monkeypatch):
    """The file may come from someone else, and what it holds goes to W&B."""
    old, new, key = PLACES[place]
    if is_sweep:
        new = new.replace("run:", "sweep:")
        key = key.replace(".run.", ".sweep.")
    a_config_that_reads_a_variable(trained, tmp_path / "given", old, new)
    monkeypatch.setenv(VARIABLE, "0123456789")
    sweep = ["-m", "hydra/sweeper=grid"] if is_sweep else []
    end = train_here("--config-dir", "given", "--config-name", "config", *sweep)
    assert end.status == 2
    assert f"{key}: " in end.stderr
    assert VARIABLE in end.stderr
    assert "Traceback" not in end.stderr
    assert not any("0123456789" in str(path) for path in tmp_path.rglob("*"))
    assert not any("0123456789" in path.read_text() for path in tmp_path.rglob("*.yaml"))
    assert list(tmp_path.rglob("summary.json")) == []


def test_variable_that_the_user_types_is_read(train_here, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0123456789")
    end = train_here("wandb.name=${oc.env:LAC_TEST_SECRET}", "--cfg", "job", "--resolve")
    assert end.status == 0, end.stderr
    assert OmegaConf.create(end.stdout).wandb.name == "0123456789"


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
    assert metrics_without_times(tmp_path / "python") == metrics_without_times(trained.folder)


def test_drawn_seed_is_recorded_so_that_the_run_can_be_had_again(train_here, tmp_path):
    short = [
        *TINY_RUN,
        "train.epochs=1",
        "train.steps_per_epoch=110",
        "train.num_test_episodes=1",
        "wandb.mode=disabled",
    ]
    assert train_here(*short, "seed=null", "hydra.run.dir=drawn").status == 0
    seed = summary_of(tmp_path / "drawn")["seed"]
    assert isinstance(seed, int)
    assert train_here("--config-dir", "drawn", "--config-name", "config", "hydra.run.dir=again").status == 0
    assert summary_of(tmp_path / "again")["seed"] == seed
    assert metrics_without_times(tmp_path / "again") == metrics_without_times(tmp_path / "drawn")


def test_training_starts_from_a_policy(trained, train_here, tmp_path):
    end = train_here(
        *TINY_RUN,
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


def test_a_saved_config_is_repeated_as_a_sweep(trained, train_here, tmp_path):
    again = ["--config-dir", trained.folder, "--config-name", "config", "-m", "wandb.mode=disabled"]
    end = train_here(*again, "seed=1,2", "dry_run=true")
    assert end.status == 0, end.stderr
    assert "seed=1" in end.stdout
    assert "seed=2" in end.stdout
    assert list(tmp_path.rglob("summary.json")) == []
    end = train_here(*again, "seed=1", "env=gym", "env.id=no_such_module:X-v0")
    assert end.status == 2
    assert "no_such_module" in end.stderr


def test_sweeps_of_two_saved_configs_have_two_folders(trained, train_here, tmp_path):
    folders = []
    shutil.copytree(trained.folder, tmp_path / "other")
    for folder in (trained.folder, tmp_path / "other"):
        end = train_here("--config-dir", folder, "--config-name", "config", "-m", "seed=1,2", "dry_run=true")
        folders.append(end.stdout.rpartition("results in ")[2].strip())
    assert len(set(folders)) == 2
    assert all(folder.startswith("outputs/multirun/") for folder in folders)

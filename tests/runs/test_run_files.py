"""What a real run of ``scripts/train.py`` leaves, and where."""

import math
import os
import re
import struct
import subprocess

import gymnasium
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from run_support import ROOT, SIZE, TINY_RUN, contents, metrics_of, summary_of, wandb_files

import lac

RECORDS_OF_HYDRA = {".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"}

PROMISED_METRICS = {
    "": "epoch env_steps updates",
    "train/": (
        "cost_mean ep_len_mean alpha labda labda_raw decrease critic_loss actor_loss alpha_loss labda_loss l_mean "
        "entropy"
    ),
    "test/": "cost_mean cost_std cost_min cost_max ep_len_mean death_rate settled",
    "lr/": "actor critic alpha labda",
    "time/": "seconds steps_per_second updates_per_second",
}


def test_files_of_a_run(trained):
    files = {name for name in contents(trained.folder) if not name.startswith("wandb/")}
    results = {".lock", "config.yaml", "metrics.jsonl", "summary.json", "learning_curve.png", "train.log"}
    checkpoint = {"checkpoints/rows-000000000000.f32", "checkpoints/step-000000000300.safetensors"}
    policies = {"policy/final.safetensors", "policy/best.safetensors"}
    assert files == RECORDS_OF_HYDRA | results | checkpoint | policies


def test_nothing_is_left_beside_the_run_folder(trained):
    assert [path.name for path in trained.folder.parent.iterdir()] == [trained.folder.name]


def test_metrics_hold_every_promised_key(trained):
    rows = metrics_of(trained.folder)
    assert [(row["epoch"], row["env_steps"], row["updates"]) for row in rows] == [(1, 150, 4), (2, 300, 10)]
    promised = {prefix + name for prefix, names in PROMISED_METRICS.items() for name in names.split()}
    for row in rows:
        assert promised - set(row) == set()
        has_settled = row["test/settled"] > 0
        assert (row.pop("test/settling_steps") is not None) == has_settled
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
    final, long, best = (summary[name] for name in ("final", "final_long", "best"))
    assert (final["env_steps"], final["episodes"]) == (300, 100)
    assert (long["episodes"], long["steps"]) == (100, 1600)
    assert long["ep_len_mean"] >= final["ep_len_mean"]
    assert best["episodes"] == 100
    assert best["epoch"] == min(rows, key=lambda row: (row["test/death_rate"], row["test/cost_mean"]))["epoch"]
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


# Folders


def test_second_start_into_the_same_folder_is_refused_and_keeps_the_first(trained, train_here):
    before = contents(trained.folder)
    end = train_here(*TINY_RUN, "seed=5", "wandb.mode=disabled", f"hydra.run.dir={trained.folder}")
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

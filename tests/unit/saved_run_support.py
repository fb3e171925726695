"""A run folder with a policy as it is before training, in much less time than a training run."""

import json

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

import lac
from lac.cli.app import register
from lac.cli.train import training_plan
from lac.config.schemas import CONFIG_DIR
from lac.envs.factory import environment_factory

ROWS = [
    {"env_steps": 100, "test/cost_mean": 2.0},
    {"env_steps": 200, "test/cost_mean": None},
]
SUMMARY = {"status": "finished", "final": {"cost_mean": 2.0, "ep_len_mean": 7.0, "death_rate": 0.0}}


def compose_config(*overrides: str) -> DictConfig:
    """The config of a training command."""
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("train", overrides=["env=cartpole_cost", "network=small", "train.max_ep_len=7", *overrides])


def save_run(folder, config: DictConfig) -> None:
    """Write a run folder."""
    plain = OmegaConf.to_container(config, resolve=True)
    lac.LAC(environment_factory(plain["env"])(), ac_kwargs=training_plan(plain).ac_kwargs).save(folder)
    (folder / "config.yaml").write_text("# A comment\n" + OmegaConf.to_yaml(config, resolve=True))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "summary.json").write_text(json.dumps(SUMMARY))

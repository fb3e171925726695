"""The command ``dashboard``: a workspace on Weights & Biases as a file, published where an API key is configured."""

import json
from dataclasses import fields
from importlib.util import find_spec

from omegaconf import DictConfig, OmegaConf

from lac.cli.folders import write_output
from lac.config.checks import ConfigError, added_key_errors
from lac.settings.commands import DashboardCommand, TrainCommand, config_keys
from lac.settings.fields import setting_errors
from lac.settings.rules import nearest


def run(cfg: DictConfig) -> None:
    """Build the workspace of a config, write it to a file, and publish it where an API key is configured.

    Raises:
        ConfigError: The config is wrong, wandb-workspaces is missing, or W&B rejected the workspace.
    """
    errors = _errors_in(cfg)
    if errors:
        raise ConfigError(errors)
    from lac.loggers.wandb_environment import resolve_mode  # noqa: PLC0415
    from lac.reports import workspace  # noqa: PLC0415 (imports wandb, which `--help` does not need)

    built = workspace.build(cfg.env.id, cfg.group_by, cfg.project, cfg.entity)
    write_output(cfg.output, json.dumps(workspace.serialised(built), indent=2) + "\n")
    print(f"{cfg.output}: workspace {built.name!r} of project {cfg.project!r}")
    mode, reason = resolve_mode(cfg.mode)
    if mode != "online":
        print(f"not published ({reason}); `wandb login`, then this command again, publishes it")
        return
    try:
        print(f"published: {workspace.publish(built)}")
    except Exception as error:
        problem = f"W&B rejected the workspace, which is in {cfg.output}: {error}"
        raise ConfigError([f"{problem}; correct the cause and run this command again"]) from error


def _errors_in(cfg: DictConfig) -> list[str]:
    errors = added_key_errors(cfg, "dashboard") + setting_errors(DashboardCommand, {"mode": cfg.mode})
    if not cfg.project.strip():
        errors.append("project is empty; give the name of a W&B project")
    # In the runs of a W&B sweep, the selected option of a group is logged under the group's name.
    keys = list(config_keys("train")) + [f.name for f in fields(TrainCommand)]
    if cfg.group_by not in keys:
        hint = nearest(cfg.group_by, keys)
        errors.append(f"group_by is {cfg.group_by!r}; it must be a key of scripts/train.py, such as algo.name.{hint}")
    if OmegaConf.is_missing(cfg.env, "id") or not cfg.env.id.strip():
        errors.append("env.id is not set; give the id of a Gymnasium environment, such as env.id=Pendulum-v1")
    if find_spec("wandb_workspaces") is None:
        errors.append('wandb-workspaces is not installed; pip install -c constraints.txt -e ".[dashboard]" installs it')
    return errors

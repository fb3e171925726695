"""From a config to objects to a run: the only assembly that knows Hydra's configs."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lac import config
from lac.envs.making import AnyEnv, check_usable, env_problems, make_env, prepare

CONFIG_FILE = "config.yaml"
_HEADER = """\
# The resolved config of this run. To run it again:
#   python scripts/train.py --config-dir {folder} --config-name config
defaults:
  - /schema/train@_here_
  - cli@hydra: train
  - _self_
  - override hydra/job_logging: none
  - override hydra/hydra_logging: none

"""


class ConfigError(ValueError):
    """A config that cannot be run; ``problems`` are sentences that name the keys."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


def config_problems(cfg: DictConfig) -> list[str]:
    """Everything wrong with a training config that can be told without building anything."""
    found = [f"{name} is not set; {_HINTS.get(name, 'give it a value')}" for name in sorted(OmegaConf.missing_keys(cfg))]
    if found:
        return found
    found = config.config_problems(cfg)
    return found + env_problems(cfg.env.id, OmegaConf.to_container(cfg.env.kwargs))  # type: ignore[arg-type]


_HINTS = {"env.id": "give the id of a Gymnasium environment, such as env.id=Pendulum-v1"}


def run(cfg: DictConfig) -> float | None:
    """Train as a config says, into Hydra's output folder.

    Returns:
        The mean test cost of the final policy, which sweepers minimise; None without test episodes.

    Raises:
        ConfigError: The config cannot be run.
    """
    found = config_problems(cfg)
    if found:
        raise ConfigError(found)
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    make = environment_factory(plain["env"])
    _try_environment(make, plain)

    # Torch and wandb are imported here: what comes before has to be quick.
    from lac.agents.loading import AGENTS  # noqa: PLC0415
    from lac.devices import limit_threads  # noqa: PLC0415
    from lac.recorder import RunRecorder  # noqa: PLC0415
    from lac.training import train_from_settings  # noqa: PLC0415

    limit_threads(plain["device"]["threads"])
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    with RunRecorder(_record_settings(plain, run_dir)) as recorder:
        (run_dir / CONFIG_FILE).write_text(_HEADER.format(folder=run_dir) + OmegaConf.to_yaml(cfg, resolve=True))
        train_from_settings(AGENTS[plain["algo"]["name"].upper()], api_settings(plain), make, recorder)
        return recorder.final_cost


def environment_factory(env: Mapping[str, Any]) -> Callable[[], AnyEnv]:
    """What makes the environment of a config."""
    return partial(make_env, env["id"], env["max_episode_steps"], env["kwargs"], env["reward_max"])


def api_settings(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A config as the flat arguments of :func:`lac.api.lac`."""
    from lac.agents.description import named_activations  # noqa: PLC0415 (imports torch)

    schedule = {f"lr_{k}" if k.startswith("decay") else k: v for k, v in plain["lr_schedule"].items()}
    return {
        **plain["algo"],
        **plain["train"],
        **schedule,
        "ac_kwargs": named_activations(plain["network"]),
        "seed": plain["seed"],
        "device": plain["device"]["name"],
    }


def run_name(env: str, algo: str, override_dirname: str) -> str:
    """A short folder name: environment, algorithm, and what was overridden beside them."""
    overrides = [o for o in override_dirname.split(",") if o and not re.match(r"(env|algo|hydra[./].*|wandb\..*)=", o)]
    short = [re.sub(r"^[\w.]*\.(\w+)=", r"\1=", o) for o in overrides]
    name = "-".join([env, algo, *short])
    return re.sub(r"[^A-Za-z0-9_.=+-]+", "_", name)[:100].rstrip("._-")


def register() -> None:
    """Make schemas and resolvers known to Hydra; scripts call it before their main function."""
    config.register_schemas()
    if not OmegaConf.has_resolver("lac.run_name"):
        OmegaConf.register_new_resolver("lac.run_name", run_name)


def _try_environment(make: Callable[[], AnyEnv], plain: Mapping[str, Any]) -> None:
    """Build the environment once before anything else, to refuse one that cannot be used."""
    try:
        env = prepare(make(), plain["algo"]["opt_type"], plain["train"]["max_ep_len"])
        check_usable(env)
        env.close()
    except (ValueError, TypeError, gymnasium.error.Error, ImportError) as error:
        raise ConfigError([f"env.id={plain['env']['id']} cannot be used: {error}"]) from error


def _record_settings(plain: Mapping[str, Any], run_dir: Path) -> Any:
    from lac.loggers.wandb import WandbSettings  # noqa: PLC0415
    from lac.recorder import RecordSettings  # noqa: PLC0415

    hydra = HydraConfig.get()
    is_single = hydra.mode == RunMode.RUN
    env, algo = plain["env"], plain["algo"]
    title = f"{algo['name'].upper()} on {env['id']}"
    wandb = plain["wandb"]
    wandb_settings = WandbSettings(
        mode=wandb["mode"],
        project=wandb["project"],
        entity=wandb["entity"],
        group=wandb["group"] or (None if is_single else Path(hydra.sweep.dir).name),
        name=wandb["name"] or f"{env['name']}-{algo['name']}-{plain['seed']}",
        job_type="train",
        tags=[env["name"], algo["name"], *wandb["tags"]],
    )
    shown = run_dir.relative_to(Path.cwd()) if run_dir.is_relative_to(Path.cwd()) else run_dir
    return RecordSettings(
        run_dir=shown,
        title=title,
        config=plain,
        save_freq=plain["train"]["save_freq"],
        # In a sweep several bars would overwrite each other.
        show_progress=is_single,
        next_steps=[
            f"python scripts/evaluate.py run_dir={shown}",
            f"python scripts/train.py --config-dir {shown} --config-name config seed=1",
        ],
        wandb=wandb_settings,
    )

"""From a config to objects to a run: the only assembly that knows Hydra's configs."""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from hydra_plugins.lac_sweepers import GridSweeper, OptunaSweeper
from lac import config
from lac.environment import disturbance_problems, environment_factory, unfit_disturbance
from lac.envs.checks import trial_problems
from lac.envs.making import check_usable, env_problems, prepare
from lac.files import shown
from lac.run_folder import CONFIG, SUMMARY
from lac.seeds import Report, Watch, penalised_cost, train_seeds, watched
from lac.validation import nearest

_HEADER = """\
# The resolved config of this run. To run it again:
#   python scripts/train.py --config-dir {folder} --config-name config
defaults:
  - /schema/train@_here_
  - /schema/disturbance/{disturbance}@disturbance
  - /schema/algo/{algo}@algo
  - cli@hydra: train
  - _self_
  - override hydra/job_logging: none
  - override hydra/hydra_logging: none

"""


class ConfigError(ValueError):
    """A config that cannot be run; ``problems`` are sentences that name the keys."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("; ".join(sentences))
        self.problems = list(sentences)


def config_problems(cfg: DictConfig) -> list[str]:
    """Everything wrong with a training config that can be told without building anything."""
    try:
        missing = sorted(name for name in OmegaConf.missing_keys(cfg) if not name.startswith("disturbance."))
    except InterpolationResolutionError as error:
        return [f"{error.full_key}: {str(error).splitlines()[0]}"]
    found = [f"{name} is not set; {_HINTS.get(name, 'give it a value')}" for name in missing]
    found += config.config_problems(cfg) + disturbance_problems(cfg.disturbance)
    if "env.id" in missing:
        return found
    return found + env_problems(cfg.env.id, OmegaConf.to_container(cfg.env.kwargs))  # type: ignore[arg-type]


_HINTS = {"env.id": "give the id of a Gymnasium environment, such as env.id=Pendulum-v1"}


def run(cfg: DictConfig) -> float | None:
    """Train as a config says, into Hydra's output folder.

    Returns:
        The mean test cost of the final policy, with a penalty on deaths, which sweepers minimise; None without test
        episodes.

    Raises:
        ConfigError: The config cannot be run.
    """
    found = config_problems(cfg) + choice_problems(HydraConfig.get().overrides.task)
    if found:
        raise ConfigError(found)
    if cfg.seed is None:
        cfg.seed = secrets.randbits(32)
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    _refuse_unusable(plain)

    # Torch and wandb are imported here: what comes before has to be quick.
    from lac.devices import limited_threads  # noqa: PLC0415

    run_dir, train = Path(HydraConfig.get().runtime.output_dir), plain["train"]
    if (run_dir / SUMMARY).exists():
        raise ConfigError([f"hydra.run.dir is {str(run_dir)!r}, which holds a run already; give another folder"])
    watch = _watch(last_test=train["seeds"] * train["epochs"])
    with limited_threads(plain["device"]["threads"]):
        if train["seeds"] == 1:
            return penalised_cost(_train(cfg, run_dir, watched(watch, [], train["epochs"])))
        _write_config(cfg, run_dir)
        seeds = range(plain["seed"], plain["seed"] + train["seeds"])
        return penalised_cost(
            train_seeds(
                run_dir,
                seeds,
                train["epochs"],
                lambda seed, folder, is_hopeless: _train(_single(cfg, seed), folder, is_hopeless),
                watch,
            )
        )


def _watch(last_test: int) -> Watch | None:
    """What may end the job early: it does if it is a trial of a search."""
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.RUN or not str(hydra.sweeper._target_).endswith(f".{OptunaSweeper.__name__}"):
        return None
    from lac.searching import trial_watch  # noqa: PLC0415 (imports Optuna)

    return trial_watch(last_test)


def _train(cfg: DictConfig, run_dir: Path, is_hopeless: Callable[[Report], bool] | None) -> Report:
    """Train one seed into a run folder; gives the report of its last epoch."""
    from lac.agents.loading import AGENTS  # noqa: PLC0415 (imports torch)
    from lac.recorder import Pruned, RunRecorder  # noqa: PLC0415
    from lac.training import train_from_settings  # noqa: PLC0415

    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    recorder = RunRecorder(_record_settings(plain, run_dir, is_hopeless))
    with suppress(Pruned), recorder:
        _write_config(cfg, run_dir)
        make = environment_factory(plain["env"], plain["disturbance"])
        train_from_settings(AGENTS[plain["algo"]["name"].upper()], api_settings(plain), make, recorder)
    return recorder.final


def _single(cfg: DictConfig, seed: int) -> DictConfig:
    """The config of one seed."""
    cfg = deepcopy(cfg)
    cfg.seed, cfg.train.seeds = seed, 1
    return cfg


def _write_config(cfg: DictConfig, run_dir: Path) -> None:
    header = _HEADER.format(folder=shown(run_dir), algo=cfg.algo.name, disturbance=cfg.disturbance.kind)
    (run_dir / CONFIG).write_text(header + OmegaConf.to_yaml(cfg, resolve=True))


def choice_problems(overrides: Sequence[str]) -> list[str]:
    """The group of recommended settings is optional, so that Hydra takes any option of it."""
    choices = config.options("tuned")
    given = [text.partition("=")[2] for text in overrides if text.startswith("tuned=")]
    return [
        f"tuned is {word!r}; it must be one of {', '.join(choices)}.{nearest(word, choices)}"
        for word in given
        if word not in choices
    ]


def api_settings(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A config as the flat arguments of :func:`lac.api.lac`."""
    from lac.agents.description import named_activations  # noqa: PLC0415 (imports torch)

    schedule = {f"lr_{k}" if k.startswith("decay") else k: v for k, v in plain["lr_schedule"].items()}
    return {
        **plain["algo"],
        **plain["train"],
        "num_envs": plain["env"]["num_envs"],
        **schedule,
        "ac_kwargs": named_activations(plain["network"]),
        "seed": plain["seed"],
        "device": plain["device"]["name"],
    }


def run_name(env: str, algo: str, override_dirname: str) -> str:
    """A short folder name, of characters that Hydra takes unquoted: environment, algorithm, other overrides."""
    others = [text for text in override_dirname.split(",") if not re.match(r"(env|algo)=", text)]
    return override_name(others, env, algo)


def override_name(overrides: Sequence[str], *first: str) -> str:
    """A short name of overrides, of characters that Hydra takes unquoted, after some words."""
    kept = [text for text in overrides if text and not re.match(r"(hydra[./].*|wandb\..*|dry_run|fail_fast)=", text)]
    short = [re.sub(r"^[+~]*(?:[\w.]*\.)?(\w+)=", r"\1=", text).replace("=", "_") for text in kept]
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", "-".join([*first, *short]))[:100].rstrip("._-")


def sweep_name(*, _root_: DictConfig) -> str:
    """The folder name of a sweep: the same for the same overrides, whatever their order."""
    params = OmegaConf.to_container(_root_.hydra.sweeper).get("params") or {}  # type: ignore[union-attr]
    overrides = [*(f"{key}={value}" for key, value in params.items()), *_root_.hydra.overrides.task]
    relevant = relevant_overrides(overrides)
    sweeper = str(_root_.hydra.runtime.choices["hydra/sweeper"])
    # A grid and a search of the same values are different sweeps.
    told = relevant if sweeper == "grid" else [*relevant, sweeper]
    digest = hashlib.sha256("\n".join(sorted(told)).encode()).hexdigest()[:8]
    return f"{override_name(relevant)[:60].rstrip('._-')}-{digest}".lstrip("-")


def relevant_overrides(overrides: Sequence[str]) -> list[str]:
    """Those on which results depend, in one order."""
    return sorted(text for text in overrides if not re.match(r"(wandb\..*|dry_run|fail_fast)=", text))


def register() -> None:
    """Make schemas and resolvers known to Hydra; scripts call it before their main function."""
    config.register_schemas()
    # Hydra's own search does not see into every kind of installation.
    Plugins.instance().register(GridSweeper)
    Plugins.instance().register(OptunaSweeper)
    # In place of those of the launchers' packages, which Hydra has registered by now.
    for preset in sorted((config.CONFIG_DIR / "cli" / "launcher").glob("*.yaml")):
        ConfigStore.instance().store(group="hydra/launcher", name=preset.stem, node=OmegaConf.load(preset))
    if not OmegaConf.has_resolver("lac.run_name"):
        OmegaConf.register_new_resolver("lac.run_name", run_name)
        OmegaConf.register_new_resolver("lac.sweep_name", sweep_name)


def _refuse_unusable(plain: Mapping[str, Any]) -> None:
    """Build environment and device once before anything else, to refuse what only that can tell."""
    from lac.checkpoints import read_policy  # noqa: PLC0415 (imports torch)
    from lac.devices import torch_device  # noqa: PLC0415

    env_id, scale = plain["env"]["id"], plain["network"]["observation_scale"]
    found: list[str] = []
    try:
        torch_device(plain["device"]["name"])
    except ValueError as error:
        found.append(f"device.name: {error}")
    try:
        if plain["train"]["start_policy"] is not None:
            saved_by = read_policy(plain["train"]["start_policy"])[1].get("alg_name")
            if saved_by not in {None, plain["algo"]["name"].upper()}:
                found.append(f"train.start_policy is a policy of {saved_by}; choose it with algo={saved_by.lower()}")
    except (ValueError, FileNotFoundError) as error:
        found.append(f"train.start_policy: {error}")
    if found:
        raise ConfigError(found)
    try:
        env = prepare(environment_factory(plain["env"])(), plain["algo"]["opt_type"], plain["train"]["max_ep_len"])
        n_observations = check_usable(env)[0].shape[0]
        found += [f"env.id={env_id} cannot be used: {problem}" for problem in trial_problems(env)]
        env.close()
        if isinstance(scale, list) and len(scale) != n_observations:
            found.append(
                f"network.observation_scale has {len(scale)} numbers, but {env_id} has {n_observations} observations"
            )
        found += unfit_disturbance(plain, plain["disturbance"])
    except (ValueError, TypeError, gymnasium.error.Error, ImportError) as error:
        text = re.sub(r"^opt_type is", "algo.opt_type is", re.sub(r"^max_ep_len is", "train.max_ep_len is", str(error)))
        found.append(f"env.id={env_id} cannot be used: {text}")
    if found:
        raise ConfigError(found)


def _record_settings(plain: Mapping[str, Any], run_dir: Path, is_hopeless: Callable[[Report], bool] | None) -> Any:
    from lac.loggers.wandb import WandbSettings  # noqa: PLC0415 (as above)
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
    folder = shown(run_dir)
    return RecordSettings(
        run_dir=folder,
        title=title,
        config=plain,
        save_freq=plain["train"]["save_freq"],
        # Jobs of a sweep would write into each other; each has its train.log.
        quiet=not is_single,
        next_steps=[
            f"python scripts/evaluate.py run_dir={folder}",
            f"python scripts/train.py --config-dir {folder} --config-name config seed=1",
        ]
        if is_single
        else [],
        wandb=wandb_settings,
        is_hopeless=is_hopeless,
    )

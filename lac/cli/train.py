"""The command ``train``: builds the objects of a training from a config and runs it."""

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import chdir
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lac.cli.resume import config_of_job, is_stopped, resumption_in
from lac.config.checks import ConfigError, config_errors, flat, override_errors
from lac.config.commands import override, pasteable_command
from lac.config.disturbances import disturbance_fit_errors
from lac.config.naming import name_on_wandb
from lac.config.plans import fit_errors, training_plan
from lac.envs.checks import smoke_test_errors
from lac.envs.factory import environment_factory, validate_spaces, wrap_env
from lac.files import relative_to
from lac.loggers.copies import missing_package
from lac.loggers.heartbeat import heartbeat
from lac.runs.config_file import write_config
from lac.runs.folder import CONFIG, FINISHED, PRUNED, SUMMARY, one_line, read_summary
from lac.settings.arguments import key_of_argument
from lac.settings.consistency import Given, unused
from lac.settings.logging import CopySettings
from lac.settings.rules import SEED, ArgumentError
from lac.sweeps.search.settings import trial_number
from lac.sweeps.seeds import PruningCallback, Report, objective, pruning_decision, train_seeds

_HEADER = """\
The resolved config of this run. To run it again:
  {again}"""

_FAIL_FAST = "fail_fast=true (there are no other jobs: this is not a sweep)"


def run(cfg: DictConfig) -> float | None:
    """Train as a config says, into Hydra's output folder.

    Returns:
        The objective of a search: the mean test cost of the final policy, with a penalty on early terminations. None
        without test episodes.

    Raises:
        ConfigError: The config cannot be run.
    """
    # Unresolved, since to Hydra's config an override with an interpolation is one itself.
    overrides: list[str] = OmegaConf.to_container(HydraConfig.get().overrides.task)  # type: ignore[assignment]
    with chdir(_typed_in()):
        errors = config_errors(cfg) + override_errors(overrides)
    if OmegaConf.to_container(cfg).get("dry_run") is True:  # type: ignore[union-attr]
        # The sweepers of lac list the jobs instead of running them.
        errors.append("dry_run is true, which lists the jobs of a sweep: add -m (with hydra/sweeper=grid or optuna)")
    if errors:
        raise ConfigError(errors)
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        cfg = config_of_job(cfg, run_dir, overrides)
    if cfg.seed is None:
        cfg.seed = secrets.randbelow(int(SEED.high) + 2 - cfg.train.seeds)
    goes_on = (run_dir / SUMMARY).is_file()
    plain = _plain(cfg, goes_on)
    with heartbeat(lambda: "building the environment"), chdir(_typed_in()):
        _raise_if_not_buildable(plain)
    if cfg.train.start_policy is not None and not goes_on:
        cfg.train.start_policy = str(_typed_in() / cfg.train.start_policy)

    # Torch is imported late, so that errors in the config are reported quickly.
    from lac.devices import limited_threads  # noqa: PLC0415

    train = plain["train"]
    pruning = _pruning_callback(last_test=train["seeds"] * train["epochs"])
    with limited_threads(plain["device"]["threads"]):
        if train["seeds"] == 1:
            return objective(_train(cfg, run_dir, pruning_decision(pruning, [], train["epochs"])))
        _write_config(cfg, run_dir)
        seeds = range(plain["seed"], plain["seed"] + train["seeds"])
        return objective(
            train_seeds(
                run_dir,
                seeds,
                train["epochs"],
                lambda seed, folder, should_prune: _trained(_single(cfg, seed), folder, should_prune),
                pruning,
            )
        )


def _pruning_callback(last_test: int) -> PruningCallback | None:
    """The callback that decides whether to prune the job; None unless it is a trial of a search."""
    if trial_number(HydraConfig.get().sweeper) is None:
        return None
    from lac.sweeps.search.search import trial_pruning_callback  # noqa: PLC0415 (imports Optuna)

    return trial_pruning_callback(last_test)


def _plain(cfg: DictConfig, goes_on: bool) -> dict[str, Any]:
    """A config as plain data; a run that goes on has left its start policy behind, which may be gone."""
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    if goes_on:
        plain["train"]["start_policy"] = None
    return plain


def _trained(cfg: DictConfig, run_dir: Path, should_prune: Callable[[Report], bool] | None) -> Report:
    """As :func:`_train`, unless an earlier call has trained this seed to its end."""
    summary = read_summary(run_dir)
    final: dict[str, float] = summary.get("final", {})
    has_all_steps = final.get("env_steps") == cfg.train.epochs * cfg.train.steps_per_epoch
    is_whole = has_all_steps or is_stopped(summary, cfg.train)
    if summary.get("status") == PRUNED or (summary.get("status") == FINISHED and is_whole):
        return final
    return _train(cfg, run_dir, should_prune)


def _train(cfg: DictConfig, run_dir: Path, should_prune: Callable[[Report], bool] | None) -> Report:
    """Train one seed into a run folder, or go on with the run in it; returns the report of its last epoch."""
    from lac.runs.recorder import RunRecorder  # noqa: PLC0415 (imports torch)

    with resumption_in(run_dir) as resumption:
        plain = _plain(cfg, goes_on=resumption is not None)
        settings = _record_settings(plain, run_dir, should_prune, resumption)
        with (
            chdir(Path.cwd()),  # for its return: environments may change the working directory
            _trainer(plain, None if resumption is None else resumption.training) as trainer,
            RunRecorder(settings, resumption, trainer.deviations) as recorder,
        ):
            _write_config(cfg, run_dir)
            trainer.run(recorder)
    return recorder.final


def _trainer(plain: Mapping[str, Any], state: Mapping[str, Any] | None) -> Any:
    """The trainer of a config, with the state from which it continues.

    Raises:
        ConfigError: The environment, or the plan with it, cannot be used.
    """
    from lac.training.trainer import Trainer  # noqa: PLC0415 (imports torch)

    try:
        return Trainer(training_plan(plain), environment_factory(plain["env"], plain["disturbance"]), state)
    except ArgumentError as error:
        raise ConfigError([f"{key_of_argument(error.argument)} {error.reason}"]) from error
    except Exception as error:  # whatever the code of an environment raises
        raise ConfigError([_unusable(plain["env"]["id"], error)]) from error


def _unusable(env_id: str, error: Exception) -> str:
    """The sentence about an environment that has raised an error."""
    name = "" if isinstance(error, (ValueError, TypeError, gymnasium.error.Error)) else f"{type(error).__name__}: "
    return f"env.id={env_id} cannot be used: {name}{one_line(error)}"


def _single(cfg: DictConfig, seed: int) -> DictConfig:
    """The config of one seed."""
    cfg = deepcopy(cfg)
    cfg.seed, cfg.train.seeds = seed, 1
    return cfg


def _write_config(cfg: DictConfig, run_dir: Path) -> None:
    comment = _HEADER.format(again=pasteable_command("train", _saved_config(relative_to(run_dir, _typed_in()))))
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    write_config(run_dir / CONFIG, plain | {"resume": None}, comment)


def _typed_in() -> Path:
    """The folder in which the command was typed; Hydra may have changed the working directory."""
    return Path(HydraConfig.get().runtime.cwd)


def _saved_config(run_dir: Path) -> list[str | Path]:
    """The arguments that choose the saved config of a run."""
    return ["--config-dir", run_dir, "--config-name", Path(CONFIG).stem]


def _raise_if_not_buildable(plain: Mapping[str, Any]) -> None:
    """Build device and environment once, to find errors that the config alone does not show.

    Raises:
        ConfigError: With all errors found.
    """
    from lac.agents.policy_files import read_policy  # noqa: PLC0415 (imports torch)
    from lac.devices import torch_device  # noqa: PLC0415

    env_id, scale = plain["env"]["id"], plain["network"]["observation_scale"]
    errors: list[str] = []
    try:
        torch_device(plain["device"]["name"])
    except ValueError as error:
        errors.append(f"device.name: {error}")
    try:
        if plain["train"]["start_policy"] is not None:
            saved_by = read_policy(plain["train"]["start_policy"])[1].get("alg_name")
            if saved_by not in {None, plain["algo"]["name"].upper()}:
                errors.append(f"train.start_policy is a policy of {saved_by}; choose it with algo={saved_by.lower()}")
    except (ValueError, FileNotFoundError) as error:
        errors.append(f"train.start_policy: {error}")
    missing = missing_package(plain["loggers"]["tensorboard"])
    if missing is not None:
        errors.append(f"loggers.tensorboard {missing}")
    if errors:
        raise ConfigError(errors)
    try:
        env = wrap_env(environment_factory(plain["env"])(), plain["algo"]["opt_type"], plain["train"]["max_ep_len"])
        n_observations = validate_spaces(env)[0].shape[0]
        errors += [f"env.id={env_id} cannot be used: {problem}" for problem in smoke_test_errors(env)]
        env.close()
        if isinstance(scale, list) and len(scale) != n_observations:
            errors.append(
                f"network.observation_scale has {len(scale)} numbers, but {env_id} has {n_observations} observations"
            )
        errors += disturbance_fit_errors(plain, plain["disturbance"])
        errors += [] if errors else fit_errors(plain, env)
    except ArgumentError as error:
        errors.append(f"env.id={env_id} cannot be used: {key_of_argument(error.argument)} {error.reason}")
    except Exception as error:  # whatever the code of an environment raises
        errors.append(_unusable(env_id, error))
    if errors:
        raise ConfigError(errors)


def _record_settings(
    plain: Mapping[str, Any], run_dir: Path, should_prune: Callable[[Report], bool] | None, resumption: Any
) -> Any:
    from lac.runs.record_settings import RecordSettings  # noqa: PLC0415 (not needed by `--help`)

    is_single = HydraConfig.get().mode == RunMode.RUN
    title = f"{plain['algo']['name'].upper()} on {plain['env']['id']}"
    folder = relative_to(run_dir, _typed_in())
    # Of several seeds this is one: the folder of the job goes on with the others, too.
    job = relative_to(Path(HydraConfig.get().runtime.output_dir), _typed_in())
    return RecordSettings(
        run_dir=run_dir,
        start_dir=_typed_in(),
        title=title,
        config=plain,
        save_freq=plain["train"]["save_freq"],
        unused=unused(Given(flat(plain))) + ([_FAIL_FAST] if is_single and plain["fail_fast"] else []),
        # The console output of parallel jobs would be interleaved; each job has its own train.log.
        quiet=not is_single,
        next_steps=[
            pasteable_command("evaluate", [override("run_dir", folder)]),
            pasteable_command("train", [*_saved_config(folder), f"seed={(plain['seed'] + 1) % (int(SEED.high) + 1)}"]),
        ]
        if is_single
        else [],
        to_continue=pasteable_command("train", [override("resume", job)]) if is_single else "",
        wandb=_wandb_settings(plain, run_dir) if resumption is None else _labels_before(plain, run_dir, resumption),
        should_prune=should_prune,
        export=plain["train"]["export"],
        keep_policies=plain["train"]["keep_policies"],
        keep_checkpoints=plain["train"]["keep_checkpoints"],
        checkpoint_seconds=plain["train"]["checkpoint_seconds"],
        copies=CopySettings(**plain["loggers"]),
    )


def _labels_before(plain: Mapping[str, Any], run_dir: Path, resumption: Any) -> Any:
    """The labels that a run has on W&B, with those that are given now."""
    kept = {"job_type", *(name for name in ("name", "group") if plain["wandb"][name] is None)}
    return resumption.labels(_wandb_settings(plain, run_dir), kept)


def _wandb_settings(plain: Mapping[str, Any], run_dir: Path) -> Any:
    """The labels of a run on W&B; its name distinguishes it from the other runs of its sweep."""
    from lac.loggers.wandb import WandbSettings  # noqa: PLC0415 (not needed by `--help`)
    from lac.loggers.wandb_environment import asked  # noqa: PLC0415

    hydra, wandb = HydraConfig.get(), plain["wandb"]
    env, algo, is_single = plain["env"]["name"], plain["algo"]["name"], hydra.mode == RunMode.RUN
    whole = Path(os.path.abspath(hydra.runtime.output_dir if is_single else hydra.sweep.dir))
    run = Path(os.path.abspath(run_dir))
    # Folders of jobs are named after what differs; those of several seeds, after the seed.
    differences = run.relative_to(whole).parts if run.is_relative_to(whole) else ()
    given = asked(wandb["name"], "WANDB_NAME")
    if is_single and given is None:
        name = name_on_wandb(env, algo, plain["seed"], hydra.overrides.task)
    else:
        name = "-".join([given or f"{env}-{algo}", *differences])
    return WandbSettings(
        mode=wandb["mode"],
        project=wandb["project"],
        entity=wandb["entity"],
        group=asked(wandb["group"], "WANDB_RUN_GROUP") or (None if is_single else whole.name),
        name=name,
        job_type=asked(None, "WANDB_JOB_TYPE") or "train",
        tags=[env, algo, *wandb["tags"]],
    )

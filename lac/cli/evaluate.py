"""Test trained policies and controllers: the command ``evaluate``."""

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from lac.cli.folders import given_folders
from lac.cli.series import evaluate_series
from lac.cli.tested_runs import find_runs
from lac.cli.testing import (
    PICTURED_EPISODES,
    Test,
    environment_of,
    named,
    print_heading,
    print_result,
    rollouts_of,
    warn_of_lengths,
)
from lac.cli.yardsticks import Yardstick, controller_errors, yardsticks
from lac.config.checks import ConfigError, added_key_errors
from lac.config.disturbances import disturbance_errors
from lac.config.naming import evaluation_name
from lac.evaluation.rollouts import FIRST_TEST_SEED, Rollouts, deterministic
from lac.evaluation.videos import NotDrawnError, as_gif, record
from lac.files import relative_to_cwd, write_bytes, write_json
from lac.loggers.heartbeat import heartbeat
from lac.runs import Run, RunError
from lac.runs.folder import EVALUATION
from lac.settings.commands import EvaluateCommand
from lac.settings.fields import setting_errors
from lac.settings.policies import ALL, FINAL, full_name
from lac.settings.rules import SEED

_PICTURE = "trajectories.png"
_VIDEO = "video.gif"


def evaluate_runs(cfg: DictConfig) -> None:
    """Test the policies of run folders, or a controller; each gets ``evaluation.json`` and ``trajectories.png``.

    With ``policy=all`` each run folder has all of its policies tested, see :func:`~lac.cli.series.evaluate_series`.
    A controller is tested once in each environment, and its results have a folder of their own.
    The names of other policies and of disturbances are part of the file names. A run that cannot be tested does not
    keep the others from it; it is named on stderr, and the exit status is 1. Runs of a folder that are not finished are
    named, too, which is no error.

    Raises:
        ConfigError: Settings are wrong, or no run can be tested.
    """
    test, test_of_controller = _tests_of(cfg)
    is_alone = cfg.controller.name != "none" and OmegaConf.is_missing(cfg, "run_dir")
    folders = [] if is_alone else given_folders(cfg, "run_dir")
    found = find_runs(folders)
    from lac.devices import limited_threads  # noqa: PLC0415 (imports torch)

    problems: list[str] = list(found.unusable)
    unfit: dict[str, list[Run | Yardstick]] = {}
    written: list[Path] = []
    tests: list[tuple[Run | Yardstick, Test]] = [(run, test) for run in found.runs]
    for run, its_test in [*tests, *((controller, test_of_controller) for controller in yardsticks(cfg, found.runs))]:
        try:
            with limited_threads(), heartbeat(partial("testing {}".format, run.folder)):
                if isinstance(run, Run) and its_test.policy == ALL:
                    written += evaluate_series(run, its_test, problems)
                    continue
                summary, files = _evaluate(run, its_test)
        except RunError as error:
            problems.append(str(error))
            continue
        except ConfigError as error:
            for sentence in error.errors:
                unfit.setdefault(sentence, []).append(run)
            continue
        if not written:
            print_heading(test)
        print_result(summary, str(relative_to_cwd(run.folder)))
        written += files
    if not written:
        nothing = [] if problems or unfit else [f"run_dir: no finished runs in {', '.join(map(str, folders))}"]
        raise ConfigError([*nothing, *problems, *unfit, *found.passed_over])
    print(f"wrote {_listed(written)}")
    problems += [f"{run.folder}: {sentence}" for sentence, runs in unfit.items() for run in runs]
    for sentence in [*problems, *found.passed_over]:
        print(f"not evaluated: {sentence}", file=sys.stderr)
    if problems:
        sys.exit(1)


def _tests_of(cfg: DictConfig) -> tuple[Test, Test]:
    """The test of trained policies and that of a controller."""
    chosen = {name: cfg[name] for name in ("episodes", "steps", "first_seed", "policy", "controller", "video")}
    chosen["env"] = {name: cfg.env[name] for name in cfg.env if not OmegaConf.is_missing(cfg.env, name)}
    errors = added_key_errors(cfg, "evaluate") + setting_errors(EvaluateCommand, chosen)
    errors += disturbance_errors(cfg.disturbance) + controller_errors(cfg)
    if cfg.policy == ALL and cfg.video is True:
        errors.append("video is true, but policy=all tests every policy of a run; choose one of them for a video")
    if errors:
        raise ConfigError(errors)
    hydra, policy_name = HydraConfig.get(), full_name(cfg.policy)
    preset = compose(hydra.job.config_name, [f"disturbance={hydra.runtime.choices['disturbance']}"])
    disturbance: dict[str, Any] = OmegaConf.to_container(cfg.disturbance, resolve=True)  # type: ignore[assignment]
    usual: dict[str, Any] = OmegaConf.to_container(preset.disturbance, resolve=True)  # type: ignore[assignment]
    first_seed = FIRST_TEST_SEED if cfg.first_seed is None else cfg.first_seed
    if first_seed + cfg.episodes - 1 > SEED.high:
        last = f"the last seed, {first_seed + cfg.episodes - 1}, is above {int(SEED.high)}"
        raise ConfigError(
            [f"episodes is {cfg.episodes}, but from first_seed={first_seed} on {last}; lower one of them"]
        )
    names = [evaluation_name(policy, cfg.steps, disturbance, usual) for policy in (policy_name, FINAL)]
    test = Test(policy_name, cfg.episodes, cfg.steps, first_seed, disturbance, cfg.video, names[0])
    return test, replace(test, policy=cfg.controller.name, name=names[1])


def _hash_of(run: Run | Yardstick, test: Test) -> dict[str, str | None]:
    """The hash of the policy of a run: a run that goes on gets another one."""
    return {"sha256": run.policy_sha256(test.policy)} if isinstance(run, Run) else {}


def _evaluate(run: Run | Yardstick, test: Test) -> tuple[dict[str, float], list[Path]]:
    """Test a policy of a run and write the results into its folder; returns a summary and the files.

    Raises:
        RunError: The run cannot be tested, or the results cannot be written.
        ConfigError: The disturbance does not fit its environment.
    """
    with chdir(Path.cwd()):  # for its return: environments may change the working directory
        rollouts = rollouts_of(run, test)
    warn_of_lengths(run, test, rollouts)
    summary = rollouts.summary()
    results = run.folder / test.file(EVALUATION)
    try:
        run.folder.mkdir(parents=True, exist_ok=True)  # that of a controller may be new
        write_json(results, test.described() | _hash_of(run, test) | summary)
        pictures = [*_draw(run, test, rollouts), *(_film(run, test) if test.video else [])]
    except NotDrawnError as error:
        raise RunError(f"{environment_of(run)} has no video: {error}") from error
    except Exception as error:  # of the disk, or of a picture of what a foreign environment calls its reference
        raise RunError(f"the results of {run.folder} cannot be written: {named(error)}") from error
    return summary, [results, *pictures]


def _listed(files: Sequence[Path]) -> str:
    """Files of one run by their paths, those of several runs by their names and the number of folders."""
    counts = Counter(file.name for file in files)
    if max(counts.values()) == 1:
        return " and ".join(str(relative_to_cwd(file)) for file in files)
    return " and ".join(f"{name} into {count} run folders" for name, count in counts.items())


def _draw(run: Run | Yardstick, test: Test, rollouts: Rollouts) -> list[Path]:
    """Draw the recorded episodes where there is a state of interest; returns the files."""
    from lac.figures import trajectories  # noqa: PLC0415 (imports matplotlib)

    if not (rollouts.references.size and rollouts.states_of_interest.size):
        return []
    title = f"{run.config['algo']['name'].upper()} on {run.config['env']['id']}"
    title += f", {test.name}" if test.name else ""
    picture = run.folder / test.file(_PICTURE)
    nominal = None
    if test.is_disturbed:
        few = min(test.episodes, PICTURED_EPISODES)
        nominal = rollouts_of(run, replace(test, episodes=few, disturbance={"kind": "none"}))
    at_step = test.disturbance.get("at_step")
    moment = at_step if isinstance(at_step, int) else None
    trajectories(rollouts, picture, title, _lyapunov_values(run, test, rollouts), nominal, moment)
    return [picture]


def _lyapunov_values(run: Run | Yardstick, test: Test, rollouts: Rollouts) -> Any:
    """The learned L along the recorded episodes, ``[m, Tm + 1]``, NaN after their ends; None without one."""
    from lac.agents import LAC  # noqa: PLC0415 (imports torch)
    from lac.agents.lyapunov import lyapunov_values  # noqa: PLC0415

    agent = run.policy(test.policy) if isinstance(run, Run) else None
    if not isinstance(agent, LAC):
        return None
    is_run = np.isfinite(rollouts.observations).all(axis=2)
    values = np.full(is_run.shape, np.nan)
    values[is_run] = lyapunov_values(agent, rollouts.observations[is_run])
    return values


def _film(run: Run | Yardstick, test: Test) -> list[Path]:
    """Draw the first episode as a GIF; returns the file.

    Raises:
        NotDrawnError: The environment does not draw itself, or fails in doing so.
    """
    actor, envs = run.closed_loop(test.policy, test.disturbance if test.is_disturbed else None, 1)
    try:
        film = record(deterministic(actor), envs[0], test.first_seed, test.steps)
    except NotDrawnError:
        raise
    except Exception as error:  # of whatever a foreign environment draws with
        raise NotDrawnError(named(error)) from error
    finally:
        envs[0].close()
    file = run.folder / test.file(_VIDEO)
    write_bytes(file, as_gif(film))
    return [file]

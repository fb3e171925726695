"""Test trained policies and controllers: the command ``evaluate``."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from lac.cli.folders import given_folders
from lac.cli.tested_runs import find_runs
from lac.cli.yardsticks import Yardstick, controller_errors, yardsticks
from lac.config.checks import ConfigError, added_key_errors
from lac.config.disturbances import disturbance_errors, disturbance_fit_errors
from lac.config.naming import evaluation_name
from lac.envs.checks import MAX_EPISODE_STEPS, raise_if_endless
from lac.evaluation.final_tests import share_cut_short
from lac.evaluation.rollouts import FIRST_TEST_SEED, MAX_TEST_ENVS, Rollouts, deterministic, rollout
from lac.evaluation.videos import NotDrawnError, as_gif, record
from lac.files import relative_to_cwd, write_bytes, write_json
from lac.loggers.heartbeat import heartbeat
from lac.runs import Run, RunError
from lac.runs.folder import CONFIG, EVALUATION, one_line
from lac.settings.arguments import key_of_argument
from lac.settings.commands import EvaluateCommand
from lac.settings.fields import setting_errors
from lac.settings.rules import SEED, ArgumentError

_PICTURED_EPISODES = 10  # in the picture of trajectories
_PICTURE = "trajectories.png"
_VIDEO = "video.gif"
_WIDTH = 100  # columns of the table


@dataclass(frozen=True)
class _Test:
    """What each run is tested with.

    Attributes:
        policy: Name of the policy, ``final`` or ``best``, or of the controller.
        episodes: Number of episodes.
        steps: Length of an episode, also beyond its time limit; None: the length of the training.
        first_seed: Reset seed of the first; the others follow it.
        disturbance: Part ``disturbance`` of a config.
        video: Whether the first episode is drawn.
        name: What distinguishes the test from others of the same run; empty for the final policy without a disturbance.
    """

    policy: str
    episodes: int
    steps: int | None
    first_seed: int
    disturbance: Mapping[str, Any]
    video: bool
    name: str

    @property
    def is_disturbed(self) -> bool:
        """Whether there is a disturbance."""
        return bool(self.disturbance["kind"] != "none")

    def file(self, name: str) -> str:
        """The file of a result: the given name, followed by that of the test."""
        return str(Path(name).with_stem(f"{Path(name).stem}-{self.name}")) if self.name else name


def evaluate_runs(cfg: DictConfig) -> None:
    """Test the policies of run folders, or a controller; each gets ``evaluation.json`` and ``trajectories.png``.

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
    tests: list[tuple[Run | Yardstick, _Test]] = [(run, test) for run in found.runs]
    for run, its_test in [*tests, *((controller, test_of_controller) for controller in yardsticks(cfg, found.runs))]:
        try:
            with limited_threads(), heartbeat(partial("testing {}".format, run.folder)):
                summary, files = _evaluate(run, its_test)
        except RunError as error:
            problems.append(str(error))
            continue
        except ConfigError as error:
            for sentence in error.errors:
                unfit.setdefault(sentence, []).append(run)
            continue
        if not written:
            _print_heading(test)
        _print_result(run, summary)
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


def _tests_of(cfg: DictConfig) -> tuple[_Test, _Test]:
    """The test of trained policies and that of a controller."""
    chosen = {name: cfg[name] for name in ("episodes", "steps", "first_seed", "policy", "controller", "video")}
    chosen["env"] = {name: cfg.env[name] for name in cfg.env if not OmegaConf.is_missing(cfg.env, name)}
    errors = added_key_errors(cfg, "evaluate") + setting_errors(EvaluateCommand, chosen)
    errors += disturbance_errors(cfg.disturbance) + controller_errors(cfg)
    if errors:
        raise ConfigError(errors)
    hydra = HydraConfig.get()
    preset = compose(hydra.job.config_name, [f"disturbance={hydra.runtime.choices['disturbance']}"])
    disturbance: dict[str, Any] = OmegaConf.to_container(cfg.disturbance, resolve=True)  # type: ignore[assignment]
    usual: dict[str, Any] = OmegaConf.to_container(preset.disturbance, resolve=True)  # type: ignore[assignment]
    first_seed = FIRST_TEST_SEED if cfg.first_seed is None else cfg.first_seed
    if first_seed + cfg.episodes - 1 > SEED.high:
        last = f"the last seed, {first_seed + cfg.episodes - 1}, is above {int(SEED.high)}"
        raise ConfigError(
            [f"episodes is {cfg.episodes}, but from first_seed={first_seed} on {last}; lower one of them"]
        )
    names = [evaluation_name(policy, cfg.steps, disturbance, usual) for policy in (cfg.policy, "final")]
    test = _Test(cfg.policy, cfg.episodes, cfg.steps, first_seed, disturbance, cfg.video, names[0])
    return test, replace(test, policy=cfg.controller.name, name=names[1])


def _evaluate(run: Run | Yardstick, test: _Test) -> tuple[dict[str, float], list[Path]]:
    """Test a policy of a run and write the results into its folder; returns a summary and the files.

    Raises:
        RunError: The run cannot be tested, or the results cannot be written.
        ConfigError: The disturbance does not fit its environment.
    """
    with chdir(Path.cwd()):  # for its return: environments may change the working directory
        rollouts = _rollouts(run, test)
    if test.steps is not None:
        cut_short = share_cut_short(rollouts, test.steps)
        if cut_short > 0:
            sentence = f"{cut_short:.0%} of the episodes were ended by the environment itself before step {test.steps}"
            print(f"warning: {run.folder}: {sentence}", file=sys.stderr)
    elif rollouts.unfinished.any():
        number = int(rollouts.unfinished.sum())
        print(f"warning: {run.folder}: {number} episodes were ended after {MAX_EPISODE_STEPS} steps", file=sys.stderr)
    summary = rollouts.summary()
    described = {"policy": test.policy, "episodes": test.episodes, "steps": test.steps, "first_seed": test.first_seed}
    described |= {"disturbance": test.disturbance if test.is_disturbed else None}
    results = run.folder / test.file(EVALUATION)
    try:
        run.folder.mkdir(parents=True, exist_ok=True)  # that of a controller may be new
        write_json(results, described | summary)
        pictures = [*_draw(run, test, rollouts), *(_film(run, test) if test.video else [])]
    except NotDrawnError as error:
        raise RunError(f"{_environment_of(run)} has no video: {error}") from error
    except Exception as error:  # of the disk, or of a picture of what a foreign environment calls its reference
        raise RunError(f"the results of {run.folder} cannot be written: {_named(error)}") from error
    return summary, [results, *pictures]


def _listed(files: Sequence[Path]) -> str:
    """Files of one run by their paths, those of several runs by their names and the number of folders."""
    if len({file.parent for file in files}) == 1:
        return " and ".join(str(relative_to_cwd(file)) for file in files)
    counts = Counter(file.name for file in files)
    return " and ".join(f"{name} into {count} run folders" for name, count in counts.items())


def _rollouts(run: Run | Yardstick, test: _Test) -> Rollouts:
    """The episodes of the test."""
    if test.is_disturbed:
        run.environment(None)().close()
        errors = disturbance_fit_errors(run.config, test.disturbance, test.steps)
        if errors:
            raise ConfigError(errors)
    actor, envs = run.closed_loop(test.policy, test.disturbance, min(test.episodes, MAX_TEST_ENVS))
    policy, seeds = deterministic(actor), range(test.first_seed, test.first_seed + test.episodes)
    try:
        raise_if_endless(envs[0])
        rollouts = rollout(policy, envs, seeds, test.steps, _PICTURED_EPISODES, beyond_limits=test.steps is not None)
        for env in envs:
            env.close()
    except ArgumentError as error:
        sentence = f"{key_of_argument(error.argument)} {error.reason}"
        raise RunError(f"{_environment_of(run)} cannot be tested: {sentence}") from error
    except Exception as error:  # whatever the code of an environment raises
        raise RunError(f"{_environment_of(run)} failed in a test: {_named(error)}") from error
    return rollouts


def _environment_of(run: Run | Yardstick) -> str:
    is_run = isinstance(run, Run)
    return f"the environment of {run.folder / CONFIG}" if is_run else f"the environment {run.config['env']['id']}"


def _draw(run: Run | Yardstick, test: _Test, rollouts: Rollouts) -> list[Path]:
    """Draw the recorded episodes where there is a state of interest; returns the files."""
    from lac.figures import trajectories  # noqa: PLC0415 (imports matplotlib)

    if not (rollouts.references.size and rollouts.states_of_interest.size):
        return []
    title = f"{run.config['algo']['name'].upper()} on {run.config['env']['id']}"
    title += f", {test.name}" if test.name else ""
    picture = run.folder / test.file(_PICTURE)
    nominal = None
    if test.is_disturbed:
        few = min(test.episodes, _PICTURED_EPISODES)
        nominal = _rollouts(run, replace(test, episodes=few, disturbance={"kind": "none"}))
    at_step = test.disturbance.get("at_step")
    moment = at_step if isinstance(at_step, int) else None
    trajectories(rollouts, picture, title, _lyapunov_values(run, test, rollouts), nominal, moment)
    return [picture]


def _lyapunov_values(run: Run | Yardstick, test: _Test, rollouts: Rollouts) -> Any:
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


def _film(run: Run | Yardstick, test: _Test) -> list[Path]:
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
        raise NotDrawnError(_named(error)) from error
    finally:
        envs[0].close()
    file = run.folder / test.file(_VIDEO)
    write_bytes(file, as_gif(film))
    return [file]


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def _print_heading(test: _Test) -> None:
    if test.is_disturbed:
        print("disturbance: " + ", ".join(f"{name}={value}" for name, value in test.disturbance.items()))
    print(f"{'terminated':>10} {'settled':>7} {'after':>6} {'cost':>9} {'± std':>8} {'length':>7}  run")


def _print_result(run: Run | Yardstick, summary: Mapping[str, float]) -> None:
    settled, after = "-", "-"
    if "settled" in summary:
        settled = f"{summary['settled']:.0%}"
        after = f"{summary['settling_steps']:.0f}" if summary["settled"] > 0 else "-"
    figures = (
        f"{summary['death_rate']:10.0%} {settled:>7} {after:>6} {summary['cost_mean']:9.1f} {summary['cost_std']:8.1f} "
        f"{summary['ep_len_mean']:7.0f}"
    )
    # A long path has a line of its own: it is there to be copied.
    name = f"  {relative_to_cwd(run.folder)}"
    print(figures + name if len(figures + name) <= _WIDTH else f"{figures}\n{name}", flush=True)

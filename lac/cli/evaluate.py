"""Test trained policies: the command ``evaluate``."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lac.cli.folders import given_folders
from lac.config.checks import ConfigError
from lac.config.disturbances import disturbance_errors, disturbance_fit_errors
from lac.evaluation.rollouts import FIRST_TEST_SEED, rollout
from lac.files import relative_to_cwd, write_json
from lac.loggers.heartbeat import heartbeat
from lac.runs import LeftOut, Run, RunError, scan
from lac.runs.folder import CONFIG, EVALUATION, FINISHED
from lac.settings.commands import EvaluateCommand
from lac.settings.fields import setting_errors

_MAX_ENVS = 50  # test episodes side by side
_PICTURED_EPISODES = 10  # in the picture of trajectories


@dataclass(frozen=True)
class _Test:
    """What each run is tested with.

    Attributes:
        policy: Name of the policy, ``final`` or ``best``.
        episodes: Number of episodes.
        first_seed: Reset seed of the first; the others follow it.
        disturbance: Part ``disturbance`` of a config.
    """

    policy: str
    episodes: int
    first_seed: int
    disturbance: Mapping[str, Any]

    @property
    def suffix(self) -> str:
        """What the names of the results end with."""
        return "" if self.disturbance["kind"] == "none" else f"-{self.disturbance['name']}"


def evaluate_runs(cfg: DictConfig) -> None:
    """Test the policies of run folders; each gets ``evaluation.json`` and ``trajectories.png``.

    Under a disturbance the names are ``evaluation-NAME.json`` and ``trajectories-NAME.png``. A run that cannot be
    tested does not keep the others from it; it is named on stderr, and the exit status is 1.

    Raises:
        ConfigError: Settings are wrong, or no run can be tested.
    """
    folders = given_folders(cfg, "run_dir")
    test = _test_of(cfg)
    runs, left_out, errors = _find_runs(folders)
    errors += [problem for run in runs for problem in _disturbance_errors(run, test)]
    if errors:
        raise ConfigError(list(dict.fromkeys(errors)))
    from lac.devices import limited_threads  # noqa: PLC0415 (imports torch)

    reasons, is_first = [item.reason for item in left_out], True
    written: list[Path] = []
    for run in runs:
        try:
            with limited_threads(), heartbeat(partial("testing {}".format, run.folder)):
                summary, files = _evaluate(run, test)
        except RunError as error:
            reasons.append(str(error))
            continue
        if is_first:
            _print_heading(test)
        is_first = False
        _print_result(run, summary)
        written += files
    if reasons and is_first:
        raise ConfigError(reasons)
    print(f"wrote {_named(written)}")
    for reason in reasons:
        print(f"not evaluated: {reason}", file=sys.stderr)
    if reasons:
        sys.exit(1)


def _test_of(cfg: DictConfig) -> _Test:
    chosen = {name: cfg[name] for name in ("episodes", "first_seed", "policy")}
    errors = setting_errors(EvaluateCommand, chosen) + disturbance_errors(cfg.disturbance)
    if errors:
        raise ConfigError(errors)
    disturbance: dict[str, Any] = OmegaConf.to_container(cfg.disturbance, resolve=True)  # type: ignore[assignment]
    first_seed = FIRST_TEST_SEED if cfg.first_seed is None else cfg.first_seed
    return _Test(cfg.policy, cfg.episodes, first_seed, disturbance)


def _find_runs(folders: Sequence[Path]) -> tuple[list[Run], list[LeftOut], list[str]]:
    """The runs to test, those that cannot be read, and a sentence for each folder without any.

    A run is tested whatever its status if its own folder is given, and if it is finished where it is one of several.
    """
    runs: dict[Path, Run] = {}
    left_out: dict[Path, LeftOut] = {}
    errors = []
    for given in folders:
        readable, unreadable = scan([given])
        wanted = [run for run in readable if run.status == FINISHED or run.folder == given]
        damaged = [item for item in unreadable if item.status in {None, FINISHED} or item.folder == given]
        if not wanted and not damaged:
            errors.append(
                f"run_dir: {given} has no {CONFIG}, and no finished runs in it; give the folder of a run or of a sweep"
            )
        for run in wanted:
            runs.setdefault(run.folder.resolve(), run)
        for item in damaged:
            left_out.setdefault(item.folder.resolve(), item)
    return list(runs.values()), list(left_out.values()), errors


def _disturbance_errors(run: Run, test: _Test) -> list[str]:
    """Why the disturbance does not fit the environment of a run; a missing environment is reported by the test."""
    if not test.suffix:
        return []
    try:
        run.environment()().close()
    except RunError:
        return []
    return disturbance_fit_errors(run.config, test.disturbance)


def _evaluate(run: Run, test: _Test) -> tuple[dict[str, float], list[Path]]:
    """Test a policy of a run and write the results into its folder; returns a summary and the files."""
    from lac.figures import trajectories  # noqa: PLC0415 (imports matplotlib)

    agent, envs = run.closed_loop(test.policy, test.disturbance, min(test.episodes, _MAX_ENVS))
    policy = partial(agent.get_action, deterministic=True)
    seeds = range(test.first_seed, test.first_seed + test.episodes)
    rollouts = rollout(policy, envs, seeds, record=_PICTURED_EPISODES)
    for env in envs:
        env.close()
    described = {"policy": test.policy, "episodes": test.episodes, "first_seed": test.first_seed}
    described |= {"disturbance": test.disturbance if test.suffix else None}
    summary = rollouts.summary()
    files = [run.folder / Path(EVALUATION).with_stem(f"{Path(EVALUATION).stem}{test.suffix}")]
    write_json(files[0], described | summary)
    if rollouts.references.size and rollouts.states_of_interest.size:
        title = f"{run.config['algo']['name'].upper()} on {run.config['env']['id']}"
        title += f" under {test.disturbance['name']}" if test.suffix else ""
        files.append(run.folder / f"trajectories{test.suffix}.png")
        trajectories(rollouts, files[-1], title)
    return summary, files


def _named(files: Sequence[Path]) -> str:
    """Files of one run by their paths, those of several runs by their names and the number of folders."""
    if len({file.parent for file in files}) == 1:
        return " and ".join(str(relative_to_cwd(file)) for file in files)
    counts = Counter(file.name for file in files)
    return " and ".join(f"{name} into {count} run folders" for name, count in counts.items())


def _print_heading(test: _Test) -> None:
    if test.suffix:
        print("disturbance: " + ", ".join(f"{name}={value}" for name, value in test.disturbance.items()))
    print(f"{'run':<60} {'cost':>9} {'± std':>8} {'min':>8} {'max':>8} {'length':>7} {'terminated':>10}")


def _print_result(run: Run, summary: Mapping[str, float]) -> None:
    cost = " ".join(f"{summary[f'cost_{name}']:8.1f}" for name in ("std", "min", "max"))
    print(
        f"{run.folder!s:<60} {summary['cost_mean']:9.1f} {cost} {summary['ep_len_mean']:7.0f} "
        f"{summary['death_rate']:10.0%}",
        flush=True,
    )

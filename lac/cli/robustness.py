"""Test policies over a grid of disturbances: the command ``robustness``."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import Timeout
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from lac.cli.contenders import Contest, contests
from lac.cli.folders import given_folders
from lac.cli.tested_runs import find_runs
from lac.cli.yardsticks import controller_errors, yardsticks
from lac.config.checks import ConfigError, added_key_errors
from lac.config.naming import name_and_changes, study_name
from lac.evaluation.rollouts import FIRST_TEST_SEED
from lac.files import relative_to_cwd
from lac.robust.conducting import NothingMeasuredError, conduct
from lac.robust.grids import Grid, grid_errors
from lac.robust.presenting import table
from lac.robust.protocols import ProtocolError, protocol_grids
from lac.robust.results import PICTURE, ROWS, SUMMARY, OtherSettingsError
from lac.robust.running import Study
from lac.robust.subjects import fit_errors
from lac.settings.commands import RobustnessCommand
from lac.settings.fields import setting_errors
from lac.settings.policies import full_name
from lac.settings.rules import SEED

FOLDER = "robustness"
_NONE = "none"
_EPISODES = 100


@dataclass(frozen=True)
class _Wanted:
    """What the command line asks for, whatever the environment.

    Attributes:
        protocol: The protocol as in the config; its name is ``none`` without one.
        grid: The grid of ``disturbance`` and ``vary``; None with a protocol.
        first_words: What the name of the results begins with.
        policy: Which policy of a run.
        seeds: Reset seeds.
        steps: Length of an episode; None leaves it to the environment.
        changed: Settings that are not the usual ones, for the name.
        workers: Number of processes; None leaves it to the work.
    """

    protocol: Mapping[str, Any]
    grid: Grid | None
    first_words: Sequence[str]
    policy: str
    seeds: Sequence[int]
    steps: int | None
    changed: Mapping[str, Any]
    workers: int | None

    @property
    def name(self) -> str:
        """Name of the results."""
        return study_name(self.first_words, {} if self.grid is None else self.grid.vary, self.changed)

    def grids_for(self, contest: Contest) -> list[Grid]:
        """The grids in an environment.

        Raises:
            ConfigError: The protocol has no version for it, or a disturbance does not fit.
        """
        if self.grid is not None:
            grids = [self.grid]
        else:
            try:
                grids = protocol_grids(self.protocol["name"], self.protocol["environments"], contest.env_id)
            except ProtocolError as error:
                raise ConfigError(error.errors) from error
        errors = fit_errors(contest.subjects[0], grids, self.steps)
        if errors:
            raise ConfigError(errors)
        return grids


def run(cfg: DictConfig) -> None:
    """Test the policies of run folders, and controllers, in every variant of a grid and in the nominal case.

    Policies that act in the same environment are compared in one table and picture. What cannot be tested does not
    keep the rest from it; it is named on stderr, and the exit status is 1.

    Raises:
        ConfigError: Settings are wrong, or nothing can be tested.
    """
    is_alone = cfg.controller.name != _NONE and OmegaConf.is_missing(cfg, "run_dir")
    folders = [] if is_alone else given_folders(cfg, "run_dir")
    wanted = _wanted(cfg)
    found = find_runs(folders)
    problems = list(found.unusable)
    controllers = yardsticks(cfg, found.runs)
    with chdir(Path.cwd()):  # for its return: environments may change the working directory
        home = controllers[0].folder if is_alone else _common(folders)
        contending = contests(found.runs, controllers, wanted.policy, wanted.steps, home, problems)
    place = home / FOLDER if cfg.output is None else Path(cfg.output)
    is_own = is_alone or [os.path.realpath(run.folder) for run in found.runs] == [os.path.realpath(home)]
    is_single = is_own and sum(len(contest.subjects) for contest in contending) == 1
    is_done = False
    for contest in contending:
        folder = place / (wanted.name if is_single else f"{wanted.name}-{contest.name}")
        try:
            _test(wanted, contest, folder, problems)
            is_done = True
        except ConfigError as error:
            where = f"{contest.name}: " if len(contending) > 1 else ""
            problems += [f"{where}{sentence}" for sentence in error.errors]
    if not is_done:
        nothing = [] if problems else [f"run_dir: no finished runs in {', '.join(map(str, folders))}"]
        raise ConfigError([*nothing, *problems, *found.passed_over])
    for sentence in [*problems, *found.passed_over]:
        print(f"not tested: {sentence}", file=sys.stderr)
    if problems:
        sys.exit(1)


def _common(folders: Sequence[Path]) -> Path:
    """The folder that was given, or that which several have in common."""
    return relative_to_cwd(Path(os.path.commonpath([os.path.abspath(folder) for folder in folders])))


def _test(wanted: _Wanted, contest: Contest, folder: Path, problems: list[str]) -> None:
    """Make all tests of the policies in an environment, write the results and print a table.

    Raises:
        ConfigError: The grids do not fit the environment, or the folder cannot be used.
    """
    study = Study(contest.subjects, wanted.grids_for(contest), wanted.seeds, wanted.steps)
    described = {
        "name": wanted.name,
        "environment": contest.environment,
        "policy": wanted.policy,
        "episodes": len(wanted.seeds),
        "first_seed": wanted.seeds[0],
        "steps": wanted.steps,
    }
    title = f"{wanted.name} on {contest.name}, {len(wanted.seeds)} resets"
    try:
        made = conduct(study, described, folder, wanted.workers, title)
    except NothingMeasuredError as error:
        raise ConfigError(error.errors) from error
    except Timeout:
        raise ConfigError([f"{folder} is used by another process; wait for it, or give another output"]) from None
    except OtherSettingsError as error:
        raise ConfigError([f"{error}; remove it, or give another folder as output=..."]) from error
    except OSError as error:
        raise ConfigError([f"the results cannot be written into {folder}: {error}; give output=..."]) from error
    print(f"{title}\n{table(made.summary)}")
    print(f"wrote {relative_to_cwd(folder)}/ ({ROWS}, {SUMMARY}, {PICTURE})", flush=True)
    problems += made.failures


def _wanted(cfg: DictConfig) -> _Wanted:
    """What the command line asks for.

    Raises:
        ConfigError: Settings are wrong; all of them are named.
    """
    chosen = {name: cfg[name] for name in ("policy", "episodes", "steps", "first_seed", "workers", "output")}
    chosen["env"] = {name: cfg.env[name] for name in cfg.env if not OmegaConf.is_missing(cfg.env, name)}
    errors = added_key_errors(cfg, "robustness") + setting_errors(RobustnessCommand, chosen) + controller_errors(cfg)
    if errors:
        raise ConfigError(errors)
    chosen["policy"] = full_name(cfg.policy)
    first_seed = FIRST_TEST_SEED if cfg.first_seed is None else cfg.first_seed
    if first_seed + cfg.episodes - 1 > SEED.high:
        last = f"the last seed, {first_seed + cfg.episodes - 1}, is above {int(SEED.high)}"
        raise ConfigError(
            [f"episodes is {cfg.episodes}, but from first_seed={first_seed} on {last}; lower one of them"]
        )
    grid, words = _grid_and_words(cfg)
    usual = {"policy": "final", "episodes": _EPISODES, "steps": None, "first_seed": None}
    return _Wanted(
        protocol=_plain(cfg.protocol),
        grid=grid,
        first_words=words,
        policy=chosen["policy"],
        seeds=range(first_seed, first_seed + cfg.episodes),
        steps=cfg.steps,
        changed={name: chosen[name] for name, value in usual.items() if chosen[name] != value},
        workers=cfg.workers,
    )


def _grid_and_words(cfg: DictConfig) -> tuple[Grid | None, list[str]]:
    """The grid of ``disturbance`` and ``vary``, None with a protocol; and the begin of the name.

    Raises:
        ConfigError: They are wrong, or exclude each other.
    """
    disturbance, vary = _plain(cfg.disturbance), _plain(cfg.vary)
    if cfg.protocol.name != _NONE:
        given = [f"disturbance={disturbance['name']}"] if disturbance["kind"] != _NONE else []
        given += ["vary"] if vary else []
        if given:
            whole = f"protocol is {cfg.protocol.name}, which has disturbances of its own"
            raise ConfigError([f"{whole}; leave {' and '.join(given)} out, or the protocol"])
        return None, [cfg.protocol.name.replace("/", "-")]
    if disturbance["kind"] == _NONE:
        raise ConfigError(
            ["disturbance is none; choose one with disturbance=OPTION and values for it, or a protocol=OPTION"]
        )
    grid = Grid.of(disturbance, vary)
    errors = grid_errors(grid)
    if errors:
        raise ConfigError(errors)
    hydra = HydraConfig.get()
    preset = _plain(compose(hydra.job.config_name, [f"disturbance={hydra.runtime.choices['disturbance']}"]).disturbance)
    words = name_and_changes(disturbance, preset)
    return grid, [word for word in words if word.partition("=")[0] not in grid.vary]


def _plain(node: DictConfig) -> dict[str, Any]:
    """The values of a part of the config, without those that are not set.

    Raises:
        ConfigError: A value refers to something that is not there.
    """
    try:
        values: dict[str, Any] = OmegaConf.to_container(node, resolve=True)  # type: ignore[assignment]
    except InterpolationResolutionError as error:
        raise ConfigError([f"{error.full_key}: {str(error).splitlines()[0]}"]) from error
    return {str(key): value for key, value in values.items() if value != "???"}

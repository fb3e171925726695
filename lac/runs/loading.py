"""A run read from its folder: config, metrics, summary, policies, and the environment it was trained in."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lac.envs.disturbances import DisturbanceError
from lac.envs.factory import AnyEnv, HasSpaces, env_errors, environment_factory, wrap_env
from lac.loggers.jsonl import read_metrics
from lac.runs.config_file import read_config
from lac.runs.environments import at_most
from lac.runs.folder import (
    ATTEMPTS,
    CONFIG,
    FINISHED,
    METRICS,
    SUMMARY,
    RunError,
    is_multi_seed,
    one_line,
    present_file,
    read_object,
    read_summary,
    status,
    unreadable,
)
from lac.settings.algorithms import Algorithm
from lac.settings.fields import setting_errors
from lac.settings.training import EnvSettings, LoopSettings

if TYPE_CHECKING:
    from lac.agents import Agent  # imports torch, which is needed for policies alone

_NO_RUNS = {ATTEMPTS, "wandb"}
"""Folders without runs that count: earlier attempts, and the offline runs of W&B, which have a ``config.yaml``, too."""


_KINDS: Mapping[str, tuple[type, str]] = {
    "id": (str, "a text"),
    "name": (str, "a text"),
    "kwargs": (Mapping, "keys and values"),
}
"""The settings of a config whose type is their only rule."""


@dataclass(frozen=True)
class Run:
    """A run in its folder. Metrics, policies and the environment are read when they are first asked for.

    Attributes:
        folder: The run folder.
        config: The config as plain data; interpolations stay as they are written.
        summary: ``summary.json``.
        status: ``running``, ``finished``, ``failed``, ``interrupted`` or ``pruned``, when it was loaded.
    """

    folder: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    status: str

    @cached_property
    def metrics(self) -> Sequence[Mapping[str, float | None]]:
        """The rows of ``metrics.jsonl``, one for each epoch; None stands for a value that was not finite.

        Raises:
            RunError: The file is missing, empty, or damaged before its last line.
        """
        file = self.folder / METRICS
        try:
            rows = read_metrics(present_file(file))
        except (OSError, ValueError) as error:
            raise unreadable(file, error) from error
        if not rows:
            raise unreadable(file, "it has no complete line")
        return rows

    def policy(self, name: str = "final") -> "Agent":
        """A policy of the run, ready to act.

        Args:
            name: ``final``, ``best``, or that of an epoch, such as ``epoch-0005``, where they were kept.

        Raises:
            RunError: The policy is missing or damaged.
        """
        from lac.agents.loading import load_agent  # noqa: PLC0415 (imports torch)

        file = self._policy_file(name)
        if not file.is_file():
            saved = ", ".join(sorted(path.stem for path in file.parent.glob(f"*{file.suffix}"))) or "none"
            raise RunError(f"{file} is missing (saved policies: {saved}); choose one of these or train the run again")
        try:
            return load_agent(present_file(file))
        except Exception as error:  # whatever bytes that are no policy lead to
            raise unreadable(file, error) from error

    def environment(self, disturbance: Mapping[str, Any] | None = None) -> Callable[[], AnyEnv]:
        """A factory of the run's environment, wrapped as for training: flat observations, a cost, and its time limits.

        Args:
            disturbance: Part ``disturbance`` of a config; None is the nominal environment, whatever the run was
                trained under. The factory raises a DisturbanceError if it does not fit the environment.

        Raises:
            RunError: The environment in the config is unknown or cannot be imported. The factory raises it, too, if
                the environment cannot be built.
        """
        env = self._part("env", EnvSettings, "id", "kwargs", "max_episode_steps", "reward_max")
        opt_type = self._part("algo", Algorithm, "name", "opt_type")["opt_type"]
        max_ep_len = self._part("train", LoopSettings, "max_ep_len")["max_ep_len"]
        try:
            errors = env_errors(env["id"], env["kwargs"])
        except Exception as error:  # whatever the import of a module raises
            errors = [f"env.id is {env['id']!r}, which cannot be imported: {one_line(error)}"]
        if errors:
            raise self._unusable_config(errors)
        return partial(self._build, environment_factory(env, disturbance), opt_type, max_ep_len)

    def closed_loop(
        self, name: str = "final", disturbance: Mapping[str, Any] | None = None, num_envs: int = 1
    ) -> tuple["Agent", list[AnyEnv]]:
        """A policy and at most ``num_envs`` environments that it acts in; see :meth:`policy` and :meth:`environment`.

        Raises:
            RunError: One of them cannot be loaded, or the policy does not fit the environment.
            DisturbanceError: The disturbance does not fit the environment.
        """
        agent, make = self.policy(name), self.environment(disturbance)
        envs = at_most(num_envs, make)
        self._raise_if_unfit(self._policy_file(name), envs[0])
        return agent, envs

    def _policy_file(self, name: str) -> Path:
        from lac.agents.policy_files import policy_path  # noqa: PLC0415 (imports torch)

        return policy_path(self.folder, name)

    def _part(self, name: str, settings: type, *keys: str) -> Mapping[str, Any]:
        """A part of the config that has these keys, with values that the settings allow."""
        part = self.config.get(name)
        if not isinstance(part, Mapping):
            part = {}
        missing = [f"{name}.{key}" for key in keys if key not in part]
        if missing:
            raise RunError(f"{self.folder / CONFIG} has no {', '.join(missing)}; restore it or train the run again")
        errors = setting_errors(settings, {key: part[key] for key in keys}, f"{name}.")
        errors += [
            f"{name}.{key} is {part[key]!r}; it must be {text}"
            for key, (kind, text) in _KINDS.items()
            if key in keys and not isinstance(part[key], kind)
        ]
        if errors:
            raise self._unusable_config(errors)
        return part

    def _unusable_config(self, errors: Iterable[str]) -> RunError:
        return RunError(
            f"{self.folder / CONFIG} cannot be used: {'; '.join(errors)}; restore it or train the run again"
        )

    def _build(self, make: Callable[[], AnyEnv], opt_type: str, max_ep_len: int | None) -> AnyEnv:
        try:
            return wrap_env(make(), opt_type, max_ep_len)
        except DisturbanceError:
            raise
        except Exception as error:  # whatever the code of an environment raises
            raise RunError(f"the environment of {self.folder / CONFIG} cannot be built: {one_line(error)}") from error

    def _raise_if_unfit(self, policy_file: Path, env: AnyEnv) -> None:
        from lac.agents.description import described_spaces  # noqa: PLC0415 (imports torch)
        from lac.agents.policy_files import read_policy  # noqa: PLC0415

        trained = described_spaces(read_policy(policy_file)[1])
        own, needed = _describe(trained), _describe(env)
        if own != needed:
            raise RunError(
                f"{policy_file} is for {own}, but the environment in {self.folder / CONFIG} has {needed}; "
                "restore the config or the policy that belongs to the run"
            )


def _describe(spaces: HasSpaces) -> str:
    observations, actions = spaces.observation_space, spaces.action_space
    low, high = (np.asarray(getattr(actions, bound, np.nan), np.float64).tolist() for bound in ("low", "high"))
    return f"observations of shape {observations.shape} and actions from {low} to {high}"


def load(folder: str | Path) -> Run:
    """The run in a folder.

    Raises:
        RunError: It is not a run folder, or its config or summary is missing, empty or damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder; give the folder of a run")
    summary = read_object(folder / SUMMARY)
    if "seeds" in summary:
        raise RunError(f"{folder} holds a run for each of several seeds; load {folder / 'seed-K'}, or scan it for all")
    state = status(folder)
    if state is None:
        raise RunError(f"{folder / SUMMARY} has no status; restore it or train the run again")
    return Run(folder, read_config(folder / CONFIG), summary, state)


@dataclass(frozen=True)
class LeftOut:
    """A run folder, or a folder that may hold some, that was left out.

    Attributes:
        folder: The folder.
        reason: A sentence that names it.
        status: Status of the run; None where it cannot be read.
    """

    folder: Path
    reason: str
    status: str | None


def scan(folders: Iterable[str | Path]) -> tuple[list[Run], list[LeftOut]]:
    """The runs in folders, sorted by path within each, and what cannot be read; each run once.

    Args:
        folders: Run folders, or folders that hold some at any depth: sweeps, jobs of several seeds, links to runs.
            One without runs gives nothing.
    """
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    visited: set[str] = set()
    for found in (item for given in folders for item in _run_folders(Path(given), visited)):
        if isinstance(found, LeftOut):
            left_out.append(found)
            continue
        try:
            runs.append(load(found))
        except RunError as error:
            state = _status_if_readable(found)
            # What a run lacks before its end is no damage.
            reason = str(error) if state in {None, FINISHED} else f"{found} is {state}"
            left_out.append(LeftOut(found, reason, state))
    return runs, left_out


def _run_folders(folder: Path, visited: set[str], in_run: bool = False) -> Iterator[Path | LeftOut]:
    """The run folders in a folder, readable or not, and what may hold some but cannot be entered or is empty.

    Args:
        folder: The folder.
        visited: Folders that are passed over, without links; those that are visited are added. Links may lead in a
            circle, and many to one folder.
        in_run: Whether it lies in a run folder; what is empty there is no run that was left out.
    """
    here = os.path.realpath(folder)
    if here in visited:
        return
    visited.add(here)
    if not os.path.isdir(folder):
        if folder.is_symlink() and not os.path.exists(folder) and not in_run:
            yield LeftOut(folder, f"{folder} is a link to {os.readlink(folder)}, which is not there; remove it", None)
        return
    try:
        children = [child for child in sorted(folder.iterdir()) if not child.name.startswith(".")]
        os.stat(os.path.join(folder, "."))  # a folder may be listed without the right to enter it
    except OSError as error:
        yield LeftOut(folder, f"{folder} cannot be read ({error.strerror}); change its permissions", None)
        return
    is_run = False
    if not children and not in_run:
        yield LeftOut(folder, f"{folder} is empty: there is no run in it", None)
    elif any((folder / name).exists() for name in (SUMMARY, METRICS, CONFIG)):
        is_run = not _is_known_multi_seed(folder)
        yield from [folder] if is_run else _missing_seeds(folder)
    for child in children:
        if child.name not in _NO_RUNS:
            yield from _run_folders(child, visited, in_run or is_run)


def _is_known_multi_seed(folder: Path) -> bool:
    try:
        return is_multi_seed(folder)
    except RunError:
        return False


def _missing_seeds(folder: Path) -> Iterator[LeftOut]:
    """A job of several seeds, if it has no run for some of them."""
    seeds, state = read_summary(folder)["seeds"], _status_if_readable(folder)
    if not isinstance(seeds, list):
        yield LeftOut(folder, str(unreadable(folder / SUMMARY, f"its seeds are {seeds!r} instead of a list")), None)
        return
    missing = ", ".join(str(seed) for seed in seeds if not (folder / f"seed-{seed}").is_dir())
    if missing:
        yield LeftOut(folder, f"{folder} is {state} and has no run of the seeds {missing}", state)


def _status_if_readable(folder: Path) -> str | None:
    try:
        return status(folder)
    except RunError:
        return None

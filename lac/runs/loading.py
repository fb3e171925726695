"""A run read from its folder: config, metrics, summary, policies, and the environment it was trained in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lac.envs.disturbances import DisturbanceError
from lac.envs.factory import AnyEnv, HasSpaces, env_errors, environment_factory, wrap_env
from lac.files import file_sha256, relative_to_cwd
from lac.loggers.jsonl import read_metrics
from lac.runs.config_file import read_config
from lac.runs.environments import at_most
from lac.runs.folder import (
    CONFIG,
    EVALUATION,
    METRICS,
    SUMMARY,
    UNMADE,
    RunError,
    one_line,
    present_file,
    read_object,
    status,
    unreadable,
)
from lac.settings.algorithms import Algorithm, LacAlgorithm
from lac.settings.fields import setting_errors
from lac.settings.policies import POLICY_FOLDER, POLICY_SUFFIX, full_name
from lac.settings.training import EnvSettings, LoopSettings

if TYPE_CHECKING:
    from lac.agents import Agent  # imports torch, which is needed for policies alone

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
        is_recorded: Whether it is a line of a file, without a folder that could be opened.
    """

    is_recorded: ClassVar[bool] = False
    folder: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    status: str

    def __str__(self) -> str:
        return str(relative_to_cwd(self.folder))

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

    @property
    def summary_file(self) -> Path:
        """The file that its summary was read from."""
        return self.folder / SUMMARY

    @property
    def evaluation(self) -> Mapping[str, Any]:
        """``evaluation.json``, a later test of a policy; empty where there was none.

        Raises:
            RunError: The file is damaged.
        """
        file = self.folder / EVALUATION
        return read_object(file) if file.exists() else {}

    def policy_sha256(self, name: str) -> str | None:
        """The hash of a policy's file, by which tests know it; None where there is none."""
        return file_sha256(self.folder / POLICY_FOLDER / f"{full_name(name)}{POLICY_SUFFIX}")

    @property
    def policies(self) -> list[str]:
        """The names of its policies: those of epochs that were kept, in their order, then ``best`` and ``final``."""
        from lac.agents.policy_files import policy_names  # noqa: PLC0415 (imports torch)

        return policy_names(self.folder)

    def policy(self, name: str = "final") -> "Agent":
        """A policy of the run, ready to act.

        Args:
            name: ``final``, ``best``, or that of an epoch, such as ``epoch-5``, where they were kept; see
                :attr:`policies`.

        Raises:
            RunError: The policy is missing or damaged.
        """
        from lac.agents.loading import load_agent  # noqa: PLC0415 (imports torch)

        file = self._policy_file(name)
        if not file.is_file():
            raise RunError(missing_policy(self.folder, file))
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
            RunError: The environment in the config is unknown or cannot be imported, or the config does not suffice to
                make it. The factory raises it, too, if the environment cannot be built.
        """
        unmade = self.summary.get(UNMADE)
        if unmade is not None:
            raise RunError(
                f"the environment of {self.folder} cannot be made by name: {unmade}. Register it with Gymnasium, with "
                "what it needs as arguments, and train again; or call lac.evaluate(lac.load_agent(folder), env_fn) and "
                "its like from Python"
            )
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

    def lyapunov_settings(self) -> Mapping[str, Any]:
        """``alpha3``, ``gamma`` and ``horizon_length`` of a run of LAC or LATC: what its L stands for.

        Raises:
            RunError: They are missing in its config, or not allowed.
        """
        return self._part("algo", LacAlgorithm, "alpha3", "gamma", "horizon_length")

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
        reasons = "; ".join(error.rstrip(".") for error in errors)
        return RunError(f"{self.folder / CONFIG} cannot be used: {reasons}; restore it or train the run again")

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


def missing_policy(folder: Path, file: Path) -> str:
    """The sentence about a policy that a run does not have, with those that it has."""
    from lac.agents.policy_files import policy_names  # noqa: PLC0415 (imports torch)

    saved = ", ".join(policy_names(folder)) or "none"
    return f"{file} is missing (saved policies: {saved}); choose one of these or train the run again"


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

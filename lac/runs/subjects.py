"""A run as a policy under test."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lac.envs import AnyEnv
from lac.envs.checks import raise_if_endless
from lac.evaluation.rollouts import Policy, deterministic
from lac.files import relative_to
from lac.robust.subjects import Subject
from lac.runs.environments import at_most
from lac.runs.folder import RunError
from lac.runs.loading import Run
from lac.settings.arguments import key_of_argument
from lac.settings.rules import ArgumentError


def subject_of_run(run: Run, policy: str, folder: Path) -> Subject:
    """A policy of a run in the environment of the run.

    Args:
        run: The run.
        policy: Name of the policy.
        folder: What the name of the run is relative to.

    Raises:
        RunError: The policy cannot be loaded, or it does not fit the environment.
    """
    _, envs = run.closed_loop(policy)
    raise_if_untestable(envs, f"the environment of {run.folder}")
    name = str(relative_to(Path(os.path.abspath(run.folder)), Path(os.path.abspath(folder))))
    seed = run.config.get("seed")
    return Subject(
        run.folder.name if name == "." else name,
        str(run.config["algo"]["name"]).upper(),
        seed if isinstance(seed, int) else None,
        str(run.policy_sha256(policy)),
        partial(_policy, run, policy),
        partial(environments_of, run.environment),
    )


def _policy(run: Run, name: str) -> Policy:
    return deterministic(run.policy(name))


def environments_of(
    environment: Callable[[Mapping[str, Any] | None], Callable[[], AnyEnv]],
    disturbance: Mapping[str, Any] | None,
    number: int,
) -> list[AnyEnv]:
    """At most that many environments under a disturbance, from what :meth:`Run.environment` is."""
    return at_most(number, environment(disturbance))


def raise_if_untestable(envs: Sequence[AnyEnv], owner: str) -> None:
    """Close environments; raise a RunError if their episodes have no end.

    Args:
        envs: The environments.
        owner: What the message calls them.
    """
    try:
        raise_if_endless(envs[0])
    except ArgumentError as error:
        raise RunError(f"{owner} cannot be tested: {key_of_argument(error.argument)} {error.reason}") from error
    finally:
        for env in envs:
            env.close()

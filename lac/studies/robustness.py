"""Robustness studies from Python: :func:`robustness`."""

import hashlib
import os
import pickle
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from filelock import Timeout

from lac.config.protocols import published_protocol
from lac.envs import AnyEnv
from lac.envs.checks import raise_if_endless
from lac.envs.system import System, constants_of
from lac.envs.time_limits import time_limit
from lac.evaluation.rollouts import FIRST_TEST_SEED, deterministic
from lac.robust.conducting import conduct
from lac.robust.grids import Grid, grid_errors
from lac.robust.protocols import protocol_grids
from lac.robust.running import Study
from lac.robust.subjects import Subject, fit_errors
from lac.runs import Run, load
from lac.runs.subjects import environments_of, subject_of_run
from lac.settings.rules import COUNT, OPTIONAL_COUNT, SEED, ArgumentError, Choice, raise_if_any, raise_if_wrong
from lac.studies.arguments import made


@dataclass(frozen=True)
class Robustness:
    """What a study gives.

    Attributes:
        rows: One for each policy, variant and reset: ``run method training_seed grid variant``, the varied keys,
            ``reset_seed cost length terminated settled settling_step``.
        summary: The content of ``results.json``; its ``variants`` have figures of each run and of each method.
        failures: A sentence for each test that could not be made; its rows are missing.
    """

    rows: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any]
    failures: Sequence[str]


def robustness(
    policy: Any,
    env_fn: Callable[[], AnyEnv] | None = None,
    disturbance: Mapping[str, Any] | None = None,
    vary: Mapping[str, Any] | None = None,
    protocol: str | None = None,
    episodes: int = 100,
    steps: int | None = None,
    first_seed: int = FIRST_TEST_SEED,
    opt_type: str = "minimize",
    workers: int = 1,
    output_dir: str | Path | None = None,
) -> Robustness:
    """Test policies over a grid of disturbances, beside the nominal case, with common random numbers.

    Every policy gets the same resets and the same noise in every variant: what differs is policy and variant alone.
    ``lac.robustness(agent, env_fn, {"kind": "parameters"}, {"values.length": [2, 3, 4]})`` tests on longer poles.

    Args:
        policy: A trained agent, a controller, any function from observations ``[B, obs_dim]`` to actions, or a run or
            its folder; several by name as a mapping, with a list for the seeds of one method:
            ``{"LAC": ["outputs/a", "outputs/b"], "lqr": lac.controllers.lqr(env)}``.
        env_fn: Makes a copy of the environment; None is that of the first run.
        disturbance: ``kind`` (impulse, noise, sinusoid, parameters, reference) and the arguments that are not varied.
        vary: One or two keys of the disturbance, each with a list of values, or with ``"FROM:TO:NUMBER"``.
        protocol: In the place of both, a published protocol such as ``han2020/impulse``.
        episodes: Number of episodes in each variant.
        steps: Length of an episode, also beyond its time limit; None is that limit.
        first_seed: Seed of the first reset; the others follow it.
        opt_type: Whether the environment gives costs (``minimize``) or rewards (``maximize``).
        workers: Number of processes. With several, what is given must be something that pickle takes, and a script has
            to call this below ``if __name__ == "__main__":``, since each process imports the script.
        output_dir: Folder for ``results.csv``, ``results.json`` and a picture; None writes nothing. A study of runs
            that was stopped there continues; results of other settings are refused.

    Returns:
        Rows and summary.

    Raises:
        ValueError: An argument is wrong, or does not fit the environment.
    """
    raise_if_wrong(
        episodes=(episodes, COUNT),
        steps=(steps, OPTIONAL_COUNT),
        first_seed=(first_seed, replace(SEED, optional=False)),
        opt_type=(opt_type, Choice(("minimize", "maximize"))),
        workers=(workers, COUNT),
    )
    _raise_if_seeds_run_out(first_seed, episodes)
    subjects = _subjects(policy, None if env_fn is None else partial(_environments, env_fn, opt_type))
    environment = _tested_environment(subjects[0], steps)
    grids = _grids(disturbance, vary, protocol, environment["id"])
    raise_if_any(fit_errors(subjects[0], grids, steps))
    study = Study(subjects, grids, range(first_seed, first_seed + episodes), steps)
    _raise_if_unpicklable(study, workers)
    name = protocol or grids[0].disturbance["kind"]
    described = {"name": name, "environment": environment | {"opt_type": opt_type}}
    described |= {"episodes": episodes, "first_seed": first_seed, "steps": steps}
    title = f"{name} on {environment['id']}, {episodes} resets"
    return _conducted(study, described, output_dir, workers, title)


def _conducted(
    study: Study, described: Mapping[str, Any], output_dir: str | Path | None, workers: int, title: str
) -> Robustness:
    try:
        conducted = conduct(study, described, None if output_dir is None else Path(output_dir), workers, title)
    except Timeout:
        raise ValueError(f"output_dir is {str(output_dir)!r}, which another process uses; give another one") from None
    return Robustness(conducted.rows, conducted.content, conducted.failures)


def _raise_if_seeds_run_out(first_seed: int, episodes: int) -> None:
    if first_seed + episodes - 1 > SEED.high:
        raise ValueError(f"first_seed is {first_seed}, but {episodes} episodes need seeds up to {int(SEED.high)}")


def _tested_environment(subject: Subject, steps: int | None) -> dict[str, Any]:
    """The id of the environment, or the name of its class, its time limit, and a digest of what else it may differ in.

    Raises:
        ValueError: Its episodes have no end.
    """
    env = subject.environments(None, 1)[0]
    try:
        if steps is None:
            raise_if_endless(env)
    except ArgumentError as error:
        raise ValueError(f"steps {error.reason}") from error
    finally:
        env.close()
    name = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
    return {"id": name, "time_limit": time_limit(env), "constants_sha256": _digest_of_constants(env)}


def _digest_of_constants(env: AnyEnv) -> str:
    """Of what two environments of one id may differ in, as far as it has a text of its own."""
    values = constants_of(env.unwrapped) if isinstance(env.unwrapped, System) else {}
    if env.spec is not None:
        values = {"kwargs": env.spec.kwargs, "additional_wrappers": env.spec.additional_wrappers, **values}
    texts = {name: text for name, value in sorted(values.items()) if " at 0x" not in (text := repr(value))}
    return hashlib.sha256(repr(texts).encode()).hexdigest()


def _grids(
    disturbance: Mapping[str, Any] | None, vary: Mapping[str, Any] | None, protocol: str | None, env_id: str
) -> list[Grid]:
    if protocol is not None:
        if disturbance is not None or vary is not None:
            raise ValueError(f"protocol is {protocol!r}, which excludes disturbance and vary; leave them out")
        content = published_protocol(protocol)
        return protocol_grids(content["name"], content["environments"], env_id)
    for name, value in (("disturbance", disturbance), ("vary", vary)):
        if not isinstance(value, Mapping):
            raise ValueError(f"{name} is {value!r}; it must be a mapping, or give a protocol")
    grid = Grid.of(disturbance or {}, vary or {})
    raise_if_any(grid_errors(grid))
    return [grid]


def _subjects(given: Any, environments: Callable[..., list[AnyEnv]] | None) -> list[Subject]:
    """The policies under test, all in the environments that are given, or in those of the first run."""
    named = given if isinstance(given, Mapping) else {"": given}
    if not named:
        raise ValueError("policy is an empty mapping; give a policy, a run, or several by name")
    subjects = []
    root = _common_folder(named.values())
    for method, value in named.items():
        members = list(value) if isinstance(value, (list, tuple)) else [value]
        for number, member in enumerate(members):
            subject = _subject(member, environments, root)
            if method:
                name = f"{method} {number}" if len(members) > 1 else str(method)
                subject = replace(subject, name=name, method=str(method))
            environments = environments or subject.environments
            subjects.append(replace(subject, environments=environments))
    return subjects


def _common_folder(given: Iterable[Any]) -> Path | None:
    """The folder that several runs have in common, in which their names differ; None where there is at most one."""
    members = chain.from_iterable(value if isinstance(value, (list, tuple)) else [value] for value in given)
    folders = [
        os.path.abspath(one.folder if isinstance(one, Run) else one)
        for one in members
        if isinstance(one, (str, Path, Run))
    ]
    return Path(os.path.commonpath(folders)) if len(set(folders)) > 1 else None


def _subject(policy: Any, environments: Callable[..., list[AnyEnv]] | None, root: Path | None) -> Subject:
    if isinstance(policy, (str, Path, Run)):
        run = policy if isinstance(policy, Run) else load(policy)
        return subject_of_run(run, "final", root or run.folder)
    if not (callable(policy) or hasattr(policy, "get_action")):
        raise ValueError(f"policy is {policy!r}; it must be an agent, a function, a run, or several of these by name")
    if environments is None:
        raise ValueError("env_fn is not given; a policy that is no run needs it")
    # A policy in memory has no name by which it would be the same in a later call.
    return Subject("policy", "policy", None, uuid.uuid4().hex, partial(deterministic, policy), environments)


def _environments(
    env_fn: Callable[[], AnyEnv], opt_type: str, disturbance: Mapping[str, Any] | None, number: int
) -> list[AnyEnv]:
    return environments_of(partial(_factory, env_fn, opt_type), disturbance, number)


def _factory(
    env_fn: Callable[[], AnyEnv], opt_type: str, disturbance: Mapping[str, Any] | None
) -> Callable[[], AnyEnv]:
    return partial(made, env_fn, opt_type, disturbance)


def _raise_if_unpicklable(study: Study, workers: int) -> None:
    if workers == 1:
        return
    try:
        pickle.dumps(study)
    except Exception as error:  # whatever objects of users raise
        raise ValueError(
            f"workers is {workers}, but policy and env_fn cannot be sent to other processes ({error}); "
            "use functions of a module in the place of a lambda, or workers=1"
        ) from error

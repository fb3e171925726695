"""Runs and controllers as policies under test, sorted by the environment that they act in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lac.cli.yardsticks import Yardstick, environment_name, tested_config
from lac.config.checks import ConfigError
from lac.evaluation.rollouts import Policy, deterministic
from lac.robust.subjects import Subject
from lac.runs import Run, RunError
from lac.runs.methods import method_of
from lac.runs.subjects import environments_of, raise_if_untestable, subject_of_run


@dataclass(frozen=True)
class Contest:
    """Policies that act in the same environment.

    Attributes:
        env_id: Id of the environment.
        name: A name for it, with what is not as usual in it.
        environment: What it is made from, for the record.
        subjects: The policies.
    """

    env_id: str
    name: str
    environment: Mapping[str, Any]
    subjects: Sequence[Subject]


def contests(
    runs: Sequence[Run],
    yardsticks: Sequence[Yardstick],
    policy: str,
    steps: int | None,
    folder: Path,
    problems: list[str],
) -> list[Contest]:
    """The policies of runs and controllers, those in the same environment together.

    Args:
        runs: Runs.
        yardsticks: Controllers with their environments.
        policy: Which policy of a run, ``final`` or ``best``.
        steps: Length of an episode where it is given: environments may then differ in their time limit.
        folder: What the names of runs are relative to.
        problems: A sentence about each that cannot be tested is added.
    """
    members: dict[str, list[tuple[Mapping[str, Any], Subject, Mapping[str, Any]]]] = {}
    tested: list[Run | Yardstick] = [*runs, *yardsticks]
    config: Mapping[str, Any]
    for each in tested:
        try:
            if isinstance(each, Run):
                subject, config = subject_of_run(each, policy, folder), tested_config(each, "")
            else:
                subject, config = _subject_of_yardstick(each), each.config
        except (RunError, ConfigError) as error:
            problems.append(str(error))
            continue
        environment = _environment(config, steps)
        trained = method_of(each) if isinstance(each, Run) else {}
        group = members.setdefault(json.dumps(environment, default=str), [])
        # A controller comes once for each time limit, which may not matter.
        if all(other.name != subject.name for _, other, _ in group):
            group.append((config, subject, trained))
    return [
        Contest(
            group[0][0]["env"]["id"],
            environment_name(_environment_config(group[0][0], steps)),
            _environment(group[0][0], steps),
            _with_differences([subject for _, subject, _ in group], [trained for *_, trained in group]),
        )
        for group in members.values()
    ]


def _environment_config(config: Mapping[str, Any], steps: int | None) -> dict[str, Any]:
    """The config of an environment, without its time limits where these do not matter."""
    if steps is None:
        return dict(config)
    return {**config, "env": {**config["env"], "max_episode_steps": None}, "train": {"max_ep_len": None}}


def _environment(config: Mapping[str, Any], steps: int | None) -> dict[str, Any]:
    """What distinguishes environments."""
    known = _environment_config(config, steps)
    env = {key: value for key, value in known["env"].items() if key != "name"}
    return {**env, "opt_type": known["algo"]["opt_type"], "max_ep_len": known["train"]["max_ep_len"]}


def _subject_of_yardstick(yardstick: Yardstick) -> Subject:
    """A controller as a policy under test.

    Raises:
        RunError: The environment cannot be built.
        ConfigError: The controller has no meaning in it.
    """
    name = yardstick.config["algo"]["name"]
    _, envs = yardstick.closed_loop(name, None, 1)
    raise_if_untestable(envs, f"the environment {yardstick.config['env']['id']}")
    weight = "" if yardstick.input_weight is None else f" input_weight={yardstick.input_weight:g}"
    method = f"{name}{weight}"
    return Subject(
        f"controller={method}",
        method,
        None,
        method,
        partial(_policy_of_yardstick, yardstick),
        partial(environments_of, yardstick.environment),
    )


def _policy_of_yardstick(yardstick: Yardstick) -> Policy:
    controller, envs = yardstick.closed_loop(yardstick.config["algo"]["name"], None, 1)
    for env in envs:
        env.close()
    return deterministic(controller)


def _with_differences(subjects: Sequence[Subject], methods: Sequence[Mapping[str, Any]]) -> list[Subject]:
    """The subjects, their methods completed by the settings in which runs of one algorithm differ.

    Args:
        subjects: The subjects.
        methods: Their settings in training, as :func:`~lac.runs.methods.method_of` gives them; empty for controllers.
    """
    completed = []
    for subject, own in zip(subjects, methods, strict=True):
        peers = [other for each, other in zip(subjects, methods, strict=True) if each.method == subject.method]
        differing = [key for key in own if any(peer.get(key) != own[key] for peer in peers)]
        words = [subject.method, *(f"{key.rpartition('.')[2]}={own[key]}" for key in differing)]
        completed.append(replace(subject, method=" ".join(words)))
    return completed

"""The controllers that are designed for the environments of runs, with the same test as the final policies."""

from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lac.controllers import CONTROLLERS, Controller, ControllerError, Zero, make_controller
from lac.envs import AnyEnv
from lac.evaluation.final_tests import final_tests
from lac.reports.results import Result, flat, identity
from lac.runs import RunError
from lac.runs.folder import one_line

RESETS = 100
_OWN = "lac/"
_ENV_KEYS = ("env.id", "env.kwargs", "env.max_episode_steps", "env.reward_max", "env.goal_tolerance")


@dataclass(frozen=True)
class Yardstick:
    """A designed controller with its figures in an environment; names as in :class:`~lac.reports.results.Result`."""

    env: str
    name: str
    figures: Mapping[str, float]
    long: Mapping[str, float]


def measure_yardsticks(results: Sequence[Result]) -> tuple[list[Yardstick], list[str]]:
    """Test the controller of each environment of the results, and sentences on those in which this fails.

    Environments that are not this package's have none, and are not built. An environment that some runs have with
    other settings is tested with each.
    """
    different: dict[str, Result] = {}
    for result in results:
        env_id = result.method.get("env.id")
        if isinstance(env_id, str) and env_id.startswith(_OWN):
            different.setdefault(_environment(result), result)
    yardsticks, failures = [], []
    for result in different.values():
        try:
            with chdir(Path.cwd()):
                yardstick = _measured(result)
        except Exception as error:  # a config may hold anything, and environments fail in many ways
            reason = str(error) if isinstance(error, RunError) else f"{type(error).__name__}: {one_line(error)}"
            failures.append(f"no controller was tested in {result.env}: {reason}")
            continue
        if yardstick is not None:
            yardsticks.append(yardstick)
    return yardsticks, failures


def _environment(result: Result) -> str:
    """What distinguishes the environment of a result from another, for a test."""
    parts = {key: value for key, value in result.method.items() if key.startswith(_ENV_KEYS)}
    return identity(parts | {key: result.method.get(key) for key in ("algo.opt_type", "train.max_ep_len")})


def _measured(result: Result) -> Yardstick | None:
    """The controller that is designed for the environment of a result; None where there is none."""
    env = result.run.environment(None)()
    try:
        controller = _designed(env)
        if controller is None:
            return None
        tests = final_tests(partial(controller.get_action, deterministic=True), [env], RESETS)
    finally:
        env.close()
    return Yardstick(result.env, controller.name, tests.usual, flat(tests.long))


def _designed(env: AnyEnv) -> Controller | None:
    for kind in CONTROLLERS.values():
        if kind is Zero:
            continue
        try:
            return make_controller(kind, env)
        except ControllerError:
            continue
    return None

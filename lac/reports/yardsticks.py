"""The controllers that are designed for the environments of runs, with the same test as the final policies."""

from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from lac.evaluation.yardsticks import designed_tests
from lac.reports.results import Result, identity
from lac.runs import RunError
from lac.runs.folder import one_line
from lac.runs.methods import is_disturbed, settings_of_test

RESETS = 100
"""Of a run whose number is not known."""
_OWN = "lac/"


@dataclass(frozen=True)
class Yardstick:
    """A designed controller in an environment.

    Attributes:
        env: Name of the environment.
        name: Name of the controller.
        figures: As in :class:`~lac.reports.results.Result`.
        long: Likewise.
        training_cost: On the resets of the tests in training, which are the first of those at the end.
    """

    env: str
    name: str
    figures: Mapping[str, float]
    long: Mapping[str, float]
    training_cost: float


def measure_yardsticks(results: Sequence[Result]) -> tuple[list[Yardstick], list[str]]:
    """Test the controller of each environment of the results, and sentences on those in which this fails.

    Environments that are not this package's have none, and are not built. An environment that some runs have with
    other settings is tested with each, on as many resets as the run that was tested on most of them.
    """
    different: dict[str, Result] = {}
    for result in sorted(results, key=_resets, reverse=True):
        env_id = result.method.get("env.id")
        if isinstance(env_id, str) and env_id.startswith(_OWN):
            different.setdefault(identity(settings_of_test(result.method)), result)
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


def _resets(result: Result) -> int:
    return int(result.figures.get("episodes", RESETS))


def _measured(result: Result) -> Yardstick | None:
    """The controller that is designed for the environment of a result; None where there is none."""
    disturbance = result.run.config["disturbance"] if is_disturbed(result.run) else None
    env = result.run.environment(disturbance)()
    try:
        measured = designed_tests([env], _resets(result), int(result.method["train.num_test_episodes"]))
    finally:
        env.close()
    if measured is None:
        return None
    return Yardstick(result.env, measured.name, measured.tests.usual, measured.tests.long, measured.training_cost)

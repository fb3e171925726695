"""The tests at the end of a run, as its summary records them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lac.agents import Agent
from lac.evaluation.final_tests import FinalTests
from lac.evaluation.ranking import is_better
from lac.evaluation.yardsticks import DesignedTests
from lac.runs.folder import METRICS
from lac.runs.results import acting_as
from lac.runs.saved_policies import SavedPolicies
from lac.settings.policies import BEST

Summary = dict[str, Any]


def add_final_tests(
    summary: Summary, folder: Path, policies: SavedPolicies, agent: Agent, test: Callable[[bool], FinalTests]
) -> Iterator[str]:
    """Test the final and the best policy on many resets, and the final one for longer; gives what has to be warned of.

    Args:
        summary: Is extended by the results.
        folder: The run folder.
        policies: Its policies, with the best one in training, which becomes the better of both.
        agent: Has the final policy, also afterwards.
        test: Tests its present weights; its argument is whether for longer as well.

    Raises:
        FileNotFoundError: The folder was removed.
    """
    raise_if_removed(folder)
    summary["final"] |= (tests := test(True)).usual
    if tests.long_failure is None:
        summary["final_long"] = tests.long
    else:
        yield tests.long_failure
    raise_if_removed(folder)
    final, best = summary["final"], summary["best"]
    if best["epoch"] != final["epoch"]:
        with acting_as(agent, policies.path(BEST)):
            best |= test(False).usual
    if best["epoch"] == final["epoch"] or is_better(final, best):  # few resets had flattered the other one
        summary["best"] = dict(final)
        policies.save_best(agent)
    raise_if_removed(folder)


def add_yardstick(summary: Summary, yardstick: Callable[[], DesignedTests | None]) -> Iterator[str]:
    """Test the controller that is designed for the environment, if there is one; gives what has to be warned of."""
    try:
        designed = yardstick()
    except Exception as error:  # of a user's dynamics, which training does not call as a design does
        yield f"the designed controller was not tested: {type(error).__name__}: {error}"
        return
    if designed is not None:
        named = {"controller": designed.name, "training_cost": designed.training_cost}
        summary["yardstick"] = named | designed.tests.usual


def raise_if_removed(folder: Path) -> None:
    """Stop a run whose folder was removed.

    Raises:
        FileNotFoundError: The folder was removed.
    """
    if not (folder / METRICS).exists():
        raise FileNotFoundError(f"{folder} was removed while the run was writing to it")

"""The test of the controller that is designed for an environment, beside which a trained policy is seen."""

from collections.abc import Sequence
from typing import NamedTuple

from lac.controllers import designed_controller
from lac.envs import AnyEnv
from lac.evaluation.final_tests import FinalTests, final_tests


class DesignedTests(NamedTuple):
    """The tests of a designed controller.

    Attributes:
        name: Name of the controller.
        tests: As those of a final policy.
        training_cost: Mean cost on the resets of the tests in training, which are the first of those at the end.
    """

    name: str
    tests: FinalTests
    training_cost: float


def designed_tests(
    envs: Sequence[AnyEnv], num_episodes: int, num_in_training: int, with_long: bool = True
) -> DesignedTests | None:
    """Test the controller that is designed for an environment as a final policy is tested; None where there is none.

    Args:
        envs: Test environments, as in :func:`~lac.evaluation.final_tests.final_tests`.
        num_episodes: Number of episodes.
        num_in_training: Number of episodes of a test in training.
        with_long: Whether for longer as well.
    """
    controller = designed_controller(envs[0])
    if controller is None:
        return None
    few = final_tests(controller, envs, num_in_training, with_long=False).usual
    return DesignedTests(controller.name, final_tests(controller, envs, num_episodes, with_long), few["cost_mean"])

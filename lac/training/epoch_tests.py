"""The tests of a training: after each epoch, and at its end."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lac.agents import Agent
from lac.envs import AnyEnv
from lac.envs.checks import MAX_EPISODE_STEPS
from lac.evaluation.final_tests import FinalTests, final_tests
from lac.evaluation.rollouts import evaluate
from lac.evaluation.steppers import Observer
from lac.evaluation.yardsticks import DesignedTests, designed_tests
from lac.settings.training import LoopSettings


class EpochTests:
    """Tests the deterministic policy of an agent, on the same resets each time.

    Args:
        agent: The agent.
        envs: Environments of the tests; without any there are none.
        loop: How many episodes a test has.

    Attributes:
        has_warned: Whether it has been said that episodes do not end by themselves.
    """

    def __init__(self, agent: Agent, envs: Sequence[AnyEnv], loop: LoopSettings) -> None:
        self._agent, self._envs, self._loop = agent, envs, loop
        self.has_warned = False

    def run(self, warn: Callable[[str], None], observer: Observer | None = None) -> dict[str, float]:
        """The summary of a test, see :meth:`Rollouts.summary`; empty without tests.

        Args:
            warn: Called with a sentence about what may be unintended, once.
            observer: Called after each step of the episodes.
        """
        if not self._envs:
            return {}
        results = evaluate(self.policy, self._envs, self._loop.num_test_episodes, observer=observer)
        if results.unfinished.any() and not self.has_warned:
            self.has_warned = True
            warn(
                f"test episodes are ended after {MAX_EPISODE_STEPS} steps, since the environment has no time limit; "
                "set one with max_ep_len (train.max_ep_len)"
            )
        return results.summary()

    def final(self, with_long: bool) -> FinalTests:
        """The tests at the end, of the present weights; whether for longer as well."""
        return final_tests(self.policy, self._envs, self._loop.final_test_episodes, with_long)

    def designed(self) -> DesignedTests | None:
        """The same of the controller that is designed for the environment, not for longer."""
        numbers = (self._loop.final_test_episodes, self._loop.num_test_episodes)
        return designed_tests(self._envs, *numbers, with_long=False)

    def policy(self, obs: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Deterministic actions."""
        return self._agent.get_action(obs, deterministic=True)

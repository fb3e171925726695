"""The price of an early termination, and the warning that a policy seeks one."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lac.envs.checks import OffendingTransitionError
from lac.settings.algorithms import Algorithm
from lac.settings.rules import FLOAT32_MAX
from lac.settings.training import ABSORBING
from lac.training.collector import Episode


class TerminationCost:
    """Adds the termination cost to the cost of a step that terminates the episode.

    A terminal state has the value 0: behind it nothing costs. Where the discounted cost of living exceeds the cost of
    dying, the cheapest policy ends its episodes, and a termination cost is needed. It enters the stored transitions
    alone: the costs of episodes and tests are the environment's own.

    ``absorbing`` stands for staying at the cost ``c`` of the last step for ever, which adds ``c gamma / (1 - gamma)``.
    A finite horizon repeats ``c`` to the end of its sums as it is, so there ``absorbing`` adds nothing; a number is
    part of the step that terminates alone, so that no sum has it twice.

    Args:
        termination_cost: A number, ``absorbing`` or None.
        algorithm: The algorithm, whose discount and horizon count.
    """

    def __init__(self, termination_cost: float | str | None, algorithm: Algorithm) -> None:
        self._factor, self._constant = 1.0, 0.0
        if termination_cost == ABSORBING:
            if algorithm.horizon == 0:
                self._factor = 1.0 / (1.0 - algorithm.gamma)
        else:
            self._constant = float(termination_cost or 0.0)
        self.is_set = termination_cost not in {None, 0}

    def __call__(self, cost: float) -> float:
        """The cost of a step that terminates, with the termination cost.

        Raises:
            OffendingTransitionError: The sum is beyond float32.
        """
        charged = cost * self._factor + self._constant
        if charged > FLOAT32_MAX:
            raise OffendingTransitionError(
                f"the cost {cost} of a step that terminates is {charged} with env.termination_cost, beyond float32; "
                "give a smaller number",
                {"cost": cost},
            )
        return charged


_FEWEST = 100
"""Episodes of two epochs, below which nothing is said of them."""


class _Epoch(NamedTuple):
    """The finished episodes of an epoch: their number, share of early terminations, mean cost and mean length."""

    number: float
    terminated: float
    cost: float
    length: float


class EscapeWatch:
    """Notices a policy that escapes the cost of living: terminations stay frequent while the mean cost falls.

    Four epochs with finished training episodes are compared, the last two with the two before, once both have had at
    least a hundred episodes: fewer say little, and what has hardly begun to learn fails as well. The policy escapes if
    at least half of the episodes terminated in each, the mean cost fell by more than a twentieth, and neither the
    share of terminations fell nor the length grew by more than a tenth. It is said once.

    Args:
        charged: The termination cost of the training.
    """

    def __init__(self, charged: TerminationCost) -> None:
        self._epochs: deque[_Epoch] = deque(maxlen=4)
        self._is_said = False
        more = "a larger termination_cost" if charged.is_set else "termination_cost"
        self.sentence = (
            "most training episodes terminate early while their mean cost falls: ending an episode is cheaper than "
            f"going on. Set {more} (env.termination_cost): absorbing, or a number above the cost of an episode"
        )

    def is_learned(self, episodes: Sequence[Episode]) -> bool:
        """Whether the escape is seen for the first time after an epoch with these finished episodes."""
        if not episodes or self._is_said:
            return False
        costs, lengths, terminated = np.array(episodes, np.float64).T
        self._epochs.append(_Epoch(len(episodes), terminated.mean(), costs.mean(), lengths.mean()))
        self._is_said = self._is_escape()
        return self._is_said

    def _is_escape(self) -> bool:
        if len(self._epochs) < 4:
            return False
        epochs = np.array(self._epochs)
        before, now = _Epoch(*epochs[:2].mean(axis=0)), _Epoch(*epochs[2:].mean(axis=0))
        return bool(
            min(before.number, now.number) >= _FEWEST / 2
            and min(epoch.terminated for epoch in self._epochs) >= 0.5
            and now.cost < 0.95 * before.cost
            and now.terminated >= before.terminated - 0.1
            and now.length <= 1.1 * before.length
        )

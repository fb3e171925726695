"""The cost of an early termination in training, and the warning that a policy seeks to terminate."""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from lac.envs.checks import OffendingTransitionError
from lac.settings.algorithms import Algorithm
from lac.settings.rules import FLOAT32_MAX
from lac.settings.training import ABSORBING
from lac.training.collector import Episode, Transition
from lac.training.plan import TrainingPlan


class TerminationCost:
    """Adds the termination cost to the cost of a step that terminates the episode; a time limit costs nothing.

    A terminal state has the value 0: behind it nothing costs. Where the discounted cost of living exceeds the cost of
    dying, the cheapest policy ends its episodes, and a termination cost is needed. It enters the stored transitions
    alone: the costs of episodes and tests are the environment's own.

    ``absorbing`` stands for staying at the cost ``c`` of the last step for ever. With the discount ``gamma`` the
    target of that step is then ``c + gamma c + gamma^2 c + ... = c / (1 - gamma)``; so ``c gamma / (1 - gamma)`` is
    added. A finite horizon of ``N`` steps continues its sums with ``c`` after every end. The sum from the last step on
    is ``N c``, that of a state which is never left, so ``absorbing`` adds nothing there. A number is a part of the last
    step and not of its repetitions: each of the last ``N`` sums has it once.

    Args:
        termination_cost: A number, ``absorbing`` or None.
        algorithm: The algorithm, whose discount and horizon count.
    """

    def __init__(self, termination_cost: float | str | None, algorithm: Algorithm) -> None:
        self._given = termination_cost
        self._factor, self._constant = 1.0, 0.0
        if termination_cost == ABSORBING:
            if algorithm.horizon == 0:
                self._factor = 1.0 / (1.0 - algorithm.gamma)
        else:
            self._constant = float(termination_cost or 0.0)

    def stored_cost(self, transition: Transition) -> float:
        """The cost of a transition as it is stored.

        Raises:
            OffendingTransitionError: It is beyond float32.
        """
        if not transition.terminated:
            return transition.cost
        cost = transition.cost * self._factor + self._constant
        if cost > FLOAT32_MAX:
            raise OffendingTransitionError(
                f"a step that terminates costs {transition.cost}, which is {cost} with termination_cost={self._given} "
                "(env.termination_cost), beyond float32; give a smaller number, or scale the costs down",
                transition.as_plain(),
            )
        return cost


class _Episodes(NamedTuple):
    """Finished episodes: how many, how many of them terminated, and their costs and lengths in all."""

    number: int
    terminated: int
    cost: float
    length: int

    @classmethod
    def sum_of(cls, parts: Iterable["_Episodes"]) -> Self:
        """All episodes of some parts together."""
        return cls(*(sum(column) for column in zip(*parts, strict=True)))

    @property
    def death_rate(self) -> float:
        """The share of those that terminated."""
        return self.terminated / self.number

    @property
    def mean_cost(self) -> float:
        """The mean cost of an episode."""
        return self.cost / self.number

    @property
    def mean_length(self) -> float:
        """The mean length of an episode, in steps."""
        return self.length / self.number


class EscapeWatch:
    """Notices a policy that escapes the cost of living: terminations stay frequent while the mean cost falls.

    The episodes of training in a quarter of the run (at least four epochs) are compared with those of its first
    epoch; epochs in which no episode ends are passed over. The policy escapes if in both halves of that quarter at
    least half of the episodes terminated, at a mean cost at least a fifth below that of the first epoch, and if from
    one half to the other neither the share of terminations fell nor the length grew by more than a tenth.

    So a run of less than five epochs is not judged, nor is a policy whose episodes grow: it may be learning to live.

    Args:
        plan: The plan of the training.
    """

    def __init__(self, plan: TrainingPlan) -> None:
        self._first: _Episodes | None = None
        self._recent: deque[_Episodes] = deque(maxlen=max(4, math.ceil(plan.loop.epochs / 4)))
        self._has_warned = False
        self._remedy = _remedy(plan)

    def warning(self, episodes: Sequence[Episode]) -> str | None:
        """A sentence after an epoch with these finished episodes, if it is the first that shows the escape."""
        if not episodes or self._has_warned:
            return None
        epoch = _Episodes.sum_of(_Episodes(1, one.terminated, one.cost, one.length) for one in episodes)
        if self._first is None:
            self._first = epoch
            return None
        self._recent.append(epoch)
        self._has_warned = self._is_escape(self._first)
        return self._sentence(self._first) if self._has_warned else None

    def state_dict(self) -> dict[str, Any]:
        """What has been seen so far."""
        first = None if self._first is None else tuple(self._first)
        return {"first": first, "recent": [tuple(epoch) for epoch in self._recent], "has_warned": self._has_warned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._first = None if state["first"] is None else _Episodes(*state["first"])
        self._recent.clear()
        self._recent.extend(_Episodes(*epoch) for epoch in state["recent"])
        self._has_warned = state["has_warned"]

    def _is_escape(self, first: _Episodes) -> bool:
        if len(self._recent) < (self._recent.maxlen or 0):
            return False
        epochs = list(self._recent)
        middle = len(epochs) // 2
        before, now = _Episodes.sum_of(epochs[:middle]), _Episodes.sum_of(epochs[middle:])
        return (
            all(half.death_rate >= 0.5 and half.mean_cost < 0.8 * first.mean_cost for half in (before, now))
            and now.death_rate >= before.death_rate - 0.1
            and now.mean_length <= 1.1 * before.mean_length
        )

    def _sentence(self, first: _Episodes) -> str:
        recent = _Episodes.sum_of(self._recent)
        return (
            f"{recent.death_rate:.0%} of the training episodes terminate early, after {recent.mean_length:.3g} steps, "
            f"while their mean cost fell from {first.mean_cost:.4g} to {recent.mean_cost:.4g}: where a termination is "
            f"a failure, the policy may have learned that it is cheaper than going on; {self._remedy}"
        )


def _remedy(plan: TrainingPlan) -> str:
    """What to do about an escape."""
    amount, horizon = "a number above the discounted cost of going on", plan.algorithm.horizon
    if horizon or plan.termination_cost in {None, 0}:
        amount = f"absorbing, or to {amount}"
    remedy = f"set termination_cost (env.termination_cost), which is {plan.termination_cost or 0}, to {amount}"
    # A sum of N costs has the number in the last N steps alone, where a termination may be past preventing.
    first = f"choose horizon_length=0 (algo.horizon_length), since {horizon} steps may be too few to avoid it, and "
    return first + remedy if horizon else remedy

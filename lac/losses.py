"""Every equation of the agents, as pure functions of tensors.

Equation numbers are those of Han et al. (2020), "Actor-Critic Reinforcement Learning for Control
with Stability Guarantee"; temperature and soft values follow Haarnoja et al. (2018), "Soft Actor-Critic
Algorithms and Applications", written for costs: a reward there is a cost with the opposite sign here.
All batches are one-dimensional, ``[B]``; every loss is a scalar.
"""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor


def pessimistic(values: Sequence[Tensor]) -> Tensor:
    """The maximum over the critics, element by element: costs are minimised, so the largest is the pessimistic one."""
    return reduce(torch.maximum, values)


def discounted_target(cost: Tensor, done: Tensor, next_value: Tensor, gamma: float) -> Tensor:
    """Infinite-horizon target of a critic, eq. 8: ``c + gamma (1 - done) L'(s', a')``."""
    return cost + gamma * (1.0 - done) * next_value


def soft_value(q: Tensor, logp: Tensor, alpha: Tensor) -> Tensor:
    """Soft value of a state for costs, Haarnoja et al. eq. 3: ``Q(s, a) + alpha log pi(a|s)``.

    Its mean over a batch of sampled actions is the loss of SAC's actor, eq. 7.
    """
    return q + alpha * logp


def critic_loss(l: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:  # noqa: E741
    """Critic loss, eq. 7: half the mean squared error, optionally weighted per element."""
    squares = (l - target).square()
    return 0.5 * (squares if weight is None else weight * squares).mean()


def relative_weight(target: Tensor) -> Tensor:
    """Weights ``1 / (1 + target)`` for :func:`critic_loss`; targets are non-negative.

    Costs may span orders of magnitude, such as 100 far from the reference and 0.02 while tracking it. Without weights
    the large targets dominate the squared error.
    """
    return 1.0 / (1.0 + target)


def lyapunov_decrease(l_next: Tensor, l: Tensor, cost: Tensor, alpha3: float) -> Tensor:  # noqa: E741
    """Mean violation of the decrease condition, eq. 11: ``mean(L(s', a') - L(s, a) + alpha3 c)``.

    Negative when L decreases, on average over the batch, by more than ``alpha3`` times the cost.
    """
    return (l_next - l + alpha3 * cost).mean()


def actor_loss(decrease: Tensor, logp: Tensor, labda: Tensor, alpha: Tensor) -> Tensor:
    """Lagrangian of the actor, eq. 12: ``labda * decrease + alpha * mean(log pi)``."""
    return labda * decrease + alpha * logp.mean()


def temperature_loss(alpha: Tensor, logp: Tensor, target_entropy: float) -> Tensor:
    """Temperature loss, Haarnoja et al. eq. 17: ``-alpha * mean(log pi + target entropy)``."""
    return -alpha * (logp.mean() + target_entropy)


def multiplier_loss(log_labda: Tensor, decrease: Tensor) -> Tensor:
    """Loss of the Lyapunov multiplier (text below eq. 14): ``-log(labda) * decrease``.

    Gradient descent raises ``labda`` while the decrease condition is violated and lowers it otherwise.
    """
    return -log_labda * decrease

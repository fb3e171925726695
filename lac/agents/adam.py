"""Adam without bookkeeping: at the sizes used in control, torch's optimiser spends most of its step on it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass
class Group:
    """Parameters that share a learning rate, and their moments."""

    parameters: list[Tensor]
    rate: float
    first_moments: list[Tensor] = field(init=False)
    second_moments: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.first_moments = [torch.zeros_like(p) for p in self.parameters]
        self.second_moments = [torch.zeros_like(p) for p in self.parameters]


class Adam:
    """Adam, Kingma and Ba (2015), over groups with a learning rate each, by torch's fused kernel.

    Args:
        groups: Parameters and initial learning rate of each group, by the name of the rate.
    """

    def __init__(self, groups: Mapping[str, tuple[Iterable[Tensor], float]]) -> None:
        self.groups = {name: Group(list(parameters), rate) for name, (parameters, rate) in groups.items()}
        self.parameters = [p for group in self.groups.values() for p in group.parameters]
        # One counter serves all: every step moves every parameter.
        self.steps = torch.zeros((), device=self.parameters[0].device)

    def minimize(self, loss: Tensor) -> None:
        """One step down the gradient of ``loss``, which is formed for these parameters alone."""
        self.step(list(torch.autograd.grad(loss, self.parameters, materialize_grads=True)))

    @torch.no_grad()
    def step(self, gradients: list[Tensor]) -> None:
        """One step for given gradients, in the order of the groups and their parameters."""
        self.steps += 1
        start = 0
        for group in self.groups.values():
            stop = start + len(group.parameters)
            torch._fused_adam_(
                group.parameters,
                gradients[start:stop],
                group.first_moments,
                group.second_moments,
                [],
                [self.steps] * len(group.parameters),
                lr=group.rate,
                beta1=BETA1,
                beta2=BETA2,
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )
            start = stop

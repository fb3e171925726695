"""Adam with little overhead: for networks as small as in control, torch's optimiser is mostly overhead."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass
class Group:
    """Parameters that share a learning rate, and their moments.

    Attributes:
        read: Returns the current parameters; ``load_state_dict(..., assign=True)`` replaces those of a module.
        lr: Learning rate.
    """

    read: Callable[[], Iterable[Tensor]]
    lr: float
    first_moments: list[Tensor] = field(init=False)
    second_moments: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.first_moments = [torch.zeros_like(p) for p in self.parameters]
        self.second_moments = [torch.zeros_like(p) for p in self.parameters]

    @property
    def parameters(self) -> list[Tensor]:
        """The current parameters, always in the same order."""
        return list(self.read())


class Adam:
    """Adam, Kingma and Ba (2015), for groups with a learning rate each, by torch's fused kernel.

    Args:
        groups: A function that returns the parameters, and the initial learning rate, by the name of the rate.
    """

    def __init__(self, groups: Mapping[str, tuple[Callable[[], Iterable[Tensor]], float]]) -> None:
        self.groups = {name: Group(read, lr) for name, (read, lr) in groups.items()}
        # One counter is enough, since every step updates every parameter.
        self.steps = torch.zeros((), device=self.parameters[0].device)

    @property
    def parameters(self) -> list[Tensor]:
        """The parameters of all groups."""
        return [p for group in self.groups.values() for p in group.parameters]

    def minimize(self, loss: Tensor) -> None:
        """One step on ``loss``, whose gradient is computed for these parameters only."""
        self.step(list(torch.autograd.grad(loss, self.parameters, materialize_grads=True)))

    @torch.no_grad()
    def step(self, gradients: list[Tensor]) -> None:
        """One step for given gradients, in the order of the groups and their parameters."""
        self.steps += 1
        start = 0
        for group in self.groups.values():
            parameters = group.parameters
            stop = start + len(parameters)
            torch._fused_adam_(
                parameters,
                gradients[start:stop],
                group.first_moments,
                group.second_moments,
                [],
                [self.steps] * len(parameters),
                lr=group.lr,
                beta1=BETA1,
                beta2=BETA2,
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )
            start = stop

    def state_dict(self) -> dict[str, Any]:
        """Steps, learning rates and moments, as numbers and copies of tensors."""
        return {
            "steps": self.steps.clone(),
            "groups": {
                name: {
                    "lr": group.lr,
                    "first_moments": [moment.clone() for moment in group.first_moments],
                    "second_moments": [moment.clone() for moment in group.second_moments],
                }
                for name, group in self.groups.items()
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned, for the same groups."""
        self.steps.copy_(state["steps"])
        for name, saved in state["groups"].items():
            group = self.groups[name]
            group.lr = saved["lr"]
            for own, other in zip(group.first_moments, saved["first_moments"], strict=True):
                own.copy_(other)
            for own, other in zip(group.second_moments, saved["second_moments"], strict=True):
                own.copy_(other)

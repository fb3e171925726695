"""An agent's parameters and moments as rows of one matrix, of which the tensors in torch are views."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lac.networks import LyapunovCritic, QCritic, SquashedGaussianActor
from lac.networks.actor_critic import ActorCritic

ACTIVATIONS: dict[type[nn.Module], int] = {nn.Identity: 0, nn.ReLU: 1, nn.Tanh: 2, nn.ELU: 3}
"""The activations that have a compiled form, with their number there."""

Table = npt.NDArray[np.int64]
Place = tuple[nn.Module, str, int]
"""A module, the name of a parameter of it, and where its numbers start."""


def why_not_compiled(ac: nn.Module, critics: tuple[Any, ...]) -> str | None:
    """Why an actor-critic has no compiled form; None if it has one."""
    is_ours = isinstance(ac, ActorCritic) and type(ac).__module__.startswith("lac.")
    parts = (getattr(ac, "pi", None), *critics)
    if not is_ours or any(type(part) not in {SquashedGaussianActor, LyapunovCritic, QCritic} for part in parts):
        return f"the actor-critic {type(ac).__name__} is not one of this package"
    if any(not p.is_cpu for p in ac.parameters()):
        return "the networks are not on the CPU"
    if any(p.dtype != torch.float32 for p in ac.parameters()):
        return "the networks are not in float32"
    others = {type(m) for part in parts for m in layers(part)} - {nn.Linear, *ACTIVATIONS}
    return f"the activation {min(kind.__name__ for kind in others)} is none of ReLU, Tanh and ELU" if others else None


class Memory:
    """The memory of an agent; its parameters, moments and counters become views of it.

    Args:
        agent: An agent whose actor-critic has a compiled form.

    Attributes:
        actor, critic: Tables of the layers, as :mod:`lac.engines.kernel` describes them.
        starts: Where each critic starts, and after them the multipliers.
        vectors: Parameters, gradient, both moments, and parameters of the target, ``[5, n]``.
        steps: Steps of both optimisers, ``[2]``.
    """

    def __init__(self, agent: Any) -> None:
        self.actor, self.critic = table_of(agent.ac.pi), table_of(agent.critics[0])
        self.starts = np.cumsum([_size(self.actor)] + [_size(self.critic)] * len(agent.critics))
        end = int(self.starts[-1])
        vectors, steps = torch.zeros(5, end + 2), torch.zeros(2)
        self.vectors, self.steps = vectors.numpy(), steps.numpy()

        online, targets = (
            [*_actor_places(ac.pi, self.actor), *_critic_places(critics, self.critic, self.starts)]
            for ac, critics in ((agent.ac, agent.critics), (agent.ac_targ, agent.target_critics))
        )
        multipliers = ("log_alpha", "log_labda")
        online += [(agent, name, end + i) for i, name in enumerate(multipliers) if hasattr(agent, name)]
        moved = [_moved_parameter(place, vectors[0]) for place in online]
        moved += [_moved_parameter(place, vectors[4]) for place in targets]
        self._parameters = [(module._parameters, name) for module, name, _ in moved]
        self._pointers = [pointer for _, _, pointer in moved]

        starts = {id(module._parameters[name]): start for module, name, start in online}
        for i, optimizer in enumerate((agent.critic_optimizer, agent.policy_optimizer)):
            optimizer.steps = _moved(optimizer.steps, steps, i)
            for group in optimizer.groups.values():
                at = [starts[id(parameter)] for parameter in group.parameters]
                group.first_moments = [_moved(m, vectors[2], n) for m, n in zip(group.first_moments, at, strict=True)]
                group.second_moments = [_moved(m, vectors[3], n) for m, n in zip(group.second_moments, at, strict=True)]

    def is_current(self) -> bool:
        """Whether the agent's parameters still lie here; ``load_state_dict(..., assign=True)`` replaces them."""
        return [own[name].data_ptr() for own, name in self._parameters] == self._pointers  # type: ignore[union-attr]


def memory_of(agent: Any) -> Memory:
    """The memory of an agent, of which there is one; engines share it."""
    memory = vars(agent).get("_memory")
    if memory is None or not memory.is_current():
        memory = agent._memory = Memory(agent)
    return memory  # type: ignore[no-any-return]


def table_of(network: nn.Module) -> Table:
    """A row ``[inputs, outputs, weights at, biases at, activation]`` for each layer of an actor or a critic."""
    modules, rows, at = layers(network), [], 0
    shapes = [(m.in_features, m.out_features) for m in modules if isinstance(m, nn.Linear)]
    kinds = [ACTIVATIONS[type(m)] for m in modules if not isinstance(m, nn.Linear)]
    if isinstance(network, SquashedGaussianActor):
        shapes.append((network.mu_layer.in_features, 2 * network.mu_layer.out_features))
    for (n_in, n_out), kind in zip(shapes, [*kinds, ACTIVATIONS[nn.Identity]], strict=False):
        rows.append((n_in, n_out, at, at + n_in * n_out, kind))
        at += (n_in + 1) * n_out
    return np.array(rows, np.int64)


def layers(network: Any) -> list[nn.Module]:
    """Linear layers and activations: all of a critic, or those of an actor before its heads."""
    if isinstance(network, SquashedGaussianActor):
        return list(network.net)
    return list(network.Q if isinstance(network, QCritic) else network.L)


def _size(table: Table) -> int:
    _, n_out, _, biases, _ = table[-1]
    return int(biases + n_out)


def _actor_places(actor: SquashedGaussianActor, table: Table) -> Iterator[Place]:
    """Mean and log standard deviation are one layer, weights before biases."""
    yield from _layer_places(actor, table, 0)
    _, n_out, weights, biases, _ = (int(number) for number in table[-1])
    for i, head in enumerate((actor.mu_layer, actor.log_std_layer)):
        yield head, "weight", weights + i * (biases - weights) // 2
        if "bias" in head._parameters:
            yield head, "bias", biases + i * n_out // 2


def _critic_places(critics: tuple[Any, ...], table: Table, starts: Table) -> Iterator[Place]:
    for critic, start in zip(critics, starts, strict=False):
        yield from _layer_places(critic, table, int(start))


def _layer_places(network: nn.Module, table: Table, start: int) -> Iterator[Place]:
    linear = [layer for layer in layers(network) if isinstance(layer, nn.Linear)]
    for layer, (_, _, weights, biases, _) in zip(linear, table, strict=False):
        yield layer, "weight", start + int(weights)
        if "bias" in layer._parameters:
            yield layer, "bias", start + int(biases)


def _moved_parameter(place: Place, vector: Tensor) -> tuple[nn.Module, str, int]:
    """Let a parameter be a view of a vector; returns where it lies in the computer's memory instead."""
    module, name, start = place
    parameter: Any = module._parameters[name]
    parameter.data = _moved(parameter.data, vector, start)
    return module, name, parameter.data_ptr()


def _moved(tensor: Tensor, vector: Tensor, start: int) -> Tensor:
    """A view of a vector that has the values of a tensor."""
    return vector[start : start + tensor.numel()].view(tensor.shape).copy_(tensor)

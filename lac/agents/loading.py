"""Loads trained agents from disk, without the environment they were trained in."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from lac.agents.agent import Agent
from lac.agents.description import described_networks, described_spaces
from lac.agents.lac import LAC
from lac.agents.latc import LATC
from lac.agents.policy_files import read_policy
from lac.agents.sac import SAC
from lac.devices import torch_device
from lac.settings.rules import Widths

AGENTS: dict[str, type[Agent]] = {"LAC": LAC, "LATC": LATC, "SAC": SAC}
"""The algorithms by name."""


def load_agent(path: str | Path, device: str = "cpu") -> Agent:
    """The agent saved in a run folder (its final policy) or in a policy file, ready to act.

    Networks and multipliers are restored, and for LAC and LATC ``alpha3`` and ``gamma``, which say what L stands for;
    training settings such as learning rates have their defaults.

    Raises:
        FileNotFoundError: There is no policy at ``path``.
        ValueError: The file is not a policy of this package, or uses an actor-critic from outside this package.
    """
    torch_device(device)
    tensors, description = read_policy(path)
    name = description.get("alg_name")
    if not isinstance(name, str) or name not in AGENTS or "actor_critic" not in description:
        raise ValueError(
            f"{path} does not describe its networks (algorithm {name!r}); "
            "build the agent for its environment and call restore(path)"
        )
    try:
        _raise_if_too_large(description, tensors)
        kind = AGENTS[name]
        # Policies of earlier versions do not have them.
        settings = {name: description[name] for name in kind.DESCRIBED_SETTINGS if name in description}
        agent = kind(described_spaces(description), **described_networks(description), **settings, device=device)
        agent.load_state_dict({**tensors, "alg_name": name})
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error
    return agent


def _raise_if_too_large(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Raise an error if a matrix in the description has more numbers than all tensors; nothing is allocated for it.

    What is wrong with a description in other ways is found where it is used.
    """
    numbers = sum(tensor.numel() for tensor in tensors.values())
    for sizes in _layers(description):
        if len(sizes) > len(tensors) or any(rows * columns > numbers for rows, columns in pairwise(sizes)):
            raise ValueError(f"its description names larger networks than its {numbers} numbers can fill")


def _layers(description: Mapping[str, Any]) -> Iterator[list[int]]:
    """The sizes ``[1, in, hidden...]`` of actor and critic, as far as the description gives them."""
    obs_dim, low = description.get("obs_dim"), description.get("action_low")
    if not (isinstance(obs_dim, int) and isinstance(low, list)):
        return
    ac_kwargs = description.get("ac_kwargs")
    hidden = ac_kwargs.get("hidden_sizes") if isinstance(ac_kwargs, Mapping) else None
    yield [1, obs_dim, *hidden_widths(hidden, "actor"), len(low)]
    yield [1, obs_dim + len(low), *hidden_widths(hidden, "critic")]


def hidden_widths(hidden_sizes: Any, part: str) -> list[int]:
    """The widths of one part of an actor-critic; none where they are not allowed, which the networks refuse."""
    widths: Any = hidden_sizes.get(part) if isinstance(hidden_sizes, Mapping) else hidden_sizes
    return list(widths) if Widths().accepts(widths) else []

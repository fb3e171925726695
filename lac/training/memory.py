"""What a training needs in memory, known before anything is built."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from lac.agents.loading import AGENTS, hidden_widths
from lac.devices import memory_of_machine
from lac.training.plan import TrainingPlan

_FLOAT = 4  # bytes
_COPIES = 5  # of each weight: itself, its target, its gradient and two moments of Adam


@dataclass(frozen=True)
class Need:
    """A part of a training that takes memory.

    Attributes:
        setting: The key that decides on its size, with its value.
        part: What takes the memory.
        size: How much at least, in bytes.
    """

    setting: str
    part: str
    size: int


def memory_errors(
    plan: TrainingPlan, obs_dim: int, act_dim: int, name: Callable[[str], str], limit: float | None = None
) -> list[str]:
    """A sentence for each part of a training that cannot fit; for the largest, if they cannot only together.

    Args:
        plan: The plan of the training.
        obs_dim: Number of observations.
        act_dim: Number of actions.
        name: The name that the user knows for a key.
        limit: Bytes that there are; None: those of this machine.
    """
    available = memory_of_machine() if limit is None else limit
    needs = [*_of_buffer(plan, obs_dim, act_dim, name), *_of_networks(plan, obs_dim, act_dim, name)]
    unfit = [need for need in needs if need.size > available]
    if not unfit and sum(need.size for need in needs) > available:
        unfit = [max(needs, key=lambda need: need.size)]
    return [
        f"{need.setting}: {need.part} takes {_bytes(need.size)}, but there are {_bytes(available)} of memory; lower it"
        for need in unfit
    ]


def argument_of(key: str) -> str:
    """The name of a key in the Python API."""
    if key.startswith("network."):
        return f"ac_kwargs: {key.removeprefix('network.')}"
    return key.rpartition(".")[2]


def _of_buffer(plan: TrainingPlan, obs_dim: int, act_dim: int, name: Callable[[str], str]) -> Iterator[Need]:
    loop = plan.loop
    row = _FLOAT * (2 * obs_dim + act_dim + 2 + (plan.algorithm.horizon > 0))
    yield Need(
        f"{name('train.replay_size')} is {loop.replay_size}",
        "the replay buffer",
        min(loop.replay_size, loop.total_steps) * row,
    )
    if loop.total_updates:
        yield Need(
            f"{name('train.batch_size')} is {loop.batch_size}, and {name('train.steps_per_update')} is "
            f"{loop.steps_per_update}",
            "a round of updates",
            loop.batch_size * loop.steps_per_update * row,
        )


def _of_networks(plan: TrainingPlan, obs_dim: int, act_dim: int, name: Callable[[str], str]) -> Iterator[Need]:
    """The weights of actor and critics, where the actor-critic is one of this package."""
    if plan.actor_critic is not None or not isinstance(plan.ac_kwargs, Mapping):
        return
    sizes = plan.ac_kwargs.get("hidden_sizes", ())
    critics = len(AGENTS[plan.algorithm.name.upper()]._default_actor_critic.CRITIC_NAMES)  # type: ignore[attr-defined]
    for part, inputs, outputs, number in (
        ("actor", obs_dim, 2 * act_dim, 1),
        ("critic", obs_dim + act_dim, 1, critics),
    ):
        widths = hidden_widths(sizes, part)
        weights = sum((one + 1) * other for one, other in pairwise([inputs, *widths, outputs]))
        yield Need(
            f"{name(f'network.hidden_sizes.{part}')} is {widths}",
            f"training the {part}",
            weights * number * _COPIES * _FLOAT,
        )


def _bytes(number: float) -> str:
    return f"{number:.0f} bytes ({number / 2**30:.3g} GiB)"

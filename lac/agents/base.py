"""What every agent has: an actor-critic with a target copy, a temperature, and optimisers."""

import copy
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lac import losses
from lac.agents.adam import Adam
from lac.agents.description import describe
from lac.agents.numpy_update import NumpyUpdate
from lac.agents.saving import SavedModule
from lac.devices import torch_device
from lac.envs.costs import reward_maximum
from lac.envs.making import HasSpaces, validate_spaces
from lac.networks.kernels import ActorKernel, has_kernels

DEFAULT_AC_KWARGS: Mapping[str, Any] = MappingProxyType(
    {
        "hidden_sizes": {"actor": [256, 256], "critic": [256, 256]},
        "activation": nn.ReLU,
        "output_activation": {"actor": nn.ReLU},
    }
)

_SMALLEST = 1e-37  # the logarithm of a multiplier of zero has to stay finite


class Agent(SavedModule, ABC):
    """An actor-critic ``ac``, its Polyak target ``ac_targ`` and an entropy temperature.

    Subclasses name their critics, add their multipliers, say what is trained, call :meth:`_finish_building`
    last, and have ``update``.

    Args:
        env: Environment, or anything with its two spaces; both must be boxes, the action box bounded.
        actor_critic: Actor-critic class, called with the two spaces and ``ac_kwargs``; None takes the usual one.
        ac_kwargs: Keyword arguments of the actor-critic.
        opt_type: ``minimize`` or ``maximize``; the latter needs a known bound of the reward.
        alpha: Initial entropy temperature.
        gamma: Discount factor.
        polyak: Weight of the old target in the Polyak average.
        target_entropy: Entropy that the temperature is adapted to; None stands for ``-dim(A)``.
        adaptive_temperature: Whether the temperature is adapted at all.
        device: ``cpu``, ``gpu``, ``gpu:N``, ``cuda``, ``cuda:N`` or ``auto``.
    """

    DIAGNOSTICS: ClassVar[tuple[str, ...]]
    """What ``update`` returns."""
    RATES: ClassVar[tuple[str, ...]] = ("lr_a", "lr_c", "lr_alpha")
    """The learning rates, by argument name."""

    _default_actor_critic: ClassVar[type[nn.Module]]
    _critic_names: ClassVar[tuple[str, ...]]
    _fewest_critics: ClassVar[int] = 1
    _numpy_update: ClassVar[type[NumpyUpdate[Any]]]
    _kernel_names: ClassVar[tuple[str, ...]] = ("_actor_kernel", "_fast_update")

    def __init__(
        self,
        env: HasSpaces,
        actor_critic: type[nn.Module] | None,
        ac_kwargs: Mapping[str, Any],
        *,
        opt_type: str,
        alpha: float,
        gamma: float,
        polyak: float,
        target_entropy: float | None,
        adaptive_temperature: bool,
        device: str,
    ) -> None:
        super().__init__()
        self._device = torch_device(device)
        self._observation_space, self._action_space = validate_spaces(env)
        self._reward_max = reward_maximum(env) if opt_type == "maximize" else None
        actor_critic = actor_critic or self._default_actor_critic
        self._description = describe(self._observation_space, self._action_space, actor_critic, ac_kwargs)
        self.gamma = gamma
        self._polyak = polyak
        self._adaptive_temperature = adaptive_temperature
        self.act_dim = int(np.prod(self._action_space.shape))
        self._target_entropy = float(-self.act_dim if target_entropy is None else target_entropy)

        self.ac: Any = actor_critic(self._observation_space, self._action_space, **ac_kwargs)
        self.ac_targ: Any = copy.deepcopy(self.ac).requires_grad_(False)
        self.critics, self.target_critics = self._critics_of(self.ac), self._critics_of(self.ac_targ)
        self.log_alpha = nn.Parameter(torch.tensor(safe_log(alpha)))
        act: Any = self.ac.act
        self.register_load_state_dict_post_hook(_follow_assigned)  # type: ignore[no-untyped-call]
        self._act_is_deterministic_on_request = "deterministic" in inspect.signature(act).parameters

    def _critics_of(self, actor_critic: nn.Module) -> tuple[Any, ...]:
        """The critics of an actor-critic that this algorithm uses: twins are a longer tuple."""
        critics = tuple(getattr(actor_critic, name) for name in self._critic_names if hasattr(actor_critic, name))
        if len(critics) < self._fewest_critics:
            needed = " and ".join(self._critic_names[: self._fewest_critics])
            raise ValueError(
                f"the actor-critic {type(actor_critic).__name__} has no critic {needed}, which {type(self).__name__} "
                f"needs; {self._default_actor_critic.__name__} has"
            )
        return critics

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self._device

    @property
    def target_entropy(self) -> float:
        """The entropy that the temperature is adapted to."""
        return self._target_entropy

    @property
    def alpha(self) -> Tensor:
        """The entropy temperature, at least 0."""
        return self.log_alpha.detach().exp()

    @alpha.setter
    def alpha(self, value: float) -> None:
        set_log(self.log_alpha, value)

    def multipliers(self) -> dict[str, Tensor]:
        """What is adapted beside the networks, by the name of its metric."""
        return {"alpha": self.alpha}

    def forward(self, s: npt.ArrayLike, deterministic: bool = False) -> npt.NDArray[Any]:
        """The action for an observation, or one for each of a batch: see :meth:`get_action`."""
        return self.get_action(s, deterministic)

    def get_action(self, s: npt.ArrayLike, deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions of the policy in the bounds and the dtype of the environment.

        Args:
            s: One observation ``[obs_dim]`` or a batch ``[B, obs_dim]``.
            deterministic: Whether to take the policy's mean instead of a sample.
        """
        space = self._action_space
        bounded: npt.NDArray[Any] = np.minimum(np.maximum(self._act(s, deterministic), space.low), space.high)
        return bounded.astype(space.dtype, copy=False)

    def _act(self, s: npt.ArrayLike, deterministic: bool) -> npt.NDArray[Any]:
        if self._actor_kernel is not None:
            obs = np.asarray(s, dtype=np.float32)
            if deterministic:
                return self._actor_kernel.deterministic(obs)
            return self._actor_kernel.action(obs, torch.randn(*obs.shape[:-1], self.act_dim).numpy())
        flags = {"deterministic": deterministic} if self._act_is_deterministic_on_request else {}
        with torch.inference_mode():
            action = self.ac.act(torch.as_tensor(s, dtype=torch.float32, device=self._device), **flags)
        return action.cpu().numpy() if isinstance(action, Tensor) else np.asarray(action)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Called by torch whenever parameters may get other memory, as by ``to``."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.use_kernels = True
        return self

    def __getstate__(self) -> dict[str, Any]:
        # Kernels hold on to the memory of the parameters; a copy has its own.
        return {name: value for name, value in self.__dict__.items() if name not in self._kernel_names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.use_kernels = True

    @property
    def use_kernels(self) -> bool:
        """Whether acting and updating go through numpy; only for our own networks on the CPU.

        Setting it to False takes the way through torch, which gives the same weights.
        """
        return self._actor_kernel is not None

    @use_kernels.setter
    def use_kernels(self, wanted: bool) -> None:
        self._bind_kernels(wanted and self.log_alpha.is_cpu and has_kernels(self.ac))

    def _bind_kernels(self, are_used: bool) -> None:
        """Take the kernels onto the present memory of the parameters, or drop them."""
        self._actor_kernel = ActorKernel(self.ac.pi) if are_used else None
        self._fast_update = self._numpy_update(self) if are_used else None

    def _finish_building(self, rates: Mapping[str, float]) -> None:
        """Place everything on the device, and build what holds on to the parameters."""
        self.to(self._device)
        self._build_optimisers(rates)

    # Updating -------------------------------------------------------------------------------------

    @abstractmethod
    def update(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One gradient step on a batch; returns the quantities named in ``DIAGNOSTICS``, without a graph."""

    def cost(self, data: Mapping[str, Tensor]) -> Tensor:
        """The scalar of the batch as a cost."""
        return data["rew"] if self._reward_max is None else self._reward_max - data["rew"]

    def _minimize_policy_losses(self, actor_loss: Tensor, logp: Tensor, *other_losses: Tensor) -> Tensor:
        """A step of actor, temperature and other multipliers; returns the temperature's loss.

        None of these losses depends on another's step, so that one optimiser moves them together.
        """
        alpha_loss = losses.temperature_loss(self.log_alpha.exp(), logp.detach(), self._target_entropy)
        adapted = (alpha_loss,) if self._adaptive_temperature else ()
        self.policy_optimizer.minimize(reduce(torch.add, (actor_loss, *other_losses, *adapted)))
        return alpha_loss

    def _told(self, *values: Tensor) -> dict[str, Tensor]:
        """The diagnostics by name, without a graph."""
        return {name: value.detach() for name, value in zip(self.DIAGNOSTICS, values, strict=True)}

    @torch.no_grad()
    def _update_targets(self) -> None:
        """Polyak average: ``target <- polyak * target + (1 - polyak) * online``."""
        torch._foreach_lerp_(self._target_parameters, self._online_parameters, 1.0 - self._polyak)

    # Optimisers -----------------------------------------------------------------------------------

    def _policy_groups(self) -> dict[str, Iterable[Tensor]]:
        """What the policy's optimiser trains, by the name of the learning rate."""
        groups: dict[str, Iterable[Tensor]] = {"lr_a": self.ac.pi.parameters()}
        return groups | ({"lr_alpha": [self.log_alpha]} if self._adaptive_temperature else {})

    def _build_optimisers(self, rates: Mapping[str, float]) -> None:
        """Give the critics one Adam and the policy's losses another."""
        critic_parameters = [p for critic in self.critics for p in critic.parameters()]
        self.critic_optimizer = Adam({"lr_c": (critic_parameters, rates["lr_c"])})
        self.policy_optimizer = Adam({name: (group, rates[name]) for name, group in self._policy_groups().items()})
        self._rate_groups = self.critic_optimizer.groups | self.policy_optimizer.groups
        self._target_parameters: list[Tensor] = list(self.ac_targ.parameters())
        self._online_parameters: list[Tensor] = list(self.ac.parameters())

    @property
    def learning_rates(self) -> dict[str, float]:
        """The present learning rates by argument name (``lr_a``, ``lr_c``, ...); only what is trained."""
        return {name: group.rate for name, group in self._rate_groups.items()}

    def bound_lr(
        self, lr_a_final: float | None = None, lr_c_final: float | None = None, lr_alpha_final: float | None = None
    ) -> None:
        """Raise each learning rate to its bound where it lies below; None leaves it alone."""
        self._bound_rates({"lr_a": lr_a_final, "lr_c": lr_c_final, "lr_alpha": lr_alpha_final})

    def _set_learning_rates(
        self, lr_a: float | None = None, lr_c: float | None = None, lr_alpha: float | None = None
    ) -> None:
        """Set learning rates; None leaves one alone."""
        self._set_rates({"lr_a": lr_a, "lr_c": lr_c, "lr_alpha": lr_alpha})

    def _set_rates(self, rates: Mapping[str, float | None]) -> None:
        for name, rate in rates.items():
            if rate is not None and name in self._rate_groups:
                self._rate_groups[name].rate = rate

    def _bound_rates(self, bounds: Mapping[str, float | None]) -> None:
        for name, bound in bounds.items():
            if bound is not None and name in self._rate_groups:
                self._rate_groups[name].rate = max(self._rate_groups[name].rate, bound)


def _follow_assigned(agent: Agent, _incompatible_keys: object) -> None:
    """Hold on to the present parameters after ``load_state_dict(..., assign=True)`` has put others in place."""
    if any(held is not present for held, present in zip(agent._online_parameters, agent.ac.parameters(), strict=True)):
        agent._finish_building(agent.learning_rates)


@contextmanager
def frozen(parameters: Iterable[Tensor]) -> Iterator[None]:
    """Parameters that are constants of what is computed meanwhile, so that no work is done for their gradients."""
    for parameter in parameters:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad = True


def safe_log(value: float) -> float:
    """The logarithm of a multiplier, finite also for a multiplier of 0."""
    return math.log(max(float(value), _SMALLEST))


@torch.no_grad()
def set_log(parameter: Tensor, value: float, high: float = math.inf) -> None:
    """Set a log-parametrised multiplier in place, cut to [0, ``high``]."""
    if math.isnan(float(value)):
        raise ValueError("a multiplier cannot be NaN")
    parameter.fill_(safe_log(min(float(value), high)))

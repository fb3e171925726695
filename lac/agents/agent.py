"""The base class of agents: an actor-critic with a target copy, a temperature, and optimisers."""

import copy
import inspect
from abc import ABC
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import reduce
from inspect import Parameter
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from lac import losses
from lac.agents.adam import Adam
from lac.agents.checks import (
    raise_if_no_environment,
    raise_if_not_buildable,
    raise_if_not_trainable,
    try_actor_critic,
)
from lac.agents.description import describe
from lac.agents.executed import ExecutedModule
from lac.agents.multipliers import safe_log, set_log
from lac.agents.saving import SavedModule
from lac.devices import torch_device
from lac.engines.batches import BatchShapes
from lac.envs.costs import reward_maximum
from lac.envs.factory import HasSpaces, validate_spaces
from lac.settings.algorithms import AgentSettings
from lac.settings.arguments import agent_fields, allowed, described, signature
from lac.settings.consistency import Given, contradictions
from lac.settings.rules import Number, raise_if_any, raise_if_wrong

DEFAULT_AC_KWARGS: Mapping[str, Any] = MappingProxyType(
    {
        "hidden_sizes": {"actor": [256, 256], "critic": [256, 256]},
        "activation": nn.ReLU,
        "output_activation": {"actor": nn.ReLU},
    }
)

ACTOR_CRITIC_PARAMETERS = (
    Parameter("actor_critic", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=type[nn.Module] | None),
    Parameter("ac_kwargs", Parameter.POSITIONAL_OR_KEYWORD, default=DEFAULT_AC_KWARGS, annotation=Mapping[str, Any]),
)
"""The two parameters that agents and training functions have in common, in addition to the settings."""

_OPTIONAL_RATE = Number(low=0, optional=True)


class Agent(ExecutedModule, SavedModule, ABC):
    """An actor-critic ``ac``, its Polyak target ``ac_targ`` and an entropy temperature.

    Subclasses declare their settings and their critics, add their multipliers in :meth:`_build_multipliers`, return
    what is trained in :meth:`_policy_groups`, and implement ``update``. The signature and the docstring of their
    constructor are generated from the settings.

    ``update`` and ``get_action`` run compiled where they can; ``engine`` is ``auto``, ``torch`` or ``compiled``.
    """

    Settings: ClassVar[type[AgentSettings]] = AgentSettings
    """The class of :attr:`settings`."""
    DIAGNOSTICS: ClassVar[tuple[str, ...]]
    """Names of the quantities that ``update`` returns."""
    RATES: ClassVar[tuple[str, ...]] = ("lr_a", "lr_c", "lr_alpha")
    """The learning rates, by argument name."""

    DESCRIBED_SETTINGS: ClassVar[tuple[str, ...]] = ()
    """Settings that say what the critics stand for, which are saved with them."""

    _default_actor_critic: ClassVar[type[nn.Module]]
    _critic_names: ClassVar[tuple[str, ...]]
    _fewest_critics: ClassVar[int] = 1

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        arguments = agent_fields(cls.Settings)
        env = Parameter("env", Parameter.POSITIONAL_OR_KEYWORD, annotation=HasSpaces)
        cls.__signature__ = signature((env, *ACTOR_CRITIC_PARAMETERS), arguments)  # type: ignore[attr-defined]
        if cls.__doc__ and "{settings}" in cls.__doc__:
            cls.__doc__ = cls.__doc__.replace("{settings}", described(arguments).lstrip())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        bound = inspect.signature(type(self)).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = allowed(agent_fields(self.Settings), bound.arguments)
        raise_if_any(contradictions(Given.as_arguments(arguments)))
        #: The settings that the agent was built with.
        self.settings: Any = self.Settings(**{f.name: arguments[f.name] for f in fields(self.Settings)})
        self._build(arguments["env"], arguments["actor_critic"], arguments["ac_kwargs"], arguments["device"])
        self.engine = arguments["engine"]

    def _build(
        self, env: HasSpaces, actor_critic: type[nn.Module] | None, ac_kwargs: Mapping[str, Any], device: str
    ) -> None:
        settings = self.settings
        self._device = torch_device(device)
        raise_if_no_environment(env)
        self._observation_space, self._action_space = validate_spaces(env)
        self._reward_max = reward_maximum(env) if settings.opt_type == "maximize" else None
        actor_critic = self._default_actor_critic if actor_critic is None else actor_critic
        raise_if_not_buildable(actor_critic, ac_kwargs)
        self._description = describe(self._observation_space, self._action_space, actor_critic, ac_kwargs)
        self._description |= {name: getattr(settings, name) for name in self.DESCRIBED_SETTINGS}
        self.act_dim = int(np.prod(self._action_space.shape))
        self._batch_shapes = BatchShapes(self._observation_space.shape[0], self.act_dim)
        given = settings.target_entropy
        self._target_entropy = float(-self.act_dim if given is None else given)

        self.ac: Any = actor_critic(self._observation_space, self._action_space, **ac_kwargs)
        raise_if_not_trainable(self.ac, self._names_of_critics(self.ac))
        self.ac_targ: Any = copy.deepcopy(self.ac).requires_grad_(False)
        self.critics, self.target_critics = self._critics_of(self.ac), self._critics_of(self.ac_targ)
        self.log_alpha = nn.Parameter(torch.tensor(safe_log(settings.alpha)))
        self._build_multipliers()
        act: Any = self.ac.act
        self._act_is_deterministic_on_request = "deterministic" in inspect.signature(act).parameters
        self.to(self._device)
        try_actor_critic(self.ac, self._names_of_critics(self.ac), self._observation_space.shape[0], self.act_dim)
        self._build_optimisers({name: getattr(settings, name) for name in self.RATES})

    def _build_multipliers(self) -> None:
        """Add the multipliers that are adapted in addition to the temperature."""

    def _critics_of(self, actor_critic: nn.Module) -> tuple[Any, ...]:
        """The critics of an actor-critic that this algorithm uses; twin critics give a tuple of two."""
        return tuple(getattr(actor_critic, name) for name in self._names_of_critics(actor_critic))

    def _names_of_critics(self, actor_critic: nn.Module) -> list[str]:
        names = [name for name in self._critic_names if hasattr(actor_critic, name)]
        if len(names) < self._fewest_critics:
            needed = " and ".join(self._critic_names[: self._fewest_critics])
            raise ValueError(
                f"the actor-critic {type(actor_critic).__name__} has no critic {needed}, which {type(self).__name__} "
                f"needs; {self._default_actor_critic.__name__} has"
            )
        return names

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return self._device

    @property
    def observation_space(self) -> Box:
        """The box of observations; without bounds for an agent that was loaded, which does not know them."""
        return self._observation_space

    @property
    def action_space(self) -> Box:
        """The box of actions."""
        return self._action_space

    @property
    def target_entropy(self) -> float:
        """The entropy to which the temperature is adapted."""
        return self._target_entropy

    @property
    def alpha(self) -> Tensor:
        """The entropy temperature, at least 0."""
        return self.log_alpha.detach().exp()

    @alpha.setter
    def alpha(self, value: float) -> None:
        set_log(self.log_alpha, "alpha", value)

    def multipliers(self) -> dict[str, Tensor]:
        """The multipliers by the name of their metric."""
        return {"alpha": self.alpha}

    def forward(self, s: npt.ArrayLike, deterministic: bool = False) -> npt.NDArray[Any]:
        """The actions for observations; see :meth:`get_action`."""
        return self.get_action(s, deterministic)

    def get_action(self, s: npt.ArrayLike, deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions of the policy in the bounds and the dtype of the environment.

        Args:
            s: One observation ``[obs_dim]`` or a batch ``[B, obs_dim]``.
            deterministic: Whether to take the policy's mean instead of a sample.

        Raises:
            ValueError: The observations have another width.
        """
        # A copy, since the actor of a user may write into it.
        if isinstance(s, Tensor):
            obs = s.detach().to(self._device, torch.float32, copy=True)
        else:
            obs = torch.as_tensor(np.array(s, np.float32), device=self._device)
        if obs.shape[-1:] != self._observation_space.shape:
            raise ValueError(
                f"s has the shape {tuple(obs.shape)}; it must be one observation {self._observation_space.shape}, or "
                "a batch of them"
            )
        compiled = self._compiled()
        if compiled is not None:
            return compiled.get_action(obs.detach().numpy(), deterministic)
        flags = {"deterministic": deterministic} if self._act_is_deterministic_on_request else {}
        with torch.inference_mode():
            action = self.ac.act(obs, **flags)
        return self.bounded(action.cpu().numpy() if isinstance(action, Tensor) else np.asarray(action))

    def bounded(self, action: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Actions ``[..., act_dim]`` clipped to the box, in the dtype of the environment."""
        space = self._action_space
        inside: npt.NDArray[Any] = np.minimum(np.maximum(action, space.low), space.high)
        return inside.astype(space.dtype, copy=False)

    # Updating -------------------------------------------------------------------------------------

    def cost(self, data: Mapping[str, Tensor]) -> Tensor:
        """The scalar of the batch as a cost."""
        return data["rew"] if self._reward_max is None else self._reward_max - data["rew"]

    def _minimize_policy_losses(self, actor_loss: Tensor, logp: Tensor, *other_losses: Tensor) -> Tensor:
        """One gradient step of actor, temperature and other multipliers; returns the temperature's loss.

        None of these losses depends on the step of another one, so a single optimiser step is enough.
        """
        alpha_loss = losses.temperature_loss(self.log_alpha.exp(), logp.detach(), self._target_entropy)
        adapted = (alpha_loss,) if self.settings.adaptive_temperature else ()
        self.policy_optimizer.minimize(reduce(torch.add, (actor_loss, *other_losses, *adapted)))
        return alpha_loss

    def _diagnostics(self, *values: Tensor) -> dict[str, Tensor]:
        """The diagnostics by name, without a graph."""
        return {name: value.detach() for name, value in zip(self.DIAGNOSTICS, values, strict=True)}

    @torch.no_grad()
    def _update_targets(self) -> None:
        """Polyak average: ``target <- polyak * target + (1 - polyak) * online``."""
        torch._foreach_lerp_(list(self.ac_targ.parameters()), list(self.ac.parameters()), 1.0 - self.settings.polyak)

    # Optimisers -----------------------------------------------------------------------------------

    def _policy_groups(self) -> dict[str, Callable[[], Iterable[Tensor]]]:
        """Functions that return the parameters of the policy's optimiser, by the name of the learning rate."""
        groups: dict[str, Callable[[], Iterable[Tensor]]] = {"lr_a": self.ac.pi.parameters}
        return groups | ({"lr_alpha": self._alpha_parameters} if self.settings.adaptive_temperature else {})

    def _build_optimisers(self, rates: Mapping[str, float]) -> None:
        """Build one Adam for the critics and one for policy and multipliers."""
        self.critic_optimizer = Adam({"lr_c": (self._critic_parameters, rates["lr_c"])})
        self.policy_optimizer = Adam({name: (group, rates[name]) for name, group in self._policy_groups().items()})
        self._rate_groups = self.critic_optimizer.groups | self.policy_optimizer.groups

    # Bound methods, so that copies and pickles of an agent return their own parameters.

    def _alpha_parameters(self) -> list[Tensor]:
        return [self.log_alpha]

    def _critic_parameters(self) -> list[Tensor]:
        return [p for critic in self.critics for p in critic.parameters()]

    @property
    def learning_rates(self) -> dict[str, float]:
        """The current learning rates of what is trained, by argument name (``lr_a``, ``lr_c``, ...)."""
        return {name: group.lr for name, group in self._rate_groups.items()}

    def bound_lr(
        self, lr_a_final: float | None = None, lr_c_final: float | None = None, lr_alpha_final: float | None = None
    ) -> None:
        """Raise each learning rate that is below its bound to the bound; None leaves a rate unchanged."""
        self._bound_rates({"lr_a": lr_a_final, "lr_c": lr_c_final, "lr_alpha": lr_alpha_final})

    def _set_learning_rates(
        self, lr_a: float | None = None, lr_c: float | None = None, lr_alpha: float | None = None
    ) -> None:
        """Set learning rates; None leaves a rate unchanged."""
        self._set_rates({"lr_a": lr_a, "lr_c": lr_c, "lr_alpha": lr_alpha})

    def _set_rates(self, rates: Mapping[str, float | None]) -> None:
        raise_if_wrong(**{name: (rate, _OPTIONAL_RATE) for name, rate in rates.items()})
        for name, rate in rates.items():
            if rate is not None and name in self._rate_groups:
                self._rate_groups[name].lr = float(rate)

    def _bound_rates(self, bounds: Mapping[str, float | None]) -> None:
        raise_if_wrong(**{f"{name}_final": (bound, _OPTIONAL_RATE) for name, bound in bounds.items()})
        for name, bound in bounds.items():
            if bound is not None and name in self._rate_groups:
                self._rate_groups[name].lr = max(self._rate_groups[name].lr, float(bound))


@contextmanager
def frozen(parameters: Iterable[Tensor]) -> Iterator[None]:
    """Treat parameters as constants inside the context, to save the computation of their gradients."""
    for parameter in parameters:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad = True

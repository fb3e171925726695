"""What every agent has: an actor-critic with a target copy, optimisers, and a way to disk and back."""

import copy
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lac.agents.adam import Adam
from lac.agents.description import describe
from lac.checkpoints import policy_path, read_policy, write_policy
from lac.devices import torch_device
from lac.envs.making import HasSpaces, check_usable
from lac.networks.kernels import ActorKernel, has_kernels

_NAME_KEY = "alg_name"
_SMALLEST = 1e-37  # the logarithm of a multiplier of zero has to stay finite


class StateDictError(RuntimeError, ValueError):
    """A state dict that does not belong to this agent."""


class Agent(nn.Module, ABC):
    """An actor-critic ``ac``, its Polyak target ``ac_targ`` and an entropy temperature.

    Subclasses add their multipliers, say what is trained, call :meth:`_finish_building` last, and have ``update``.

    Args:
        env: Environment, or anything with its two spaces; both must be boxes, the action box bounded.
        actor_critic: Actor-critic class, called with the two spaces and ``ac_kwargs``.
        ac_kwargs: Keyword arguments of the actor-critic.
        alpha: Initial entropy temperature.
        polyak: Weight of the old target in the Polyak average.
        target_entropy: Entropy that the temperature is adapted to; None stands for ``-dim(A)``.
        adaptive_temperature: Whether the temperature is adapted at all.
        device: ``cpu``, ``gpu``, ``gpu:N``, ``cuda``, ``cuda:N`` or ``auto``.
    """

    _multiplier_names: tuple[str, ...] = ("log_alpha",)
    _kernel_names: tuple[str, ...] = ("_actor_kernel",)

    def __init__(
        self,
        env: HasSpaces,
        actor_critic: type[nn.Module],
        ac_kwargs: Mapping[str, Any],
        *,
        alpha: float,
        polyak: float,
        target_entropy: float | None,
        adaptive_temperature: bool,
        device: str,
    ) -> None:
        super().__init__()
        self._device = torch_device(device)
        self._observation_space, self._action_space = check_usable(env)
        self._description = describe(self._observation_space, self._action_space, actor_critic, ac_kwargs)
        self._polyak = polyak
        self._adaptive_temperature = adaptive_temperature
        self.act_dim = int(np.prod(self._action_space.shape))
        self._target_entropy = float(-self.act_dim if target_entropy is None else target_entropy)

        self.ac: Any = actor_critic(self._observation_space, self._action_space, **ac_kwargs)
        self.ac_targ: Any = copy.deepcopy(self.ac).requires_grad_(False)
        self.log_alpha = nn.Parameter(torch.tensor(start_log(alpha)))
        act: Any = self.ac.act
        self.register_load_state_dict_post_hook(_follow_assigned)  # type: ignore[no-untyped-call]
        self._act_is_deterministic_on_request = "deterministic" in inspect.signature(act).parameters

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

    def _finish_building(self, rates: Mapping[str, float]) -> None:
        """Place everything on the device, and build what holds on to the parameters."""
        self.to(self._device)
        self._build_optimisers(rates)

    # Optimisers -----------------------------------------------------------------------------------

    @abstractmethod
    def _parameter_groups(self) -> tuple[dict[str, Iterable[Tensor]], dict[str, Iterable[Tensor]]]:
        """What the critics' and the policy's optimisers train, by the name of the learning rate."""

    def _build_optimisers(self, rates: Mapping[str, float]) -> None:
        """Give the critics one Adam and the policy's losses another.

        The second one moves the actor and the multipliers together: none of their losses depends on
        another's step.
        """
        critic, policy = self._parameter_groups()
        self.critic_optimizer = Adam({name: (parameters, rates[name]) for name, parameters in critic.items()})
        self.policy_optimizer = Adam({name: (parameters, rates[name]) for name, parameters in policy.items()})
        self._rate_groups = self.critic_optimizer.groups | self.policy_optimizer.groups
        self._target_parameters: list[Tensor] = list(self.ac_targ.parameters())
        self._online_parameters: list[Tensor] = list(self.ac.parameters())

    @property
    def learning_rates(self) -> dict[str, float]:
        """The present learning rates by argument name (``lr_a``, ``lr_c``, ...); only what is trained."""
        return {name: group.rate for name, group in self._rate_groups.items()}

    def _set_rates(self, rates: Mapping[str, float | None]) -> None:
        for name, rate in rates.items():
            if rate is not None and name in self._rate_groups:
                self._rate_groups[name].rate = rate

    def _bound_rates(self, bounds: Mapping[str, float | None]) -> None:
        for name, bound in bounds.items():
            if bound is not None and name in self._rate_groups:
                self._rate_groups[name].rate = max(self._rate_groups[name].rate, bound)

    @torch.no_grad()
    def _update_targets(self) -> None:
        """Polyak average: ``target <- polyak * target + (1 - polyak) * online``."""
        torch._foreach_lerp_(self._target_parameters, self._online_parameters, 1.0 - self._polyak)

    # To disk and back -----------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the agent's tensors to a file, or to ``policy/final.safetensors`` of a run folder.

        Returns:
            The file that was written; :meth:`restore` takes it, or the same ``path``.
        """
        file = policy_path(path)
        tensors = {name: value for name, value in self.state_dict().items() if isinstance(value, Tensor)}
        write_policy(file, tensors, {_NAME_KEY: type(self).__name__, **self._description})
        return file

    def restore(self, path: str | Path, restore_lagrance_multipliers: bool = False) -> None:
        """Take over the weights of a saved agent.

        Args:
            path: A file written by :meth:`save`, a run folder (its final policy), or a ``torch.save`` file
                of the reference implementation's state dict.
            restore_lagrance_multipliers: Whether ``alpha`` and ``labda`` are taken over as well.

        Raises:
            FileNotFoundError: There is no policy at ``path``.
            ValueError: The file is not a policy, or not one of this algorithm and architecture.
        """
        tensors, description = read_policy(path)
        state = {**tensors, _NAME_KEY: description.get(_NAME_KEY)}
        self.load_state_dict(state, restore_lagrance_multipliers)

    def load_state_dict(  # type: ignore[override]
        self,
        state_dict: Mapping[str, Any],
        restore_lagrance_multipliers: bool = True,
        strict: bool = True,
        assign: bool = False,
    ) -> Any:
        """As :meth:`torch.nn.Module.load_state_dict`, all or nothing, with a say over the multipliers.

        Args:
            state_dict: What :meth:`state_dict` returned; it is left as it is.
            restore_lagrance_multipliers: Whether ``log_alpha`` and ``log_labda`` are taken over.
            strict: Whether a missing or unexpected entry is an error.
            assign: Whether to take the tensors themselves instead of copying their values; the optimisers
                start anew then.

        Raises:
            StateDictError: The state dict is of another algorithm or of other shapes. (It is a RuntimeError,
                as in torch, and a ValueError.) Nothing has been loaded then.
        """
        state = dict(state_dict)
        own = self.state_dict()
        if not restore_lagrance_multipliers:
            state |= {name: own[name] for name in self._multiplier_names}
        self._refuse_foreign(state, own, strict)
        return super().load_state_dict(state, strict=strict, assign=assign)

    def _refuse_foreign(self, state: Mapping[str, Any], own: Mapping[str, Any], strict: bool) -> None:
        name = state.get(_NAME_KEY)
        if name not in (None, type(self).__name__):
            raise StateDictError(
                f"these weights are of {name}, this agent is {type(self).__name__}; build a {name} to load them"
            )
        found = [
            f"{key} has shape {tuple(state[key].shape)} and must have {tuple(value.shape)}"
            for key, value in own.items()
            if isinstance(value, Tensor) and key in state and state[key].shape != value.shape
        ]
        if strict:
            found += [f"{key} is missing" for key in own if key not in state and key != _NAME_KEY]
            found += [f"{key} is not part of this agent" for key in state if key not in own]
        if found:
            raise StateDictError(
                f"these weights do not fit this {type(self).__name__}: {'; '.join(found)}; "
                "build it with the spaces and ac_kwargs of the agent they come from"
            )

    # torch calls these two for this module alone, also where it is a part of another one.

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + _NAME_KEY] = type(self).__name__

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        name = state_dict.get(prefix + _NAME_KEY)
        if name not in (None, type(self).__name__):
            error_msgs.append(f"{prefix}{_NAME_KEY} is {name}, this agent is {type(self).__name__}")
        arguments = (prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        super()._load_from_state_dict(state_dict, *arguments)
        if prefix + _NAME_KEY in unexpected_keys:
            unexpected_keys.remove(prefix + _NAME_KEY)


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


def start_log(value: float) -> float:
    """The logarithm of a multiplier, finite also for a multiplier of 0."""
    return math.log(max(float(value), _SMALLEST))


@torch.no_grad()
def set_log(parameter: Tensor, value: float, high: float = math.inf) -> None:
    """Set a log-parametrised multiplier in place, cut to [0, ``high``]."""
    if math.isnan(float(value)):
        raise ValueError("a multiplier cannot be NaN")
    parameter.fill_(start_log(min(float(value), high)))

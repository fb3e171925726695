"""The engine for the networks of this package on the CPU: compiled functions on the memory of the parameters."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lac.engines.batches import COLUMNS, BatchShapes
from lac.engines.compiling import compiled, why_no_compiler
from lac.engines.memory import memory_of, why_not_compiled
from lac.engines.protocol import Agent, Batch, Diagnostics
from lac.settings.algorithms import LyapunovSettings

SETTINGS = np.dtype(
    [(name, np.float32) for name in ("gamma", "alpha3", "polyak", "target_entropy", "log_labda_low", "log_labda_high")]
    + [(name, np.float64) for name in ("lr_a", "lr_c", "lr_alpha", "lr_labda")]
    + [(name, np.int64) for name in ("quadratic", "relative", "drift", "symmetric", "actor_bias")]
)
"""The settings of an update as the kernel reads them; ``quadratic`` is true of L, a sum of squares, and false of Q."""

UPDATES = {"LAC": "lyapunov_update", "LATC": "lyapunov_update", "SAC": "soft_update"}
_ARGUMENTS = {"actions": "mn", "lyapunov_update": "mmmvvvn", "soft_update": "mmmvvn"}
"""The arguments of each function after the form: matrices and vectors with any distance of their numbers, and noise."""
_DRIFTS = ("mixed", "before", "after")
_NORMAL_BLOCK = 16
"""Torch draws normal numbers in blocks of this size: one call gives the same as several, if all are whole blocks."""


class CompiledEngine:
    """Executes the update that the agent has in torch as a compiled function; the weights are the same up to rounding.

    Args:
        agent: An agent that :meth:`why_not` accepts; its parameters are changed in place.
        generator: Source of the noise; None is torch's global one.
    """

    name = "compiled"

    def __init__(self, agent: Agent, generator: torch.Generator | None) -> None:
        self._agent, self.generator = agent, generator
        self._settings = _settings(agent)
        self._rates = [
            (self._settings[name], group)
            for optimizer in (agent.critic_optimizer, agent.policy_optimizer)
            for name, group in optimizer.groups.items()
        ]
        self._update = UPDATES[type(agent).__name__]
        self._obs_dim = int(agent.ac.pi.net[0].in_features)
        self._functions: dict[str, Callable[..., Any]] = {}
        self._shapes = BatchShapes(self._obs_dim, agent.act_dim)
        self._space_of_noise: Any = ((0, 0), None, [])
        self._bind(batch=1)

    @staticmethod
    def why_not(agent: Agent) -> str | None:
        """Why an agent cannot be compiled; None if it can."""
        kind = type(agent)
        if kind.__name__ not in UPDATES or not kind.__module__.startswith("lac."):
            return f"{kind.__name__} is none of {', '.join(UPDATES)}"
        return why_not_compiled(agent.ac, agent.critics) or why_no_compiler()

    def get_action(self, obs: npt.NDArray[Any], deterministic: bool = False) -> npt.NDArray[Any]:
        """Actions ``[..., act_dim]`` in their box for observations ``[..., obs_dim]``."""
        observations = np.asarray(obs, np.float32)
        rows = observations.reshape(-1, self._obs_dim)
        shape = (len(rows), self._agent.act_dim)
        noise = np.zeros(shape, np.float32) if deterministic else torch.randn(shape, generator=self.generator).numpy()
        actions = self._call("actions", len(rows), rows, noise)
        return self._agent.bounded(actions.reshape(*observations.shape[:-1], self._agent.act_dim))

    def update(self, data: Batch) -> Diagnostics:
        """One gradient step of the agent on a batch; returns its ``DIAGNOSTICS``."""
        columns = {name: _array(data[name]) for name in COLUMNS if name in data}
        self._shapes.check(columns)
        batch, is_finite = len(columns["obs"]), "horizon_rew" in columns
        arguments = [columns["obs"], columns["act"], columns["obs_next"], self._agent.cost(columns), columns["done"]]
        is_lyapunov = self._update == "lyapunov_update"
        if is_lyapunov:
            arguments.append(columns["horizon_rew"] if is_finite else columns["done"][:0])
        for rate, group in self._rates:
            rate[0] = group.lr
        numbers = self._call(
            self._update, batch, *arguments, self._noise(3 if is_lyapunov and not is_finite else 2, batch)
        )
        return Diagnostics(self._agent.DIAGNOSTICS, numbers)

    def prepare(self) -> None:
        """Compile what training needs before it starts."""
        for name in ("actions", self._update):
            self._compiled(name)

    def _compiled(self, name: str) -> Callable[..., Any]:
        columns = np.zeros((2, 2), np.float32).T[:1]  # whose numbers do not follow each other
        noise = np.zeros((1, 1), np.float32)
        kinds = {"m": columns, "v": columns[0], "n": noise}
        self._functions[name] = compiled(name, (self._form, *(kinds[letter] for letter in _ARGUMENTS[name])))
        return self._functions[name]

    def _call(self, name: str, batch: int, *arguments: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if batch > self._batch or not self._memory.is_current():
            self._bind(max(batch, self._batch))
        function = self._functions.get(name) or self._compiled(name)
        result: npt.NDArray[np.float32] = function(self._form, *arguments)
        return result

    def _noise(self, draws: int, batch: int) -> npt.NDArray[np.float32]:
        """Standard normal noise ``[draws batch, act_dim]``, drawn as in the torch update."""
        if self._space_of_noise[0] != (draws, batch):
            numbers = torch.empty(draws * batch, self._agent.act_dim)
            is_one = batch * self._agent.act_dim % _NORMAL_BLOCK == 0
            self._space_of_noise = (
                (draws, batch),
                numbers.numpy(),
                [numbers] if is_one else [*torch.split(numbers, batch)],
            )
        _, noise, parts = self._space_of_noise
        for part in parts:
            part.normal_(generator=self.generator)
        return noise  # type: ignore[no-any-return]

    def _bind(self, batch: int) -> None:
        """Let the parameters be views of the agent's memory, and make space for a batch."""
        reason = self.why_not(self._agent)
        if reason is not None:
            raise ValueError(f"the agent was changed, so its update cannot run compiled: {reason}; build a new engine")
        self._memory, self._batch = memory_of(self._agent), batch
        memory, pi, critics = self._memory, self._agent.ac.pi, self._agent.critics
        scaling = critics[0].scale_input
        n_in, n_critics = int(memory.critic[0, 0]), len(critics)
        longest = batch * max(memory.actor[:, 1].sum(), memory.critic[:, 1].sum())
        widest = batch * max(memory.actor[:, :2].max(), memory.critic[:, :2].max())
        from lac.engines.kernel import Form  # noqa: PLC0415 (imports numba)

        self._form = Form(
            settings=self._settings,
            actor=memory.actor,
            critic=memory.critic,
            starts=memory.starts,
            memory=memory.vectors,
            steps=memory.steps,
            scaling=torch.stack((scaling.centre, scaling.inverse_width)).numpy(),
            box=torch.stack((pi.act_scale, pi.act_bias)).numpy(),
            inputs=_space(2, batch * n_in),
            outputs=_space(1 + n_critics, longest),
            spare=_space(2, widest),
        )


def _array(column: Tensor) -> npt.NDArray[np.float32]:
    """The numbers of a column of a batch, wherever they lie."""
    numbers = column.detach().numpy() if column.requires_grad else column.numpy()
    return numbers if numbers.dtype == np.float32 else numbers.astype(np.float32)


def _space(rows: int, length: int) -> npt.NDArray[np.float32]:
    """Rows of at least a length that begin at multiples of 64 bytes, where the same product gives the same bits."""
    return torch.zeros(rows, -(-length // 16) * 16).numpy()


def _settings(agent: Agent) -> npt.NDArray[Any]:
    """The settings of an agent as one record; those that SAC does not have are not read in its update."""
    record, given = np.zeros(1, SETTINGS), agent.settings
    record["gamma"], record["polyak"], record["target_entropy"] = given.gamma, given.polyak, agent.target_entropy
    record["log_labda_low"], record["log_labda_high"] = -math.inf, math.inf
    record["actor_bias"] = "bias" in agent.ac.pi.mu_layer._parameters
    if isinstance(given, LyapunovSettings):
        record["alpha3"], record["quadratic"] = given.alpha3, 1
        record["relative"] = given.critic_loss == "relative"
        record["drift"] = _DRIFTS.index(given.drift_weights)
        record["symmetric"] = given.twin_drift == "symmetric"
        record["log_labda_low"] = math.log(given.labda_min) if given.labda_min > 0 else -math.inf
        record["log_labda_high"] = 0.0 if given.anti_windup else math.inf
    return record

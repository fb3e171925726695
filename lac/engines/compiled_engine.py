"""The engine for the networks of this package on the CPU: compiled functions on the memory of the parameters."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lac.engines.compiling import compiled, why_no_compiler
from lac.engines.memory import memory_of, why_not_compiled
from lac.engines.protocol import Agent, Batch, Diagnostics
from lac.settings.algorithms import LyapunovSettings

SETTINGS = np.dtype(
    [(name, np.float32) for name in ("gamma", "alpha3", "polyak", "target_entropy", "log_labda_low", "log_labda_high")]
    + [(name, np.float64) for name in ("lr_a", "lr_c", "lr_alpha", "lr_labda")]
    + [(name, np.int64) for name in ("quadratic", "relative", "drift", "symmetric")]
)
"""The settings of an update as the kernel reads them; ``quadratic`` is true of L, a sum of squares, and false of Q."""

UPDATES = {"LAC": "lyapunov_update", "LATC": "lyapunov_update", "SAC": "soft_update"}
_ARGUMENTS = {"actions": "mm", "lyapunov_update": "mmmvvvm", "soft_update": "mmmvvm"}
"""The arguments of each function after the form: matrices and vectors."""
_COLUMNS = ("obs", "act", "obs_next", "rew", "done", "horizon_rew")
_DRIFTS = ("mixed", "before", "after")
_NORMAL_BLOCK = 16
"""``torch.randn`` draws numbers in blocks of this size: one call gives the same as several, if all are whole blocks."""


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
        observations = np.array(obs, np.float32)  # a copy, since an array that must not be written has another type
        rows = observations.reshape(-1, self._obs_dim)
        shape = (len(rows), self._agent.act_dim)
        noise = np.zeros(shape, np.float32) if deterministic else torch.randn(shape, generator=self.generator).numpy()
        actions = self._call("actions", len(rows), rows, noise)
        return self._agent.bounded(actions.reshape(*observations.shape[:-1], self._agent.act_dim))

    def update(self, data: Batch) -> Diagnostics:
        """One gradient step of the agent on a batch; returns its ``DIAGNOSTICS``."""
        columns = {
            name: np.ascontiguousarray(data[name].detach().numpy(), np.float32) for name in _COLUMNS if name in data
        }
        self._raise_if_other_shapes(columns)
        obs, act, obs_next, done = (columns[name] for name in ("obs", "act", "obs_next", "done"))
        batch = [obs, act, obs_next, self._agent.cost(columns), done]
        if self._update == "lyapunov_update":
            batch.append(columns.get("horizon_rew", done[:0]))
        draws = 3 if self._update == "lyapunov_update" and "horizon_rew" not in columns else 2
        for rate, group in self._rates:
            rate[0] = group.lr
        numbers = self._call(self._update, len(obs), *batch, self._noise(draws, len(obs)))
        return Diagnostics(self._agent.DIAGNOSTICS, numbers)

    def _raise_if_other_shapes(self, columns: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Compiled code does not notice that it reads beyond an array."""
        batch = len(columns["obs"])
        widths = {"obs": (self._obs_dim,), "obs_next": (self._obs_dim,), "act": (self._agent.act_dim,)}
        for name, column in columns.items():
            expected = (batch, *widths.get(name, ()))
            if column.shape != expected:
                raise ValueError(f"{name} of the batch has the shape {column.shape}; it must be {expected}")

    def prepare(self) -> None:
        """Compile what training needs before it starts."""
        for name in ("actions", self._update):
            self._compiled(name)

    def _compiled(self, name: str) -> Callable[..., Any]:
        matrix, vector = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
        types = {"m": matrix, "v": vector}
        self._functions[name] = compiled(name, (self._form, *(types[letter] for letter in _ARGUMENTS[name])))
        return self._functions[name]

    def _call(self, name: str, batch: int, *arguments: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if batch > self._batch or not self._memory.is_current():
            self._bind(max(batch, self._batch))
        function = self._functions.get(name) or self._compiled(name)
        result: npt.NDArray[np.float32] = function(self._form, *arguments)
        return result

    def _noise(self, draws: int, batch: int) -> npt.NDArray[np.float32]:
        """Standard normal noise ``[draws batch, act_dim]``, drawn as in the torch update."""
        size = batch * self._agent.act_dim
        calls = 1 if size % _NORMAL_BLOCK == 0 else draws
        parts = [torch.randn(draws * size // calls, generator=self.generator).numpy() for _ in range(calls)]
        noise = parts[0] if calls == 1 else np.concatenate(parts)
        return noise.reshape(-1, self._agent.act_dim)

    def _bind(self, batch: int) -> None:
        """Let the parameters be views of the agent's memory, and make space for a batch."""
        reason = self.why_not(self._agent)
        if reason is not None:
            raise ValueError(f"the agent was changed, so its update cannot run compiled: {reason}; build a new engine")
        self._memory, self._batch = memory_of(self._agent), batch
        memory, pi, critics = self._memory, self._agent.ac.pi, self._agent.critics
        scaling = critics[0].scale_input
        actor_widths, critic_widths = memory.actor[:, 1], memory.critic[:, 1]
        # The actor is evaluated at s and s' together.
        longest = batch * max(2 * actor_widths.sum(), critic_widths.sum())
        widest = batch * max(2 * memory.actor[:, :2].max(), memory.critic[:, :2].max())
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
            outputs=np.zeros((1 + len(critics), longest), np.float32),
            spare=np.zeros((2, widest), np.float32),
        )


def _settings(agent: Agent) -> npt.NDArray[Any]:
    """The settings of an agent as one record; those that SAC does not have are not read in its update."""
    record, given = np.zeros(1, SETTINGS), agent.settings
    record["gamma"], record["polyak"], record["target_entropy"] = given.gamma, given.polyak, agent.target_entropy
    record["log_labda_low"], record["log_labda_high"] = -math.inf, math.inf
    if isinstance(given, LyapunovSettings):
        record["alpha3"], record["quadratic"] = given.alpha3, 1
        record["relative"] = given.critic_loss == "relative"
        record["drift"] = _DRIFTS.index(given.drift_weights)
        record["symmetric"] = given.twin_drift == "symmetric"
        record["log_labda_low"] = math.log(given.labda_min) if given.labda_min > 0 else -math.inf
        record["log_labda_high"] = 0.0 if given.anti_windup else math.inf
    return record

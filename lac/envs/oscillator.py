"""Synthetic gene networks whose first protein is to follow an oscillating reference."""

import math
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box

FloatArray = npt.NDArray[np.float64]


class GeneRing(gymnasium.Env[FloatArray, FloatArray]):
    """A ring of genes, each repressed by the protein of the one before it; light drives the genes.

    State ``(m_1..m_n, p_1..p_n)``: concentrations of mRNA and protein. Explicit Euler, every right-hand
    side from the state before the step, with ``p_0 = p_n``::

        m_i <- max(0, m_i + dt (-gamma m_i + a / (K + p_{i-1}^2) + b u_i) + w_i)
        p_i <- max(0, p_i + dt (-c p_i + beta m_i) + w_{n+i}),     w_i ~ U(-delta_i, delta_i)

    The cost is ``(p_1 - r)^2`` after the step, with the reference
    ``r(t) = C + A sin(2 pi f t - phi)``. An observation is the state, ``r`` and ``p_1 - r``. Elowitz and
    Leibler (2000); Han et al. (2020), section 5.

    The constants ``K a gamma beta c b delta dt`` and ``reference_*`` are plain attributes: set them on the
    unwrapped environment, as numbers or with one entry per gene (``delta``: per state).

    Args:
        n_genes: Number of genes.
        max_cost: The episode terminates when the cost exceeds this.
        fixed_state: Start for ``reset(options={"random": False})``, ``[2 n]``.
        clip_action: Whether actions are clipped to [0, 1]; otherwise one outside is an error.
    """

    def __init__(self, n_genes: int, max_cost: float, fixed_state: tuple[float, ...], clip_action: bool = True) -> None:
        n = n_genes
        self.K: float | FloatArray = 1.0
        self.a: float | FloatArray = 1.6
        self.gamma: float | FloatArray = 0.16
        self.beta: float | FloatArray = 0.16
        self.c: float | FloatArray = 0.06
        self.b: float | FloatArray = 5.0
        self.delta: float | FloatArray = np.zeros(2 * n)
        self.dt = 1.0
        self.max_cost = max_cost
        self.reference_offset = 8.0
        self.reference_amplitude = 7.0
        self.reference_frequency = 1 / 200
        self.reference_phase = 0.0
        self.clip_action = clip_action
        self.action_space = Box(0.0, 1.0, (n,), np.float64)
        low = np.append(np.zeros(2 * n + 1), -np.inf)
        self.observation_space = Box(low, np.inf, dtype=np.float64)
        self._n = n
        self._repressors = np.arange(-1, n - 1)
        self._fixed_state = np.array(fixed_state)
        self._state = self._fixed_state.copy()
        self.t = 0.0

    def reference(self, t: float) -> float:
        """The reference of the first protein at time ``t``, in steps."""
        phase = 2 * math.pi * self.reference_frequency * t - self.reference_phase
        return self.reference_offset + self.reference_amplitude * math.sin(phase)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Start an episode from U(0, 5), or as ``options`` say.

        Args:
            seed: Seed of the environment's generator.
            options: ``low`` and ``high`` set other bounds of the start state (``[2 n]`` each);
                ``random: False`` starts from the fixed state.
        """
        super().reset(seed=seed)
        options = options or {}
        if options.get("random", True):
            self._state = self.np_random.uniform(options.get("low", 0.0), options.get("high", 5.0), 2 * self._n)
        else:
            self._state = self._fixed_state.copy()
        self.t = 0.0
        return self._observe(self.reference(self.t))

    def step(self, action: FloatArray) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """One step of ``dt``; the second value is the cost."""
        action = np.asarray(action, dtype=np.float64)
        if self.clip_action:
            action = np.minimum(np.maximum(action, 0.0), 1.0)
        elif not self.action_space.contains(action):
            raise ValueError(f"action {action} is outside {self.action_space} and clip_action is off")
        # A zero-width draw is made too, so that the stream does not depend on delta.
        noise = self.np_random.uniform(-np.asarray(self.delta), self.delta, 2 * self._n)
        self._state = self._successor(self._state, action, noise)
        self.t += self.dt
        reference = self.reference(self.t)
        cost = float((self._state[self._n] - reference) ** 2)
        observation, info = self._observe(reference)
        return observation, cost, cost > self.max_cost, False, info

    def _successor(self, state: FloatArray, action: FloatArray, noise: FloatArray) -> FloatArray:
        """The next states ``[..., 2 n]`` for actions ``[..., n]`` and noise ``[..., 2 n]``."""
        m, p = state[..., : self._n], state[..., self._n :]
        repressor = p[..., self._repressors]
        dm = -self.gamma * m + self.a / (self.K + repressor * repressor) + self.b * action
        dp = -self.c * p + self.beta * m
        moved = state + self.dt * np.concatenate([dm, dp], axis=-1) + noise
        return np.maximum(moved, 0.0)

    def _observe(self, reference: float) -> tuple[FloatArray, dict[str, Any]]:
        protein = self._state[self._n]
        error = protein - reference
        info = {
            "reference": np.array([reference]),
            "state_of_interest": np.array([protein]),
            "reference_error": np.array([error]),
        }
        return np.concatenate((self._state, (reference, error))), info


class Oscillator(GeneRing):
    """Three genes, a repressilator: it oscillates by itself. Terminates when the cost exceeds 100.

    Three actions in [0, 1], eight observations. See :class:`GeneRing`.
    """

    def __init__(self, max_cost: float = 100.0, clip_action: bool = True) -> None:
        super().__init__(3, max_cost, (0.8, 1.5, 0.5, 3.3, 3.0, 3.0), clip_action)

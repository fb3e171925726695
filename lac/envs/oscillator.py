"""Synthetic gene networks whose first protein is to follow an oscillating reference."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box

from lac.envs import rendering
from lac.envs.system import BoolArray, FloatArray, Pixels, Signals, StartRegion, System
from lac.envs.vectors import constant

_START_HIGH = 5.0


class GeneRing(System):
    """A ring of genes, each repressed by the protein of the one before it; light drives the genes.

    Concentrations of mRNA and protein ``(m_1..m_n, p_1..p_n)``, and the time; the state is all of them. Explicit
    Euler, every right-hand side from the state before the step, with ``p_0 = p_n``::

        m_i <- max(0, m_i + dt (-gamma m_i + a / (K + p_{i-1}^2) + b u_i) + w_i)
        p_i <- max(0, p_i + dt (-c p_i + beta m_i) + w_{n+i}),     w_i ~ U(-delta_i, delta_i)

    The cost is ``(p_1 - r)^2`` after the step, with the reference
    ``r(t) = C + A sin(2 pi f t - phi)``. An observation is the concentrations, ``r`` and ``p_1 - r``. The goal
    set, ``goal_tolerance``, is ``|p_1 - r| <= 1``. Elowitz and Leibler (2000); Han et al. (2020), section 5.

    The constants ``K a gamma beta c b delta dt`` and ``reference_*`` are plain attributes: set them on the
    unwrapped environment, as numbers or with one entry per gene (``delta``: per concentration). An external force is
    a production of mRNA per step, one per gene. A process disturbance is added beside ``w``, so that concentrations
    stay at or above 0 under it, too.

    Args:
        n_genes: Number of genes.
        max_cost: The episode terminates when the cost exceeds this.
        fixed_state: Start for ``reset(options={"random": False})``, ``[2 n]``.
        clip_action: Whether actions are clipped to [0, 1]; otherwise one outside is an error.
        render_mode: None or ``rgb_array``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012 (as Gymnasium declares it)

    goal_tolerance = 1.0
    clock = -1
    signal_names = ("protein 1",)

    def __init__(
        self,
        n_genes: int,
        max_cost: float,
        fixed_state: tuple[float, ...],
        clip_action: bool = True,
        render_mode: str | None = None,
    ) -> None:
        n = n_genes
        low = np.append(np.zeros(2 * n + 1), -np.inf)
        actions, observations = Box(0.0, 1.0, (n,), np.float64), Box(low, np.inf, dtype=np.float64)
        super().__init__(actions, observations, 2 * n + 1, clip_action, n_forces=n, render_mode=render_mode)
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
        genes = range(1, n + 1)
        concentrations = (*(f"m{i} (mRNA)" for i in genes), *(f"p{i} (protein)" for i in genes))
        self.observation_names = (*concentrations, "r (reference of p1)", "p1 - r")
        self.action_names = tuple(f"light {i}" for i in genes)
        self._n = n
        self._repressors = list(range(-1, n - 1))
        self._fixed_state = np.array(fixed_state)

    def reference(self, t: Any, xp: Any = np) -> Any:
        """The reference of the first protein at time ``t``, in steps."""
        phase = 2 * math.pi * self.reference_frequency * t - self.reference_phase
        return xp.asarray(self.reference_offset + self.reference_amplitude * xp.sin(phase))

    def draw_noise(self, size: int | None = None) -> FloatArray:
        """One number for each concentration."""
        # A zero-width draw is made too, so that the stream does not depend on delta. The numbers are those of
        # uniform(-delta, delta), which takes six times as long with bounds in arrays.
        width: FloatArray = np.asarray(self.delta, dtype=np.float64)
        shape = 2 * self._n if size is None else (size, 2 * self._n)
        return (width + width) * self.np_random.random(shape) - width

    @property
    def period(self) -> float:
        """Steps of a period of the reference; 1 where its frequency is 0."""
        return 1 / (abs(self.reference_frequency) * self.dt) if self.reference_frequency else 1.0

    def start_region(self) -> StartRegion:
        """Concentrations from 0 to 5, and any phase of the reference."""
        phases = self.period * self.dt
        return StartRegion(np.zeros(2 * self._n + 1), np.append(np.full(2 * self._n, _START_HIGH), phases), np.copy)

    def signals(self, states: FloatArray) -> Signals:
        """The reference and the first protein."""
        return Signals(self.reference(states[..., -1:]), states[..., self._n : self._n + 1].copy())

    def observe(self, states: Any, xp: Any = np) -> Any:
        """Concentrations, reference and error."""
        reference, protein = self.reference(states[..., -1:], xp), states[..., self._n : self._n + 1]
        return xp.concatenate((states[..., :-1], reference, protein - reference), -1)

    def dynamics(self, state: Any, action: Any, noise: Any, xp: Any = np) -> Any:
        """See the base class; concentrations stay at or above 0 under a process disturbance, too."""
        after = super().dynamics(state, action, noise, xp)
        concentrations = after[..., :-1]
        return xp.concatenate((xp.where(concentrations < 0.0, 0.0, concentrations), after[..., -1:]), -1)

    def _initial_state(self, options: Mapping[str, Any]) -> FloatArray:
        is_random = options.get("random", True)
        start = self._start(options, 0.0, _START_HIGH, 2 * self._n) if is_random else self._fixed_state
        return np.append(start, 0.0)

    def _transition(self, state: Any, action: Any, noise: Any, xp: Any) -> Any:
        m, p = state[..., : self._n], state[..., self._n : -1]
        K, a, gamma, beta, c, b, force = (
            constant(value, xp)
            for value in (self.K, self.a, self.gamma, self.beta, self.c, self.b, self.external_force)
        )
        repressor = p[..., self._repressors]
        dm = -gamma * m + a / (K + repressor * repressor) + b * action + force
        dp = -c * p + beta * m
        concentrations = state[..., :-1] + self.dt * xp.concatenate((dm, dp), -1) + noise
        return xp.concatenate((concentrations, state[..., -1:] + self.dt), -1)

    def _cost(self, states: FloatArray, actions: FloatArray) -> tuple[FloatArray, BoolArray]:
        errors = states[..., self._n] - self.reference(states[..., -1])
        costs = errors * errors
        return costs, costs > self.max_cost

    def _picture(self) -> Pixels:
        m, p = self._state[: self._n], self._state[self._n : -1]
        return rendering.gene_ring(m, p, float(self.reference(self._state[-1])))


class Oscillator(GeneRing):
    """Three genes, a repressilator: it oscillates without input. Terminates when the cost exceeds 100.

    Three actions in [0, 1], eight observations. See :class:`GeneRing`.
    """

    def __init__(self, max_cost: float = 100.0, clip_action: bool = True, render_mode: str | None = None) -> None:
        super().__init__(3, max_cost, (0.8, 1.5, 0.5, 3.3, 3.0, 3.0), clip_action, render_mode)


class OscillatorComplicated(GeneRing):
    """Four genes: an even ring, which settles in one of two states without input. Never terminates by default.

    Four actions in [0, 1], ten observations. See :class:`GeneRing`.
    """

    def __init__(self, max_cost: float = math.inf, clip_action: bool = True, render_mode: str | None = None) -> None:
        super().__init__(4, max_cost, (0.8, 1.5, 0.5, 0.3, 3.3, 3.0, 3.0, 2.8), clip_action, render_mode)

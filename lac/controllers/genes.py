"""A predictive controller of the gene rings: the light that brings the first protein to its reference in two steps."""

import math

import numpy as np

from lac.controllers.controller import Controller
from lac.controllers.waves import Wave
from lac.envs.oscillator import GeneRing
from lac.envs.system import FloatArray, System

GAIN = 0.4
"""Share of the predicted error that is corrected at once; of 0.2, 0.4, ..., 1 the one with the lowest cost."""


class TwoStepAhead(Controller):
    """Light on the first gene moves its protein two steps later; the last light stays on.

    Light ``u1`` adds ``dt^2 beta b u1`` to ``p_1`` two steps ahead, and the equations give the rest of that ``p_1``
    from the observation. So ``u1 = GAIN (r(t + 2 dt) - p_1(t + 2 dt)) / (dt^2 beta b)``, in [0, 1]. The future
    reference follows from the present one up to the direction of the sine, which is taken from that of the
    protein. The light on the last gene makes the protein that represses the first one, without which ``p_1`` could
    not fall to the lowest values of its reference.
    """

    name = "two_step_ahead"

    @classmethod
    def suits(cls, system: System | None) -> bool:
        """Whether it is a ring of genes."""
        return isinstance(system, GeneRing)

    def _design(self, system: GeneRing) -> None:
        self._n = len(system.external_force)
        values = (system.gamma, system.a, system.K, system.b, system.c, system.beta)
        # Constants are one number or one for each gene; these are those of the first.
        self._first_gene = [float(np.ravel(value)[0]) for value in values]
        self._dt = system.dt
        frequency = 2 * math.pi * system.reference_frequency
        self._wave = Wave(system.reference_offset, system.reference_amplitude, frequency)

    def _law(self, observations: FloatArray) -> FloatArray:
        gamma, a, K, b, c, beta = self._first_gene
        n, dt = self._n, self._dt
        m, p, repressor = observations[..., 0], observations[..., n], observations[..., 2 * n - 1]
        m_next = m + dt * (-gamma * m + a / (K + repressor * repressor))
        p_next = p + dt * (-c * p + beta * m)
        predicted = p_next + dt * (-c * p_next + beta * m_next)
        reference = self._wave.after(2 * dt, observations[..., 2 * n], rises=p_next >= p)
        actions = np.zeros((*observations.shape[:-1], n))
        actions[..., 0] = GAIN * (reference - predicted) / (dt * dt * beta * b)
        actions[..., -1] = 1.0
        return actions

"""Linear regulators on the systems of MSACL score what they scored in an implementation of its own."""

import numpy as np
import pytest

from lac.controllers import lqr
from lac.envs.single_track_car import SingleTrackCar
from lac.envs.stabilisation import DuctedFan, PendulumStabilise, TwoLink, VanDerPol

# The discrete LQR of the linearisation at 0.05 s with the weights of the cost: gain; then, over 60 starts, mean and
# deviation of the reward per step (bonus included) and of the squared state per step, both times 100.
LQR = {
    VanDerPol: ([[3.019, 4.850]], (14.2, 82.5), (37.2, 37.9)),
    PendulumStabilise: ([[1.770, 0.698]], (38.9, 331.0), (27.2, 143.0)),
    DuctedFan: (
        [[-2.559, 0.0, 13.274, -3.082, 0.0, 2.926], [0.0, 4.363, 0.0, 0.0, 8.276, 0.0]],
        (83.7, 6.3),
        (1.90, 1.83),
    ),
    TwoLink: ([[36.965, 9.774, 13.819, 4.004], [9.570, 8.301, 3.914, 2.539]], (88.0, 8.0), (0.44, 0.33)),
    SingleTrackCar: (
        [[0.0, 3.964, 4.460, 0.0, 6.112, 0.291, 0.225], [4.011, 0.0, 0.0, 4.029, 0.0, 0.0, 0.0]],
        (85.1, 3.5),
        (1.12, 0.89),
    ),
}


@pytest.mark.parametrize("system", LQR)
def test_a_linear_regulator_scores_what_it_should(system):
    gain, reward, squares = LQR[system]
    np.testing.assert_allclose(lqr(system()).gain, gain, rtol=0, atol=6e-4)
    env, n = system(bonus=True), 200
    states = np.array([env.reset(seed=seed)[0] for seed in range(n)])
    alive, reached = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    rewards, costs, lengths = np.zeros(n), np.zeros(n), np.zeros(n)
    for _ in range(1000):
        step = env.step_batch(states, -states @ np.array(gain).T, np.zeros((n, 0)))
        rewards += alive * (1.0 - step.costs)
        costs += alive * np.sum(step.states**2, axis=-1)
        lengths += alive
        alive &= ~step.terminated
        # The dead stay where they are.
        states = np.where(alive[:, None], step.states, states)
        reached |= alive & (np.abs(states).max(axis=-1) <= 0.01)
    if system is PendulumStabilise:
        # Of 4000 starts 2.2 % cannot be saved by any action.
        assert 0.95 < reached.mean() < 1.0
    else:
        assert reached.all()
    for values, (mean, deviation) in ((rewards / lengths, reward), (costs / lengths, squares)):
        # Three standard errors of both samples.
        tolerance = 3 * deviation * np.sqrt(1 / 60 + 1 / n)
        assert 100 * values.mean() == pytest.approx(mean, abs=tolerance)

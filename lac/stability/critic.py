"""Whether a learned Lyapunov function means what the theory says: the mean condition, and L against simulated costs."""

from typing import Any

import numpy as np
from scipy.stats import linregress, spearmanr

from lac.envs.system import FloatArray
from lac.stability.bounds import cluster_bootstrap
from lac.stability.candidates import Candidate
from lac.stability.closed_loop import ClosedLoop, Traces
from lac.stability.region import in_core


def mean_condition(
    candidate: Candidate, traces: Traces, alpha3: float, confidence: float, rng: np.random.Generator
) -> dict[str, float | str]:
    """The condition of theorem 1 of Han et al. (2020) over visited states: ``E[L(s') - L(s)] <= -alpha3 E[c]``.

    Args:
        candidate: The learned Lyapunov function.
        traces: Episodes.
        alpha3: Of the algorithm.
        confidence: Of the bound.
        rng: Draws the resamples.

    Returns:
        Mean of ``L(s') - L(s) + alpha3 c`` over steps, and its upper bound by a bootstrap of whole episodes, which
        holds for many episodes only (``asymptotic``).
    """
    drifts = []
    for states, costs in zip(traces.states, traces.costs, strict=True):
        is_run = np.isfinite(costs)
        values = candidate(states[: is_run.sum() + 1])
        drifts.append(np.mean(np.diff(values) + alpha3 * costs[is_run]))
    means = np.array(drifts)
    bound = cluster_bootstrap(means, confidence, rng)
    return {"mean": float(means.mean()), "bound": bound, "episodes": len(means), "kind": "asymptotic"}


def honesty(
    candidate: Candidate, loop: ClosedLoop, states: FloatArray, gamma: float | None, horizon: int, core: float
) -> tuple[dict[str, Any], tuple[FloatArray, FloatArray]]:
    """L against the cost that a simulation sums up from the same states, and why L increases where it does.

    A violation is a step on which L does not decrease outside the core. It is an error of the critic if the simulated
    sum that L stands for decreases; an effect of discounting if only the undiscounted sum does; a true increase
    otherwise.

    Args:
        candidate: The learned Lyapunov function.
        loop: The closed loop.
        states: ``[n, state_dim]``.
        gamma: Discount of the algorithm; None where L is the sum over a finite horizon.
        horizon: Steps that are simulated, the finite horizon where there is one.
        core: See :func:`lac.stability.region.in_core`.

    Returns:
        The figures, and values of L with the simulated sums, ``[n]`` each.
    """
    traces = loop.simulate(states, horizon + 1)
    costs = np.nan_to_num(traces.costs)
    discounts = np.power(1.0 if gamma is None else gamma, np.arange(horizon))
    discounted = [costs[:, :-1] @ discounts, costs[:, 1:] @ discounts]
    plain = [costs[:, :-1].sum(axis=1), costs[:, 1:].sum(axis=1)]
    values = candidate(states)
    is_outside = ~in_core(loop.system, states, loop.costs(states)[0], core)
    is_usable = np.isfinite(traces.states[:, 1]).all(axis=1) & is_outside
    after = candidate(np.where(np.isfinite(traces.states[:, 1]), traces.states[:, 1], states))
    violates = is_usable & (after >= values)
    is_critic = violates & (discounted[1] < discounted[0])
    is_discounting = violates & ~is_critic & (plain[1] < plain[0])
    has_spread = np.ptp(values) > 0 and np.ptp(discounted[0]) > 0
    figures = {
        "rank_correlation": float(spearmanr(values, discounted[0]).statistic) if has_spread else None,
        "slope": float(linregress(discounted[0], values).slope) if has_spread else None,
        "states": len(states),
        "violations": int(violates.sum()),
        "of_the_critic": int(is_critic.sum()),
        "of_discounting": int(is_discounting.sum()),
        "true_increases": int((violates & ~is_critic & ~is_discounting).sum()),
    }
    return figures, (values, discounted[0])

"""The sentences of a report. They say what was counted and what that does not mean; no sentence says more.

The words guarantee, stable and proved belong to a proof; a report without one does not have them.
"""

import math
from collections.abc import Mapping
from typing import Any

MAX_FAILURE = 0.05
"""Above this bound of the probability that a trajectory fails, the verdict is none."""
MAX_VIOLATION = 0.01
"""Up to this bound of the share of states without a decrease, the verdict is statistical."""
MIN_PROVED = 0.95
"""From this share of R on, the verdict is that of the proof."""


WITHIN = "5"
"""Steps within which a decrease counts for the verdict, too."""


def verdict(report: Mapping[str, Any]) -> str:
    """The highest level that a report reaches; see ``docs/evidence.md``."""
    if _is_proved(report):
        return "proved-on-model"
    if report["rollouts"]["bound"] > MAX_FAILURE:
        return "none"
    best = report["candidates"].get(report["best"])
    if best is not None and min(best["one_step"]["bound"], best["k_steps"][WITHIN]["within"]["bound"]) <= MAX_VIOLATION:
        return "statistical"
    return "empirical"


def _is_proved(report: Mapping[str, Any]) -> bool:
    proved, tolerance = report["proved"], report["goal_tolerance"]
    if proved is None or tolerance is None or proved["region_share"] < MIN_PROVED:
        return False
    # A proof may be one of convergence to a place that nobody wants; and it does not know what else ends an episode.
    return bool(proved["offset"] <= tolerance and proved["ended_early"] == 0)


def sentences(report: Mapping[str, Any]) -> list[str]:
    """What a report says in words."""
    said = [_of_rollouts(report)]
    best = report["candidates"].get(report["best"])
    if best is not None:
        said += _of_decrease(report, best)
    if report["proved"] is not None:
        said.append(_of_proof(report["proved"]))
    if report["disturbances"]:
        said.append(_of_pushes(report))
    if report["mean_condition"] is not None:
        said.append(_of_mean(report["mean_condition"]))
    return said


def percent(share: float) -> str:
    """A share with three digits, as in 0.0459 %."""
    return f"{100 * share:.3g} %"


def _of_rollouts(report: Mapping[str, Any]) -> str:
    rollouts, confidence = report["rollouts"], report["bound_confidence"]
    where = _starts(report)
    if not rollouts["has_goal"]:
        return (
            f"Of {rollouts['n']} trajectories of {rollouts['steps']} steps from {where}, {rollouts['failures']} "
            f"terminated early; the probability of that is at most {percent(rollouts['bound'])}, with "
            f"{percent(confidence)} confidence. The environment has no goal set, so nothing is said about settling."
        )
    return (
        f"Of {rollouts['n']} trajectories of {rollouts['steps']} steps from {where}, {rollouts['failures']} did not "
        f"reach the goal set and stay there to the end ({rollouts['early_terminations']} of them terminated early); "
        f"the probability of that is at most {percent(rollouts['bound'])}, with {percent(confidence)} confidence over "
        "the draw of the starts. It says nothing about longer times."
    )


def _starts(report: Mapping[str, Any]) -> str:
    """What trajectories start from."""
    if report["region"]["kind"] != "box":
        return "resets of the environment"
    return "starts drawn uniformly from R" + (", at time 0 of its clock" if report["region"]["has_phases"] else "")


def _of_decrease(report: Mapping[str, Any], best: Mapping[str, Any]) -> list[str]:
    n, bound, confidence = best["one_step"]["n"], best["one_step"]["bound"], report["bound_confidence"]
    noise = " and the noise" if report["environment"]["is_noisy"] else ""
    drawn = "states drawn uniformly from R" if report["region"]["kind"] == "box" else "states of resets"
    said = [
        f"At most {percent(bound)} of the {drawn} violate the one-step decrease condition of "
        f"the {report['best']} function under this policy in this simulator, with {percent(confidence)} confidence "
        f"over the draw of {n} states{noise}. This does not prove stability; it says nothing outside R, about where "
        "the violations lie, other dynamics or the real plant."
    ]
    within = best["k_steps"][WITHIN]["within"]
    if bound > MAX_VIOLATION >= within["bound"]:
        said.append(
            f"The verdict rests on several steps: in at most {percent(within['bound'])} of such states the function is "
            f"not lower at any of the next {WITHIN} steps, with {percent(confidence)} confidence over {within['n']} "
            f"states. Two bounds were looked at; both hold with {percent(2 * confidence - 1)}."
        )
    search = report["falsification"]
    if search is not None and search["found"]:
        said.append(
            f"A search of {search['evaluations']} states found one at which this function does not decrease: it is "
            "under counterexamples."
        )
    elif search is not None and math.isinf(search["worst"]):
        said.append(f"A search of {search['evaluations']} states met none outside the core.")
    elif search is not None:
        said.append(
            f"A search of {search['evaluations']} states found none at which this function does not decrease; the "
            f"closest decreases by {percent(-search['worst'])}."
        )
    return said


def _of_proof(proved: Mapping[str, Any]) -> str:
    ended = (
        f" But {proved['ended_early']} of the trajectories above began there and terminated early: episodes end by "
        "something else than the limits that the system declares, which the proof does not know."
        if proved["ended_early"]
        else ""
    )
    return (
        "Proved for the simulator's equations with this policy, in exact arithmetic and with every action wrong by up "
        f"to {proved['action_error']:.3g} half-widths: from {percent(proved['region_share'])} of R, every trajectory "
        f"enters a neighbourhood of the equilibrium {_vector(proved['equilibrium'])} within {proved['steps']} steps "
        f"and converges as docs/evidence.md states. It says nothing about other dynamics or the real plant.{ended}"
    )


def _of_pushes(report: Mapping[str, Any]) -> str:
    passed = report["largest_push"]
    limit = percent(report["push_probability"])
    if passed is None:
        return f"Under no push of the ladder does a trajectory come back with a probability of at least {limit}."
    return (
        f"After a push of up to {passed:.3g} in one step, in the units of the external force, a trajectory comes back "
        f"with a probability of at least {limit}, with {percent(report['bound_confidence'])} confidence on each rung."
    )


def _of_mean(condition: Mapping[str, Any]) -> str:
    holds = "holds" if condition["bound"] <= 0 else "is not shown"
    return (
        f"On average over visited states, the decrease that theorem 1 of Han et al. (2020) asks for {holds}: the mean "
        f"of L(s') - L(s) + alpha3 c is {condition['mean']:.3g}, below {condition['bound']:.3g} by a bootstrap over "
        f"{condition['episodes']} episodes, which is valid for many episodes only."
    )


def _vector(values: list[float]) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"

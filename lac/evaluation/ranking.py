"""Which of two tests of a policy is the better one."""

from collections.abc import Mapping


def is_better(report: Mapping[str, float], best: Mapping[str, float] | None) -> bool:
    """Whether a report has fewer early terminations than the best one, or as many and more episodes that settle.

    The cost decides where both are the same. An early termination is a failure: the environment ends the episode
    before its time limit. Failures are compared first, because the sum of costs of a short episode is low.
    """
    return best is None or _rank(report) < _rank(best)


def _rank(report: Mapping[str, float]) -> tuple[float, float, float]:
    return report["death_rate"], -report.get("settled", 0.0), report["cost_mean"]

"""The results of a run in its summary: which policy is the best, and the figures in words."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from lac.agents import Agent
from lac.evaluation.final_tests import LONG
from lac.settings.training import LoopSettings

TITLES = {"final": "final", "final_long": "for longer", "best": "best"}
"""The reports in a summary, with their names at the end of a run."""

_REPORTED = ("epoch", "env_steps", "updates", "test/cost_mean", "test/cost_std", "test/ep_len_mean", "test/death_rate")
_SETTLING = ("test/settled", "test/settling_steps")


def report_of(metrics: Mapping[str, float]) -> dict[str, float]:
    """The report of an epoch: what its metrics say of steps, updates and tests."""
    return {name.removeprefix("test/"): metrics[name] for name in (*_REPORTED, *_SETTLING) if name in metrics}


def planned_tests(loop: LoopSettings) -> list[str]:
    """How a training is tested, as a sentence; none where it is not."""
    if loop.num_test_episodes == 0:
        return []
    at_the_end = f"{loop.final_test_episodes} at the end, also for {LONG} times the length"
    return [f"on {loop.num_test_episodes} resets after each epoch; {at_the_end}"]


def figures(report: Mapping[str, float]) -> str:
    """The figures of a test in words, early terminations first."""
    words = [f"early terminations {report['death_rate']:.0%}"]
    if "settled" in report:
        after = f" after {report['settling_steps']:.0f} steps" if report["settled"] > 0 else ""
        words.append(f"settled {report['settled']:.0%}{after}")
    words.append(f"cost {report['cost_mean']:.1f} ± {report['cost_std']:.1f}")
    if "steps" in report:
        words.append(f"{report['steps']:.0f} steps")
    elif "epoch" in report:
        words.append(f"epoch {report['epoch']:.0f}")
    if report.get("cut_short", 0) > 0:
        words.append(f"{report['cut_short']:.0%} ended by the environment before")
    if "episodes" in report:
        words.append(f"{report['episodes']:.0f} resets")
    return ", ".join(words)


@contextmanager
def acting_as(agent: Agent, policy: Path) -> Iterator[None]:
    """Let an agent have the weights of a saved policy within the block; then it has its own again, also after an error.

    Otherwise the end of a run that failed there would save the wrong weights as its last ones.
    """
    weights = {name: value.clone() for name, value in agent.state_dict().items() if isinstance(value, Tensor)}
    try:
        agent.restore(policy)
        yield
    finally:
        agent.load_state_dict(weights)


def flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The results of a summary as a flat dictionary, for W&B."""
    results = {key: summary[key] for key in ("status", "wall_time", "seed") if key in summary}
    return results | {f"{name}/{key}": value for name in TITLES for key, value in summary.get(name, {}).items()}

"""One test of a policy: what the command ``evaluate`` does with each, and how its figures are printed."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lac.cli.yardsticks import Yardstick
from lac.config.checks import ConfigError
from lac.config.disturbances import disturbance_fit_errors
from lac.envs.checks import MAX_EPISODE_STEPS, raise_if_endless
from lac.evaluation.final_tests import share_cut_short
from lac.evaluation.rollouts import MAX_TEST_ENVS, Rollouts, deterministic, rollout
from lac.runs import Run, RunError
from lac.runs.folder import CONFIG, one_line
from lac.runs.methods import flat
from lac.settings.arguments import key_of_argument
from lac.settings.rules import ArgumentError

PICTURED_EPISODES = 10
"""Episodes in the picture of trajectories."""
_WIDTH = 100  # columns of the table


@dataclass(frozen=True)
class Test:
    """What each run is tested with.

    Attributes:
        policy: Name of the policy, ``all`` for every one of the run, or the name of the controller.
        episodes: Number of episodes.
        steps: Length of an episode, also beyond its time limit; None: the length of the training.
        first_seed: Reset seed of the first; the others follow it.
        disturbance: Part ``disturbance`` of a config.
        video: Whether the first episode is drawn.
        name: What distinguishes the test from others of the same run; empty for the final policy without a disturbance.
    """

    policy: str
    episodes: int
    steps: int | None
    first_seed: int
    disturbance: Mapping[str, Any]
    video: bool
    name: str

    @property
    def is_disturbed(self) -> bool:
        """Whether there is a disturbance."""
        return bool(self.disturbance["kind"] != "none")

    def described(self) -> dict[str, Any]:
        """What the figures of the test depend on, beside the run."""
        described = {name: getattr(self, name) for name in ("policy", "episodes", "steps", "first_seed")}
        return described | {"disturbance": self.disturbance if self.is_disturbed else None}

    def file(self, name: str) -> str:
        """The file of a result: the given name, followed by that of the test."""
        return str(Path(name).with_stem(f"{Path(name).stem}-{self.name}")) if self.name else name


def rollouts_of(run: Run | Yardstick, test: Test) -> Rollouts:
    """The episodes of the test.

    Raises:
        RunError: The run cannot be tested.
        ConfigError: The disturbance does not fit its environment.
    """
    if test.is_disturbed:
        run.environment(None)().close()
        errors = disturbance_fit_errors(run.config, test.disturbance, test.steps)
        if errors:
            raise ConfigError(errors)
    actor, envs = run.closed_loop(test.policy, test.disturbance, min(test.episodes, MAX_TEST_ENVS))
    policy, seeds = deterministic(actor), range(test.first_seed, test.first_seed + test.episodes)
    try:
        raise_if_endless(envs[0])
        rollouts = rollout(policy, envs, seeds, test.steps, PICTURED_EPISODES, beyond_limits=test.steps is not None)
        for env in envs:
            env.close()
    except ArgumentError as error:
        sentence = f"{key_of_argument(error.argument)} {error.reason}"
        raise RunError(f"{environment_of(run)} cannot be tested: {sentence}") from error
    except Exception as error:  # whatever the code of an environment raises
        raise RunError(f"{environment_of(run)} failed in a test: {named(error)}") from error
    return rollouts


def environment_of(run: Run | Yardstick) -> str:
    """What messages call the environment of a run or a controller."""
    is_run = isinstance(run, Run)
    return f"the environment of {run.folder / CONFIG}" if is_run else f"the environment {run.config['env']['id']}"


def warn_of_lengths(run: Run | Yardstick, test: Test, rollouts: Rollouts) -> None:
    """Say on stderr where episodes do not have the length that they should have."""
    if test.steps is not None:
        cut_short = share_cut_short(rollouts, test.steps)
        if cut_short > 0:
            sentence = f"{cut_short:.0%} of the episodes were ended by the environment itself before step {test.steps}"
            print(f"warning: {run.folder}: {sentence}", file=sys.stderr)
    elif rollouts.unfinished.any():
        number = int(rollouts.unfinished.sum())
        print(f"warning: {run.folder}: {number} episodes were ended after {MAX_EPISODE_STEPS} steps", file=sys.stderr)


def named(error: Exception) -> str:
    """An error in one line, with its type."""
    return f"{type(error).__name__}: {one_line(error)}"


def print_heading(test: Test, last: str = "run") -> None:
    """Print the heading of the table, with the name of its last column."""
    if test.is_disturbed:
        settings = flat({name: value for name, value in test.disturbance.items() if name != "name"})
        print("disturbance: " + ", ".join(f"{name}={value}" for name, value in settings.items()))
    print(f"{'terminated':>10} {'settled':>7} {'after':>6} {'cost':>9} {'± std':>8} {'length':>7}  {last}")


def print_result(summary: Mapping[str, float], name: str) -> None:
    """Print a row of the table; a name that is too long, such as a path, has a line of its own, to be copied."""
    settled, after = "-", "-"
    if "settled" in summary:
        settled = f"{summary['settled']:.0%}"
        after = f"{summary['settling_steps']:.0f}" if summary["settled"] > 0 else "-"
    figures = (
        f"{summary['death_rate']:10.0%} {settled:>7} {after:>6} {summary['cost_mean']:9.1f} {summary['cost_std']:8.1f} "
        f"{summary['ep_len_mean']:7.0f}"
    )
    name = f"  {name}"
    print(figures + name if len(figures + name) <= _WIDTH else f"{figures}\n{name}", flush=True)

"""All policies of a run, tested on the same resets: ``evaluate policy=all``."""

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lac.cli.testing import Test, named, print_heading, print_result, rollouts_of, warn_of_lengths
from lac.evaluation.rollouts import Rollouts
from lac.files import relative_to_cwd, write_bytes, write_json
from lac.robust.measuring import Episode, episodes_of
from lac.runs import Run, RunError
from lac.runs.folder import EVALUATION
from lac.settings.policies import BEST, FINAL, epoch_of

FIGURES = "figures"
"""Folder of the pictures of a series in the run folder."""


@dataclass(frozen=True)
class _Tested:
    """A policy with its test.

    Attributes:
        name: Its name.
        epoch: Its epoch; None where the run does not say it.
        rollouts: Its episodes.
    """

    name: str
    epoch: int | None
    rollouts: Rollouts

    @property
    def label(self) -> str:
        """Its name, with the epoch where that is not a part of it."""
        return self.name if self.epoch is None or epoch_of(self.name) else f"{self.name} (epoch {self.epoch})"


def evaluate_series(run: Run, test: Test, problems: list[str]) -> list[Path]:
    """Test each policy of a run, print a row for each, and write and draw the results; returns the files.

    Args:
        run: The run.
        test: The test; its resets are those of every policy.
        problems: A sentence about each policy that cannot be tested is added.

    Raises:
        RunError: No policy can be tested, or the results cannot be written.
        ConfigError: The disturbance does not fit the environment.
    """
    tested: list[_Tested] = []
    failures: list[str] = []
    if not run.policies:
        raise RunError(f"{run.folder} has no policies; train the run again")
    for name in run.policies:
        try:
            with chdir(Path.cwd()):  # for its return: environments may change the working directory
                rollouts = rollouts_of(run, replace(test, policy=name))
        except RunError as error:
            failures.append(str(error))
            continue
        if not tested:
            print_heading(test, f"policy of {relative_to_cwd(run.folder)}")
            warn_of_lengths(run, test, rollouts)
        tested.append(_Tested(name, _epoch(run, name), rollouts))
        print_result(tested[-1].rollouts.summary(), tested[-1].label)
    if not tested:
        raise RunError("; ".join(dict.fromkeys(failures)))
    problems += failures
    if not any(epoch_of(each.name) for each in tested):
        print("  note: the run has kept no policies of epochs; train.keep_policies=N keeps N of them")
    try:
        return _written(run, test, tested)
    except OSError as error:
        raise RunError(f"the results of {run.folder} cannot be written: {named(error)}") from error


def _epoch(run: Run, name: str) -> int | None:
    """The epoch of a policy, from its name, or from what the summary of the run says of it."""
    report = run.summary.get(name)
    epoch = report.get("epoch") if name in {BEST, FINAL} and isinstance(report, Mapping) else epoch_of(name)
    return int(epoch) if isinstance(epoch, (int, float)) else None


def _written(run: Run, test: Test, tested: Sequence[_Tested]) -> list[Path]:
    from lac.figures import PolicyTest, policies  # noqa: PLC0415 (imports matplotlib)

    results = run.folder / test.file(EVALUATION)
    table, picture = results.with_suffix(".csv"), run.folder / FIGURES / results.with_suffix(".png").name
    rows = [{"policy": each.name, "epoch": each.epoch, **each.rollouts.summary()} for each in tested]
    write_json(results, {**test.described(), "policies": rows})
    write_bytes(table, _table(tested, test).encode())
    title = f"{run.config['algo']['name'].upper()} on {run.config['env']['id']}, {test.episodes} episodes each"
    title += f", {test.name}" if test.is_disturbed or test.steps is not None else ""
    picture.parent.mkdir(exist_ok=True)
    placed = [PolicyTest(each.name, each.epoch, each.rollouts) for each in tested if each.epoch is not None]
    policies(placed, picture, title)
    return [results, table, picture]


def _table(tested: Sequence[_Tested], test: Test) -> str:
    """A line for each policy and reset, as in the results of ``robustness``."""
    lines: list[Sequence[Any]] = [("policy", "epoch", *Episode._fields)]
    seeds = range(test.first_seed, test.first_seed + test.episodes)
    for each in tested:
        lines += [(each.name, each.epoch, *episode) for episode in episodes_of(each.rollouts, seeds)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()

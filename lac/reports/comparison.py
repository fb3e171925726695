"""Runs compared: what a report shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lac.reports.evidence import Study, Verdict, find_studies, find_verdicts
from lac.reports.groups import Group, Improvement, group_results, improvements
from lac.reports.results import Result
from lac.reports.table import Row, console_table, improvement_table, rows_of
from lac.reports.yardsticks import Yardstick


@dataclass(frozen=True)
class Comparison:
    """What a report shows.

    Attributes:
        groups: Runs that differ in their seed alone.
        yardsticks: The designed controllers of their environments.
        left_out: A sentence for each run, or other thing, that could not be compared.
        studies: Robustness studies of the runs.
        verdicts: Stability reports of the runs.
    """

    groups: Sequence[Group]
    yardsticks: Sequence[Yardstick] = ()
    left_out: Sequence[str] = ()
    studies: Sequence[Study] = ()
    verdicts: Sequence[Verdict] = ()
    improvements: Sequence[Improvement] = field(init=False)
    rows: Sequence[Row] = field(init=False)

    def __post_init__(self) -> None:
        listed = improvements(self.groups, self.yardsticks)
        object.__setattr__(self, "improvements", listed)
        object.__setattr__(self, "rows", rows_of(self.groups, self.yardsticks))

    @property
    def envs(self) -> list[str]:
        """The names of the environments."""
        return list(dict.fromkeys(group.env for group in self.groups))

    @property
    def places(self) -> Mapping[str, int]:
        """The labels of the methods with their numbers, which are the same in each environment, as are the colours."""
        labels = dict.fromkeys(group.label for group in sorted(self.groups, key=lambda group: group.algo))
        return {label: place for place, label in enumerate(labels)}

    def text(self) -> str:
        """Its tables for the console."""
        return "\n\n".join(table for table in (console_table(self.rows), improvement_table(self.improvements)) if table)


def compare(
    results: Sequence[Result], left_out: Iterable[str], yardsticks: Sequence[Yardstick], folders: Iterable[Path]
) -> Comparison:
    """Compare results.

    Args:
        results: The results.
        left_out: A sentence for each run that has none.
        yardsticks: The designed controllers of their environments.
        folders: Where robustness studies are looked for, beside the run folders.
    """
    of_runs = [result.run.folder for result in results if not result.run.is_recorded]
    studies, damaged_studies = find_studies([*folders, *of_runs])
    verdicts, damaged_verdicts = find_verdicts(of_runs)
    problems = [*left_out, *damaged_studies, *damaged_verdicts]
    return Comparison(group_results(results), yardsticks, problems, studies, verdicts)

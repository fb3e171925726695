"""The results of a study in its folder: a row for each episode, kept while the study runs, and a summary at its end."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lac.files import json_text, write_bytes, write_json
from lac.robust.grids import Grid, Variant, value_text
from lac.robust.measuring import Episode
from lac.robust.running import Outcome, Study, Test

ROWS, SUMMARY, PICTURE = "results.csv", "results.json", "robustness.png"
_FIRST = ("run", "method", "training_seed", "grid", "variant")
_FORMAT = 1  # of the files; a study in another one is not continued

Row = list[str]


class OtherSettingsError(ValueError):
    """A folder with the results of another study."""


class Results:
    """The rows of a study in a folder, of which those of earlier calls are kept.

    What is there was measured with the same settings and the same policies: results under other settings are refused,
    rows of policies that have changed since, or that are no longer given, are dropped.

    Args:
        folder: The folder; None keeps the rows in memory alone.
        study: The study.
        described: What the results depend on beside the policies and the grids, as JSON has it: the environment, the
            number of steps and so on.

    Raises:
        OtherSettingsError: The folder has results of other settings.
    """

    def __init__(self, folder: Path | None, study: Study, described: Mapping[str, Any]) -> None:
        self.folder = folder
        self._study, self._variants = study, study.variants
        self._keys = list(dict.fromkeys(key for grid in study.grids for key in grid.vary))
        plain = {"format": _FORMAT, **described, "grids": [_plain_grid(grid) for grid in study.grids]}
        self.settings: dict[str, Any] = json.loads(json_text(plain))
        self._rows: dict[Test, list[Row]] = self._kept()
        self.failures: list[str] = []

    @property
    def remaining(self) -> list[Test]:
        """The tests that are to be made, those of one policy after those of another."""
        number = len(self._study.subjects)
        return [(i, j) for i in range(number) for j in range(len(self._variants)) if (i, j) not in self._rows]

    def episodes(self, subject: int, variant: int) -> list[Episode]:
        """The episodes of a test; none if it has failed."""
        return [_episode(row) for row in self._rows.get((subject, variant), [])]

    def begin(self) -> None:
        """Write what is known now: settings, and rows of earlier calls."""
        if self.folder is not None:
            facts = {"complete": False, "settings": self.settings, "policies": self._policies()}
            write_json(self.folder / SUMMARY, facts)
            self._write_rows(self.folder)

    def add(self, outcome: Outcome) -> None:
        """Keep the outcome of a test, in the file at once."""
        if outcome.failure is not None:
            name, label = self._study.subjects[outcome.subject].name, self._variants[outcome.variant].label
            self.failures.append(f"{name} in the variant {label}: {outcome.failure}")
            return
        rows = [self._row(outcome, episode) for episode in outcome.episodes]
        self._rows[outcome.subject, outcome.variant] = rows
        if self.folder is not None:
            with (self.folder / ROWS).open("a", encoding="utf-8", newline="") as stream:
                stream.write(_csv(rows))

    def finish(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Write all rows in their order, and the summary; returns the content of ``results.json``."""
        self.failures.sort()
        facts = {"complete": not self.remaining, "settings": self.settings, "policies": self._policies()}
        content = facts | summary | {"failures": self.failures}
        if self.folder is not None:
            self._write_rows(self.folder)
            write_json(self.folder / SUMMARY, content)
        return content

    def table(self) -> list[dict[str, Any]]:
        """The rows with their names, as numbers, truth values and None."""
        return [
            dict(zip(_FIRST, (tested.name, tested.method, tested.seed, variant.grid, variant.label), strict=True))
            | {key: variant.values.get(key) for key in self._keys}
            | _episode(row)._asdict()
            for (i, j), rows in sorted(self._rows.items())
            for tested, variant in [(self._study.subjects[i], self._variants[j])]
            for row in rows
        ]

    def _policies(self) -> list[dict[str, Any]]:
        return [
            {"run": each.name, "method": each.method, "training_seed": each.seed, "fingerprint": each.fingerprint}
            for each in self._study.subjects
        ]

    def _write_rows(self, folder: Path) -> None:
        rows = [row for test in sorted(self._rows) for row in self._rows[test]]
        write_bytes(folder / ROWS, _csv([self._columns, *rows]).encode())

    @property
    def _columns(self) -> Row:
        return [*_FIRST, *self._keys, *Episode._fields]

    def _row(self, outcome: Outcome, episode: Episode) -> Row:
        variant = self._variants[outcome.variant]
        return [*self._start_of_row(outcome.subject, variant), *map(_cell, episode)]

    def _start_of_row(self, subject: int, variant: Variant) -> Row:
        tested = self._study.subjects[subject]
        values = [value_text(variant.values[key]) if key in variant.values else "" for key in self._keys]
        return [tested.name, tested.method, _cell(tested.seed), _cell(variant.grid), variant.label, *values]

    def _kept(self) -> dict[Test, list[Row]]:
        """The whole tests of an earlier call."""
        if self.folder is None:
            return {}
        try:
            before = json.loads((self.folder / SUMMARY).read_text(encoding="utf-8"))
            lines = list(csv.reader(io.StringIO((self.folder / ROWS).read_text(encoding="utf-8"), newline="")))
        except (OSError, ValueError):
            return {}
        if not isinstance(before, dict) or before.get("settings") != self.settings:
            differing = _differing(before.get("settings") if isinstance(before, dict) else None, self.settings)
            raise OtherSettingsError(f"{self.folder} has results with other settings ({differing})")
        same = {each["run"]: each for each in before.get("policies", []) if isinstance(each, dict) and "run" in each}
        groups: dict[tuple[str, ...], list[Row]] = {}
        for line in lines[1:]:
            if len(line) == len(self._columns):  # the last line of a process that was killed may be cut
                groups.setdefault((line[0], line[3], line[4]), []).append(line)
        kept = {}
        for i, subject in enumerate(self._study.subjects):
            if same.get(subject.name, {}).get("fingerprint") != subject.fingerprint:
                continue
            for j, variant in enumerate(self._variants):
                start = self._start_of_row(i, variant)
                rows = groups.get((start[0], start[3], start[4]), [])
                if self._is_whole(rows):
                    kept[i, j] = [[*start, *row[len(start) :]] for row in rows]
        return kept

    def _is_whole(self, rows: Sequence[Row]) -> bool:
        try:
            return [_episode(row).reset_seed for row in rows] == list(self._study.seeds)
        except ValueError:  # a line that was cut within a number
            return False


def _plain_grid(grid: Grid) -> dict[str, Any]:
    return {"disturbance": dict(grid.disturbance), "vary": {key: list(values) for key, values in grid.vary.items()}}


def _differing(before: Any, now: Mapping[str, Any]) -> str:
    known = before if isinstance(before, Mapping) else {}
    return ", ".join(key for key in now if known.get(key) != now[key]) or "its keys"


def _csv(rows: Sequence[Row]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _cell(value: float | bool | str | None) -> str:
    """A value as text; a float is read back to the bit."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _episode(row: Row) -> Episode:
    """The episode of a row.

    Raises:
        ValueError: A number is none.
    """
    seed, cost, length, terminated, settled, after = row[-len(Episode._fields) :]
    return Episode(
        int(seed),
        float(cost),
        int(length),
        terminated == "true",
        None if settled == "" else settled == "true",
        None if after == "" else int(after),
    )

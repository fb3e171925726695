"""Write the tables of final policies into ``README.md`` (short) and ``docs/results.md`` (whole).

They are made from the results in ``docs/results``, beside the designed controllers, which are tested anew. With
``--check`` nothing is written: the exit status says whether the pages show the figures of ``docs/results``.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lac.reports.groups import Group, group_results
from lac.reports.results import Result, find_results
from lac.reports.table import share_text
from lac.reports.yardsticks import Yardstick, measure_yardsticks

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
SHORT, WHOLE = ROOT / "README.md", ROOT / "docs" / "results.md"
MARK = "<!-- written by tools/results_table.py, up to the next empty line -->"
ENVIRONMENTS = (
    "oscillator",
    "oscillator_complicated",
    "cartpole_cost",
    "cartpole_tracking_corrected",
    "van_der_pol",
    "pendulum_stabilise",
    "two_link",
    "ducted_fan",
    "single_track_car",
    "quadrotor_tracking_corrected",
    "ex3_ekf",
    "half_cheetah_cost",
)
"""In the order of the tables."""


def short_row(groups: Sequence[Group]) -> str:
    """One row for an environment, with a cell for each algorithm."""
    cells = []
    for group in groups:
        shares = [group.values(name, is_long=True).mean() for name in ("settled", "death_rate")]
        cells.append(_cell(float(group.cost.value), *shares))
    return f"| `{groups[0].env}` | {' | '.join(cells)} |"


def short_cell(yardstick: Yardstick) -> str:
    """The cell of a designed controller in that row."""
    cell = _cell(yardstick.figures["cost_mean"], yardstick.long["settled"], yardstick.long["death_rate"])
    return f" `{yardstick.name}`: {cell} |"


def _cell(cost: float, settled: float, terminated: float) -> str:
    early = f", {_share(terminated)} end early" if terminated else ""
    return f"{_number(cost)}, {share_text(settled).replace('%', ' %')}{early}"


def rows(groups: Sequence[Group]) -> list[str]:
    """A row for each algorithm in one environment, with the range over seeds."""
    table = []
    for i, group in enumerate(groups):
        costs, settled = group.values("cost_mean"), group.values("settled", is_long=True)
        name = f"| `{group.env}` | {group.algo.upper()}" if i == 0 else f"| | {group.algo.upper()}"
        cost = f"{_number(float(group.cost.value))} ({_number(costs.min())} to {_number(costs.max())})"
        terminated, later = (_share(group.values("death_rate", is_long).mean()) for is_long in (False, True))
        table.append(f"{name} | {cost} | {terminated} | {later} | {_share_with_range(settled)} |")
    return table


def row_of_controller(yardstick: Yardstick) -> str:
    """The row of a designed controller."""
    usual, long = yardstick.figures, yardstick.long
    shares = _share(usual["death_rate"]), _share(long["death_rate"]), _share(long["settled"])
    return f"| | `{yardstick.name}` | {_number(usual['cost_mean'])} | {' | '.join(shares)} |"


def _number(value: float) -> str:
    """A number with three significant digits."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _share(value: float) -> str:
    return "none" if value == 0 else share_text(value).replace("%", " %")


def _share_with_range(values: npt.NDArray[np.float64]) -> str:
    """The mean of shares, with the range where they differ."""
    low, high = values.min(), values.max()
    return _share(values.mean()) if low == high else f"{_share(values.mean())} ({100 * low:.0f} to {100 * high:.0f})"


def kept_results() -> list[list[Result]]:
    """The results of each environment."""
    kept = []
    for file in filter(Path.exists, (RESULTS / f"{env}.jsonl" for env in ENVIRONMENTS)):
        results, left_out = find_results([file])
        if left_out:
            raise SystemExit("\n".join(item.reason for item in left_out))
        kept.append(results)
    return kept


def write(page: Path, table: Sequence[str]) -> None:
    """Replace the rows of a page's table, below its two lines of headings."""
    before, after = page.read_text().split(MARK)
    headings = after.strip("\n").splitlines()[:2]
    rest = after.strip("\n").partition("\n\n")[2]
    page.write_text("\n".join([before + MARK, *headings, *table]) + "\n\n" + rest.rstrip("\n") + "\n")


def outdated(page: Path, figures: Sequence[str]) -> list[str]:
    """The rows that a page should have, or begin a row with, and has not."""
    lines = page.read_text().splitlines()
    return [row for row in figures if not any(line.startswith(row) for line in lines)]


def main(check: bool) -> None:
    """Write both tables, or check them."""
    short, whole = [], []
    for results in kept_results():
        groups = group_results(results)
        yardsticks = [] if check else measure_yardsticks(results)[0]
        designed = "".join(map(short_cell, yardsticks)) or " none |"
        short.append(short_row(groups) + ("" if check else designed))
        whole += [*rows(groups), *(row_of_controller(yardstick) for yardstick in yardsticks)]
    if not check:
        write(SHORT, short)
        write(WHOLE, whole)
    elif wrong := outdated(SHORT, short) + outdated(WHOLE, whole):
        raise SystemExit("run tools/results_table.py; the tables do not have\n" + "\n".join(wrong))


if __name__ == "__main__":
    main(check="--check" in sys.argv[1:])

"""Print the README's table of final policies: from the results in ``docs/results``, with the designed controllers."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lac.reports.groups import Group, group_results
from lac.reports.results import find_results
from lac.reports.table import share_text
from lac.reports.yardsticks import Yardstick, measure_yardsticks

RESULTS = Path(__file__).parents[1] / "docs" / "results"
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
)
"""In the order of the README."""


def rows_of_groups(groups: Sequence[Group]) -> Iterator[str]:
    """A row for each algorithm in one environment."""
    for i, group in enumerate(groups):
        costs, settled = group.values("cost_mean"), group.values("settled", is_long=True)
        name = f"| `{group.env}`" if i == 0 else "|"
        cost = f"{number(float(group.cost.value))} ({number(costs.min())} to {number(costs.max())})"
        terminated, later = (share(group.values("death_rate", is_long).mean()) for is_long in (False, True))
        yield f"{name} | {group.algo.upper()} | {cost} | {terminated} | {later} | {share_with_range(settled)} |"


def row_of_controller(yardstick: Yardstick) -> str:
    """The row of a designed controller."""
    usual, long = yardstick.figures, yardstick.long
    shares = share(usual["death_rate"]), share(long["death_rate"]), share(long["settled"])
    return f"| | `{yardstick.name}` | {number(usual['cost_mean'])} | {' | '.join(shares)} |"


def number(value: float) -> str:
    """A number with three digits that count."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def share(value: float) -> str:
    """A share in per cent."""
    return "none" if value == 0 else share_text(value).replace("%", " %")


def share_with_range(values: npt.NDArray[np.float64]) -> str:
    """The mean of shares, with the range where they differ."""
    low, high = values.min(), values.max()
    return share(values.mean()) if low == high else f"{share(values.mean())} ({100 * low:.0f} to {100 * high:.0f})"


def main(with_controllers: bool) -> None:
    """Print the rows."""
    for file in (RESULTS / f"{env}.jsonl" for env in ENVIRONMENTS):
        if not file.exists():
            print(f"no results for {file.stem}: tools/make_results.sh {file.stem}", file=sys.stderr)
            continue
        results, left_out = find_results([file])
        if left_out:
            raise SystemExit("\n".join(item.reason for item in left_out))
        print("\n".join(rows_of_groups(group_results(results))))
        for yardstick in measure_yardsticks(results if with_controllers else [])[0]:
            print(row_of_controller(yardstick))


if __name__ == "__main__":
    main(with_controllers="--without-controllers" not in sys.argv[1:])

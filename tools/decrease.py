"""How surely and how fast the learned L decreases along the closed loops of runs, by the value of one setting.

    python tools/decrease.py outputs/multirun/SWEEP algo.alpha3

Each line is a system and a value: means over the runs, with their smallest and largest value. The steps of 100 test
episodes count until the state stays in its goal set.
"""

import sys
from collections import defaultdict
from functools import reduce
from operator import getitem
from pathlib import Path

import numpy as np

import lac
from lac.agents.lyapunov import lyapunov_values
from lac.runs import Run

EPISODES, SEVERAL = 100, 5
COLUMNS = ("settling steps", "L grows in 1 step, %", f"in {SEVERAL} steps, %", "median L(s')/L(s)", "share lambda at 1")


def figures_of(run: Run) -> list[float]:
    """The figures of :data:`COLUMNS` of one run."""
    rollouts = lac.rollout(run, episodes=EPISODES)
    n, length, width = rollouts.observations.shape
    values = lyapunov_values(run.policy(), rollouts.observations.reshape(-1, width)).reshape(n, length)
    settling = np.where(np.isfinite(rollouts.settling_steps), rollouts.settling_steps, rollouts.lengths)
    is_counted = np.arange(length) < settling[:, None]

    def ratios(steps: int) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):  # L is 0 where a policy has come to rest exactly
            found = values[:, steps:] / values[:, :-steps]
        return found[is_counted[:, :-steps] & np.isfinite(found)]

    multipliers = [row["train/labda"] for row in run.metrics]
    return [
        float(np.median(settling)),
        100 * float(np.mean(ratios(1) >= 1)),
        100 * float(np.mean(ratios(SEVERAL) >= 1)),
        float(np.median(ratios(1))),
        float(np.mean(np.array(multipliers) >= 1)),
    ]


def main(sweep: Path, key: str) -> None:
    """Print the table of a sweep over a setting."""
    groups: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    for folder in sorted(path for path in sweep.glob("[0-9]*") if path.is_dir()):
        run = lac.load_run(folder)
        groups[str(run.config["env"]["name"]), str(reduce(getitem, key.split("."), run.config))].append(figures_of(run))
    print("system", key, "runs", *COLUMNS, sep=" | ")
    for (system, value), rows in sorted(groups.items()):
        cells = [f"{np.mean(c):.2f} ({min(c):.2f} to {max(c):.2f})" for c in zip(*rows, strict=True)]
        print(system, value, len(rows), *cells, sep=" | ", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""The results of a benchmark: as data, as a table and as a picture."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lac.benchmarks.peers import missing_peers
from lac.benchmarks.timing import Timing
from lac.benchmarks.updates import FLOOR, FLOOR_OPENBLAS, STEP_PARTS, UPDATES_A_CALL, Size
from lac.benchmarks.whole_run import WholeRun

DATA, PICTURE = "benchmark.json", "benchmark.png"
_FLOORS = (FLOOR, FLOOR_OPENBLAS)


@dataclass(frozen=True)
class SizeResult:
    """The timings of one size."""

    size: Size
    timings: Sequence[Timing]

    def named(self, name: str) -> Timing:
        """The timing with this name."""
        return next(timing for timing in self.timings if timing.name == name)

    @property
    def updates(self) -> list[Timing]:
        """The timings per update, without the floors."""
        return [timing for timing in self.timings if timing.name not in (*_FLOORS, *STEP_PARTS)]

    @property
    def step(self) -> float:
        """Seconds of the CPU of an environment step without its update."""
        return sum(self.named(name).cpu_median for name in STEP_PARTS)


def as_data(results: Sequence[SizeResult], runs: Sequence[WholeRun], rounds: int, threads: int) -> dict[str, Any]:
    """Everything that was measured, with the machine and the versions, in JSON types."""
    return {
        "machine": {"platform": platform.platform(), "processor": _processor(), "cpus": os.cpu_count()},
        "versions": {name: version(name) for name in ("lac", "torch", "numpy", "numba")},
        "missing": missing_peers(),
        "threads": threads,
        "rounds": rounds,
        "sizes": [
            {
                "width": result.size.width,
                "batch_size": result.size.batch_size,
                "step_seconds": result.step,
                "timings": [
                    {
                        **asdict(timing),
                        "cpu_median": timing.cpu_median,
                        "wall_median": timing.wall_median,
                        "ratio": float(np.median(timing.ratios(result.named(FLOOR)))),
                    }
                    for timing in result.timings
                ],
            }
            for result in results
        ],
        "whole_runs": [asdict(run) for run in runs],
    }


def table(results: Sequence[SizeResult], runs: Sequence[WholeRun]) -> str:
    """The results in words: milliseconds, and multiples of the floor with the range over the rounds."""
    blocks = [line for result in results for line in [*_lines_of(result), ""]]
    for run in runs:
        blocks.append(
            f"train {run.command}: {run.training:.1f} s from the first step to the last, {run.wall:.1f} s from typing "
            f"to prompt,\n  {run.cpu:.1f} s of CPU, final test cost {run.final_cost:.1f}"
        )
    absent = missing_peers()
    if absent:
        blocks.append(f'not installed: {", ".join(absent)} (pip install -e ".[benchmark]")')
    return "\n".join(blocks)


def _lines_of(result: SizeResult) -> list[str]:
    floor = result.named(FLOOR)
    lines = [
        f"{f'networks {result.size}':<44}{'CPU ms':>9}{'wall ms':>9}{'/ floor':>10}{'min':>10}{'max':>10}",
        *(_line(timing, floor) for timing in (result.named(name) for name in _FLOORS)),
        "one update",
        *(_line(timing, floor) for timing in result.updates if not _is_a_call(timing)),
        f"one update, of {UPDATES_A_CALL} in a call that samples them",
        *(_line(timing, floor) for timing in result.updates if _is_a_call(timing)),
        "one environment step, beside its update",
    ]
    lines += [
        f"  {name:<42}{result.named(name).cpu_median * 1e3:>9.3f}{result.named(name).wall_median * 1e3:>9.3f}"
        for name in STEP_PARTS
    ]
    return [*lines, f"  {'all of them':<42}{result.step * 1e3:>9.3f}"]


def _line(timing: Timing, floor: Timing) -> str:
    ratios = timing.ratios(floor)
    return (
        f"  {timing.name:<42}{timing.cpu_median * 1e3:>9.3f}{timing.wall_median * 1e3:>9.3f}{np.median(ratios):>10.2f}"
        f"{min(ratios):>10.2f}{max(ratios):>10.2f}"
    )


def _is_a_call(timing: Timing) -> bool:
    return timing.name == "SAC with sampling" or timing.name.startswith("SAC of ")


def draw(results: Sequence[SizeResult], path: Path) -> None:
    """Draw the updates of each size as multiples of the floor; a bar is the median, a line the range of the rounds."""
    figure = Figure(figsize=(8, 0.45 * sum(len(r.updates) + 3 for r in results)), layout="constrained")
    heights = [len(result.updates) + 2 for result in results]
    for axes, result in zip(
        figure.subplots(len(results), 1, squeeze=False, height_ratios=heights)[:, 0], results, strict=True
    ):
        floor = result.named(FLOOR)
        shown = [result.named(FLOOR_OPENBLAS), *result.updates]
        for place, timing in enumerate(shown):
            ratios = timing.ratios(floor)
            median = float(np.median(ratios))
            axes.barh(place, median, color="C7" if place == 0 else "C1" if " of " in timing.name else "C0")
            axes.plot([min(ratios), max(ratios)], [place, place], color="k", linewidth=1)
            axes.text(max(ratios) * 1.05, place, f"{median:.2f}", va="center", fontsize=8)
        axes.axvline(1.0, color="k", linestyle="--", linewidth=1)
        axes.set_yticks(range(len(shown)), [timing.name for timing in shown])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlim(right=axes.get_xlim()[1] * 1.6)
        axes.set_title(f"networks {result.size}")
    axes.set_xlabel("CPU time of an update, as a multiple of the floor")
    figure.savefig(path, dpi=120)


def _processor() -> str:
    """The name of the processor; empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")

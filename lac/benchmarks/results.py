"""The table and the picture of a benchmark, made from the content of its file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from lac.benchmarks.floors import OPENBLAS, TORCH
from lac.benchmarks.measuring import ROUND, ROUND_SIZE, SAMPLED, STEP, UPDATE
from lac.figures import Bar, bars

DATA, PICTURE = "benchmark.json", "benchmark.png"
Data = Mapping[str, Any]

_HEADINGS = {
    UPDATE: "one update of a given batch",
    SAMPLED: "one update that samples its batch",
    ROUND: f"one update of a round of {ROUND_SIZE}, which samples their batches",
}
_WIDTH = 33
"""Columns of the names; a line has 99."""


def median(thing: Data, clock: str = "cpu_seconds") -> float:
    """Seconds of one part of a thing, the median over the rounds."""
    return float(np.median(thing[clock]))


def ratios(thing: Data, floor: Data) -> list[float]:
    """Seconds of the CPU as multiples of those of the same products at the speed of a floor, in each round."""
    share = thing["flops"] / floor["flops"]
    pairs = zip(thing["cpu_seconds"], floor["cpu_seconds"], strict=True)
    return [own / (share * large) for own, large in pairs]


def table(data: Data) -> str:
    """What was measured: medians over the rounds, and multiples of the floors with their range."""
    budget, floors = data["budget"], _by_name(data["floors"])
    speeds = [f"{floor['flops'] / median(floor) / 1e9:.0f} in {name}" for name, floor in floors.items()]
    prose = [
        _machine(data["machine"]),
        f"One interleaved run of {budget['rounds']} round(s) with {budget['threads']} thread(s), "
        f"{budget['round_seconds']:g} s for each thing in each. Medians over the rounds.",
        "The floor is the time of an update's matrix products at the speed of a large product, in CPU time: Gflop/s "
        f"{', '.join(speeds)}.",
    ]
    sizes = [line.rstrip() for size in data["sizes"] for line in ("", *_lines_of_size(size, floors))]
    end = [*_sentences_on_main_job(data["main_job"]), *(f"Not measured: {text}" for text in data["not_measured"])]
    return "\n".join([*map(_filled, prose), *sizes, "", *map(_filled, end)])


def draw(data: Data, path: Path) -> None:
    """Draw the updates of each size as multiples of the floor."""
    floors = _by_name(data["floors"])
    panels = {
        f"{_named(size)}: {heading}": [
            Bar(thing["name"], ratios(thing, floors[TORCH])) for thing in size["things"] if thing["group"] == group
        ]
        for size in data["sizes"]
        for group, heading in _HEADINGS.items()
        if group != SAMPLED
    }
    bars(panels, path, f"CPU time / floor ({data['machine']['processor']})")


def _lines_of_size(size: Data, floors: Data) -> list[str]:
    head = f"{'CPU ms':>9}{'wall ms':>9}{'floor ms':>10}{'/ floor':>9}{'(min to max)':>17}{'/ OpenBLAS':>12}"
    lines = [f"{_named(size):<{_WIDTH}}{head}"]
    for group, heading in _HEADINGS.items():
        lines.append(heading)
        for thing in size["things"]:
            if thing["group"] == group:
                lines.append(_line(thing, floors))
    update, *_ = size["things"]
    parts = [*(thing for thing in size["things"] if thing["group"] == STEP), {**update, "name": "update"}]
    step = sum(median(part) for part in parts)
    lines.append(f"{'one step of a training of LAC':<{_WIDTH}}{'':>18}{'share':>10}")
    for part in parts:
        share = f"{median(part) / step:.1%}"
        lines.append(f"{'  ' + part['name']:<{_WIDTH}}{_milliseconds(part)}{share:>10}")
    return [*lines, f"{'  all of them':<{_WIDTH}}{step * 1e3:>9.3f}  ({1 / step:.0f} steps a second)"]


def _line(thing: Data, floors: Data) -> str:
    in_torch, in_openblas = (ratios(thing, floors[name]) for name in (TORCH, OPENBLAS))
    floor = thing["flops"] / floors[TORCH]["flops"] * median(floors[TORCH])
    span = f"({min(in_torch):.2f} to {max(in_torch):.2f})"
    return (
        f"{'  ' + thing['name']:<{_WIDTH}}{_milliseconds(thing)}{floor * 1e3:>10.3f}"
        f"{np.median(in_torch):>9.2f}{span:>17}{np.median(in_openblas):>12.2f}"
    )


def _milliseconds(thing: Data) -> str:
    return f"{median(thing) * 1e3:>9.3f}{median(thing, 'wall_seconds') * 1e3:>9.3f}"


def _sentences_on_main_job(job: Data) -> list[str]:
    runs: Sequence[Data] = job["runs"]
    if not runs:
        return []
    training, wall, spent = (
        np.median([run[name] for run in runs]) for name in ("training_seconds", "wall_seconds", "cpu_seconds")
    )
    return [
        f"The main job, train {' '.join(job['arguments'])}: {training:.1f} s from the first step to the end, "
        f"{wall:.1f} s from typing to prompt, {spent:.1f} s of CPU (medians of {len(runs)} run(s))."
    ]


def _machine(machine: Data) -> str:
    loads = [machine[name] for name in ("load", "load_at_end") if machine[name] is not None]
    busy = f"; load {' to '.join(f'{load:.1f}' for load in loads)}" if loads else ""
    return f"{machine['processor']}, {machine['cores']} cores{busy}; {', '.join(machine['blas'])}"


def _filled(text: str) -> str:
    """Prose in lines that are as long as those of the table."""
    return fill(" ".join(text.split()), 99)


def _named(size: Data) -> str:
    return f"{size['width']}-{size['width']}, batch {size['batch_size']}"


def _by_name(things: Sequence[Data]) -> dict[str, Data]:
    return {thing["name"]: thing for thing in things}

"""What a run says at its start and at its end."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import torch

from lac.agents import Agent
from lac.runs.folder import FAILED
from lac.runs.results import TITLES, figures, planned_tests
from lac.training.plan import TrainingPlan


def introduction(title: str, agent: Agent, plan: TrainingPlan, engine: str, places: Mapping[str, str]) -> list[str]:
    """The lines at the start of a run.

    Args:
        title: Name of the run.
        agent: The agent.
        plan: The plan of the training.
        engine: Name of the engine.
        places: Where the results go, by their title.
    """
    loop, horizon_length = plan.loop, plan.algorithm.horizon
    n_weights = sum(p.numel() for p in agent.ac.parameters())
    threads = torch.get_num_threads()
    plural = "s" if threads > 1 else ""
    members = f"{plan.num_envs} environments; " if plan.num_envs > 1 else ""
    horizon = f"horizon {horizon_length}" if horizon_length else "infinite horizon"
    lines = [
        f"{title}  (lac {version('lac')})",
        f"  networks   {n_weights} weights on {agent.device} ({engine}), {threads} thread{plural}",
        f"  training   {loop.epochs} epochs of {loop.steps_per_epoch} steps; "
        f"{loop.steps_per_update} updates of batch {loop.batch_size} every {loop.update_every} steps "
        f"from step {loop.update_after} on; {members}{horizon}; seed {plan.seed}",
        f"  budget     {loop.total_steps} steps, {loop.total_updates} updates; how long is said after the first",
        *(f"  tests      {sentence}" for sentence in planned_tests(loop)),
        *(f"  {name:<10} {text}" for name, text in places.items()),
    ]
    if loop.update_after > loop.total_steps:
        lines.append(f"  note       the agent is not updated: the run ends before update_after={loop.update_after}")
    return lines


def conclusion(summary: Mapping[str, Any], files: Mapping[str, str], next_steps: Sequence[str]) -> list[str]:
    """The lines at the end of a run.

    Args:
        summary: Its summary.
        files: Files that it has left, by their title.
        next_steps: Commands.
    """
    lines = [f"{summary['status']} after {summary['wall_time']:.1f} s"]
    if summary["status"] == FAILED:
        lines.append(f"  error      {summary['error'].strip().splitlines()[-1]}")
    if "stopped" in summary:
        lines.append(f"  stopped    {summary['stopped']['reason']}")
    for name in TITLES:
        report = summary.get(name, {})
        if "cost_mean" in report:
            lines.append(f"  {TITLES[name]:<10} {figures(report)}")
    if "yardstick" in summary:
        lines.append(f"  {'yardstick':<10} {summary['yardstick']['controller']}: {figures(summary['yardstick'])}")
    lines += [f"  warning    {text}" for text in summary.get("warnings", ())]
    lines += [f"  {name:<10} {text}" for name, text in files.items()]
    return lines + (["next:", *(f"  {command}" for command in next_steps)] if next_steps else [])

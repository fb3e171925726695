"""The commands, and how the user types them: ``lac train`` or ``python scripts/train.py``."""

import sys
from pathlib import Path

COMMANDS = {
    "train": "train a controller together with a Lyapunov function",
    "evaluate": "test trained policies, under disturbances too",
    "report": "compare runs and sweeps in a table and pictures",
    "benchmark": "measure the speed of updates and training steps",
    "dashboard": "build a Weights & Biases workspace",
    "wandb_sweep": "turn a sweep into a file for Weights & Biases agents",
}
"""Each command with its purpose."""


def running_script() -> Path | None:
    """The file under ``scripts/`` that this process runs; None where the console command ``lac`` was started."""
    started = Path(sys.argv[0])
    return started if started.name in {f"{name}.py" for name in COMMANDS} else None


def command_words(name: str) -> tuple[str, str]:
    """The words that start a command, in the way in which the present one was started."""
    return ("lac", name) if running_script() is None else ("python", f"scripts/{name}.py")


def command_text(name: str) -> str:
    """:func:`command_words` as text."""
    return " ".join(command_words(name))

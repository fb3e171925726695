"""What is recorded of a run, and where: the same for the Python API and the command line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lac.loggers.wandb import WandbSettings
from lac.settings.logging import CopySettings


@dataclass(frozen=True)
class RecordSettings:
    """What is recorded of a run, and where.

    Attributes:
        run_dir: The run folder; it must not contain a run yet, unless one is continued.
        title: Name of the run in summaries and figures.
        config: The resolved config, for W&B.
        save_freq: Number of epochs between two saved policies.
        keep_saved: Whether to keep each saved policy under the name of its epoch.
        keep_policies: How many policies of epochs are kept, spread evenly over the run.
        quiet: Whether to print nothing on the console.
        columns: Metrics of the console's table; None selects the default columns.
        unused: Settings that have no effect, each with the reason; printed at the start.
        next_steps: Commands that are printed at the end.
        to_continue: A command or call that continues the run, printed when it is interrupted.
        wandb: Mode, project and labels on Weights & Biases.
        start_dir: Paths are shown relative to this folder.
        should_prune: Called with the report of each epoch; true ends the run as pruned.
        export: Whether to export the final policy when the run has finished.
        keep_checkpoints: How many checkpoints are kept; 0 writes none.
        checkpoint_seconds: Seconds between two.
        copies: Which copies of the metrics are kept.
        is_from_python: Whether Python has begun the run, and not a command: only Python can then continue it.
        unmade_environment: Why the environment cannot be made from the config, as a phrase; None if it can.
    """

    run_dir: Path
    title: str
    config: Mapping[str, Any] = field(default_factory=dict)
    save_freq: int = 1
    keep_saved: bool = False
    keep_policies: int = 0
    quiet: bool = False
    columns: Sequence[str] | None = None
    unused: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    to_continue: str = ""
    wandb: WandbSettings = field(default_factory=WandbSettings)
    start_dir: Path = field(default_factory=Path.cwd)
    should_prune: Callable[[Mapping[str, float]], bool] | None = None
    export: bool = False
    keep_checkpoints: int = 0
    checkpoint_seconds: float = 60.0
    copies: CopySettings = field(default_factory=CopySettings)
    is_from_python: bool = False
    unmade_environment: str | None = None

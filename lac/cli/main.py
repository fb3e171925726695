"""The console command ``lac``, and what it and the scripts start."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn

from lac.cli.signals import end_at_once
from lac.settings.rules import nearest

_HELP_FLAGS = {"-h", "--help"}
_COMPLETION_FLAGS = {"-sc", "--shell-completion"}


@dataclass(frozen=True)
class _Entry:
    """Where the code of a command is; by name, since ``--help`` must not wait for its imports.

    Attributes:
        module: The module.
        task: Its function that runs a config.
        rewrite: Its function from the given arguments to those for Hydra; None: they are the same.
    """

    module: str
    task: str
    rewrite: str | None = None

    def function(self, name: str) -> Any:
        """A function of the module."""
        return getattr(import_module(self.module), name)


_ENTRIES = {
    "train": _Entry("lac.cli.train", "run"),
    "evaluate": _Entry("lac.cli.evaluate", "evaluate_runs"),
    "certify": _Entry("lac.cli.certify", "certify_runs"),
    "export": _Entry("lac.cli.export", "export_runs"),
    "robustness": _Entry("lac.cli.robustness", "run"),
    "report": _Entry("lac.cli.report", "report_runs"),
    "benchmark": _Entry("lac.cli.benchmark", "run"),
    "dashboard": _Entry("lac.cli.dashboard", "run"),
    "wandb_sweep": _Entry("lac.cli.wandb_sweep", "run", rewrite="gather_overrides"),
}


def main() -> NoReturn:
    """Run ``lac COMMAND ...``."""
    end_at_once()
    program, *arguments = sys.argv
    if not arguments or arguments[0] in _HELP_FLAGS:
        from lac.config.help import overview  # noqa: PLC0415 (imports Hydra)

        print(overview(), file=sys.stdout if arguments else sys.stderr)
        sys.exit(0 if arguments else 2)
    name, *rest = arguments
    if name in _COMPLETION_FLAGS:
        _complete(rest)
    if name not in _ENTRIES:
        from lac.cli.app import refuse  # noqa: PLC0415 (imports Hydra)

        refuse([f"{name!r} is not a command; it must be one of {', '.join(_ENTRIES)}.{nearest(name, _ENTRIES)}"])
    # Hydra's usage message, records of runs and W&B name the whole command.
    sys.argv = [f"{'lac' if program.endswith('__main__.py') else os.path.basename(program)} {name}", *rest]
    run_command(name)


def run_command(name: str) -> NoReturn:
    """Run a command with the arguments in ``sys.argv``, and end the process."""
    end_at_once()
    if _HELP_FLAGS & set(sys.argv[1:]):
        from lac.config.help import help_page  # noqa: PLC0415 (imports Hydra)

        # Hydra's own --help first lists every config group, which takes two seconds.
        print(help_page(name))
        sys.exit(0)
    from lac.cli.app import run_app  # noqa: PLC0415 (imports Hydra)

    entry = _ENTRIES[name]
    if entry.rewrite is not None and not _COMPLETION_FLAGS & set(sys.argv[1:]):
        sys.argv[1:] = entry.function(entry.rewrite)(sys.argv[1:])
    run_app(name, entry.function(entry.task))


def _complete(arguments: Sequence[str]) -> NoReturn:
    """Complete the name of a command, or leave the rest of the line to Hydra, which knows no subcommands."""
    program, _, line = os.environ.get("COMP_LINE", "").lstrip().partition(" ")
    name, blank, rest = line.lstrip().partition(" ")
    is_query = any(word.startswith("query=") for word in arguments)
    if is_query and not (blank and name in _ENTRIES):
        print(" ".join(command for command in _ENTRIES if command.startswith(name) and not blank))
        sys.exit(0)
    os.environ["COMP_LINE"] = f"{program} {rest}"
    sys.argv = [sys.argv[0], "--shell-completion", *arguments]
    run_command(name if is_query else next(iter(_ENTRIES)))

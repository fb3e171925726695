"""The commands, and how the user types them: ``lac train`` or ``python scripts/train.py``."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lac.files import shell_text

if TYPE_CHECKING:
    from omegaconf import DictConfig

COMMANDS = {
    "train": "train a controller together with a Lyapunov function",
    "evaluate": "test trained policies and controllers, under disturbances too",
    "certify": "examine the stability of trained policies, with a proof for two states",
    "export": "write trained policies as ONNX, C or torch programs, verified",
    "robustness": "test policies over a grid of disturbances, or by a published protocol",
    "report": "compare runs and sweeps: one page, tables and figures",
    "benchmark": "measure the speed of updates and training steps",
    "dashboard": "build a Weights & Biases workspace",
    "wandb_sweep": "turn a sweep into a file for Weights & Biases agents",
}
"""Each command with its purpose."""

# Hydra and OmegaConf read any other text as something else, such as a number, a list or null, or may do so.
_PLAIN_VALUE = re.compile(r"(?!(?:null|true|false|inf|nan)$)[a-z_/][\w/.+-]*", re.ASCII | re.IGNORECASE)


def running_script() -> Path | None:
    """The file under ``scripts/`` that this process runs; None where the console command ``lac`` was started."""
    started = Path(sys.argv[0])
    return started if started.name in {f"{name}.py" for name in COMMANDS} else None


def command_text(name: str) -> str:
    """How a command is typed in the project's folder, in the way in which the present one was started."""
    return f"lac {name}" if running_script() is None else f"python scripts/{name}.py"


def pasteable_command(name: str, arguments: Iterable[str | Path]) -> str:
    """A command that does the same from the present working directory when it is pasted into a shell.

    Args:
        name: Name of the command.
        arguments: Its arguments; values of overrides are as Hydra reads them, see :func:`override`.
    """
    script = running_script()
    start = ["lac", name] if script is None else ["python", script.with_name(f"{name}.py")]
    return shell_text([*start, *arguments])


def config_flags(hydra: "DictConfig") -> list[str]:
    """The arguments that chose another main config than the command's own; none if that was used.

    Args:
        hydra: The node ``hydra`` of the config.
    """
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    flags = [word for folder in folders for word in ("--config-dir", folder)]
    return flags if hydra.job.config_name in COMMANDS else [*flags, "--config-name", hydra.job.config_name]


def override(key: str, value: str | Path) -> str:
    """An override that Hydra reads as this text, whatever characters it has."""
    text = str(value)
    if _PLAIN_VALUE.fullmatch(text):
        return f"{key}={text}"
    from hydra.core.override_parser.types import Quote, QuotedString  # noqa: PLC0415 (help must not wait for Hydra)

    # OmegaConf would take ${...} for an interpolation, within quotes too.
    escaped = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    return f"{key}={QuotedString(escaped, Quote.single).with_quotes()}"

"""Export trained policies: the command ``export``."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from lac.cli.folders import given_folders, without_runs
from lac.config.checks import ConfigError, added_key_errors
from lac.files import relative_to_cwd
from lac.loggers.heartbeat import heartbeat
from lac.runs import RunError, scan
from lac.runs.folder import FINISHED
from lac.settings.commands import ExportCommand
from lac.settings.exporting import EXPORT_FORMATS
from lac.settings.fields import setting_errors
from lac.settings.rules import nearest

if TYPE_CHECKING:
    from lac.exporting import Exported  # imports torch


def export_runs(cfg: DictConfig) -> None:
    """Export a policy of each run in every format that is given, into the folder ``export`` of the run.

    A policy that cannot be exported does not keep the others from it; it is named on stderr, and the exit status is 1.
    Runs of a folder that are not finished are named, too, which is no error.

    Raises:
        ConfigError: Settings are wrong, an extra is missing, or nothing can be exported.
    """
    formats, errors = _formats(cfg)
    errors += added_key_errors(cfg, "export")
    errors += setting_errors(ExportCommand, {name: cfg[name] for name in ("policy", "c_type")})
    if errors:
        raise ConfigError(errors)
    given = given_folders(cfg, "run_dir")
    from lac.agents.policy_files import policy_path  # noqa: PLC0415 (imports torch)
    from lac.devices import limited_threads  # noqa: PLC0415
    from lac.exporting import missing_extra  # noqa: PLC0415
    from lac.runs.exporting import export_run  # noqa: PLC0415

    missing = missing_extra() if "onnx" in formats else None
    if missing is not None:
        raise ConfigError([f"format is onnx, but {missing}"])
    folders, passed_over, problems = _find_policies(given, lambda folder: policy_path(folder, cfg.policy).is_file())
    is_any = False
    for folder, format in [(folder, format) for folder in folders for format in formats]:
        try:
            with limited_threads(), heartbeat(lambda: f"exporting {folder}"):  # noqa: B023 (it ends with the block)
                exported = export_run(folder, format, cfg.policy, cfg.c_type)
        except RunError as error:
            problems.append(str(error))
            continue
        is_any = True
        _print(exported)
    if not is_any:
        nothing = [] if problems else [f"run_dir: no finished runs in {', '.join(map(str, given))}"]
        raise ConfigError([*nothing, *dict.fromkeys(problems), *passed_over])
    for sentence in [*dict.fromkeys(problems), *passed_over]:
        print(f"not exported: {sentence}", file=sys.stderr)
    if problems:
        sys.exit(1)


def _formats(cfg: DictConfig) -> tuple[list[str], list[str]]:
    """The formats, each once, and a sentence about each that is none."""
    value: Any = OmegaConf.to_container(cfg, resolve=True)["format"]  # type: ignore[call-overload, index]
    given = value if isinstance(value, list) else [value]
    options = ", ".join(EXPORT_FORMATS)
    errors = [
        f"format is {item!r}; it must be one of {options}, or a list of them.{nearest(str(item), EXPORT_FORMATS)}"
        for item in given
        if item not in EXPORT_FORMATS
    ]
    if not given:
        errors = [f"format is an empty list; it must be one of {options}, or a list of them"]
    return list(dict.fromkeys(map(str, given))), errors


def _find_policies(
    given: Sequence[Path], has_policy: Callable[[Path], bool]
) -> tuple[list[Path], list[str], list[str]]:
    """The folders with a policy to export, and sentences about runs that are not finished and that are unusable.

    A run whose own folder is given may have any status. Beside the policy nothing is needed: what an agent saved is no
    run.
    """
    own = {os.path.realpath(folder) for folder in given}
    readable, left_out = scan(given)
    found: list[Path] = []
    passed_over: list[str] = []
    unusable: list[str] = []
    states: list[tuple[Path, str | None, str, bool]]
    states = [(run.folder, run.status, f"{run.folder} is {run.status}", True) for run in readable]
    states += [(item.folder, item.status, item.reason, has_policy(item.folder)) for item in left_out]
    for folder, status, reason, is_usable in states:
        is_wanted = status == FINISHED or os.path.realpath(folder) in own
        if is_wanted and is_usable:
            found.append(folder)
        elif is_wanted or status is None:
            unusable.append(reason)
        else:
            passed_over.append(reason)
    known = {os.path.realpath(folder) for folder, *_ in states}
    saved = [folder for folder in given if os.path.realpath(folder) not in known and has_policy(folder)]
    unusable += without_runs(given, [*(folder for folder, *_ in states), *saved])
    return [*found, *saved], passed_over, unusable


def _print(exported: "Exported") -> None:
    """One line about a file, and one about what could not be done."""
    found = exported.entry["verification"]
    text = f"{relative_to_cwd(exported.file)}  {exported.entry['number_type']}"
    if found["largest_difference"] is not None:
        text += (
            f", at most {found['largest_difference']:.1e} half-widths of the action (limit {found['limit']:.0e}) from "
            f"the policy at {found['observations']} observations"
        )
    print(text, flush=True)
    if exported.note is not None:
        print(f"  note: {exported.note}", flush=True)

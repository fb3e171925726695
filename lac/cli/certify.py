"""Examine the stability of trained policies and controllers: the command ``certify``."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from lac.cli.folders import given_folders
from lac.cli.tested_runs import find_runs
from lac.cli.yardsticks import Yardstick, controller_errors, yardsticks
from lac.config.checks import ConfigError, added_key_errors
from lac.files import relative_to_cwd
from lac.loggers.heartbeat import heartbeat
from lac.runs import Run, RunError
from lac.runs.folder import one_line, read_object
from lac.settings.commands import CertifyCommand
from lac.settings.fields import setting_errors

if TYPE_CHECKING:
    from lac.stability.report import StabilityReport
_KEYS = ("policy", "seed", "confidence", "proof", "action_error", "pictures", "check")


def certify_runs(cfg: DictConfig) -> None:
    """Write a stability report for each run and controller, or verify its certificate.

    One that cannot be examined does not keep the others from it; it is named on stderr, and the exit status is 1. So is
    a certificate that does not hold.

    Raises:
        ConfigError: Settings are wrong, or nothing can be examined.
    """
    errors = added_key_errors(cfg, "certify")
    errors += setting_errors(CertifyCommand, {name: cfg[name] for name in _KEYS}) + controller_errors(cfg)
    if errors:
        raise ConfigError(errors)
    is_alone = cfg.controller.name != "none" and OmegaConf.is_missing(cfg, "run_dir")
    folders = [] if is_alone else given_folders(cfg, "run_dir")
    found = find_runs(folders)
    from lac.devices import limited_threads  # noqa: PLC0415 (imports torch)

    handle = _check if cfg.check else _certify
    problems: list[str] = list(found.unusable)
    num_done = 0
    members: list[Run | Yardstick] = [*found.runs, *yardsticks(cfg, found.runs)]
    for member in members:
        try:
            with limited_threads(), heartbeat(partial("examining {}".format, member.folder)):
                say = handle(member, cfg)
        except (RunError, ConfigError) as error:
            problems += error.errors if isinstance(error, ConfigError) else [str(error)]
            continue
        say()
        num_done += 1
    if not num_done:
        nothing = [] if problems else [f"run_dir: no finished runs in {', '.join(map(str, folders))}"]
        raise ConfigError([*nothing, *problems, *found.passed_over])
    for sentence in [*problems, *found.passed_over]:
        print(f"not {'checked' if cfg.check else 'examined'}: {sentence}", file=sys.stderr)
    if problems:
        sys.exit(1)


def _certify(member: Run | Yardstick, cfg: DictConfig) -> Callable[[], None]:
    """Examine a run or a controller and write its report; returns what prints it."""
    from lac.stability.report import FOLDER, PAGE  # noqa: PLC0415 (imports torch)

    report = _report(member, cfg)
    folder = member.folder / FOLDER
    try:
        report.save(folder, cfg.pictures)
    except OSError as error:
        raise RunError(f"the report of {member.folder} cannot be written: {one_line(error)}") from error
    return partial(_print_report, member, report, folder / PAGE)


def _report(member: Run | Yardstick, cfg: DictConfig) -> "StabilityReport":
    from lac.runs.stability import certify_run  # noqa: PLC0415 (imports torch)
    from lac.stability.certification import certify  # noqa: PLC0415

    if isinstance(member, Run):
        return certify_run(member, cfg.policy, cfg.seed, cfg.confidence, cfg.action_error, cfg.proof)
    controller, envs = member.closed_loop(cfg.controller.name, None, 1)
    env = member.config["env"]
    try:
        return certify(
            controller,
            envs[0],
            {"file": None, "sha256": None, "algorithm": cfg.controller.name},
            {"id": env["id"], "kwargs": dict(env["kwargs"])},
            seed=cfg.seed,
            confidence=cfg.confidence,
            action_error=cfg.action_error,
            with_proof=cfg.proof,
        )
    except Exception as error:  # whatever the code of an environment raises
        raise RunError(f"{member.folder} cannot be examined: {type(error).__name__}: {one_line(error)}") from error
    finally:
        for each in envs:
            each.close()


def _print_report(member: Run | Yardstick, report: "StabilityReport", page: Path) -> None:
    print(f"{relative_to_cwd(member.folder)}: {report.verdict}")
    for sentence in report.sentences:
        print(f"  {sentence}")
    failing = [case["start"] for case in report.data["counterexamples"] if case["kind"] == "trajectory"]
    if failing:
        print(f"  Counterexample: a trajectory that fails starts from the state {failing[0]}")
    seconds = sum(report.data["seconds"].values())
    print(f"  {relative_to_cwd(page)} ({seconds:.1f} s, pictures excluded)", flush=True)


def _check(member: Run | Yardstick, cfg: DictConfig) -> Callable[[], None]:
    """Verify the certificate of a run or a controller anew; returns what prints the result.

    Raises:
        RunError: There is none, or it does not hold.
    """
    from lac.proofs import check  # noqa: PLC0415 (imports torch)
    from lac.stability.report import CERTIFICATE, FOLDER  # noqa: PLC0415

    name = cfg.policy if isinstance(member, Run) else cfg.controller.name
    policy, envs = member.closed_loop(name, None, 1)
    file = member.folder / FOLDER / CERTIFICATE
    try:
        result = check(file, envs[0], policy)
    except FileNotFoundError as error:
        raise RunError(_without_certificate(file)) from error
    finally:
        for each in envs:
            each.close()
    if not result.holds or result.certificate is None:
        raise RunError(f"{file} does not hold: {result.reason}")
    share, low, high = (getattr(result.certificate, name) for name in ("region_share", "low", "high"))
    region = f"the starts between {low.tolist()} and {high.tolist()}"
    return partial(print, f"{file}: holds, {share:.2%} of {region} ({result.seconds:.1f} s)", flush=True)


def _without_certificate(file: Path) -> str:
    """Why there is no certificate, as far as the report beside it says so."""
    from lac.stability.report import DATA  # noqa: PLC0415 (imports torch)

    report = file.with_name(DATA)
    if not report.is_file():
        return f"{file} is missing; certify the run first, without check=true"
    reason = read_object(report).get("not_proved")
    return f"{file} is missing, since the report beside it has no proof" + (f": {reason}" if reason else "")

"""Compare runs: the command ``report``."""

from pathlib import Path

from omegaconf import DictConfig

from lac.cli.folders import given_folders
from lac.config.checks import ConfigError


def report_runs(cfg: DictConfig) -> None:
    """Compare the runs in folders, print the table, and name the runs that are left out.

    Raises:
        ConfigError: A folder does not exist, or no run can be compared.
    """
    folders = given_folders(cfg, "runs")
    missing = [
        f"runs: {folder} is not a folder; give the folder of a run or of a sweep"
        for folder in folders
        if not folder.is_dir()
    ]
    if missing:
        raise ConfigError(missing)
    from lac.reports.comparison import PAGE, find_results, group_results, write_report  # noqa: PLC0415 (matplotlib)

    results, left_out = find_results(folders)
    reasons = [item.reason for item in left_out]
    if not results:
        raise ConfigError([f"runs: no finished run with test episodes in {', '.join(map(str, folders))}", *reasons])
    output = Path(cfg.output) if cfg.output else folders[0]
    print(write_report(group_results(results), reasons, output))
    for reason in reasons:
        print(f"left out: {reason}")
    print(f"\n{output / PAGE}")

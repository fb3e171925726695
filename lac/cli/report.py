"""Compare runs: the command ``report``."""

from pathlib import Path

from omegaconf import DictConfig

from lac.cli.evaluate import _folders, _read_config
from lac.config.checks import ConfigError


def report_runs(cfg: DictConfig) -> None:
    """Compare the runs in folders, and print the table."""
    folders = _folders(cfg, "runs")
    missing = [f"runs: {folder} is not a folder" for folder in folders if not folder.is_dir()]
    if missing:
        raise ConfigError(missing)
    from lac.reports.comparison import PAGE, find_runs, group_runs, write_report  # noqa: PLC0415 (imports matplotlib)

    runs, left_out = find_runs(folders, _read_config)
    if not runs:
        raise ConfigError([f"runs: no finished run with test episodes in {', '.join(map(str, folders))}", *left_out])
    output = Path(cfg.output) if cfg.output else folders[0]
    print(write_report(group_runs(runs), left_out, output))
    for text in left_out:
        print(f"left out: {text}")
    print(f"\n{output / PAGE}")

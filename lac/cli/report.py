"""Compare runs: the command ``report``."""

from pathlib import Path

from omegaconf import DictConfig

from lac.cli.folders import given_folders, without_runs
from lac.config.checks import ConfigError, added_key_errors
from lac.files import relative_to_cwd


def report_runs(cfg: DictConfig) -> None:
    """Compare the runs in folders and in files, print the table, and name the runs that are left out.

    What cannot be read is a part of the report, and no error while there are others.

    Raises:
        ConfigError: A folder does not exist, no run can be compared, or the report cannot be written.
    """
    paths = given_folders(cfg, "runs", or_files=True)
    folders = [path for path in paths if path.is_dir()]
    errors = added_key_errors(cfg, "report")
    if cfg.output is not None and not cfg.output.strip():
        errors.append("output is empty; give a folder, or null for the first of the runs' folders")
    if cfg.output is None and not folders:
        errors.append("output is not set, and runs names no folder; give one, as output=outputs/report")
    if errors:
        raise ConfigError(errors)
    from lac.reports.comparison import compare  # noqa: PLC0415 (imports numpy)
    from lac.reports.results import find_results  # noqa: PLC0415
    from lac.reports.yardsticks import measure_yardsticks  # noqa: PLC0415

    results, left_out = find_results(paths)
    found = [*(result.run.folder for result in results), *(item.folder for item in left_out)]
    reasons = [item.reason for item in left_out] + without_runs(folders, found)
    if not results:
        raise ConfigError([f"runs: no finished run with test episodes in {', '.join(map(str, paths))}", *reasons])
    yardsticks, failures = measure_yardsticks(results if cfg.yardsticks else [])
    compared = compare(results, [*reasons, *failures], yardsticks, folders)
    print(compared.text())
    for reason in compared.left_out:
        print(f"left out: {reason}")
    from lac.reports.writing import set_aside_other_runs, write_report  # noqa: PLC0415 (imports matplotlib)

    output = folders[0] if cfg.output is None else Path(cfg.output)
    try:
        earlier = set_aside_other_runs(compared, output)
        page, *others = write_report(compared, output)
    except OSError as error:
        problem = f"output is {output}, where the report cannot be written ({error}); give another folder"
        raise ConfigError([problem]) from error
    print(f"\nwrote {relative_to_cwd(page)} and, beside it, {', '.join(file.name for file in others)}")
    if earlier is not None:
        print(f"{relative_to_cwd(earlier)} has the runs of the report before, since some of them are not in this one")

"""Measure speed: the command ``benchmark``."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig

from lac.cli.errors import first_line
from lac.config.checks import ConfigError, added_key_errors
from lac.files import relative_to_cwd, write_json
from lac.loggers.heartbeat import heartbeat
from lac.runs.folder import new_folder
from lac.settings.commands import BenchmarkCommand
from lac.settings.fields import setting_errors

_BATCH_SIZES = {64: 128, 256: 256}
"""The usual widths with their batches: about the recommended settings, and the defaults in Python."""


def run(cfg: DictConfig) -> None:
    """Time everything in one interleaved run, print the table, and write it as data and as a picture.

    Raises:
        ConfigError: A setting is out of its range, the folder cannot be used, or there is too little memory.
    """
    errors = added_key_errors(cfg, "benchmark")
    errors += setting_errors(BenchmarkCommand, {str(name): value for name, value in cfg.items()})
    if errors:
        raise ConfigError(errors)
    with _new_folder(cfg.output) as folder:
        _measure(cfg, folder)


def _measure(cfg: DictConfig, folder: Path) -> None:
    from lac.benchmarks.measuring import Budget, Size, run_benchmark  # noqa: PLC0415 (imports torch)
    from lac.benchmarks.results import DATA, PICTURE, draw, table  # noqa: PLC0415
    from lac.devices import limited_threads  # noqa: PLC0415

    widths = list(_BATCH_SIZES) if cfg.width is None else [cfg.width]
    sizes = [Size(width, cfg.batch_size or _BATCH_SIZES.get(width, 256)) for width in widths]
    budget = Budget(cfg.rounds, cfg.round_seconds, cfg.main_jobs, cfg.peers, cfg.threads)
    present = ["starting"]
    with limited_threads(cfg.threads), heartbeat(lambda: present[-1]):
        try:
            data = run_benchmark(sizes, budget, present.append)
        except (MemoryError, RuntimeError) as error:  # torch has no type of its own for a lack of memory
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            problem = " or ".join(f"width={size.width} and batch_size={size.batch_size}" for size in sizes)
            raise ConfigError(
                [f"{problem} need more memory than there is ({first_line(error)}); give smaller ones"]
            ) from error
    write_json(folder / DATA, data)
    draw(data, folder / PICTURE)
    print(table(data))
    print(f"\n{relative_to_cwd(folder / DATA)}\n{relative_to_cwd(folder / PICTURE)}")


@contextmanager
def _new_folder(output: str | None) -> Iterator[Path]:
    """A folder that did not exist; it is removed if nothing has been written into it in the end.

    Raises:
        ConfigError: The one that is given cannot be made.
    """
    now = datetime.now()
    try:
        if output is None:
            folder = new_folder(Path("outputs", f"{now:%Y-%m-%d}", f"{now:%H-%M-%S}-benchmark"))
        else:
            folder = Path(output)
            folder.mkdir(parents=True)
    except OSError as error:
        raise ConfigError([f"output is {output!r}, which cannot be made ({error}); give a new folder"]) from error
    try:
        yield folder
    finally:
        with suppress(OSError):  # it holds results
            folder.rmdir()

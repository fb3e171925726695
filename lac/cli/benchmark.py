"""Measure the speed of updates, training steps and a whole run: the command ``benchmark``."""

from collections.abc import Sequence
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

_SIZES = ((64, 128), (256, 256))
"""Widths and batch sizes: about those of the recommended settings, and the defaults of the API."""
_MAIN_JOB = ("env=oscillator", "seed=0")


def run(cfg: DictConfig) -> None:
    """Time everything in turn, print the table, and write it as data and as a picture.

    Raises:
        ConfigError: A setting is out of its range, or needs more memory than there is.
    """
    errors = added_key_errors(cfg, "benchmark")
    errors += setting_errors(BenchmarkCommand, {str(name): value for name, value in cfg.items()})
    if errors:
        raise ConfigError(errors)
    sizes = [(cfg.width or width, cfg.batch_size or batch_size) for width, batch_size in _SIZES]
    if cfg.width is not None or cfg.batch_size is not None:
        sizes = sizes[-1:]
    _measure(cfg, sizes)


def _measure(cfg: DictConfig, sizes: Sequence[tuple[int, int]]) -> None:
    from lac.benchmarks import results  # noqa: PLC0415 (imports torch)
    from lac.benchmarks.updates import Size, time_size  # noqa: PLC0415
    from lac.benchmarks.whole_run import whole_run  # noqa: PLC0415
    from lac.devices import limited_threads  # noqa: PLC0415

    found = []
    with heartbeat(lambda: "timing"):
        with limited_threads(cfg.threads):
            for width, batch_size in sizes:
                try:
                    timings = time_size(Size(width, batch_size), cfg.rounds, cfg.round_seconds)
                except (MemoryError, RuntimeError) as error:  # torch has no type of its own for a lack of memory
                    if isinstance(error, RuntimeError) and "memory" not in str(error):
                        raise
                    problem = f"width={width} and batch_size={batch_size} need more memory than there is"
                    raise ConfigError([f"{problem} ({first_line(error)}); give smaller ones"]) from error
                found.append(results.SizeResult(Size(width, batch_size), timings))
        runs = [whole_run(_MAIN_JOB)] if cfg.whole_run else []
    print(results.table(found, runs))
    folder = Path(cfg.output) if cfg.output else _new_folder()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / results.DATA, results.as_data(found, runs, cfg.rounds, cfg.threads))
    results.draw(found, folder / results.PICTURE)
    written = " and ".join(str(relative_to_cwd(folder / name)) for name in (results.DATA, results.PICTURE))
    print(f"wrote {written}")


def _new_folder() -> Path:
    now = datetime.now()
    return new_folder(Path("outputs") / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}-benchmark")

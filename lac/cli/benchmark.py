"""Measure the speed of updates and training steps: the command ``benchmark``."""

from omegaconf import DictConfig

from lac.cli.errors import first_line
from lac.config.checks import ConfigError, added_key_errors
from lac.loggers.heartbeat import heartbeat
from lac.settings.commands import BenchmarkCommand
from lac.settings.fields import setting_errors


def run(cfg: DictConfig) -> None:
    """Time updates and training steps against the machine's matrix products, and print the table.

    Raises:
        ConfigError: A setting is out of its range, or needs more memory than there is.
    """
    errors = added_key_errors(cfg, "benchmark")
    errors += setting_errors(BenchmarkCommand, {str(name): value for name, value in cfg.items()})
    if errors:
        raise ConfigError(errors)
    from lac import benchmark  # noqa: PLC0415 (imports torch)
    from lac.devices import limited_threads  # noqa: PLC0415

    print(f"actor and critic {cfg.width}-{cfg.width}, batch {cfg.batch_size}, {cfg.threads} thread(s)")
    with limited_threads(cfg.threads), heartbeat(lambda: "timing"):
        try:
            timings = benchmark.run_benchmark(cfg.width, cfg.batch_size, cfg.rounds, cfg.round_seconds)
        except (MemoryError, RuntimeError) as error:  # torch has no type of its own for a lack of memory
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            problem = f"width={cfg.width} and batch_size={cfg.batch_size} need more memory than there is"
            raise ConfigError([f"{problem} ({first_line(error)}); give smaller ones"]) from error
    print(benchmark.table(timings))

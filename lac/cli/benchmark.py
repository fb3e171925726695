"""Measure the speed of updates and training steps: the command ``benchmark``."""

from omegaconf import DictConfig

from lac.config.checks import ConfigError
from lac.loggers.heartbeat import heartbeat
from lac.settings.commands import BenchmarkCommand
from lac.settings.fields import setting_errors


def run(cfg: DictConfig) -> None:
    """Time updates and training steps against the machine's matrix products, and print the table.

    Raises:
        ConfigError: A setting is out of its range.
    """
    errors = setting_errors(BenchmarkCommand, {str(name): value for name, value in cfg.items()})
    if errors:
        raise ConfigError(errors)
    from lac import benchmark  # noqa: PLC0415 (imports torch)
    from lac.devices import limited_threads  # noqa: PLC0415

    print(f"actor and critic {cfg.width}-{cfg.width}, batch {cfg.batch_size}, {cfg.threads} thread(s)")
    with limited_threads(cfg.threads), heartbeat(lambda: "timing"):
        timings = benchmark.run_benchmark(cfg.width, cfg.batch_size, cfg.rounds, cfg.round_seconds)
    print(benchmark.table(timings))

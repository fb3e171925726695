"""Measure the speed of updates and training steps: ``python scripts/benchmark.py``; ``--help`` tells the rest."""

import hydra
from omegaconf import DictConfig

from lac.cli import benchmark
from lac.cli.app import register, run_app, run_job

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="benchmark")
def main(cfg: DictConfig) -> None:
    """Run the benchmark of the config."""
    run_job(benchmark.run_benchmark, cfg)


if __name__ == "__main__":
    run_app(main, "benchmark")

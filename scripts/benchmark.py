"""Measure the speed of updates and training steps: ``python scripts/benchmark.py``; ``--help`` tells the rest."""

import hydra
from omegaconf import DictConfig

from lac import commands, experiment
from lac.command_line import run_app, run_job

experiment.register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="benchmark")
def main(cfg: DictConfig) -> None:
    """Run the benchmark of the config."""
    run_job(commands.run_benchmark, cfg)


if __name__ == "__main__":
    run_app(main, "benchmark")

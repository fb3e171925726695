"""Compare runs: ``python scripts/report.py runs=outputs/multirun/SWEEP``; ``--help`` tells the rest."""

import hydra
from omegaconf import DictConfig

from lac import commands, experiment
from lac.command_line import run_app, run_job

experiment.register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="report")
def main(cfg: DictConfig) -> None:
    """Compare the runs that the config names."""
    run_job(commands.report_runs, cfg)


if __name__ == "__main__":
    run_app(main, "report")

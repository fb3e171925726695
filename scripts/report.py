"""Compare runs: ``python scripts/report.py runs=outputs/multirun/SWEEP``; ``--help`` tells the rest."""

import hydra
from omegaconf import DictConfig

from lac.cli import report
from lac.cli.app import register, run_app, run_job

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="report")
def main(cfg: DictConfig) -> None:
    """Compare the runs that the config names."""
    run_job(report.report_runs, cfg)


if __name__ == "__main__":
    run_app(main, "report")

"""Build a W&B workspace: ``python scripts/dashboard.py env=oscillator``; ``--help`` tells the rest."""

import hydra
from omegaconf import DictConfig

from lac.cli import dashboard
from lac.cli.app import register, run_app, run_job

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="dashboard")
def main(cfg: DictConfig) -> None:
    """Build the workspace of the config."""
    run_job(dashboard.run, cfg)


if __name__ == "__main__":
    run_app(main, "dashboard")

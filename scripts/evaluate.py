"""Test trained policies: ``python scripts/evaluate.py run_dir=outputs/RUN``; ``--help`` tells the rest."""

import hydra
from omegaconf import DictConfig

from lac.cli import evaluate
from lac.cli.app import register, run_app, run_job

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    """Test the policies that the config names."""
    run_job(evaluate.evaluate_runs, cfg)


if __name__ == "__main__":
    run_app(main, "evaluate")

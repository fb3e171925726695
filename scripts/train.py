"""Train a controller: ``python scripts/train.py env=oscillator algo.alpha3=0.1``; ``--help`` tells the rest."""

import hydra
from omegaconf import DictConfig

from lac import experiment
from lac.command_line import run_app, run_job

experiment.register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Train as the config says."""
    return run_job(experiment.run, cfg)


if __name__ == "__main__":
    run_app(main, "train")

"""Train a controller: ``python scripts/train.py env=oscillator algo.alpha3=0.1``; ``--help`` tells the rest."""

import hydra
from omegaconf import DictConfig

from lac.cli import train
from lac.cli.app import register, run_app, run_job

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Train as the config says."""
    return run_job(train.run, cfg)


if __name__ == "__main__":
    run_app(main, "train")

"""Write a W&B sweep file: ``python scripts/wandb_sweep.py seed=0,1,2 algo.alpha3=0.1,0.3``; see ``--help``."""

import hydra
from omegaconf import DictConfig

from lac.cli import wandb_sweep
from lac.cli.app import register, run_app, run_job

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="wandb_sweep")
def main(cfg: DictConfig) -> None:
    """Write the sweep file of the config."""
    run_job(wandb_sweep.run, cfg)


if __name__ == "__main__":
    wandb_sweep.gather_overrides()
    run_app(main, "wandb_sweep")

"""The command ``wandb_sweep``: ``python scripts/wandb_sweep.py --help`` shows its options."""

from lac.cli.main import run_command

if __name__ == "__main__":
    run_command("wandb_sweep")

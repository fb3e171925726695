"""The command ``train``: ``python scripts/train.py --help`` shows its options."""

from lac.cli.main import run_command

if __name__ == "__main__":
    run_command("train")

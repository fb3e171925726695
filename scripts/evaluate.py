"""The command ``evaluate``: ``python scripts/evaluate.py --help`` shows its options."""

from lac.cli.main import run_command

if __name__ == "__main__":
    run_command("evaluate")

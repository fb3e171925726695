"""The command ``benchmark``: ``python scripts/benchmark.py --help`` shows its options."""

from lac.cli.main import run_command

if __name__ == "__main__":
    run_command("benchmark")

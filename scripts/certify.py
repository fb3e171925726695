"""The command ``certify``: ``python scripts/certify.py --help`` shows its options."""

from lac.cli.main import run_command

# Hydra's completion in bash looks for the text "@hydra.main" in a script.
if __name__ == "__main__":
    run_command("certify")

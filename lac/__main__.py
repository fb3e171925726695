"""``python -m lac COMMAND ...``, the same as ``lac COMMAND ...``."""

from lac.cli.main import main

main()

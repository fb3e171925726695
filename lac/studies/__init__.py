"""Studies of trained policies from Python: robustness and stability."""

"""Loggers of metrics: a JSON lines file, the console, Weights & Biases."""

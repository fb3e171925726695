"""Loggers of metrics: a JSON lines file and copies of it, the console, Weights & Biases."""
